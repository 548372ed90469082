"""Coverage of the official description by the suite: fields and enum values in requests and answers.

A run of the whole suite records the fields and values of every call and evaluates them at its end, in the controller
process. Exceptions are listed in surface.toml with their reasons.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from support.official import get_schema

__all__ = [
    "find_gaps",
    "iter_answered_names",
    "iter_sent_names",
    "list_core_actions",
    "list_expected_names",
    "load_exceptions",
]

TABLE = Path(__file__).with_suffix(".toml")


@cache
def _load_table() -> Mapping[str, Any]:
    with TABLE.open("rb") as stream:
        return tomllib.load(stream)


@cache
def list_core_actions() -> frozenset[str]:
    """Return the actions whose fields must all be covered."""
    return frozenset(_load_table()["core"])


def load_exceptions() -> Mapping[str, str]:
    """Return the reasons of the exceptions, by name pattern."""
    unseen: Mapping[str, str] = _load_table()["unseen"]
    return unseen


def iter_sent_names(action: str, request: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names in a request: `sent CreateImageRequest.VmId`, `sent Placement.Tenancy=default`."""
    yield from (f"sent {name}" for name in _iter_names(request, {"$ref": f"{action}Request"}, ""))


def iter_answered_names(action: str, answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names in an answer: `answered Image.State`, `answered Image.State=pending`."""
    yield from (f"answered {name}" for name in _iter_names(answer, {"$ref": f"{action}Response"}, ""))


def find_gaps(shown_names: Iterable[str]) -> list[str]:
    """Return the names that are neither covered nor excepted, and the exceptions that match nothing."""
    unseen = list_expected_names() - set(shown_names)
    excused = {name for name in unseen if any(fnmatchcase(name, pattern) for pattern in load_exceptions())}
    unused = [pattern for pattern in load_exceptions() if not any(fnmatchcase(name, pattern) for name in unseen)]
    return [
        *(f"{name}: no test shows it" for name in sorted(unseen - excused)),
        *(f"{pattern}: this line of {TABLE.name} excuses nothing any more" for pattern in unused),
    ]


@cache
def list_expected_names() -> frozenset[str]:
    """Return all names in the schemas of these actions."""
    names: set[str] = set()
    for action in list_core_actions():
        names |= {f"sent {name}" for name in _iter_all_names({"$ref": f"{action}Request"}, "")}
        names |= {f"answered {name}" for name in _iter_all_names({"$ref": f"{action}Response"}, "")}
    return frozenset(names)


def _resolve_reference(part: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], str]:
    """Return a schema and its name: from the description, or the given path."""
    if "$ref" not in part:
        return part, name
    name = part["$ref"].rpartition("/")[2]
    return get_schema(name), name


def _iter_names(value: Any, part: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the names of the fields and listed values in a value of a schema."""
    part, name = _resolve_reference(part, name)
    if isinstance(value, list | tuple):
        for item in value:
            yield from _iter_names(item, part.get("items", {}), name)
    elif isinstance(value, Mapping):
        for field, inner in value.items():
            if inner is not None and field in part.get("properties", {}):
                yield f"{name}.{field}"
                yield from _iter_names(inner, part["properties"][field], f"{name}.{field}")
    elif value in part.get("enum", ()):
        yield f"{name}={value}"


def _iter_all_names(part: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield all names that a schema defines."""
    part, name = _resolve_reference(part, name)
    if "items" in part:
        yield from _iter_all_names(part["items"], name)
    for field, inner in part.get("properties", {}).items():
        if field != "ResponseContext":
            yield f"{name}.{field}"
            yield from _iter_all_names(inner, f"{name}.{field}")
    yield from (f"{name}={value}" for value in part.get("enum", ()))
