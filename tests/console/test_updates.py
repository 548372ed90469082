"""What a user has begun on the console's page while updates come: clicks, focus, selections, and what is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from omisim import Account, ApiError, Cloud
from omisim.model import Image
from omisim.server import Running

COUNT_UPDATES = """
window.updates = 0;
window.EventSource = class extends EventSource {
    constructor(address) {
        super(address);
        for (const name of ["view", "steps", "now"]) this.addEventListener(name, () => window.updates++);
    }
};
"""
WAIT_FOR_UPDATE = """before => new Promise(done => {
    const look = () => updates > before ? done() : requestAnimationFrame(look);
    look();
})"""
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
OPERABLE = ".console :is(a, button, input, select, option, textarea, summary, details, [tabindex])"
TABS = ("Resource", "Refusals", "Calls", "Request", "Controls")


class LivePage:
    """A page that follows a cloud, and that is known to have drawn what it was sent."""

    def __init__(self, page: Page, server: Running) -> None:
        self.page = page
        page.add_init_script(COUNT_UPDATES)
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        expect(page.locator(".status")).to_have_text("Live")

    def send(self, change: Callable[[], Any]) -> None:
        """Change the cloud, and return when the page has received that and drawn what it draws of it."""
        before = self.page.evaluate("updates")
        change()
        self.page.evaluate(WAIT_FOR_UPDATE, before)  # not wait_for_function: the page's policy forbids what that does
        self.page.evaluate(TWO_FRAMES)

    def hold(self, address: str) -> list[Route]:
        """Return the requests of the page for an address from now on; a test lets each of them go on."""
        routes: list[Route] = []

        def keep(route: Route) -> None:
            routes.append(route)

        self.page.route(address, keep)
        return routes

    def open_resource(self, image: Image) -> None:
        """Select an OMI, and wait for what the server knows of it."""
        self.page.locator(f'.card[data-id="{image.image_id}"]').click()
        expect(self.page.locator("#panel-resource").get_by_text("All fields")).to_be_visible()


@pytest.fixture(name="live")
def _live(page: Page, server: Running, alice: Account, golden: Image) -> LivePage:
    """A page with a refusal, and an OMI with relatives."""
    with pytest.raises(ApiError):
        alice.create_image(vm_id=alice.read_vms()[0].vm_id, image_name=golden.image_name)
    return LivePage(page, server)


@pytest.fixture(name="write")
def _write(alice: Account) -> Callable[[], Any]:
    """A call that changes the board, the history and the lists, each time it is made."""
    names: Iterator[str] = (f"key-{number}" for number in range(1000))
    return lambda: alice.create_keypair(keypair_name=next(names))


class TestElements:
    @pytest.mark.parametrize("name", TABS)
    def test_stay_while_calls_come(
        self, live: LivePage, write: Callable[[], Any], alice: Account, golden: Image, name: str
    ) -> None:
        """Everything that can be clicked, opened or focused stays the same element, in every tab and on the board."""
        live.page.get_by_role("button", name="Deleted").click()
        live.open_resource(golden)
        live.page.get_by_role("tab", name=name).click()
        live.page.evaluate(f"window.operable = [...document.querySelectorAll('{OPERABLE}')]")
        assert live.page.evaluate("operable.length") > len(TABS)
        for change in (write, lambda: alice.cloud.account("carol"), write):
            live.send(change)
        assert live.page.evaluate("operable.filter(e => !e.isConnected).map(e => e.outerHTML)") == []

    @pytest.mark.parametrize("name", TABS)
    def test_keep_the_focus(self, live: LivePage, write: Callable[[], Any], golden: Image, name: str) -> None:
        """Each element of a tab that has the focus has it after an update, too."""
        live.open_resource(golden)
        live.page.get_by_role("tab", name=name).click()
        panel = live.page.get_by_role("tabpanel", name=name)
        elements = panel.locator(":is(button, input, select, summary):visible")
        for element in [panel, elements.first, elements.last] if elements.count() else [panel]:
            handle = element.element_handle()
            handle.focus()
            live.send(write)
            assert handle.evaluate("element => element === document.activeElement")

    def test_keep_what_was_opened_and_selected(self, live: LivePage, write: Callable[[], Any], golden: Image) -> None:
        """A section that was opened stays open, with its scroll position and the text that was selected in it."""
        live.open_resource(golden)
        live.page.get_by_text("All fields").click()
        fields = live.page.locator("details[open] pre")
        fields.evaluate("pre => { getSelection().selectAllChildren(pre); pre.scrollTop = 40; }")
        live.send(write)
        expect(fields).to_be_visible()
        assert fields.evaluate("pre => pre.scrollTop") == 40
        assert '"ImageName": "golden"' in live.page.evaluate("getSelection().toString()")

    def test_lose_nothing_that_is_typed(self, live: LivePage, write: Callable[[], Any]) -> None:
        """A search goes on where it was, with its caret."""
        search = live.page.get_by_label("Find a resource")
        search.press_sequentially("gold")
        search.press("Home")
        live.send(write)
        search.press_sequentially("very ")
        expect(search).to_have_value("very gold")

    def test_are_new_for_another_resource(self, live: LivePage, golden: Image) -> None:
        """What was opened of one resource is not open for the next one."""
        live.open_resource(golden)
        live.page.get_by_text("All fields").click()
        live.page.locator(".relatives button").first.click()
        expect(live.page.locator("#panel-resource").get_by_text("All fields")).to_be_visible()
        expect(live.page.locator("details[open]")).to_have_count(0)

    def test_do_what_they_show(self, live: LivePage, write: Callable[[], Any]) -> None:
        """A row that stays takes over what changes of it, also what a click on it does."""
        live.page.get_by_role("tab", name="Calls").click()
        live.send(write)
        live.page.locator(".call").nth(3).click()
        at = live.page.locator(".place").inner_text().partition(" / ")[0]
        expect(live.page.locator(".call[aria-current] .when")).to_contain_text(f"{at} · ")
        expect(live.page.locator(".call.later")).to_have_count(3)


class TestHistory:
    def test_is_read_out_while_calls_come(self, live: LivePage, write: Callable[[], Any]) -> None:
        """A step of the past is announced once: later calls neither put that off nor repeat it."""
        live.page.get_by_role("button", name="One step back").click()
        place = live.page.locator(".place").inner_text()
        for _ in range(2):
            live.send(write)
        announced = f"Step {place.replace(' / ', ' of ')}: "
        expect(live.page.locator("[aria-live]")).to_contain_text(announced)


class TestPress:
    """A click begins on one element and ends on another if the page moves between; then it does nothing."""

    def test_reaches_a_row_that_would_have_moved(self, live: LivePage, write: Callable[[], Any]) -> None:
        """Calls that come while the button of the mouse is down are listed after the click."""
        live.page.get_by_role("tab", name="Calls").click()
        row = live.page.locator(".call").nth(1)
        number = (row.locator(".when").text_content() or "").split(" ")[0]
        row.hover()
        live.page.mouse.down()
        for _ in range(3):
            live.send(write)
        live.page.mouse.up()
        expect(live.page.locator(".place")).to_have_text(f"{number} / {int(number) + 4}")

    def test_holds_what_the_server_answers(self, live: LivePage, golden: Image) -> None:
        """What is known of a resource is shown after the click, if it comes between."""
        routes = live.hold("**/resource?*")
        live.page.locator(f'.card[data-id="{golden.image_id}"]').click()
        expect(live.page.locator(".resource-name")).to_be_visible()
        live.page.locator(".history button").first.hover()
        live.page.mouse.down()
        with live.page.expect_response("**/resource?*"):
            routes.pop().continue_()
        live.page.evaluate(TWO_FRAMES)
        expect(live.page.locator("table.access")).to_have_count(0)
        live.page.mouse.up()
        expect(live.page.locator(".timebar")).to_contain_class("past")

    def test_ends_with_any_later_event(self, live: LivePage, write: Callable[[], Any]) -> None:
        """Some menus keep the release to themselves: the next move of the pointer shows the updates, too."""
        place = live.page.locator(".place")
        live.page.evaluate("dispatchEvent(new PointerEvent('pointerdown', { buttons: 1 }))")
        before = place.inner_text()
        live.send(write)
        expect(place).to_have_text(before)
        live.page.mouse.move(5, 5)
        expect(place).not_to_have_text(before)

    def test_does_not_stop_scrubbing(self, live: LivePage) -> None:
        """What the user does is shown at once: dragging the slider shows the cloud along the way."""
        box = live.page.get_by_label("Point in the history").bounding_box()
        assert box is not None
        live.page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
        live.page.mouse.down()
        live.page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
        expect(live.page.locator(".timebar")).to_contain_class("past")
        expect(live.page.locator(".call.later, .card")).to_have_count(0)
        live.page.mouse.up()


class TestResource:
    def test_is_shown_while_calls_come(self, live: LivePage, write: Callable[[], Any], golden: Image) -> None:
        """An answer that an update has overtaken is shown, and the server is asked again, one request at a time."""
        routes = live.hold("**/resource?*")
        live.page.locator(f'.card[data-id="{golden.image_id}"]').click()
        for _ in range(3):
            live.send(write)
        assert len(routes) == 1
        with live.page.expect_request("**/resource?*"):
            routes[0].continue_()
        expect(live.page.locator("table.access")).to_be_visible()

    def test_says_why_a_move_failed(self, page: Page) -> None:
        """The reason stays while updates come."""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        with cloud.serve() as server:
            live = LivePage(page, server)
            page.route("**/fail", lambda route: route.fulfill(status=503, body='{"error": "not now"}'))
            page.locator(f'.card[data-id="{volume.volume_id}"]').click()
            page.get_by_role("button", name="Fail", exact=True).click()
            message = page.locator("#panel-resource .message")
            expect(message).to_have_text("not now")
            live.send(lambda: alice.create_keypair(keypair_name="key"))
            expect(message).to_have_text("not now")


class TestBoard:
    @pytest.fixture(name="full")
    def _full(self, page: Page, server: Running, alice: Account) -> LivePage:
        """A board with 60 keypairs, of which all are shown."""
        for number in range(60):
            alice.create_keypair(keypair_name=f"pair-{number}")
        live = LivePage(page, server)
        page.get_by_role("button", name="Keypairs").click()
        page.get_by_role("button", name="Show 20 more").click()
        expect(page.locator(".card")).to_have_count(60)
        return live

    @pytest.mark.parametrize("change", ["carol", "alice"])
    def test_keeps_how_much_is_shown(self, full: LivePage, cloud: Cloud, alice: Account, change: str) -> None:
        """Of a group that was extended, all cards stay when an account comes, or a resource of another kind."""
        if change == "carol":
            full.send(lambda: cloud.account("carol"))
        else:
            image_id = cloud.images.official("debian").image_id  # in the column of the platform, from now on
            full.send(lambda: alice.create_vms(image_id=image_id))
        expect(full.page.locator(".column")).to_have_count(2)
        expect(full.page.locator(".card", has_text="pair-")).to_have_count(60)

    def test_keeps_the_focus_beside_a_card_that_goes(self, full: LivePage, alice: Account) -> None:
        """A card keeps the focus when one before it is removed."""
        for _ in range(2):
            full.page.keyboard.press("ArrowDown")
        focused = full.page.locator(".card:focus")
        text = focused.text_content()
        full.send(lambda: alice.delete_keypair(keypair_name="pair-0"))
        expect(full.page.locator(".card")).to_have_count(59)
        assert focused.text_content() == text

    def test_has_the_height_of_what_it_shows(self, full: LivePage) -> None:
        """A search among many cards leaves no blank area below, in which the user who had scrolled would be."""
        full.page.get_by_label("Find a resource").fill("pair-59")
        expect(full.page.locator(".card")).to_have_count(1)
        full.page.evaluate(TWO_FRAMES)
        assert full.page.locator(".board").evaluate("board => board.scrollHeight === board.clientHeight")

    def test_does_not_move_when_cards_come_into_view(self, full: LivePage, alice: Account) -> None:
        """A card has the same height, to a pixel, before the browser has laid it out: with two lines or three."""
        for _ in range(30):
            alice.create_volume(subregion_name="eu-west-2a", size=1)
        alice.create_vms(image_id=alice.cloud.images.official("debian").image_id)
        expect(full.page.locator(".card", has_text="running")).to_be_visible()
        heights = """visibility => [...document.querySelectorAll(".group li")].map(item => {
            item.style.contentVisibility = visibility;
            return item.getBoundingClientRect().height;
        })"""
        expected = full.page.evaluate(heights, "hidden")
        assert full.page.evaluate(heights, "visible") == pytest.approx(expected, abs=0.5)
        assert {round(height) for height in expected} == {57, 75}
