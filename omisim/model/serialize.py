"""Serialization of the model's values: for answers (API names), and for dumps (snake_case names, all fields)."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache, lru_cache
from keyword import iskeyword
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = [
    "api_name", "deserialize", "format_date", "is_date", "serialize", "snake_name", "to_api", "to_api_names",
    "to_snake_names",
]  # fmt: skip

_JSON = frozenset({str, int, float, bool, NoneType})
_VERBATIM = "="  # marks a name that is not in the API's form


@lru_cache(maxsize=4096)
def api_name(name: str) -> str:
    """Convert a snake_case name to the API's form: `vm_id` → `VmId`. The inverse of `snake_name`."""
    return name[1:] if name.startswith(_VERBATIM) else "".join(word.capitalize() for word in name.split("_"))


@lru_cache(maxsize=4096)
def snake_name(name: str) -> str:
    """Convert an API name to snake_case: `VmId` → `vm_id`.

    A name in another form (`vmId`, `vm_id`) is kept behind a mark, so that it matches no snake_case name.
    """
    ours = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    ours += "_" if iskeyword(ours) else ""  # With → with_
    return ours if name.isidentifier() and api_name(ours) == name else _VERBATIM + name


def to_snake_names(value: Any) -> Any:
    """Return a copy of a JSON value with snake_case names at every depth."""
    if isinstance(value, Mapping):
        return {
            snake_name(key) if key.__class__ is str else key: item if item.__class__ in _JSON else to_snake_names(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [item if item.__class__ in _JSON else to_snake_names(item) for item in value]
    return value


def format_date(at: dt.datetime) -> str:
    """Format a date as the API does: UTC with milliseconds and Z (FLD-008)."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_date(cls: Any) -> bool:
    """Whether a class is `datetime`, or freezegun's replacement of it."""
    return isinstance(cls, type) and issubclass(cls, dt.datetime)


def to_api_names(value: Any) -> Any:
    """Return the arguments of a typed call as JSON data with API names at every depth."""
    if isinstance(value, Mapping):
        return {api_name(key) if isinstance(key, str) else key: to_api_names(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_api_names(item) for item in value]
    return to_api(value)


def to_api(value: Any) -> Any:
    """Return a value as JSON data for an answer, without fields that are None, internal or declared as omitted."""
    cls = value.__class__
    if cls in _JSON:
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
            wire[name] = item if item.__class__ in _JSON else to_api(item)
    return wire


@cache
def _list_wire_fields(cls: Any) -> tuple[tuple[str, str, bool], ...]:
    """Return the fields of an answer: name, API name, and whether an empty value is omitted."""
    return tuple(
        (f.name, api_name(f.name), f.metadata.get("omit_empty", False))
        for f in fields(cls)
        if f.metadata.get("wire", True)
    )


def serialize(value: Any) -> Any:
    """Return a value as JSON data for a dump. Omits only what `deserialize` can restore."""
    cls: Any = value.__class__
    if cls in _JSON:
        return value
    if cls is tuple:
        return [serialize(item) for item in value]
    if is_dataclass(cls):
        items = [(name, getattr(value, name), left_out) for name, left_out in _list_fields(value.__class__)]
        return {name: serialize(item) for name, item, left_out in items if item is not None or not left_out}
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.value if isinstance(value, StrEnum) else value


@cache
def _list_fields(cls: Any) -> tuple[tuple[str, bool], ...]:
    """Return the fields of a class, each with whether None is omitted because it is the default."""
    return tuple((field.name, field.default is None) for field in fields(cls))


def deserialize(cls: Any, value: Any) -> Any:
    """Return the instance of `cls` that `serialize` returned as `value`.

    Raises TypeError, ValueError or KeyError for other data.
    """
    return None if value is None else _make_reader(cls)(value)


@cache
def _make_reader(cls: Any) -> Callable[[Any], Any]:
    origin = get_origin(cls)
    if origin in (Union, UnionType):
        read = _make_reader(next(arg for arg in get_args(cls) if arg is not NoneType))
        return lambda value: None if value is None else read(value)
    if origin is tuple:
        args = get_args(cls)
        if args[-1] is Ellipsis:
            item = _make_reader(args[0])
            return lambda value: tuple(item(part) for part in _check_type(value, list))
        items = [_make_reader(arg) for arg in args]
        return lambda value: tuple(read(part) for read, part in zip(items, _check_type(value, list), strict=True))
    if is_dataclass(cls):
        hints = get_type_hints(cls)
        make: Any = cls  # which is_dataclass narrows to an instance
        readers = {field.name: _make_reader(hints[field.name]) for field in fields(cls)}

        def read_object(value: Any) -> Any:
            values = {}
            for name, part in value.items():
                try:
                    values[name] = readers[name](part)
                except TypeError as error:
                    raise TypeError(f"{make.__name__}.{name}: {error}") from error
            return make(**values)

        return read_object
    if is_date(cls) or cls is bytes:
        return base64.b64decode if cls is bytes else dt.datetime.fromisoformat
    return cls if isinstance(cls, type) and issubclass(cls, StrEnum) else lambda value: _check_type(value, cls)


def _check_type(value: Any, accepted: Any) -> Any:
    if type(value) is not accepted and (accepted is not float or type(value) is not int):
        raise TypeError(f"value must be {accepted.__name__}, not {value!r}")
    return value
