"""The picture of the demo in README."""

from __future__ import annotations

import html
import re

from picture import LINEAGE, PICTURE, draw, draw_lineage


def words(svg: str) -> list[str]:
    """Return the words that a picture shows."""
    return html.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", svg, flags=re.DOTALL)).split()


def test_shows_what_the_demo_prints() -> None:
    """The committed picture is current: `python docs/picture.py` draws it anew."""
    assert words(PICTURE.read_text("utf-8")) == words(draw())


def test_of_the_lineage_is_current() -> None:
    """The committed picture is what `cloud.lineage(id).svg()` draws: `python docs/picture.py` draws it anew."""
    assert LINEAGE.read_text("utf-8") == draw_lineage()


def test_loads_nothing() -> None:
    """The picture names no font of another host."""
    assert "url(http" not in PICTURE.read_text("utf-8").replace('"', "")
