"""How much of the official description the suite shows: fields and listed values, sent and answered.

A whole run of the suite gathers what every call carried and judges it at its end, in the process that started the
others; a run of a part of it judges nothing. What may stay unseen stands in surface.toml with its reason.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from support.official import schema

__all__ = ["answered", "core", "expected", "judged", "reasons", "sent"]

TABLE = Path(__file__).with_suffix(".toml")


@cache
def _table() -> Mapping[str, Any]:
    with TABLE.open("rb") as stream:
        return tomllib.load(stream)


@cache
def core() -> frozenset[str]:
    """Return the actions whose every field counts."""
    return frozenset(_table()["core"])


def reasons() -> Mapping[str, str]:
    """Return the reasons why something stays unseen, by the pattern of its name."""
    found: Mapping[str, str] = _table()["unseen"]
    return found


def sent(action: str, request: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a request shows: `sent CreateImageRequest.VmId`, `sent Placement.Tenancy=default`."""
    yield from (f"sent {name}" for name in _shown(request, {"$ref": f"{action}Request"}, ""))


def answered(action: str, answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an answer shows: `answered Image.State`, `answered Image.State=pending`."""
    yield from (f"answered {name}" for name in _shown(answer, {"$ref": f"{action}Response"}, ""))


def judged(seen: Iterable[str]) -> list[str]:
    """Return what no test has shown and no reason excuses, and the reasons that excuse nothing."""
    unseen = expected() - set(seen)
    excused = {name for name in unseen if any(fnmatchcase(name, pattern) for pattern in reasons())}
    idle = [pattern for pattern in reasons() if not any(fnmatchcase(name, pattern) for name in unseen)]
    return [
        *(f"{name}: no test shows it" for name in sorted(unseen - excused)),
        *(f"{pattern}: this line of {TABLE.name} excuses nothing any more" for pattern in idle),
    ]


@cache
def expected() -> frozenset[str]:
    """Return all that can be shown of the schemas of these actions."""
    found: set[str] = set()
    for action in core():
        found |= {f"sent {name}" for name in _all({"$ref": f"{action}Request"}, "")}
        found |= {f"answered {name}" for name in _all({"$ref": f"{action}Response"}, "")}
    return frozenset(found)


def _resolved(part: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], str]:
    """Return a schema and its name: that of the description, or the place where it stands."""
    if "$ref" not in part:
        return part, name
    name = part["$ref"].rpartition("/")[2]
    return schema(name), name


def _shown(value: Any, part: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the names of the fields and listed values in a value of a schema."""
    part, name = _resolved(part, name)
    if isinstance(value, list | tuple):
        for item in value:
            yield from _shown(item, part.get("items", {}), name)
    elif isinstance(value, Mapping):
        for field, inner in value.items():
            if inner is not None and field in part.get("properties", {}):
                yield f"{name}.{field}"
                yield from _shown(inner, part["properties"][field], f"{name}.{field}")
    elif value in part.get("enum", ()):
        yield f"{name}={value}"


def _all(part: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield all the names that values of a schema may show."""
    part, name = _resolved(part, name)
    if "items" in part:
        yield from _all(part["items"], name)
    for field, inner in part.get("properties", {}).items():
        if field != "ResponseContext":
            yield f"{name}.{field}"
            yield from _all(inner, f"{name}.{field}")
    yield from (f"{name}={value}" for value in part.get("enum", ()))
