"""What axe-core and narrow windows say about the console, in light and dark."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from screenshot import SCREENSHOT, play, take_screenshot

from omisim import Account, ApiError
from omisim.model import Image
from omisim.server import Running

Scheme = Literal["light", "dark"]
SERIOUS = ("serious", "critical")
WIDTHS = (1280, 800, 400)


@pytest.fixture(name="open_page", params=["light", "dark"])
def _open_page(
    request: pytest.FixtureRequest, browser: Browser, server: Running, alice: Account, golden: Image
) -> Iterator[Page]:
    """The console with cards of each tone and a refusal. Its policy is off, because axe-core is a script of ours."""
    with pytest.raises(ApiError):
        alice.create_image(vm_id=alice.read_vms()[0].vm_id, image_name="golden")
    alice.delete_vms(vm_ids=[alice.read_vms()[0].vm_id])
    scheme: Scheme = request.param
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{server.url}/_omisim/#token={server.token}")
    expect(page.locator(".card").first).to_be_visible()
    yield page
    context.close()


def find_problems(page: Page) -> list[str]:
    """Return the serious findings of axe-core, each with an element."""
    findings: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{finding['id']}: {node['html']} {node['failureSummary']}"
        for finding in findings
        if finding["impact"] in SERIOUS
        for node in finding["nodes"]
    ]


class TestAxe:
    def test_finds_nothing_serious(self, open_page: Page, golden: Image) -> None:
        """Every tab, with a selected resource, now and in the past."""
        open_page.locator(f'.card[data-id="{golden.image_id}"]').click()
        expect(open_page.locator("table.access")).to_be_visible()
        problems = find_problems(open_page)
        for name in ("Refusals", "Calls", "Request", "Controls"):
            open_page.get_by_role("tab", name=name).click()
            if name == "Request":
                open_page.locator("#request-action").fill("CreateImage")
                expect(open_page.locator(".verdict .refusal").first).to_be_visible()
            if name == "Controls":
                open_page.get_by_role("button", name="One step back").click()
            problems += find_problems(open_page)
        assert problems == []


class TestLayout:
    def test_needs_no_scrolling_sideways(self, page: Page, server: Running, golden: Image) -> None:
        """The page is as wide as the window; only the board scrolls sideways."""
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        page.locator(f'.card[data-id="{golden.image_id}"]').click()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") == width

    def test_shows_the_selected_resource_in_a_narrow_window(self, page: Page, server: Running, golden: Image) -> None:
        """Where the panel is below the board, selecting a card brings the panel into view."""
        page.set_viewport_size({"width": 400, "height": 800})
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        page.locator(f'.card[data-id="{golden.image_id}"]').click()
        expect(page.locator("#panel-resource").get_by_role("heading", name="golden")).to_be_in_viewport()

    def test_shows_part_of_a_large_group(self, page: Page, server: Running, alice: Account) -> None:
        """Of 200 keypairs, 40 cards are on the board until the user asks for more."""
        for number in range(200):
            alice.create_keypair(keypair_name=f"key-{number}")
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        page.get_by_role("button", name="Keypairs").click()
        expect(page.locator(".card")).to_have_count(40)
        page.get_by_role("button", name="Show 160 more").click()
        expect(page.locator(".card")).to_have_count(200)
        expect(page.locator(".card", has_text="key-40").first).to_be_focused()


def read_size(path: Path) -> tuple[int, int]:
    """Return the width and height of a PNG file."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


class TestScreenshot:
    """The picture of the console in README."""

    def test_is_in_the_documentation(self) -> None:
        """`python docs/screenshot.py` has written it, at twice the size in which it is shown."""
        assert read_size(SCREENSHOT) == (2560, 1600)
        assert SCREENSHOT.stat().st_size < 600_000

    def test_shows_shares_and_refusals(self) -> None:
        """Its cloud has an OMI that two accounts use, and calls that were refused."""
        cloud = play()
        assert {call.error.rule for call in cloud.calls() if call.error} == {"VM-002", "OMI-022"}
        (golden,) = cloud.account("alice").read_images(filters={"image_names": ["golden"]})
        assert set(cloud.who_can(golden.image_id)) == {"alice", "bob"}

    def test_can_be_taken_again(self, browser: Browser, tmp_path: Path) -> None:
        """The script still works."""
        take_screenshot(browser, tmp_path / "console.png", 800, 600)
        assert read_size(tmp_path / "console.png") == (1600, 1200)
