"""The screenshot of the console in README."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from screenshot import SCREENSHOT, play, take_screenshot


def read_size(path: Path) -> tuple[int, int]:
    """Return the width and height of a PNG file."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def test_is_in_the_documentation() -> None:
    """`python docs/screenshot.py` has written it, at twice the size in which it is shown."""
    assert read_size(SCREENSHOT) == (2560, 1600)
    assert SCREENSHOT.stat().st_size < 600_000


def test_shows_shares_and_refusals() -> None:
    """Its cloud has an OMI that two accounts use, and calls that were refused."""
    cloud = play()
    assert {call.error.rule for call in cloud.calls() if call.error} == {"VM-002", "OMI-022"}
    assert set(cloud.who_can(cloud.account("alice").read_images(filters={"image_names": ["golden"]})[0].image_id)) == {
        "alice",
        "bob",
    }


def test_can_be_taken_again(tmp_path: Path) -> None:
    """The script still works."""
    try:
        take_screenshot(tmp_path / "console.png", 800, 600)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert read_size(tmp_path / "console.png") == (1600, 1200)
