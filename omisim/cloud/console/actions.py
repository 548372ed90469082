"""The actions and their parameters as JSON data, for the console's completion: from the signatures, as requests are."""

from __future__ import annotations

import json
from functools import cache
from inspect import getdoc
from typing import Any

from omisim.actions.framework.registry import ACTIONS, Action
from omisim.actions.framework.schema import Field, Shape
from omisim.model.serialize import api_name

__all__ = ["describe_actions"]

_TYPES = {str: "string", int: "integer", bool: "boolean", float: "number"}
_EXAMPLES = {"string": "", "integer": 0, "boolean": False, "number": 0}
MAX_DEPTH = 4  # of an example


@cache
def describe_actions() -> dict[str, Any]:
    """Return action → its `summary` and its `parameters`, the required ones first.

    A parameter has a `name`, a `type` (string, integer, boolean, number or JSON), whether it is `required` and a list
    (`many`), the kind of the `ids` that it holds, and for JSON an `example`.
    """
    return {name: _describe(action) for name, action in sorted(ACTIONS.items())}


def _describe(action: Action) -> dict[str, Any]:
    summary = " ".join((getdoc(action.function) or "").partition("\n\n")[0].split())
    fields = sorted(action.shape.all_fields.values(), key=lambda field: not field.required)
    return {"summary": summary, "parameters": [_describe_field(field) for field in fields]}


def _describe_field(field: Field) -> dict[str, Any]:
    row: dict[str, Any] = {"name": api_name(field.name), "type": _TYPES.get(field.type, "JSON")}
    if field.required:
        row["required"] = True
    if field.many:
        row["many"] = True
    if field.id is not None:
        row["ids"] = field.id.kind
    if row["type"] == "JSON":
        row["example"] = json.dumps(_make_example(field, 0))
    return row


def _make_example(field: Field, depth: int) -> Any:
    value = _EXAMPLES.get(_TYPES.get(field.type, ""), "") if field.shape is None else _fill(field.shape, depth)
    if field.many:
        return [] if value == "" else [value]
    return value


def _fill(shape: Shape, depth: int) -> dict[str, Any]:
    if depth == MAX_DEPTH:
        return {}
    return {api_name(name): _make_example(field, depth + 1) for name, field in shape.fields.items()}
