"""Declaration of filters. A filter is a field of a dataclass.

The default None declares a filter on the entity's field of the same name (`fields.py`). The functions here declare
filters on other values or with another comparison. Different filters are ANDed, the values of one list are ORed
(FLT-001). An empty list matches nothing (FLT-004).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import field
from typing import Any

from omisim.base.clock import truncate_date
from omisim.model.filters.match import E, Filters

__all__ = [
    "Dates", "FiltersTagged", "Integers", "Numbers", "Strings", "date_bound", "field_equals", "glob", "unmatchable",
]  # fmt: skip

Strings = tuple[str, ...] | None
Integers = tuple[int, ...] | None
Numbers = tuple[float, ...] | None
Dates = tuple[dt.datetime, ...] | None


def field_equals(look: str | Callable[[Any], object], path: str | None = None) -> Any:
    """Declare a filter on another field, given by its path, or on the result of a function of the entity.

    `path` names the index that finds the results of the function (`state/indexes.py`), if there is one.
    """
    return field(default=None, metadata={"look": look, "path": path})


def glob() -> Any:
    """Declare a filter whose values may contain the wildcards `*` and `?` (FLT-005)."""
    return field(default=None, metadata={"glob": True})


def date_bound(holds: Callable[[Any, dt.datetime], bool]) -> Any:
    """Declare one end of a date range. `holds` compares an entity with the date, in whole milliseconds like its own."""
    return field(default=None, metadata={"holds": lambda entity, date: holds(entity, truncate_date(date))})


def unmatchable() -> Any:
    """Declare an official filter on a value that no entity of omisim has. It matches nothing."""
    return field_equals(lambda _: ())


class FiltersTagged(Filters[E]):
    """The filters on tags, shared by all taggable resources."""

    tag_keys: Strings = None
    tag_values: Strings = None
    tags: Strings = field_equals(lambda entity: tuple(f"{tag.key}={tag.value}" for tag in entity.tags), path="tags")
