"""Snapshots of texts: `OMISIM_SNAPSHOTS=write pytest …` writes them, every other run compares."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "snapshots"
WIDTHS = (80, 120)


def check_snapshot(name: str, text: str) -> None:
    """Compare a text with the file of this name, and report the difference line by line."""
    path = FOLDER / name
    if os.environ.get("OMISIM_SNAPSHOTS") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.rstrip("\n") + "\n", "utf-8")
    assert text.rstrip("\n").splitlines() == path.read_text("utf-8").splitlines()


def check_width(text: str, width: int) -> None:
    """Check that no line is longer than the width, and that no word is broken: a long word may stand alone."""
    assert [line for line in text.splitlines() if len(line) > width and len(line.split()) > 1] == []
