"""Reading the files that a user names: scenarios, switches, recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["read_file"]

T = TypeVar("T")
MAX_SIZE = 2**28  # characters: a device such as /dev/zero has no end


def read_file(path: str | Path, parse: Callable[[str], T]) -> T:
    """Return the result of `parse` for the text of a file, which must be UTF-8.

    Raises ValueError with the path, also where `parse` raises it. A pipe can be read, too.
    """
    try:
        return parse(_read_text(Path(path)))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: the file must be UTF-8: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read_text(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        text = file.read(MAX_SIZE + 1)
    if len(text) > MAX_SIZE:
        raise ValueError(f"the file has more than {MAX_SIZE} characters")
    return text
