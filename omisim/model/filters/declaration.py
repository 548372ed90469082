"""What a filter is declared with: what of an entity it looks at, and how its values are compared.

Different filters are ANDed, the values of one list ORed (FLT-001); an empty list matches nothing (FLT-004). Only
`wild` filters know `*` and `?` (FLT-005). `none` marks filters of the official description that look at something no
entity here can have; they match nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import field
from typing import Any

__all__ = [
    "Dates",
    "Integers",
    "Numbers",
    "Strings",
    "bound",
    "by_tag",
    "by_tag_key",
    "by_tag_value",
    "none",
    "of",
    "wild",
]

Strings = tuple[str, ...] | None
Integers = tuple[int, ...] | None
Numbers = tuple[float, ...] | None
Dates = tuple[dt.datetime, ...] | None


def of(look: Callable[[Any], object]) -> Any:
    """Declare a filter on one value, or on any of a tuple of values."""
    return field(default=None, metadata={"look": look, "wild": False})


def wild(look: Callable[[Any], object]) -> Any:
    """Declare a filter whose values may hold the wildcards `*` and `?`."""
    return field(default=None, metadata={"look": look, "wild": True})


def none() -> Any:
    """Declare an official filter on something that no entity here can have."""
    return of(lambda _: ())


def bound(holds: Callable[[Any, dt.datetime], bool]) -> Any:
    """Declare one end of a window of dates."""
    return field(default=None, metadata={"holds": holds})


def by_tag() -> Any:
    """Declare a filter on tags, spelled `key=value`."""
    return of(lambda entity: tuple(f"{tag.key}={tag.value}" for tag in entity.tags))


def by_tag_key() -> Any:
    """Declare a filter on the keys of tags."""
    return of(lambda entity: tuple(tag.key for tag in entity.tags))


def by_tag_value() -> Any:
    """Declare a filter on the values of tags."""
    return of(lambda entity: tuple(tag.value for tag in entity.tags))
