"""Docstrings as reStructuredText: sections of named items, indented code, and links to rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from omisim.spec.cell_rules import load_every_rule

__all__ = ["to_rest"]

ARGUMENTS = "Args:"
_CODE_OR_RULE = re.compile(r"`[^`]*`|\b(?:ST-)?[A-Z]{2,4}-\d{1,3}\b")
_ITEM = re.compile(r"    (?P<stars>\*{0,2})(?P<name>\w+): (?P<text>.*)")


def to_rest(lines: Sequence[str]) -> list[str]:
    """Return a docstring as reStructuredText.

    Sections become lists, indented blocks after a blank line code, and rule ids outside backticks links. A section is a
    line that ends with a colon, and indented lines `name: text` under it. "Args:" becomes a field list.
    """
    return [line for line in _convert(lines) if line != ARGUMENTS]


def _link(text: str) -> str:
    return _CODE_OR_RULE.sub(lambda match: _reference(match[0]) if match[0] in load_every_rule() else match[0], text)


def _reference(rule_id: str) -> str:
    return f":ref:`{rule_id} <{load_every_rule()[rule_id].anchor}>`"


def _convert(lines: Sequence[str]) -> Iterator[str]:
    section = ""  # the title that the indented lines belong to
    indented = False
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("    ") and not indented:
            section = before if before.endswith(":") else ""
            yield from [""] if section else ["::", ""]
        indented = line.startswith("    ") or (indented and not line)
        if indented and not section:
            yield line
        else:
            yield _link(_section_line(line, section) if indented else line)


def _section_line(line: str, section: str) -> str:
    item = _ITEM.fullmatch(line)
    if item is None:  # more of the item above, which must stand under its text
        return line.removeprefix("    " if section == ARGUMENTS else " " * 6)
    if section == ARGUMENTS:
        stars = item["stars"].replace("*", r"\*")
        return f":param {stars}{item['name']}: {item['text']}"
    return f"- `{item['name']}`: {item['text']}"
