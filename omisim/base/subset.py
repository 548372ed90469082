"""Subset matching of requests: list the mismatches between expected and actual parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from reprlib import Repr
from typing import Any

__all__ = ["find_mismatches", "shorten"]

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def find_mismatches(wanted: Any, given: Any, path: str = "") -> Iterator[str]:
    """Yield a message for each mismatch between `wanted` and `given`.

    Mappings match by the wanted keys and lists by the wanted items. Additional keys and items are ignored.
    """
    if isinstance(wanted, Mapping) and isinstance(given, Mapping):
        for name, value in wanted.items():
            below = f"{path}.{name}" if path else name
            if name in given:
                yield from find_mismatches(value, given[name], below)
            else:
                yield f"{below}={shorten(value)} is not given"
    elif isinstance(wanted, list | tuple) and isinstance(given, list | tuple):
        for item in wanted:
            if not any(next(find_mismatches(item, other), None) is None for other in given):
                yield f"{path} has no {shorten(item)}, but {shorten(list(given))}"
    elif wanted != given:
        yield f"{path} is {shorten(given)}, not {shorten(wanted)}"


def shorten(value: Any) -> str:
    """Return the repr of a value, shortened if it is long."""
    return _SHORT.repr(value)
