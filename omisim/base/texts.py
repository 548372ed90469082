"""Every text in JSON data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["iter_texts"]


def iter_texts(value: Any) -> Iterator[str]:
    """Yield the strings in a value, at any depth of lists and objects. The names of members do not count."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from iter_texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from iter_texts(item)
