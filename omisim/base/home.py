"""The home folder of the user, which a container may lack."""

from __future__ import annotations

from pathlib import Path

__all__ = ["find_home"]


def find_home() -> Path | None:
    """Return the home folder; None if HOME is not set and the user has no entry in the password database."""
    try:
        return Path.home()
    except RuntimeError:
        return None
