"""Compare answers with patterns, and read values in them by path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omisim.base.subset import shorten

__all__ = ["find_differences", "read_path", "read_rows"]


def read_rows(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list in an answer; an endpoint may send anything else in its place."""
    rows = body.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def read_path(answer: Any, path: str) -> Any:
    """Return the value at a path such as `Vms.0.VmId`. Raises KeyError if the answer has none there."""
    value = answer
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise KeyError(path) from None
    return value


def find_differences(pattern: Any, answer: Any, path: str = "") -> Iterator[str]:
    """Yield a line for each difference between a pattern and an answer.

    An object must have the pattern's fields, and may have others; a list must have as many items. A string that begins
    with `~` is a regular expression for the whole text of a value. For a list, `{ Any = pattern }` expects a matching
    item, `{ All = pattern }` and `{ None = pattern }` that every or no item matches, and `{ Len = number }` its length.
    """
    if isinstance(pattern, Mapping) and isinstance(answer, list):
        yield from _compare_with_list(pattern, answer, path)
    elif isinstance(pattern, Mapping):
        yield from _compare_with_object(pattern, answer if isinstance(answer, Mapping) else {}, path)
    elif isinstance(pattern, list) and isinstance(answer, list):
        if len(pattern) != len(answer):
            yield f"{path} has {len(answer)} items, expected {len(pattern)}"
        for number, (inner, value) in enumerate(zip(pattern, answer, strict=False)):
            yield from find_differences(inner, value, f"{path}.{number}")
    elif isinstance(pattern, str) and pattern.startswith("~"):
        if not re.fullmatch(pattern[1:], str(answer), re.DOTALL):
            yield f"{path} is {shorten(answer)}, expected to match {pattern[1:]}"
    elif pattern != answer or isinstance(pattern, bool) is not isinstance(answer, bool):
        yield f"{path} is {shorten(answer)}, expected {shorten(pattern)}"


def _compare_with_object(pattern: Mapping[str, Any], answer: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, inner in pattern.items():
        below = f"{path}.{name}".lstrip(".")
        if name in answer:
            yield from find_differences(inner, answer[name], below)
        else:
            yield f"{below} is absent, expected {shorten(inner)}"


def _compare_with_list(pattern: Mapping[str, Any], answer: list[Any], path: str) -> Iterator[str]:
    for word, inner in pattern.items():
        matching = [item for item in answer if word != "Len" and next(find_differences(inner, item), None) is None]
        if word == "Len" and len(answer) != inner:
            yield f"{path} has {len(answer)} items, expected {inner}"
        elif word == "Any" and not matching:
            yield f"{path} has no item like {shorten(inner)}"
        elif word == "All" and len(matching) != len(answer):
            yield f"{path} has an item unlike {shorten(inner)}"
        elif word == "None" and matching:
            yield f"{path} has an item like {shorten(inner)}"
