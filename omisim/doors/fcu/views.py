"""Compile the views of the table: functions from an entity to the value of a shape, as boto3 returns it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from omisim.doors.fcu.forms import ANSWER_FORMS
from omisim.doors.fcu.table import load_section

__all__ = ["View", "compile_view", "get_view", "make_getter"]

View = Callable[[Any], dict[str, Any]]
Get = Callable[[Any], Any]


@cache
def get_view(name: str) -> View:
    """Return the view of this name."""
    return compile_view(load_section("views")[name])


def compile_view(spec: Mapping[str, Any]) -> View:
    """Return the function of a view. Members whose value is None are left out."""
    parts: dict[str, dict[str, Any]] = {}
    for path, source in spec.items():
        name, _, rest = path.partition(".")
        parts.setdefault(name, {})[rest] = source
    members = [(name, _compile_member(inner)) for name, inner in parts.items()]
    return lambda entity: {name: value for name, get in members if (value := get(entity)) is not None}


def _compile_member(spec: Mapping[str, Any]) -> Get:
    """Return the function that gets a member, whose source has the path ""; another one is a structure."""
    if "" in spec:
        return _compile_source(spec[""])
    view = compile_view(spec)
    return lambda entity: view(entity) or None


def _compile_source(source: Any) -> Get:
    if isinstance(source, str):
        return make_getter(source)
    if isinstance(source, Sequence):
        return _compile_part(make_getter(source[0]), *source[1:])
    if "value" in source:
        return lambda _: source["value"]
    get, form = make_getter(source["path"]), ANSWER_FORMS[source["form"]]
    return lambda entity: form(get(entity))


def _compile_part(get: Get, name: str, absent: Any = None) -> Get:
    def show(entity: Any) -> Any:
        view, value = get_view(name), get(entity)
        if value.__class__ is tuple:
            return [view(part) for part in value]
        return absent if value is None else view(value)

    return show


def make_getter(path: str) -> Get:
    """Return the function that gets the value at a path, or None where a part of the path is None."""
    if path == ".":
        return lambda entity: entity
    if "." not in path:
        return attrgetter(path)
    names = path.split(".")

    def get(entity: Any) -> Any:
        for name in names:
            if entity is None:
                return None
            entity = entity.get(name) if entity.__class__ is dict else getattr(entity, name)
        return entity

    return get
