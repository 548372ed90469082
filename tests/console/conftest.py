"""A browser for the tests of the console: Chromium of the system, driven by Playwright."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from omisim import Cloud
from omisim.server import Running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# of the first, the page shows the reason; the second may come at the end, because the server ends before the page
EXPECTED = re.compile(r"responded with a status of (?:40[014]|503)|net::ERR_CONNECTION_REFUSED")
NO_BROWSER = "no Chromium is installed: apt install chromium"
PATIENCE = 60_000  # milliseconds in which a busy machine shows what a test expects
expect.set_options(timeout=PATIENCE)


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="page")
def _page(browser: Browser) -> Iterator[Page]:
    """A page in which nothing fails: no exception, and no violation of its Content-Security-Policy."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert [text for text in complaints if not EXPECTED.search(text)] == []


@pytest.fixture(name="server")
def _server(cloud: Cloud) -> Iterator[Running]:
    with cloud.serve() as server:
        yield server
