"""The picture of the demo in README."""

from __future__ import annotations

import html
import re

import pytest
from picture import LIFECYCLE_PICTURES, LINEAGE, PICTURE, draw_lineage

from omisim.spec.diagrams import render_svg
from omisim.spec.lifecycle import LIFECYCLES
from omisim.tools.demo import play
from omisim.tools.demo.picture import draw


def words(svg: str) -> list[str]:
    """Return the words that a picture shows."""
    return html.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", svg, flags=re.DOTALL)).split()


def test_shows_what_the_demo_prints() -> None:
    """The committed picture is current: `python docs/picture.py` draws it anew."""
    assert words(PICTURE.read_text("utf-8")) == words(draw(play()))


def test_of_the_lineage_is_current() -> None:
    """The committed picture is what `cloud.lineage(id).svg()` draws: `python docs/picture.py` draws it anew."""
    assert LINEAGE.read_text("utf-8") == draw_lineage()


@pytest.mark.parametrize("kind", LIFECYCLES)
def test_of_a_lifecycle_is_current(kind: str) -> None:
    """The committed picture is what its table draws: `python docs/picture.py` draws it anew."""
    assert LIFECYCLE_PICTURES[kind].read_text("utf-8") == render_svg(LIFECYCLES[kind])


def test_loads_nothing() -> None:
    """No picture names a font or a picture of another host."""
    for path in (PICTURE, LINEAGE, *LIFECYCLE_PICTURES.values()):
        assert not re.search(r"url\(.?http|href|src=", path.read_text("utf-8"))
