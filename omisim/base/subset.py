"""Subset matching of requests: list the mismatches between expected and actual parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from reprlib import Repr
from typing import Any

__all__ = ["find_mismatches", "shorten"]


class _ShortRepr(Repr):
    def repr_int(self, x: int, level: int) -> str:
        """Return the digits of an int, unless they are too many for Python to convert."""
        try:
            return super().repr_int(x, level)
        except ValueError:
            return f"<int of {x.bit_length()} bits>"


_SHORT = _ShortRepr()
_SHORT.maxstring = _SHORT.maxother = 80


def find_mismatches(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """Yield a message for each mismatch between `expected` and `actual`.

    Mappings match by the expected keys and lists by the expected items. Additional keys and items are ignored.
    """
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for name, value in expected.items():
            below = f"{path}.{name}" if path else name
            if name in actual:
                yield from find_mismatches(value, actual[name], below)
            else:
                yield f"{below}={shorten(value)} is not given"
    elif isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        for item in expected:
            if not any(next(find_mismatches(item, other), None) is None for other in actual):
                yield f"{path} has no {shorten(item)}, but {shorten(list(actual))}"
    elif expected != actual:
        yield f"{path} is {shorten(actual)}, not {shorten(expected)}"


def shorten(value: Any) -> str:
    """Return the repr of a value, shortened if it is long."""
    return _SHORT.repr(value)
