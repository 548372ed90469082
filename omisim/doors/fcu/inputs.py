"""Compile the parameters of a row: a function from the tree of a request to the parameters of omisim's action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omisim.doors.fcu.forms import INPUT_FORMS
from omisim.doors.fcu.query import INDEX, Tree, make_reader, query_name, sort_indexes
from omisim.doors.fcu.table import load_section
from omisim.spec.rules import refuse

__all__ = ["Reading", "compile_inputs"]


@dataclass(slots=True)
class Reading:
    """The parameters read from a request.

    `parameters` are omisim's, `ec2_parameters` those of the request by their EC2 names, `unknown` the names of those
    that the row lacks.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    ec2_parameters: dict[str, Any] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


Read = Callable[[Any, str, Reading, dict[str, Any]], None]  # node, path, reading, where to put the values


def compile_inputs(spec: Mapping[str, Any], shape: Any) -> Callable[[Tree, Reading], None]:
    """Return the function that reads the parameters of `spec`, whose types are those of the EC2 shape."""
    read_level = _compile_level(spec, shape)

    def read(tree: Tree, reading: Reading) -> None:
        read_level(tree, "", reading, reading.parameters)

    return read


def _compile_level(spec: Mapping[str, Any], shape: Any) -> Read:
    """Return the reader of a structure: parameters by the first part of their paths, then the rest of each path."""
    members = {query_name(member, key): member for key, member in shape.members.items()}
    below: dict[str, dict[str, Any]] = {}
    readers: dict[str, Read] = {}
    defaults = [entry for entry in spec.values() if isinstance(entry, dict) and "default" in entry]
    for path, entry in spec.items():
        name, _, rest = path.partition(".")
        if rest:
            below.setdefault(name, {})[rest] = entry
        else:
            readers[name] = _compile_entry(entry, members[name])
    readers |= {name: _compile_level(inner, members[name]) for name, inner in below.items()}

    def read(node: Any, path: str, reading: Reading, target: dict[str, Any]) -> None:
        if node.__class__ is not dict:
            raise refuse("FCU-006/structure", parameter=path)
        for name, inner in node.items():
            reader, full = readers.get(name), f"{path}.{name}" if path else name
            if reader is None and path and INDEX.fullmatch(name):  # a list in place of a structure
                raise refuse("FCU-006", parameter=full)
            if reader is None:
                reading.unknown.append(full)
            else:
                reader(inner, full, reading, target)
        for entry in defaults:
            if entry["to"] not in target:
                target[entry["to"]] = entry["default"]

    return read


def _compile_entry(entry: Any, shape: Any) -> Read:
    if isinstance(entry, dict) and "each" in entry:
        return _compile_list(entry["to"], load_section("inputs")[entry["each"]], shape)
    to = entry if isinstance(entry, str) else entry["to"]
    form = INPUT_FORMS[entry["form"]] if isinstance(entry, dict) and "form" in entry else None
    read_value = make_reader(shape)

    def read(node: Any, path: str, reading: Reading, target: dict[str, Any]) -> None:
        value = read_value(node, path)
        reading.ec2_parameters[path] = value
        if to:
            _put(target, to, value if form is None else form(value))

    return read


def _compile_list(to: str, spec: Mapping[str, Any], shape: Any) -> Read:
    read_item = _compile_level(spec, shape.member)
    is_value = "." in spec.values()

    def read(node: Any, path: str, reading: Reading, target: dict[str, Any]) -> None:
        if node.__class__ is not dict:
            raise refuse("FCU-006", parameter=path)
        items: list[dict[str, Any]] = []
        for index in sort_indexes(node, path):
            if node[index].__class__ is not dict:
                raise refuse("FCU-006", parameter=f"{path}.{index}")
            items.append({})
            read_item(node[index], f"{path}.{index}", reading, items[-1])
        _put(target, to, [item["."] for item in items if "." in item] if is_value else items)

    return read


def _put(target: dict[str, Any], path: str, value: Any) -> None:
    *parents, name = path.split(".") if path != "." else [path]
    for parent in parents:
        target = target.setdefault(parent, {})
    target[name] = value
