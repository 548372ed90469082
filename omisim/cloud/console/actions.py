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


@cache
def describe_actions() -> dict[str, Any]:
    """Return action → its `summary` and its `parameters`, the required ones first.

    A parameter has a `name`, a `type` (string, integer, boolean, number or JSON), whether it is `required` and a list
    (`many`), the kind of the `ids` that it holds, and for JSON an `example`: all members of an object, with null as the
    value of each, so that those that are left as they are count as absent.
    """
    return {name: _describe(action) for name, action in sorted(ACTIONS.items())}


def _describe(action: Action) -> dict[str, Any]:
    summary = " ".join((getdoc(action.function) or "").partition("\n\n")[0].split())
    fields = sorted(action.shape.all_fields.values(), key=lambda field: not field.required)
    return {"summary": summary, "parameters": [_describe_field(field) for field in fields]}


def _describe_field(field: Field) -> dict[str, Any]:
    row: dict[str, Any] = {"name": api_name(field.name), "type": _TYPES[field.type] if field.shape is None else "JSON"}
    if field.required:
        row["required"] = True
    if field.many:
        row["many"] = True
    if field.id is not None:
        row["ids"] = field.id.kind
    if field.shape is not None:
        members = _list_members(field.shape)
        row["example"] = json.dumps([members] if field.many else members, indent=1)
    return row


def _list_members(shape: Shape) -> dict[str, Any]:
    """Return the members of an object. A list of objects counts as one value: it is absent until it is written."""
    return {
        api_name(name): _list_members(field.shape) if field.shape is not None and not field.many else None
        for name, field in shape.fields.items()
    }
