"""`share`: one object in place of many equal ones."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import TypeVar, cast

__all__ = ["share"]

T = TypeVar("T", bound=Hashable)


def share(value: T) -> T:
    """Return an equal value that was shared before, if it is still remembered, else this one.

    For immutable parts of rows that many rows have. Their types must agree where their values do: 1 equals True.
    """
    return cast("T", _remember(value))


@lru_cache(maxsize=1024)
def _remember(value: Hashable) -> Hashable:
    return value
