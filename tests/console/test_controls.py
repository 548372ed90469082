"""What the console does to a cloud: its request box, and its buttons for time, savepoints and faults."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from omisim import Account, ApiError, Cloud
from omisim.model import Image
from omisim.server import Running


@pytest.fixture(name="request_box")
def _request_box(page: Page, server: Running, alice: Account, bob: Account) -> Page:
    page.goto(f"{server.url}/_omisim/#token={server.token}")
    page.get_by_role("tab", name="Request").click()
    return page


@pytest.fixture(name="controls")
def _controls(page: Page, server: Running, alice: Account) -> Page:
    page.goto(f"{server.url}/_omisim/#token={server.token}")
    page.get_by_role("tab", name="Controls").click()
    return page


class TestRequest:
    def test_offers_the_parameters_of_an_action(self, request_box: Page) -> None:
        """Required parameters are there at once, the others can be added and removed, each with its type."""
        request_box.locator("#request-action").fill("CreateVolume")
        expect(request_box.get_by_label("SubregionName")).to_be_visible()
        adding = request_box.get_by_label("Add", exact=True)
        expect(adding.locator("option", has_text="Size (integer)")).to_be_attached()
        adding.select_option("Size")
        expect(request_box.get_by_label("Size", exact=True)).to_be_focused()
        request_box.get_by_role("button", name="Remove Size").click()
        expect(request_box.get_by_label("Size", exact=True)).to_have_count(0)

    def test_says_before_sending_what_would_be_refused(self, request_box: Page, alice: Account, golden: Image) -> None:
        """`why_not` answers while the request is written; nothing is sent."""
        request_box.locator("#request-action").fill("DeleteImage")
        request_box.get_by_label("ImageId").fill("ami-12345678")
        verdict = request_box.locator(".verdict")
        expect(verdict).to_contain_text("would be refused")
        expect(verdict.locator(".rule")).to_have_text("OMI-122")
        request_box.get_by_label("ImageId").fill(golden.image_id)
        expect(verdict).to_have_text("This request would succeed.")
        assert not alice.cloud.calls("DeleteImage")

    def test_shows_the_answer(self, request_box: Page, cloud: Cloud, bob: Account) -> None:
        """A request runs as the chosen account, and its answer is the API's."""
        request_box.get_by_label("Account", exact=True).select_option("bob")
        request_box.locator("#request-action").fill("CreateVolume")
        request_box.get_by_label("SubregionName").fill("eu-west-2a")
        request_box.get_by_label("Add", exact=True).select_option("Size")
        request_box.get_by_label("Size", exact=True).fill("7")
        request_box.get_by_role("button", name="Send").click()
        expect(request_box.locator(".answer pre")).to_contain_text('"Size": 7')
        assert cloud.calls("CreateVolume").one().account == "bob"

    def test_explains_a_refusal(self, request_box: Page) -> None:
        """A refused request shows the rule and the fix, and the call is in the history. [REQ-010]"""
        request_box.locator("#request-action").fill("CreateVolume")
        request_box.get_by_role("button", name="Send").click()
        expect(request_box.locator(".answer .rule")).to_have_text("REQ-010")
        expect(request_box.locator(".timebar .what")).to_contain_text("refused by REQ-010")

    @pytest.mark.parametrize("name", ["constructor", "__proto__", "toString"])
    def test_knows_only_the_names_of_actions(self, request_box: Page, name: str) -> None:
        """A name that every object of JavaScript has is an unknown action, too. [REQ-002]"""
        request_box.locator("#request-action").fill(name)
        expect(request_box.locator(".verdict .rule")).to_have_text("REQ-002")

    def test_names_what_cannot_be_read(self, request_box: Page) -> None:
        """Invalid JSON and an unknown action are explained, and nothing is sent."""
        request_box.locator("#request-action").fill("UpdateImage")
        request_box.get_by_label("Add", exact=True).select_option("PermissionsToLaunch")
        request_box.get_by_label("PermissionsToLaunch", exact=True).fill("{")
        request_box.get_by_role("button", name="Send").click()
        expect(request_box.locator(".answer")).to_contain_text("PermissionsToLaunch: ")
        request_box.locator("#request-action").fill("CreateUnicorns")
        request_box.get_by_role("button", name="Send").click()
        expect(request_box.locator(".answer .refusal")).to_contain_text("CreateUnicorns")

    def test_fills_in_the_members_of_an_object(self, request_box: Page, golden: Image, bob: Account) -> None:
        """A member that stays null is not sent, so that an object needs no other change than the wanted one."""
        request_box.locator("#request-action").fill("UpdateImage")
        request_box.get_by_label("ImageId").fill(golden.image_id)
        request_box.get_by_label("Add", exact=True).select_option("PermissionsToLaunch")
        share = request_box.get_by_label("PermissionsToLaunch", exact=True)
        wanted = f'"AccountIds": ["{bob.account_id}"]'
        share.fill(share.input_value().replace('"AccountIds": null', wanted, 1))
        expect(request_box.locator(".verdict")).to_have_text("This request would succeed.")

    @pytest.mark.parametrize(
        ("action", "name", "text", "sent"),
        [
            ("CreateVms", "SecurityGroups", "web servers, db ,", ["web servers", "db"]),
            ("DeleteVms", "VmIds", "i-12345678 i-87654321", ["i-12345678", "i-87654321"]),
        ],
    )
    def test_reads_lists(
        self, request_box: Page, cloud: Cloud, action: str, name: str, text: str, sent: list[str]
    ) -> None:
        """The items of a list are separated by commas, because a name may contain spaces; ids also by spaces."""
        request_box.locator("#request-action").fill(action)
        adding = request_box.get_by_label("Add", exact=True)
        if adding.locator(f"option[value={name}]").count():
            adding.select_option(name)
        request_box.locator(f"#parameter-{name}").fill(text)
        request_box.get_by_role("button", name="Send").click()
        expect(request_box.locator(".answer .refusal")).to_be_visible()
        assert cloud.calls(action).one().parameters == {name: sent}

    @pytest.mark.parametrize("name", [" ReadVms", "ReadVms "])
    def test_ignores_blanks_around_the_name_of_an_action(self, request_box: Page, cloud: Cloud, name: str) -> None:
        """A pasted name may have blanks around it."""
        request_box.locator("#request-action").fill(name)
        expect(request_box.get_by_label("Add", exact=True)).to_be_visible()
        request_box.get_by_role("button", name="Send").click()
        expect(request_box.locator(".answer pre")).to_contain_text('"Vms"')

    @pytest.mark.parametrize(
        ("action", "name", "text"),
        [("CreateVolume", "Size", "9007199254740993"), ("CreateVms", "Placement", '{"a": 9007199254740993}')],
    )
    def test_refuses_integers_that_it_would_round(self, request_box: Page, action: str, name: str, text: str) -> None:
        """JavaScript cannot send an integer above 2**53, so the box says so instead of sending another one."""
        request_box.locator("#request-action").fill(action)
        request_box.get_by_label("Add", exact=True).select_option(name)
        request_box.get_by_label(name, exact=True).fill(text)
        expect(request_box.locator(".verdict")).to_contain_text("beyond the integers that this page can send")

    def test_hides_secrets_in_the_answer(self, request_box: Page, alice: Account) -> None:
        """A new secret key is not shown on a page."""
        request_box.locator("#request-action").fill("CreateAccessKey")
        request_box.get_by_role("button", name="Send").click()
        expect(request_box.locator(".answer pre")).to_contain_text('"SecretKey": "redacted"')


class TestControls:
    def test_move_the_clock(self, controls: Page, cloud: Cloud) -> None:
        """Advance moves the clock by the seconds that were entered, and the page shows the new time."""
        controls.get_by_label("Seconds").fill("3600")
        controls.get_by_role("button", name="Advance").click()
        expect(controls.locator(".clock")).to_have_text("2026-01-01 01:00:00")
        controls.get_by_role("button", name="Settle").click()
        expect(controls.locator(".controls .message")).to_contain_text("Settled")

    def test_need_their_numbers(self, controls: Page) -> None:
        """An empty field is pointed out by the browser; nothing is sent in its place."""
        controls.get_by_label("Seconds").fill("")
        controls.get_by_role("button", name="Advance").click()
        assert controls.locator("#seconds").evaluate("field => field === document.activeElement")
        expect(controls.locator(".controls .message")).to_have_text("")

    def test_return_to_a_savepoint(self, controls: Page, alice: Account) -> None:
        """A rollback undoes what was created since, on the page too."""
        controls.get_by_role("button", name="Create a savepoint").click()
        back = controls.get_by_role("button", name="Roll back")
        expect(back).to_be_visible()
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        card = controls.locator(f'.card[data-id="{volume.volume_id}"]')
        expect(card).to_be_visible()
        back.click()
        expect(card).to_have_count(0)
        assert alice.read_volumes() == ()

    def test_offer_the_statuses_of_faults(self, controls: Page) -> None:
        """A fault has no other status than those offered."""
        assert controls.locator("#fault-status option").all_text_contents() == ["503", "429", "500"]

    def test_add_and_remove_faults(self, controls: Page, cloud: Cloud, alice: Account) -> None:
        """A fault is listed, and hits the next call."""
        controls.locator("#fault-action").fill("ReadVolumes")
        controls.get_by_role("button", name="Add the fault").click()
        expect(controls.locator(".faults")).to_contain_text("ReadVolumes")
        with pytest.raises(ApiError, match="503"):
            alice.read_volumes()
        controls.locator("#fault-action").fill("ReadUnicorns")
        controls.get_by_role("button", name="Add the fault").click()
        expect(controls.locator(".controls .message")).to_have_class(re.compile("failed"))
        controls.get_by_role("button", name="Remove all").click()
        expect(controls.locator(".faults")).to_have_text("No faults.")
        assert len(cloud.faults) == 0


class TestMovesOfAResource:
    def test_are_offered_while_it_changes_by_itself(self, page: Page) -> None:
        """The panel of a resource in a transient state completes it, or lets it fail."""
        cloud = Cloud(timing="manual")
        volume = cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
        with cloud.serve() as server:
            page.goto(f"{server.url}/_omisim/#token={server.token}")
            card = page.locator(f'.card[data-id="{volume.volume_id}"]')
            card.click()
            page.get_by_role("button", name="Complete", exact=True).click()
            expect(card).to_contain_text("available")
            expect(page.get_by_role("button", name="Complete", exact=True)).to_have_count(0)
