"""The links of the documentation."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from support.pages import PAGES, ROOT, iter_links, list_anchors


def problem(page: Path, link: str) -> str | None:
    """Return the reason why a link is dead, or None."""
    parts = urlsplit(link)
    if parts.scheme:
        return None
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.exists():
        return f"{link}: no such file"
    if parts.fragment and target.suffix == ".md" and parts.fragment not in list_anchors(target):
        return f"{link}: no such heading or anchor"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    """Every relative link of a page names a file, and its fragment a heading or an anchor of that file."""
    assert [message for link in iter_links(page) if (message := problem(page, link))] == []


def test_a_dead_link_is_found() -> None:
    """A missing file and a missing heading are both reported."""
    readme = ROOT / "README.md"
    assert problem(readme, "docs/nowhere.md") == "docs/nowhere.md: no such file"
    assert problem(readme, "CHANGELOG.md#nothing") == "CHANGELOG.md#nothing: no such heading or anchor"
    assert problem(readme, "docs/reference/rules/image.md#omi-022") is None
