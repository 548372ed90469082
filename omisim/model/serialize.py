"""Serialization of the model's values: for answers (API names), and for dumps (snake_case names, all fields)."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache, lru_cache
from keyword import iskeyword
from math import isfinite
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omisim.base.subset import shorten

__all__ = [
    "InvalidData", "api_name", "deserialize", "format_date", "is_date", "serialize", "serialize_text", "snake_name",
    "to_api", "to_api_names", "to_snake_names",
]  # fmt: skip

_JSON = frozenset({str, int, float, bool, NoneType})
MAX_FORMS = 64  # of the objects of one class, for which a check is remembered
_VERBATIM = "="  # marks a name that is not in the API's form
MAX_NAME = 256  # letters of a name that is converted; the names of the API are much shorter


@lru_cache(maxsize=4096)
def api_name(name: str) -> str:
    """Convert a snake_case name to the API's form: `vm_id` → `VmId`. The inverse of `snake_name`."""
    return name[1:] if name.startswith(_VERBATIM) else "".join(word.capitalize() for word in name.split("_"))


def snake_name(name: str) -> str:
    """Convert an API name to snake_case: `VmId` → `vm_id`.

    A name in another form (`vmId`, `vm_id`), or longer than all names, is kept behind a mark, so that it matches no
    snake_case name.
    """
    return _convert_name(name) if len(name) <= MAX_NAME else _VERBATIM + name  # the cache keeps no megabytes


@lru_cache(maxsize=4096)
def _convert_name(name: str) -> str:
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


def serialize_text(value: Any) -> str:
    """Return `serialize(value)` as JSON text, at less cost."""
    return _ENCODER.encode(value)


def _serialize_shallow(value: Any) -> Any:
    """Return a value that JSON does not know as one with the same text in `serialize`: fields and items may remain."""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else _make_writer(value.__class__)(value)


@cache
def _make_writer(cls: Any) -> Callable[[Any], dict[str, Any]]:
    names = tuple(field.name for field in fields(cls))
    left_out = tuple(field.name for field in fields(cls) if field.default is None)
    read_fields = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)

    def write(value: Any) -> dict[str, Any]:
        items = dict(zip(names, read_fields(value), strict=True))
        for name in left_out:
            if items[name] is None:
                del items[name]
        return items

    return write


_ENCODER = json.JSONEncoder(default=_serialize_shallow, check_circular=False, allow_nan=False)


@cache
def _list_fields(cls: Any) -> tuple[tuple[str, bool], ...]:
    """Return the fields of a class, each with whether None is omitted because it is the default."""
    return tuple((field.name, field.default is None) for field in fields(cls))


class InvalidData(ValueError):
    """A value that `serialize` cannot have returned: the reason, and the path of the value in the data."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path.removeprefix('.')}: {reason}")
        self.reason: str = reason
        self.path: str = path

    def below(self, step: str) -> InvalidData:
        """Return the same error with a path that starts one step higher."""
        return InvalidData(self.reason, step + self.path)


def deserialize(cls: Any, value: Any) -> Any:
    """Return the instance of `cls` that `serialize` returned as `value`. Raises InvalidData for other data."""
    return None if value is None else _make_reader(cls)(value)


@cache
def _make_reader(cls: Any) -> Callable[[Any], Any]:
    origin = get_origin(cls)
    if origin in (Union, UnionType):
        read = _make_reader(next(arg for arg in get_args(cls) if arg is not NoneType))
        return lambda value: None if value is None else read(value)
    if origin is tuple:
        return _make_tuple_reader(get_args(cls))
    if is_dataclass(cls):
        return _make_object_reader(cls)
    if is_date(cls):
        return _read_date
    if cls is bytes:
        return _read_bytes
    return _make_enum_reader(cls) if _is_enum(cls) else lambda value: _check_type(value, cls)


def _make_tuple_reader(args: tuple[Any, ...]) -> Callable[[Any], Any]:
    is_list = args[-1] is Ellipsis
    readers = [_make_reader(arg) for arg in args if arg is not Ellipsis]

    def read_tuple(value: Any) -> Any:
        if not _check_type(value, list) and is_list:
            return ()
        if not is_list and len(value) != len(readers):
            raise InvalidData(f"must have {len(readers)} items, not {len(value)}")
        items = []
        for number, part in enumerate(value):
            try:
                items.append(readers[0 if is_list else number](part))
            except InvalidData as error:
                raise error.below(f"[{number}]") from None
        return tuple(items)

    return read_tuple


def _make_object_reader(cls: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(cls)
    plain = {name: accepted for name, hint in hints.items() if (accepted := _list_json_classes(hint))}
    readers = {field.name: _make_reader(hints[field.name]) for field in fields(cls)}
    required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
    forms: dict[tuple[Any, ...], tuple[str, ...]] = {}  # names and classes of valid objects → fields to convert

    def read_object(value: Any) -> Any:
        form = (*_check_type(value, dict), *map(type, value.values()))
        converted = forms.get(form)
        if converted is None:
            converted = check_form(value)
            if len(forms) < MAX_FORMS:
                forms[form] = converted
        values = value.copy()
        for name in converted:
            try:
                values[name] = readers[name](value[name])
            except InvalidData as error:
                raise error.below(f".{name}") from None
        return cls(**values)

    def check_form(value: dict[str, Any]) -> tuple[str, ...]:
        """Return the fields that need a reader, from the names and the classes of the values alone."""
        for name in value:
            if name not in readers:
                raise InvalidData("unknown key", f".{name}")
        missing = [name for name in required if name not in value]
        if missing:
            raise InvalidData("is missing", f".{missing[0]}")
        return tuple(name for name, part in value.items() if part.__class__ not in plain.get(name, ()))

    return read_object


def _list_json_classes(hint: Any) -> frozenset[type]:
    """Return the classes of a field's JSON values if they need no conversion: of `str | None`, str and NoneType."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return frozenset(options) if all(option in _JSON and option is not float for option in options) else frozenset()


def _make_enum_reader(cls: Any) -> Callable[[Any], Any]:
    members = {member.value: member for member in cls}

    def read_member(value: Any) -> Any:
        member = members.get(value) if value.__class__ is str else None
        if member is None:
            raise InvalidData(f"must be one of {', '.join(members)}, not {value!r}")
        return member

    return read_member


def _is_enum(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, StrEnum)


def _read_date(value: Any) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(_check_type(value, str))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidData(f"must be a date with a time zone, not {value!r}")
    return at


def _read_bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(_check_type(value, str), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidData("must be base64") from None


def _check_type(value: Any, accepted: Any) -> Any:
    if type(value) is not accepted and (accepted is not float or type(value) is not int):
        raise InvalidData(f"must be {accepted.__name__}, not {shorten(value)}")
    if accepted is float and not isfinite(value):
        raise InvalidData(f"must be a finite number, not {value}")
    return value
