"""How filters are declared. A filter is a field of a dataclass, with a type and a default.

The default None is a filter on the field of the entity that the filter is named for (`fields.py`); every other filter
says here what it looks at, or how its values are compared. Different filters are ANDed, the values of one list ORed
(FLT-001); an empty list matches nothing (FLT-004).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from omisim.model.filters.match import E, Filters

__all__ = [
    "Dates", "FiltersTagged", "Integers", "Numbers", "Strings", "date_bound", "field_equals", "glob", "unmatchable",
]  # fmt: skip

Strings = tuple[str, ...] | None
Integers = tuple[int, ...] | None
Numbers = tuple[float, ...] | None
Dates = tuple[dt.datetime, ...] | None


def field_equals(look: str | Callable[[Any], object]) -> Any:
    """Declare a filter on a field that it is not named for: the path to it, or a function of the entity."""
    return field(default=None, metadata={"look": look})


def glob() -> Any:
    """Declare a filter whose values may hold the wildcards `*` and `?` (FLT-005)."""
    return field(default=None, metadata={"glob": True})


def date_bound(holds: Callable[[Any, dt.datetime], bool]) -> Any:
    """Declare one end of a window of dates."""
    return field(default=None, metadata={"holds": holds})


def unmatchable() -> Any:
    """Declare an official filter on something that no entity here can have: it matches nothing."""
    return field_equals(lambda _: ())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersTagged(Filters[E]):
    """The filters on tags, which are the same for every kind of resource that can have them."""

    tag_keys: Strings = None
    tag_values: Strings = None
    tags: Strings = field_equals(lambda entity: tuple(f"{tag.key}={tag.value}" for tag in entity.tags))
