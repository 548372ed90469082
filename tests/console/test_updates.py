"""What a user has begun on the console's page while updates come: clicks, focus, selections, and what is open."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from omisim import Account
from omisim.server import Running

TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


class LivePage:
    """A page that follows a cloud."""

    def __init__(self, page: Page, server: Running) -> None:
        self.page = page
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        expect(page.locator(".status")).to_have_text("Live")


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
