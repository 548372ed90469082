"""Parses the pages of the documentation: their code blocks, links and anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from generated import expand
from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["PAGES", "ROOT", "Block", "iter_links", "list_anchors", "list_blocks", "read_page"]

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FILE_NAME = re.compile(r"# ([\w./-]+\.(?:py|toml|ini|ya?ml))\n")
_TARGET = re.compile(r"^\((?P<name>[\w-]+)\)=$|\{#(?P<attribute>[\w-]+)\}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block: where it is, its language and its text."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def file_name(self) -> str | None:
        """The name of the file that the block shows, if its first line is a comment with that name."""
        match = _FILE_NAME.match(self.text)
        return match[1] if match else None

    def __str__(self) -> str:
        """Return the page and the line, which identify a test."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def read_page(page: Path) -> str:
    """Return the text of a page with its generated parts."""
    return expand(page.read_text("utf-8"))


@cache
def _parse_page(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(read_page(page))


def list_blocks(*languages: str) -> list[Block]:
    """Return the code blocks of all pages in one of these languages, or in any language."""
    blocks = [
        Block(page, token.map[0] + 1 if token.map else 0, _get_language(token.info), token.content)
        for page in PAGES
        for token in _parse_page(page)
        if token.type == "fence"
    ]
    return [block for block in blocks if block.language in languages or not languages]


def _get_language(info: str) -> str:
    """Return the language of a fence: python of ```python and of ```{code-block} python."""
    words = info.removeprefix("{code-block}").split()
    return words[0] if words else ""


def iter_links(page: Path) -> Iterator[str]:
    """Yield the target of every link and image of a page."""
    for token in _parse_page(page):
        for child in token.children or ():
            target = child.attrs.get("href", child.attrs.get("src"))
            if target is not None:
                yield str(target)


@cache
def list_anchors(page: Path) -> frozenset[str]:
    """Return the fragments that a link to this page may have: its explicit targets and the slugs of its headings."""
    tokens = _parse_page(page)
    titles = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    explicit = [match["name"] or match["attribute"] for match in _TARGET.finditer(read_page(page))]
    return frozenset([*explicit, *map(_make_slug, titles)])


def _make_slug(title: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", title)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
