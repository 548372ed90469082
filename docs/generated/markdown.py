"""Pieces of Markdown: escaped text, tables, anchors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["code", "escape", "heading", "prose", "table"]


def escape(text: str) -> str:
    """Escape plain text, so that Markdown does not interpret any of it."""
    return re.sub(r"([\\`*_\[\]<>|{}#~$])", r"\\\1", text)


def prose(text: str) -> str:
    """Escape text apart from its code spans."""
    return "".join(part if at % 2 else escape(part) for at, part in enumerate(re.split(r"(`[^`|]+`)", text)))


def code(text: object) -> str:
    """Return a code span."""
    return f"`{text}`"


def heading(level: int, title: str, anchor: str) -> str:
    """Return a heading with an anchor."""
    return f"({anchor})=\n{'#' * level} {escape(title)}\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table. The cells are Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
