"""The console on a server, in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from omisim import Account, ApiError, Cloud
from omisim.cloud.console import PAGE_POLICY, list_page_files
from omisim.model import Image
from omisim.server import Running

Open = Callable[[], Page]


@pytest.fixture(name="console")
def _console(page: Page, server: Running, alice: Account) -> Page:
    """The page of a server, signed in by the token of its address."""
    page.goto(f"{server.url}/_omisim/#token={server.token}")
    expect(page.locator(".status")).to_have_text("Live")
    return page


def find_card(console: Page, resource_id: str) -> Locator:
    """Return the card of a resource."""
    return console.locator(f'.card[data-id="{resource_id}"]')


class TestPage:
    def test_shows_nothing_without_the_token(self, page: Page, server: Running, golden: Image) -> None:
        """The page itself needs no token; what it shows does."""
        page.goto(f"{server.url}/_omisim/")
        expect(page.get_by_label("Token")).to_be_visible()
        assert golden.image_id not in page.content()
        assert requests.get(f"{server.url}/_omisim/view", timeout=60).status_code == 401

    def test_takes_the_token_out_of_the_address(self, console: Page, server: Running) -> None:
        """The token is exchanged for a cookie that no script can read, and that serves for a reload."""
        assert server.token not in console.url
        assert console.evaluate("document.cookie") == ""
        (cookie,) = console.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/_omisim")
        console.reload()
        expect(console.locator(".status")).to_have_text("Live")

    def test_opens_any_number_of_times_in_a_browser(self, console: Page, server: Running) -> None:
        """A browser opens six connections to one server; the streams of its pages leave some for requests."""
        for _ in range(6):
            other = console.context.new_page()
            other.goto(f"{server.url}/_omisim/")
            expect(other.get_by_role("heading", name="alice")).to_be_visible()

    def test_asks_for_another_token(self, page: Page, server: Running, alice: Account) -> None:
        """A wrong token is refused by name, and the right one can be entered."""
        page.goto(f"{server.url}/_omisim/#token=wrong")
        expect(page.get_by_text("The server does not accept this token.")).to_be_visible()
        page.get_by_label("Token").fill(server.token)
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("heading", name="alice")).to_be_visible()

    def test_takes_an_address_that_is_opened_in_its_place(self, page: Page, server: Running, alice: Account) -> None:
        """The address with the token may be opened in the tab that has asked for it."""
        page.goto(f"{server.url}/_omisim/")
        expect(page.get_by_label("Token")).to_be_visible()
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        expect(page.get_by_role("heading", name="alice")).to_be_visible()
        assert server.token not in page.url

    def test_offers_the_first_cloud_instead_of_an_unknown_one(
        self, page: Page, server: Running, alice: Account
    ) -> None:
        """A name that no cloud of the server has does not make the page ask for a token."""
        page.goto(f"{server.url}/_omisim/?cloud=nope#token={server.token}")
        expect(page.get_by_text("this server has no cloud 'nope'")).to_be_visible()
        expect(page.get_by_label("Token")).to_have_count(0)
        page.get_by_role("link", name="Open the first cloud").click()
        expect(page.get_by_role("heading", name="alice")).to_be_visible()

    def test_has_a_strict_policy(self, server: Running) -> None:
        """Every file comes with the policy and its own type; nothing is taken from another host."""
        for name in list_page_files():
            answer = requests.get(f"{server.url}/_omisim/{name}", timeout=60)
            assert answer.headers["Content-Security-Policy"] == PAGE_POLICY
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert not re.search(r"(?:src|href)=.?(?:https?:)?//|@import|url\((?!#)", answer.text)
        assert "unsafe" not in PAGE_POLICY

    def test_is_found_without_its_slash(self, server: Running) -> None:
        """Its links are relative, so its address ends with a slash."""
        answer = requests.get(f"{server.url}/_omisim", timeout=60, allow_redirects=False)
        assert (answer.status_code, answer.headers["Location"]) == (308, "/_omisim/")


class TestCloud:
    def test_may_be_another_one_of_the_server(self, page: Page, server: Running, alice: Account, golden: Image) -> None:
        """The address names a cloud, which the page reads, follows and changes; the first one stays as it is."""
        headers = {"Authorization": f"Bearer {server.token}"}
        requests.post(f"{server.url}/_omisim/clouds", json={"name": "other"}, headers=headers, timeout=60)
        alice.delete_image(image_id=golden.image_id)
        page.goto(f"{server.url}/_omisim/?cloud=other#token={server.token}")
        expect(page.locator(".title")).to_have_text("other")
        expect(find_card(page, golden.image_id)).to_be_visible()
        now = alice.cloud.now
        page.get_by_role("tab", name="Controls").click()
        page.get_by_label("Seconds").fill("86400")
        page.get_by_role("button", name="Advance").click()
        expect(page.locator(".clock")).to_have_text(re.compile("2026-01-02"))
        assert alice.cloud.now == now


class TestResources:
    def test_appear_when_they_are_created(self, console: Page, golden: Image) -> None:
        """An OMI has a card in the column of its account, with its name and its state."""
        card = find_card(console, golden.image_id)
        expect(card).to_contain_text("golden")
        expect(card).to_contain_text("available")
        expect(console.get_by_label("Account alice in eu-west-2").locator(".card").first).to_contain_text("golden")

    def test_show_with_whom_they_are_shared(self, console: Page, alice: Account, bob: Account, golden: Image) -> None:
        """A share appears on the card, and in the access matrix with its rule."""
        share = {"additions": {"account_ids": [bob.account_id]}}
        alice.update_image(image_id=golden.image_id, permissions_to_launch=share)
        card = find_card(console, golden.image_id)
        expect(card).to_contain_text("shared with bob")
        card.click()
        expect(console.locator("table.access thead")).to_contain_text("bob")
        expect(console.locator("table.access tbody tr", has_text="launch")).to_contain_text("SHR-005")

    def test_show_what_they_come_from(self, console: Page, golden: Image) -> None:
        """The panel of a resource lists its parents, and a link selects one."""
        find_card(console, golden.image_id).click()
        parents = console.locator(".relatives").first
        expect(parents).to_contain_text("made from i-")
        parents.get_by_role("button").first.click()
        expect(console.locator(".resource-kind")).to_contain_text("VM")
        expect(console.locator(".relatives").last).to_contain_text("golden made from it")
        expect(console.locator(".lines path.strong").first).to_be_attached()

    def test_may_have_names_with_markup(self, console: Page, alice: Account) -> None:
        """A name is a text, wherever it is shown."""
        (vm,) = alice.create_vms(image_id=alice.cloud.images.official("debian").image_id)
        name = "<img src=x onerror=alert(1)>&amp;</script>"
        alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": "Name", "value": name}])
        card = find_card(console, vm.vm_id)
        expect(card.locator(".name")).to_have_text(name)
        card.click()
        expect(console.locator(".resource-name")).to_have_text(name)
        console.get_by_role("tab", name="Calls").click()
        expect(console.locator(".parameters").first).to_contain_text("onerror=alert(1)")
        assert console.locator("img").count() == 0

    def test_are_found_by_a_part_of_their_name(self, console: Page, golden: Image) -> None:
        """The search leaves the cards that match."""
        expect(find_card(console, golden.image_id)).to_be_visible()
        console.get_by_label("Find a resource").fill("gold")
        expect(console.locator(".card")).to_have_count(1)
        console.get_by_label("Find a resource").fill("nothing like this")
        expect(console.locator(".empty")).to_contain_text("Nothing matches")


class TestHistory:
    def test_shows_refusals_with_their_rules_and_fixes(self, console: Page, alice: Account, golden: Image) -> None:
        """The panel lists refused calls, the last first. [OMI-022]"""
        with pytest.raises(ApiError) as refusal:
            alice.create_image(vm_id=alice.read_vms()[0].vm_id, image_name="golden")
        console.get_by_role("tab", name="Refusals").click()
        shown = console.locator(".refusal").first
        expect(shown).to_contain_text("OMI-022")
        expect(shown).to_contain_text(refusal.value.details)
        expect(shown.locator(".fix")).to_contain_text("Choose another name")

    def test_goes_back_to_any_call(self, console: Page, alice: Account, golden: Image) -> None:
        """The slider shows the cloud as it was after a call, and a card's past state."""
        alice.delete_image(image_id=golden.image_id)
        expect(find_card(console, golden.image_id)).to_have_count(0)
        console.get_by_role("tab", name="Calls").click()
        console.locator(".call", has_text="CreateImage by alice").click()
        expect(find_card(console, golden.image_id)).to_contain_text("pending")
        expect(console.locator(".timebar")).to_have_class(re.compile("past"))
        console.get_by_role("button", name="One step back").click()
        expect(find_card(console, golden.image_id)).to_have_count(0)
        console.get_by_role("button", name="Latest").click()
        expect(console.locator(".timebar")).not_to_have_class(re.compile("past"))

    def test_is_announced_to_a_screen_reader(self, console: Page, alice: Account) -> None:
        """Each step is read out, with the number of resources that it changed."""
        alice.create_keypair(keypair_name="key")
        expect(console.locator("[aria-live]")).to_have_text("Step 2 of 2: CreateKeypair by alice. 1 resource changed.")

    def test_stays_where_it_is_while_calls_come(self, console: Page, alice: Account, golden: Image) -> None:
        """Who looks at the past is not moved to the present by a new call."""
        expect(find_card(console, golden.image_id)).to_contain_text("available")
        console.get_by_role("button", name="One step back").click()
        expect(console.locator(".timebar")).to_have_class(re.compile("past"))
        at, of = console.locator(".place").inner_text().split(" / ")
        alice.read_vms()
        expect(console.locator(".place")).to_have_text(f"{at} / {int(of) + 1}")

    def test_follows_a_rollback(self, console: Page, cloud: Cloud, alice: Account) -> None:
        """What is undone disappears, though the cloud grew again to the same length."""
        with cloud.savepoint():
            undone = alice.create_volume(subregion_name="eu-west-2a", size=1)
            expect(find_card(console, undone.volume_id)).to_be_visible()
        volume = alice.create_volume(subregion_name="eu-west-2a", size=2)
        expect(find_card(console, volume.volume_id)).to_contain_text("2 GiB")
        expect(console.locator(".card", has_text="1 GiB")).to_have_count(0)


class TestKeyboard:
    def test_reaches_everything(self, console: Page, golden: Image) -> None:
        """Tab enters the board once, arrow keys move in it, Enter selects, and arrows move the slider and the tabs."""
        card = find_card(console, golden.image_id)
        expect(card).to_be_visible()
        console.get_by_role("button", name="Deleted").focus()
        console.keyboard.press("Tab")
        focused = console.locator(".card:focus")
        expect(focused).to_have_count(1)
        console.keyboard.press("Home")
        console.keyboard.press("ArrowRight")  # from the column of the platform
        expect(card).to_be_focused()
        console.keyboard.press("ArrowDown")
        expect(card).not_to_be_focused()
        console.keyboard.press("Home")
        console.keyboard.press("Enter")
        expect(card).to_have_attribute("aria-pressed", "true")
        console.keyboard.press("Tab")
        expect(console.get_by_role("tab", name="Resource")).to_be_focused()
        console.keyboard.press("ArrowRight")
        expect(console.get_by_role("tab", name="Refusals")).to_have_attribute("aria-selected", "true")
        slider = console.get_by_label("Point in the history")
        slider.focus()
        console.keyboard.press("ArrowLeft")
        expect(console.locator(".timebar")).to_have_class(re.compile("past"))
        assert "Step" in (slider.get_attribute("aria-valuetext") or "")
