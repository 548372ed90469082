"""Docstrings as reStructuredText: sections of named items, and indented code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["to_rest"]

ARGUMENTS = "Args:"
_ITEM = re.compile(r"    (?P<name>\w+): (?P<text>.*)")


def to_rest(lines: Sequence[str]) -> list[str]:
    """Return a docstring in which sections are lists, and indented blocks after a blank line are code.

    A section is a line that ends with a colon, and indented lines `name: text` under it. "Args:" becomes a field list.
    """
    return [line for line in _convert(lines) if line != ARGUMENTS]


def _convert(lines: Sequence[str]) -> Iterator[str]:
    section = ""  # the title that the indented lines belong to
    indented = False
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("    ") and not indented:
            section = before if before.endswith(":") else ""
            yield from [""] if section else ["::", ""]
        indented = line.startswith("    ") or (indented and not line)
        yield _section_line(line, section) if indented and section else line


def _section_line(line: str, section: str) -> str:
    item = _ITEM.fullmatch(line)
    if item is None:
        return line.removeprefix("    ")
    return f":param {item['name']}: {item['text']}" if section == ARGUMENTS else f"- `{item['name']}`: {item['text']}"
