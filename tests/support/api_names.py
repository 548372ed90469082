"""The names of OAPI and of EC2, and those of a text that only OAPI has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.actions.framework.schema import Field
from omisim.doors.fcu.query import query_name
from omisim.doors.fcu.shapes import load_service
from omisim.model.serialize import api_name, snake_name


@cache
def oapi_names() -> frozenset[str]:
    """Return the names of OAPI's actions, and of their parameters at any depth."""
    parameters = (name for action in ACTIONS.values() for name in _names_of(action.shape.all_fields))
    return frozenset({*ACTIONS, *not_served(), *map(api_name, parameters)})


def _names_of(fields: Mapping[str, Field]) -> Iterator[str]:
    for field in fields.values():
        yield field.name
        if field.shape is not None:
            yield from _names_of(field.shape.fields)


@cache
def ec2_names() -> frozenset[str]:
    """Return the names of EC2's operations, and of the members of its shapes, with OUTSCALE's own."""
    service = load_service()
    shapes = map(service.shape_for, service.shape_names)
    structures = [shape for shape in shapes if shape.type_name == "structure"]
    members = (query_name(member, key) for shape in structures for key, member in shape.members.items())
    return frozenset({*service.operation_names, *members})


def find_oapi_only(texts: Iterable[str]) -> set[str]:
    """Return the names in texts that OAPI has and EC2 lacks, in the spelling of either, but for those called OAPI's."""
    words = {word for text in texts for word in re.findall(r"(?<!OAPI's )\b\w+", text)}
    only = oapi_names() - ec2_names()
    return words & (only | {name for name in map(snake_name, only) if "_" in name})
