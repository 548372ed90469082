"""The syntax of omisim's modules, for tests that allow something in one module only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import omisim

__all__ = ["syntax_nodes"]

PACKAGE = Path(omisim.__file__).parent


def syntax_nodes(pattern: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield each node of each module whose text matches a regular expression, with the path of the module."""
    for source in sorted(PACKAGE.rglob("*.py")):
        text = source.read_text("utf-8")
        if re.search(pattern, text):
            for node in ast.walk(ast.parse(text)):
                yield source.relative_to(PACKAGE).as_posix(), node
