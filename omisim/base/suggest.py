"""Did-you-mean suggestions for unknown names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["suggest"]


def suggest(name: object, known: Iterable[str], text: str = "; did you mean {}?", count: int = 1) -> str:
    """Return `text` with the known names most similar to an unknown one, `count` at most; "" if none is similar."""
    similar = get_close_matches(str(name)[:100], list(known), n=count)
    return text.format(", ".join(similar)) if similar else ""
