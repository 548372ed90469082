"""The official description of the API from osc-sdk-python, and a check of answers against it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import osc_sdk_python
import yaml

from omisim.actions.framework.schema import Field, Shape
from omisim.model.serialize import api_name

__all__ = ["find_mismatches", "get_schema", "index_by_api_name", "load_description", "resolve_reference"]

DESCRIPTION = Path(osc_sdk_python.__file__).parent / "resources" / "outscale.yaml"
_ANY = re.compile(".*", re.DOTALL)
_DATES = {
    "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),  # RFC 3339
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
}


@cache
def load_description() -> dict[str, Any]:
    """Return the official description."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data: dict[str, Any] = yaml.load(DESCRIPTION.read_text(), Loader=loader)
    return data


def get_schema(name: str) -> dict[str, Any]:
    """Return a schema by its name."""
    part: dict[str, Any] = load_description()["components"]["schemas"][name]
    return part


def index_by_api_name(shape: Shape) -> dict[str, Field]:
    """Return the fields of a request by the API's names."""
    return {api_name(name): field for name, field in shape.all_fields.items()}


def resolve_reference(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of the description, after following a reference."""
    return get_schema(part["$ref"].rpartition("/")[2]) if "$ref" in part else part


def find_mismatches(value: Any, part: dict[str, Any], path: str) -> list[str]:
    """Return all mismatches between an answer and the description, as strict as a Go client's decoder."""
    part = resolve_reference(part)
    if "oneOf" in part:
        return min((find_mismatches(value, option, path) for option in part["oneOf"]), key=len)
    kind = part.get("type", "object")
    types: dict[str, Any] = {
        "string": str, "integer": int, "boolean": bool, "number": (int, float), "array": list, "object": dict,
    }  # fmt: skip
    if not isinstance(value, types[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{path}: {value!r} is not of type {kind}"]
    if kind == "array":
        return [fault for item in value for fault in find_mismatches(item, part["items"], f"{path}[]")]
    if kind == "object" and isinstance(value, dict):
        properties = part["properties"]
        unknown = [f"{path}.{name}: not official" for name in value.keys() - properties.keys()]
        return unknown + [
            f for n, v in value.items() if n in properties for f in find_mismatches(v, properties[n], f"{path}.{n}")
        ]
    has_format = _DATES.get(part.get("format", ""), _ANY).fullmatch(str(value))
    if not has_format or value not in part.get("enum", [value]):
        return [f"{path}: {value!r} is not one of {part.get('enum', part.get('format'))}"]
    return []
