"""The progress of a student, kept in the state folder of the user (XDG_STATE_HOME)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from omisim.base.foreign import parse_json
from omisim.base.private_file import write_private

__all__ = ["Progress"]


class Progress:
    """The numbers of the lessons that were read, and of those whose goal was reached.

    A missing or damaged file counts as no progress. Without a folder, or with one that cannot be written, the progress
    is lost silently: a lesson works without it.
    """

    def __init__(self, environ: Mapping[str, str], home: Path | None) -> None:
        folder = environ.get("XDG_STATE_HOME") or (home and home / ".local" / "state")
        self.path: Path | None = Path(folder) / "omisim" / "tour.json" if folder else None
        saved = self._read()
        self.read: set[int] = _select_numbers(saved.get("read"))
        self.reached: set[int] = _select_numbers(saved.get("reached"))

    def _read(self) -> dict[str, object]:
        if self.path is None:
            return {}
        try:
            saved = parse_json(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return saved if isinstance(saved, dict) else {}

    def save(self) -> bool:
        """Write the progress; return whether that worked."""
        if self.path is None:
            return False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_private(self.path, json.dumps({"read": sorted(self.read), "reached": sorted(self.reached)}))
        except OSError:
            return False
        return True

    def clear(self) -> None:
        """Forget the progress."""
        self.read, self.reached = set(), set()
        self.save()


def _select_numbers(value: object) -> set[int]:
    return {item for item in value if type(item) is int} if isinstance(value, list) else set()
