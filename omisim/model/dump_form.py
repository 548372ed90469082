"""The form of the model's values in dumps: JSON data with snake_case names and all fields.

A class has one encoder and one decoder, made from its type hints when it is first met. Both pass over what needs no
conversion: most fields are texts, numbers and None.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache, lru_cache
from math import isfinite
from operator import attrgetter
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from omisim.base.sharing import share
from omisim.base.subset import shorten
from omisim.model.base import Format
from omisim.model.serialize import JSON_CLASSES, is_date, unwrap_optional

__all__ = ["InvalidData", "deserialize", "make_decoder", "make_encoder", "serialize", "serialize_text"]

MAX_FORMS = 64  # of the objects of one class, for which a check is remembered
_Convert = Callable[[Any], Any]


# --- encoding


def serialize(value: Any) -> Any:
    """Return a value as JSON data for a dump. Omits only what `deserialize` can restore."""
    if value.__class__ is tuple:
        return [serialize(item) for item in value]
    encode = make_encoder(value.__class__)
    return value if encode is None else encode(value)


@cache
def make_encoder(hint: Any) -> _Convert | None:
    """Return a function that encodes values of a type, which are not None; None if they are JSON data."""
    hint = unwrap_optional(hint)
    if get_origin(hint) is tuple:
        return _make_tuple_encoder(get_args(hint))
    if is_dataclass(hint):
        return _make_object_encoder(hint)
    if is_date(hint):
        return dt.datetime.isoformat
    if hint is bytes:
        return lambda value: base64.b64encode(value).decode()
    return attrgetter("_value_") if _is_enum(hint) else None


def _make_tuple_encoder(args: tuple[Any, ...]) -> _Convert:
    encoders = [make_encoder(arg) for arg in args if arg is not Ellipsis]
    if not any(encoders):
        return list
    if args[-1] is Ellipsis:
        encode = encoders[0]
        assert encode is not None
        return lambda value: [encode(item) for item in value] if value else []
    return lambda value: [
        item if encode is None or item is None else encode(item) for encode, item in zip(encoders, value, strict=True)
    ]


def _make_object_encoder(cls: Any) -> _Convert:
    hints = get_type_hints(cls)
    read_fields = _make_field_reader(cls)
    encoders = [
        (field.name, encode) for field in fields(cls) if (encode := make_encoder(hints[field.name])) is not None
    ]

    def encode_object(value: Any) -> dict[str, Any]:
        items = read_fields(value)
        for name, encode in encoders:
            if (item := items.get(name)) is not None:
                items[name] = encode(item)
        return items

    return encode_object


@cache
def _make_field_reader(cls: Any) -> Callable[[Any], dict[str, Any]]:
    """Return a function that returns the fields of a value by name, without those that are None as by default."""
    names = tuple(field.name for field in fields(cls))
    get_all = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    left_out = tuple(field.name for field in fields(cls) if field.default is None)

    def read_fields(value: Any) -> dict[str, Any]:
        items = dict(zip(names, get_all(value), strict=True))
        for name in left_out:
            if items[name] is None:
                del items[name]
        return items

    return read_fields


def serialize_text(value: Any) -> str:
    """Return `serialize(value)` as JSON text, at less cost."""
    return _ENCODER.encode(value)


def _serialize_shallow(value: Any) -> Any:
    """Return a value that JSON does not know as one with the same text in `serialize`: fields and items may remain."""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else _make_field_reader(value.__class__)(value)


_ENCODER = json.JSONEncoder(default=_serialize_shallow, check_circular=False, allow_nan=False)


# --- decoding


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
    return make_decoder(cls)(value)


@cache
def make_decoder(cls: Any, *, shared: bool = False) -> _Convert:
    """Return a function that decodes values of a type, which are not None. It raises InvalidData for other data.

    `shared`: equal objects become one, by `share`. The parts of rows always do.
    """
    inner, origin = unwrap_optional(cls), get_origin(cls)
    if inner is not cls:
        read = make_decoder(inner, shared=shared)
        return lambda value: None if value is None else read(value)
    if origin is tuple:
        return _make_tuple_decoder(get_args(cls))
    if is_dataclass(cls):
        return _make_object_decoder(cls, shared=shared)
    if origin is Annotated:
        return _make_format_decoder(cls)
    if cls is bytes or is_date(cls):
        parse: _Convert = _read_bytes if cls is bytes else _read_date
        return lambda value: parse(_check_type(value, str))
    return _make_enum_decoder(cls) if _is_enum(cls) else lambda value: _check_type(value, cls)


def _make_tuple_decoder(args: tuple[Any, ...]) -> _Convert:
    is_list = args[-1] is Ellipsis
    readers = [make_decoder(arg, shared=True) for arg in args if arg is not Ellipsis]

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


def _make_format_decoder(hint: Any) -> _Convert:
    read, mark = make_decoder(get_args(hint)[0]), _find_format(hint)
    if mark is None:
        return read

    def read_format(value: Any) -> Any:
        try:
            mark.parse(read(value))
        except InvalidData:
            raise
        except ValueError:
            raise InvalidData(f"must be {mark.name}, not {shorten(value)}") from None
        return value

    return read_format


def _find_format(hint: Any) -> Format | None:
    return next((mark for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, Format)), None)


def _make_object_decoder(cls: Any, *, shared: bool) -> _Convert:
    check_form = _make_form_check(cls)
    forms: dict[tuple[Any, ...], tuple[tuple[str, _Convert], ...]] = {}

    def read_object(value: Any) -> Any:
        form = (*_check_type(value, dict), *map(type, value.values()))
        conversions = forms.get(form)
        if conversions is None:
            conversions = check_form(value)
            if len(forms) < MAX_FORMS:
                forms[form] = conversions
        values = value.copy()
        for name, read in conversions:
            try:
                values[name] = read(value[name])
            except InvalidData as error:
                raise error.below(f".{name}") from None
        return share(cls, **values) if shared else cls(**values)

    return read_object


def _make_form_check(cls: Any) -> Callable[[dict[str, Any]], tuple[tuple[str, _Convert], ...]]:
    hints = get_type_hints(cls, include_extras=True)
    plain = {name: accepted for name, hint in hints.items() if (accepted := _list_json_classes(hint))}
    readers = {field.name: make_decoder(hints[field.name], shared=True) for field in fields(cls)}
    required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]

    def check_form(value: dict[str, Any]) -> tuple[tuple[str, _Convert], ...]:
        """Return the fields that need a reader, from the names and the classes of the values alone."""
        for name in value:
            if name not in readers:
                raise InvalidData("unknown key", f".{name}")
        missing = [name for name in required if name not in value]
        if missing:
            raise InvalidData("is missing", f".{missing[0]}")
        return tuple(
            (name, _make_quick_decoder(hints[name], part.__class__) or readers[name])
            for name, part in value.items()
            if part.__class__ not in plain.get(name, ())
        )

    return check_form


def _list_json_classes(hint: Any) -> frozenset[type]:
    """Return the classes of a field's JSON values if they need no conversion: of `str | None`, str and NoneType."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    classes = frozenset(map(_drop_descriptions, options))
    return classes if classes <= JSON_CLASSES - {float} else frozenset()


def _drop_descriptions(hint: Any) -> Any:
    """Return the class of an annotated one, unless its values are checked against a format."""
    return get_args(hint)[0] if get_origin(hint) is Annotated and _find_format(hint) is None else hint


def _make_quick_decoder(hint: Any, json_class: type) -> _Convert | None:
    """Return a decoder of a type for values that are known to be of a class; None if that makes no difference."""
    hint = unwrap_optional(hint)
    if json_class is not str:
        return None
    return _read_date if is_date(hint) else _Members(hint).__getitem__ if _is_enum(hint) else None


class _Members(dict[str, Any]):
    """The members of an enum by value. A lookup raises InvalidData for another value."""

    def __init__(self, cls: Any) -> None:
        super().__init__((member.value, member) for member in cls)

    def __missing__(self, value: str) -> Any:
        raise InvalidData(f"must be one of {', '.join(self)}, not {value!r}")


def _make_enum_decoder(cls: Any) -> _Convert:
    members = _Members(cls)
    return lambda value: members[value] if value.__class__ is str else members.__missing__(value)


def _is_enum(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, StrEnum)


@lru_cache(maxsize=1024)  # the rows of one call have the same date
def _read_date(text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidData(f"must be a date with a time zone, not {text!r}")
    return at


def _read_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise InvalidData("must be base64") from None


def _check_type(value: Any, accepted: Any) -> Any:
    if type(value) is not accepted and (accepted is not float or type(value) is not int):
        raise InvalidData(f"must be {accepted.__name__}, not {shorten(value)}")
    if accepted is float and not isfinite(value):
        raise InvalidData(f"must be a finite number, not {value}")
    return value
