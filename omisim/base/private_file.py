"""Writing files that their owner alone may read: they may hold keys, the contents of calls, or names of a project."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["PRIVATE", "check_target", "open_private", "write_private"]

PRIVATE = 0o600


def check_target(option: str, path: Path) -> None:
    """Raise ValueError for the file of an option that could not be written later."""
    try:
        is_folder, place = stat.S_ISDIR(path.stat().st_mode), path
    except FileNotFoundError:
        is_folder, place = False, path.parent
    except OSError as error:  # a name that is too long, or a folder that may not be searched
        raise ValueError(f"{option} {path}: {error.strerror}") from None
    if is_folder or not place.exists():
        raise ValueError(f"{option} must be the path of a file in a folder that exists, not {path}")
    if not os.access(place, os.W_OK):
        raise ValueError(f"{option} must be the path of a file that may be written, not {path}")


def open_private(path: str | Path, flags: int = 0) -> int:
    """Open a file for writing, with the mode 0600 whatever it had, and return its descriptor.

    `flags` are further flags of `os.open`. A device or a pipe keeps its mode. Raises OSError if that fails.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, PRIVATE)
    try:
        if Path(path).is_file():
            Path(path).chmod(PRIVATE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_private(path: str | Path, content: str | bytes) -> None:
    """Write a file with the mode 0600, as UTF-8, in place of what it held. Raises OSError, which has the path."""
    try:
        with os.fdopen(open_private(path, getattr(os, "O_BINARY", 0)), "wb") as file:
            if Path(path).is_file():
                file.truncate()
            file.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        error.filename = error.filename or str(path)  # the error of a full disk has none
        raise
