"""From an action's signature to its request: names, types, what is required, and which values are ids.

A signature is compiled on the first call of its action. Checks run in the order of REQ-014: unknown parameters, types,
missing ones, the action's own combinations, then the prefixes and shapes of ids. JSON null means absent at any depth.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from omisim.model.ids import Id
from omisim.model.serialize import api_name, is_date
from omisim.spec.rules import refuse

__all__ = ["Field", "Problems", "Shape", "compile_signature", "misshapen"]

# Go clients send these for an unset value (design: Doors)
_ABSENT: Mapping[str, Any] = {"client_token": "", "subnet_id": "", "user_data": "", "placement": {}}
_NAMES = {str: "a string", int: "an integer", bool: "a boolean", float: "a number"}
UNKNOWN, TYPE, MISSING = range(3)  # the order in which problems are reported (REQ-014)
Problems = list[tuple[int, Exception]]
Read = Callable[[Any, str, bool, Problems], Any]  # value, path, wire, problems
WRONG = object()  # stands for a value of a wrong type while the others are still looked at


@dataclass(slots=True)
class Field:
    """One parameter: its name here, whether it is required, what ids it holds, how its value is read, many or one."""

    name: str
    required: bool
    id: Id | None
    read: Read
    shape: Shape | None
    type: Any
    many: bool = False


@dataclass(slots=True)
class Shape:
    """An object of a request: its fields by the name a caller uses (the API's, or ours in a typed call)."""

    by_api_name: Mapping[str, Field]
    by_name: Mapping[str, Field]
    required: tuple[Field, ...]
    with_ids: tuple[Field, ...]  # the fields that are ids, or have some below
    cls: type | None = None
    last: tuple[Mapping[str, Any], dict[str, Any]] | None = None  # the last request and its values

    def parse(self, given: Mapping[str, Any], wire: bool, report: Callable[[Exception], None]) -> dict[str, Any]:
        """Return the values by our names; report unknown names, then wrong types, then what is missing."""
        last = self.last
        if last is not None and last[0] is given:  # the door knows the bytes of a client that polls
            return last[1].copy()
        problems: Problems = []
        values = self.read(given, "", wire, problems)
        if problems:
            for _, problem in sorted(problems, key=lambda ranked: ranked[0]):
                report(problem)
        elif wire:
            self.last = given, values.copy()
        return values

    def read(self, given: Mapping[str, Any], path: str, wire: bool, problems: Problems) -> dict[str, Any]:
        """Return the values by our names; add to the problems what is wrong, at any depth (REQ-008 to REQ-010)."""
        known = self.by_api_name if wire else self.by_name
        values: dict[str, Any] = {}
        for name, value in given.items():
            field = known.get(name)
            if value is None:
                continue
            if field is None:
                problems.append((UNKNOWN, _unknown(f"{path}{name}", name, known)))
            elif field.name not in _ABSENT or value != _ABSENT[field.name]:
                read = field.read(value, f"{path}{name}", wire, problems)
                values[field.name] = read
        for field in self.required:
            value = values.get(field.name)
            if value is None or value == () or (value == "" and field.id):
                name = api_name(field.name) if wire else field.name
                problems.append((MISSING, _missing(f"{path}{name}", field.name, values)))
        return values

    def malformed_ids(self, values: Mapping[str, Any], path: str, report: Callable[[Exception], None]) -> None:
        """Report the ids that cannot be ids of their kind (ID-015, ID-016), in the order of the signature."""
        for field in self.with_ids:
            value = values.get(field.name)
            if value is None:
                continue
            below = f"{path}{api_name(field.name)}"
            for item in value if isinstance(value, tuple) else (value,):
                if field.id is not None:
                    wrong = misshapen(field.id, item, below)
                    if wrong is not None:
                        report(wrong)
                elif field.shape is not None:
                    inner = {f.name: getattr(item, f.name) for f in field.shape.with_ids}
                    field.shape.malformed_ids(inner, f"{below}.", report)


def compile_signature(function: Callable[..., Any], *, paged: bool, dry_run: bool) -> Shape:
    """Return the shape of an action's request. Its first parameter is the Call; all others are keyword-only."""
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    found = [_field(p.name, hints[p.name], required=p.default is p.empty) for p in parameters]
    paging = (_field("results_per_page", int), _field("next_page_token", str)) if paged else ()
    return _shape(found, None, (*((_field("dry_run", bool),) if dry_run else ()), *paging))


def _shape(found: list[Field], cls: type | None, wire_only: tuple[Field, ...] = ()) -> Shape:
    return Shape(
        by_api_name={api_name(field.name): field for field in (*found, *wire_only)},
        by_name={field.name: field for field in found},
        required=tuple(field for field in found if field.required),
        with_ids=tuple(field for field in found if field.id or (field.shape and field.shape.with_ids)),
        cls=cls,
    )


def _field(name: str, hint: Any, *, required: bool = False) -> Field:
    base, marks = _bare(hint)
    item = next((mark for mark in marks if isinstance(mark, Id)), None)
    if get_origin(base) in (tuple, list) or getattr(get_origin(base), "__name__", "") == "Sequence":
        element, inner_marks = _bare(get_args(base)[0])
        item = next((mark for mark in inner_marks if isinstance(mark, Id)), item)
        shape = _nested(element)
        return Field(name, required, item, _list_reader(_reader(element, shape)), shape, element, many=True)
    shape = _nested(base)
    return Field(name, required, item, _reader(base, shape), shape, base)


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Strip Optional, the dict alternative of OrDict, and Annotated; return the type and its marks."""
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        return _bare(base)[0], tuple(marks)
    if get_origin(hint) in (Union, UnionType):
        choices = [arg for arg in get_args(hint) if arg is not NoneType and get_origin(arg) is not Mapping]
        return _bare(choices[0])
    return hint, ()


def _nested(cls: Any) -> Shape | None:
    if not is_dataclass(cls):
        return None
    hints = get_type_hints(cls, include_extras=True)
    found = [_field(f.name, hints[f.name], required=_is_required(f)) for f in fields(cls)]
    return _shape(found, cls if isinstance(cls, type) else None)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _reader(cls: Any, shape: Shape | None) -> Read:
    if shape is not None:
        return _object_reader(shape)
    if is_date(cls):
        return _date
    accepted = (int, float) if cls is float else cls

    def read(value: Any, path: str, _wire: bool, problems: Problems) -> Any:
        if isinstance(value, accepted) and (cls is bool or not isinstance(value, bool)):
            return value
        return _wrong(value, path, _NAMES[cls], problems)

    return read


def _object_reader(shape: Shape) -> Read:
    cls = shape.cls
    assert cls is not None

    def read(value: Any, path: str, wire: bool, problems: Problems) -> Any:
        if isinstance(value, cls):
            return value
        if value.__class__ is not dict and not isinstance(value, Mapping):
            return _wrong(value, path, "an object", problems)
        values = shape.read(value, f"{path}.", wire, problems)
        return WRONG if problems else cls(**values)

    return read


def _list_reader(element: Read) -> Read:
    def read(value: Any, path: str, wire: bool, problems: Problems) -> Any:
        if not isinstance(value, list | tuple):
            return _wrong(value, path, "a list", problems)
        return tuple(
            [
                element(item, f"{path}[{number}]", wire, problems)
                for number, item in enumerate(value)
                if item is not None
            ]
        )

    return read


def _date(value: Any, path: str, _wire: bool, problems: Problems) -> Any:
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    try:
        at = dt.datetime.fromisoformat(value)
    except TypeError:
        return _wrong(value, path, "an ISO 8601 date", problems)
    except ValueError:  # a string, but no date
        problems.append((TYPE, refuse("REQ-009", parameter=path, expected="an ISO 8601 date", given=repr(value))))
        return WRONG
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def _unknown(path: str, name: object, known: Mapping[str, Field]) -> Exception:
    near = get_close_matches(str(name)[:100], known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return refuse("REQ-008", parameter=path, hint=hint, known=sorted(known))


def _missing(path: str, name: str, values: Mapping[str, Any]) -> Exception:
    if name == "image_id" and "block_device_mappings" in values:  # a launch from snapshots, so it seems
        return refuse("REQ-010/image", parameter=path)
    return refuse("REQ-010", parameter=path)


def _wrong(value: Any, path: str, expected: str, problems: Problems) -> object:
    kind = {dict: "an object", list: "a list", tuple: "a list", **_NAMES}.get(type(value), type(value).__name__)
    problems.append((TYPE, refuse("REQ-009", parameter=path, expected=expected, given=kind)))
    return WRONG


def misshapen(kind: Id, value: str, parameter: str) -> Exception | None:
    """Return the refusal of what cannot be an id of a kind (ID-015, ID-016); None of what can."""
    if kind.well_formed(value):
        return None
    if kind.kind == "image" and value.startswith("snap-"):
        return refuse("ID-015/snapshot", parameter=parameter, value=value, prefixes=kind.prefixes)
    if not kind.has_prefix(value):
        return refuse("ID-015", parameter=parameter, value=value, prefixes=kind.prefixes)
    return refuse("ID-016", parameter=parameter, value=value)
