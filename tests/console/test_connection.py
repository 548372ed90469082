"""The console's connection to its server: requests that fail, and pages that are hidden."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from omisim import Account, Cloud
from omisim.server import Running, streams

HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
QUICK = """{
    const { setTimeout } = window;
    window.setTimeout = (action, ms, ...rest) => setTimeout(action, ms / 20, ...rest);
}"""
FAILURES = {
    "refused": lambda route: route.abort("connectionrefused"),
    "503": lambda route: route.fulfill(status=503, body='{"error": "not now"}'),
}


def hide_and_show(page: Page) -> None:
    """Make the page believe that another tab was in front of it for a moment."""
    page.evaluate(HIDE, True)
    page.evaluate(HIDE, False)


class FailingServer:
    """Fail the requests of a page for one path until `works` is set; then forward them."""

    def __init__(self, page: Page, name: str, fail: Callable[[Route], None]) -> None:
        self.works, self.fail, self.forwarded = False, fail, 0
        page.route(f"**/_omisim/{name}", self._answer)

    def _answer(self, route: Route) -> None:
        if not self.works:
            return self.fail(route)
        self.forwarded += 1
        return route.continue_()


@pytest.fixture
def quick_retries(page: Page) -> None:
    """Let the page try again after a tenth of a second, not after two seconds."""
    page.add_init_script(QUICK)


@pytest.mark.usefixtures("quick_retries")
class TestFirstLoad:
    @pytest.mark.parametrize("failure", FAILURES)
    @pytest.mark.parametrize("name", ["session", "actions", "view"])
    def test_is_tried_again(self, page: Page, server: Running, alice: Account, name: str, failure: str) -> None:
        """Whichever request fails, the page says that it waits, opens once the server answers, and stays live."""
        gate = FailingServer(page, name, FAILURES[failure])
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        expect(page.get_by_role("status")).to_contain_text("Waiting for the server: ")
        gate.works = True
        expect(page.get_by_role("heading", name="alice")).to_be_visible()
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        expect(page.locator(f'.card[data-id="{volume.volume_id}"]')).to_be_visible()
        assert server.token not in page.url
        assert gate.forwarded <= 2  # a poll that was on its way, and the stream

    def test_keeps_a_token_that_was_entered(self, page: Page, server: Running, alice: Account) -> None:
        """A token need not be entered again because the server did not answer."""
        page.goto(f"{server.url}/_omisim/")
        gate = FailingServer(page, "session", FAILURES["refused"])
        page.get_by_label("Token").fill(server.token)
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("status")).to_contain_text("Waiting for the server: ")
        gate.works = True
        expect(page.get_by_role("heading", name="alice")).to_be_visible()


class TestLaterRequests:
    def test_say_that_the_server_does_not_answer(self, page: Page, cloud: Cloud, alice: Account) -> None:
        """Once the server has ended, the buttons say so in words that do not depend on the browser."""
        with cloud.serve() as server:
            page.goto(f"{server.url}/_omisim/#token={server.token}")
            page.get_by_role("tab", name="Controls").click()
        page.get_by_role("button", name="Settle").click()
        expect(page.locator(".controls .message")).to_have_text("The server does not answer.")

    def test_say_how_to_sign_in_again(self, page: Page, server: Running, alice: Account) -> None:
        """A server that has started anew has another token: the page names the way to it, and goes on there."""
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        expect(page.locator(".status")).to_have_text("Live")
        page.context.clear_cookies()
        hide_and_show(page)
        expect(page.locator(".status")).to_have_text("Signed out: open the address that omisim serve prints now")
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        expect(page.locator(".status")).to_have_text("Live")


class TestHiding:
    def test_keeps_what_was_typed(self, page: Page, server: Running, alice: Account) -> None:
        """The form for the token is not drawn again when its page is shown again."""
        page.goto(f"{server.url}/_omisim/")
        field = page.get_by_label("Token")
        field.fill(server.token[:5])
        hide_and_show(page)
        page.wait_for_timeout(1000)  # longer than the server needs to refuse a request
        field.press("End")
        field.press_sequentially(server.token[5:])
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("heading", name="alice")).to_be_visible()

    def test_ends_and_resumes_the_stream(self, page: Page, server: Running, alice: Account) -> None:
        """A hidden page leaves its stream to others; shown again, it has what it missed."""
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        expect(page.get_by_role("heading", name="alice")).to_be_visible()
        page.evaluate(HIDE, True)
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        page.wait_for_timeout(1000)
        card = page.locator(f'.card[data-id="{volume.volume_id}"]')
        expect(card).to_have_count(0)
        page.evaluate(HIDE, False)
        expect(card).to_be_visible()

    def test_does_not_poll_more_often(
        self, page: Page, server: Running, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A page without a stream polls every two seconds, however often it was hidden and shown."""
        monkeypatch.setattr(streams, "MAX_STREAMS", 0)
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        expect(page.locator(".status")).to_have_text("Every 2 seconds")
        for _ in range(8):
            with page.expect_response(lambda answer: answer.ok):
                hide_and_show(page)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.wait_for_timeout(5000)
        assert 0 < len(requests) <= 8  # a refused stream and a view each time; eight loops would send 40 of them
