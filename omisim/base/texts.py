"""Texts: those in JSON data, lone surrogates, UTF-8, and words of a sentence: a number with its noun, alternatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = [
    "check_encodable", "encode_text", "escape_surrogates", "get_article", "iter_texts", "join_alternatives",
    "pluralize",
]  # fmt: skip


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


def escape_surrogates(text: str) -> str:
    """Return text that UTF-8 can encode: each lone surrogate becomes its escape in Python and JSON."""
    return text.encode(errors="backslashreplace").decode()


def encode_text(text: str) -> bytes:
    """Return text in UTF-8. A lone surrogate, which no parameter takes, becomes a question mark."""
    return text.encode(errors="replace")


def check_encodable(name: str, text: str) -> None:
    """Raise ValueError for an argument with a lone surrogate, which no dump, report or terminal can show."""
    if text != escape_surrogates(text):
        raise ValueError(f"{name} must not contain a lone surrogate, as {text!r} does")


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun, which gets an s unless the number is 1: `1 call`, `2 calls`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def get_article(word: str) -> str:
    """Return the indefinite article before a word, by its first letter."""
    return "an" if word[0].lower() in "aeiou" else "a"


def join_alternatives(words: Sequence[str]) -> str:
    """Return words as alternatives: `a`, `a or b`, `a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
