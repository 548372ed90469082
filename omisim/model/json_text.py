"""Compile the encoders of answers: functions that write a value as JSON text, as `json.dumps(to_api(value))` does.

An encoder is one f-string over the fields of a class. It writes an OMI at a fifth of the cost of the dicts between, and
in less time than `json` needs for the finished dicts. A field that holds its class's default has a text already.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from functools import cache, lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any, get_args, get_origin, get_type_hints

from omisim.model.serialize import api_name, format_date, is_date, to_api, unwrap_optional

__all__ = ["encode_json"]

Encode = Callable[[Any], str]
_BOOLEANS = {True: "true", False: "false"}


def encode_json(value: Any) -> str:
    """Return a value of the model as the JSON text of an answer, without spaces."""
    return _find_encoder(value.__class__)(value)


@cache
def _find_encoder(cls: Any) -> Encode:
    return _compile_class(cls) if hasattr(cls, "__dataclass_fields__") else _encode_any


def _encode_any(value: Any) -> str:
    return json.dumps(to_api(value), separators=(",", ":"))


@cache
def _compile_class(cls: Any) -> Encode:
    """Return the encoder of a dataclass."""
    hints = get_type_hints(cls)
    names: dict[str, Any] = {}  # the objects that the source refers to
    statements, text = [], ""
    for field in fields(cls):
        if field.metadata.get("wire", True):
            source, is_optional = _write_field(field, hints[field.name], names)
            statements.append(f"text_{field.name} = {source}")
            key = "" if is_optional else _write_key(field)
            text += f"{key}{{text_{field.name}}}"
    begins = text.startswith(",")  # with a member that is never left out
    result = f"f'{{{{{text[1:]}}}}}'" if begins else f"'{{' + f'{text}'[1:] + '}}'"
    body = "; ".join([*statements, f"return {result}"])
    exec(f"def encode(row): {body}", names)  # noqa: S102 - as dataclasses does
    encode: Encode = names["encode"]
    return encode


def _write_field(field: Field[Any], hint: Any, names: dict[str, Any]) -> tuple[str, bool]:
    """Return the source of a field's text, and whether it is optional: then the text begins with its key, or is empty.

    Adds the objects that the source refers to to `names`.
    """
    name, value = field.name, f"row.{field.name}"
    inner = unwrap_optional(hint)
    is_optional = inner is not hint
    names[f"encode_{name}"] = _compile_type(inner)
    if is_optional or field.metadata.get("omit_empty"):
        present = " is not None" if is_optional else ""
        return f"{_write_key(field)!r} + encode_{name}(part) if (part := {value}){present} else ''", True
    if field.default is MISSING or hint in (bool, int):
        return f"encode_{name}({value})", False
    names[f"default_{name}"], names[f"usual_{name}"] = field.default, _encode_any(field.default)
    return f"usual_{name} if (part := {value}) is default_{name} else encode_{name}(part)", False


def _write_key(field: Field[Any]) -> str:
    return f',"{api_name(field.name)}":'


def _compile_type(hint: Any) -> Encode:
    """Return the encoder of a field's values, which are not None."""
    if get_origin(hint) is tuple and get_args(hint)[1:] == (Ellipsis,):
        encode = _compile_type(get_args(hint)[0])

        def encode_list(value: tuple[Any, ...]) -> str:
            return f"[{','.join(map(encode, value))}]"

        # many resources have the same boot modes, product codes or groups
        return lru_cache(maxsize=256)(encode_list) if encode is encode_basestring_ascii else encode_list
    if hint is bool:
        return _BOOLEANS.__getitem__
    if hint is int:
        return int.__repr__
    if is_date(hint):
        return _encode_date
    if hint is str or (isinstance(hint, type) and issubclass(hint, StrEnum)):
        return encode_basestring_ascii
    return _find_encoder(hint)


def _encode_date(at: dt.datetime) -> str:
    return _encode_utc(at) if at.tzinfo is dt.UTC else f'"{format_date(at)}"'


@lru_cache(maxsize=1024)  # many resources have the same; equal dates of different zones have different texts
def _encode_utc(at: dt.datetime) -> str:
    return f'"{format_date(at)}"'
