"""Serialization of the model's values for answers, and the names of the API. `dump_form.py` has the form of dumps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from functools import cache, lru_cache
from keyword import iskeyword
from types import NoneType
from typing import Any, get_args

from omisim.base.subset import shorten

__all__ = [
    "JSON_CLASSES", "api_name", "format_date", "is_date", "mark_name", "snake_name", "to_api", "to_api_names",
    "to_snake_names", "unwrap_optional",
]  # fmt: skip

JSON_CLASSES = frozenset({str, int, float, bool, NoneType})  # most values; an isinstance with an ABC takes longer
_VERBATIM = "="  # marks a name that is not in the API's form
MAX_NAME = 256  # letters of a name that is converted; the names of the API are much shorter


def api_name(name: str) -> str:
    """Convert a snake_case name to the API's form: `vm_id` → `VmId`. The inverse of `snake_name`."""
    return name[1:] if name.startswith(_VERBATIM) else _capitalize(name)


@lru_cache(maxsize=4096)
def _capitalize(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def snake_name(name: str) -> str:
    """Convert an API name to snake_case: `VmId` → `vm_id`.

    A name in another form (`vmId`, `vm_id`), or longer than all names, is kept behind a mark, so that it matches no
    snake_case name.
    """
    return _convert_name(name) if len(name) <= MAX_NAME else mark_name(name)  # the cache keeps no megabytes


def mark_name(name: str) -> str:
    """Return a name behind a mark, so that it matches no snake_case name. `api_name` takes the mark off."""
    return _VERBATIM + name


@lru_cache(maxsize=4096)
def _convert_name(name: str) -> str:
    ours = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    ours += "_" if iskeyword(ours) else ""  # With → with_
    return ours if name.isidentifier() and api_name(ours) == name else mark_name(name)


def to_snake_names(value: Any) -> Any:
    """Return a copy of a JSON value with snake_case names at every depth."""
    if isinstance(value, Mapping):
        return {
            snake_name(key) if key.__class__ is str else key: item
            if item.__class__ in JSON_CLASSES
            else to_snake_names(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [item if item.__class__ in JSON_CLASSES else to_snake_names(item) for item in value]
    return value


def format_date(at: dt.datetime) -> str:
    """Format a date as the API does: UTC with milliseconds and Z (FLD-008)."""
    if at.tzinfo is not dt.UTC:
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    # each isoformat would take three times as long
    second = _format_second(at.year, at.month, at.day, at.hour, at.minute, at.second)
    return f"{second}.{at.microsecond // 1000:03}Z"


@lru_cache(maxsize=256)
def _format_second(year: int, month: int, day: int, hour: int, minute: int, second: int) -> str:
    return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC).isoformat().removesuffix("+00:00")


def is_date(cls: Any) -> bool:
    """Whether a class is `datetime`, or freezegun's replacement of it."""
    return isinstance(cls, type) and issubclass(cls, dt.datetime)


def unwrap_optional(hint: Any) -> Any:
    """Return the type of the values that are not None: `str` for `str | None`, any other type unchanged."""
    args = get_args(hint)
    return next(arg for arg in args if arg is not NoneType) if NoneType in args else hint


def to_api_names(value: Any) -> Any:
    """Return the arguments of a typed call as JSON data with API names at every depth."""
    if isinstance(value, Mapping):
        return {api_name(key) if isinstance(key, str) else key: to_api_names(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_api_names(item) for item in value]
    try:
        return to_api(value)
    except TypeError:  # neither JSON nor a dataclass: a refused call may have had any object as an argument
        return shorten(value)


def to_api(value: Any) -> Any:
    """Return a value as JSON data for an answer, without fields that are None, internal or declared as omitted."""
    cls = value.__class__
    if cls in JSON_CLASSES:
        return value
    if cls is tuple:
        return [to_api(item) for item in value]
    if isinstance(value, dt.datetime):
        return format_date(value)
    if isinstance(value, StrEnum):
        return value.value
    wire = {}
    for field, name, omits_empty in _list_wire_fields(cls):
        item = getattr(value, field)
        if item is not None and (item or not omits_empty):
            wire[name] = item if item.__class__ in JSON_CLASSES else to_api(item)
    return wire


@cache
def _list_wire_fields(cls: Any) -> tuple[tuple[str, str, bool], ...]:
    """Return the fields of an answer: name, API name, and whether an empty value is omitted."""
    return tuple(
        (f.name, api_name(f.name), f.metadata.get("omit_empty", False))
        for f in fields(cls)
        if f.metadata.get("wire", True)
    )
