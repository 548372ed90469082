"""Texts: those in JSON data, and a number with its noun."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["iter_texts", "pluralize"]


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


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun, which gets an s unless the number is 1: `1 call`, `2 calls`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
