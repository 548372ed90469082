"""The names of the API: actions, and parameters, filters and fields of answers with the places that have them.

To import this module takes a moment, since it imports all actions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from omisim.actions.framework.registry import ACTIONS, Action
from omisim.actions.framework.schema import Shape
from omisim.model.serialize import api_name

__all__ = ["Place", "list_actions", "list_api_names", "list_parameters"]

ROLES = ("parameter", "filter", "field")  # in this order
_TYPES: Mapping[Any, str] = {bool: "boolean", int: "integer", float: "number", dt.datetime: "date"}


class Place(NamedTuple):
    """Where the API has a name.

    `role` is one of `ROLES`. `owner` is the action that takes it or has it at the top of its answer, or the class of
    the resources that show it, and `path` the names of the objects in between, with dots.
    """

    role: str
    owner: str
    path: str
    type: str
    required: bool = False


def list_actions() -> Mapping[str, Action]:
    """Return the actions that omisim serves, in alphabetical order."""
    return dict(sorted(ACTIONS.items()))


def list_parameters(action: Action) -> list[str]:
    """Return the API names of the parameters of an action; a star marks the required ones."""
    return [api_name(field.name) + "*" * field.required for field in action.shape.fields.values()]


@cache
def list_api_names() -> Mapping[str, tuple[Place, ...]]:
    """Return the places of each name, without DryRun and the parameters of pages, which most actions have."""
    places: dict[str, set[Place]] = {}
    for action in ACTIONS.values():
        for name, place in (*_walk_request(action.name, action.shape), *_walk_answer(action)):
            places.setdefault(name, set()).add(place)
    return {
        name: tuple(sorted(places[name], key=lambda place: (ROLES.index(place.role), place))) for name in sorted(places)
    }


def _walk_request(action: str, shape: Shape, *path: str) -> Iterator[tuple[str, Place]]:
    for field in shape.fields.values():
        name, noun = api_name(field.name), _name_type(field.shape.cls if field.shape else field.type, many=field.many)
        role = "filter" if path[:1] == ("Filters",) else "parameter"
        yield name, Place(role, action, ".".join(path), noun, field.required)
        if field.shape:
            yield from _walk_request(action, field.shape, *path, name)


def _walk_answer(action: Action) -> Iterator[tuple[str, Place]]:
    """Yield the key of an answer and the fields of its resources, or the fields of an answer that is one object."""
    cls, is_list = _resolve(get_type_hints(action.function)["return"])
    if isinstance(action.answer, str):
        yield action.answer, Place("field", action.name, "", _name_type(cls, many=is_list))
    if action.answer and isinstance(cls, type) and is_dataclass(cls):
        yield from _walk_fields(action.name if isinstance(action.answer, type) else cls.__name__, cls)


def _walk_fields(owner: str, cls: Any, *path: str) -> Iterator[tuple[str, Place]]:
    hints = get_type_hints(cls)
    for field in fields(cls):
        if field.metadata.get("wire", True):
            name, (part, is_list) = api_name(field.name), _resolve(hints[field.name])
            yield name, Place("field", owner, ".".join(path), _name_type(part, many=is_list))
            if is_dataclass(part):
                yield from _walk_fields(owner, part, *path, name)


def _resolve(hint: Any) -> tuple[Any, bool]:
    """Return the class of a value, or of the items of a list, and whether it is a list."""
    if get_origin(hint) is None:
        return hint, False
    inner = next(part for part in get_args(hint) if part is not NoneType)
    cls, is_list = _resolve(inner)
    return cls, is_list or get_origin(hint) is tuple


def _name_type(cls: Any, *, many: bool) -> str:
    noun = _TYPES.get(cls, "object" if is_dataclass(cls) else "string")  # an enumeration has texts
    return f"list of {noun}s" if many else noun
