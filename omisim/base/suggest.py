"""What somebody may have meant who wrote a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["hint"]


def hint(name: object, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the known name nearest to a wrong one, or nothing."""
    near = get_close_matches(str(name)[:100], list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
