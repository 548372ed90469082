"""Compile an action's signature into the schema of its request: names, types, required parameters and ids.

A signature is compiled on the first call of its action. Checks run in the order of REQ-014: unknown parameters, wrong
types, missing parameters, the action's own combinations, then the prefixes and shapes of ids. Names are snake_case
here. A problem converts them to the spelling of the caller's door.

None and empty values mean absent at any depth (REQ-009, REQ-018): Go clients send "", [] and {} for unset parameters.
Exceptions are the parameters marked with `MayBeEmpty`, and the lists in Filters, which match nothing (FLT-004).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from omisim.actions.framework.request import Foreign, Request
from omisim.base.foreign import parse_date
from omisim.base.subset import shorten
from omisim.base.suggest import suggest
from omisim.base.texts import escape_surrogates
from omisim.model.base import MayBeEmpty
from omisim.model.filters import Filters
from omisim.model.filters.match import is_pattern
from omisim.model.ids import Id
from omisim.model.serialize import is_date, snake_name
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse

__all__ = [
    "MAX_PROBLEMS", "MISSING", "Field", "Problem", "Problems", "Shape", "compile_signature", "find_id_problem",
    "report_too_many_patterns", "report_wrong_type",
]  # fmt: skip

_NAMES = {str: "a string", int: "an integer", bool: "a boolean", float: "a number"}
MAX_PATTERNS = 1000  # values with wildcards in a filter
MAX_PROBLEMS = 100  # in one request, after which the rest of a list, or of an object with unknown names, is not read
UNKNOWN, TYPE, MISSING = range(3)  # the order in which problems are reported (REQ-014)
_LISTS = (list, tuple)
_MAY_BE_EMPTY = (str, *_LISTS, Mapping)
WRONG = object()  # replaces a value of a wrong type while the other values are checked
Spell = Callable[[str], str]


@dataclass(slots=True)
class Problem:
    """A problem in a request.

    `rank` orders the reports. `path` leads to the object with the problem, in snake_case. `name` is the parameter below
    it, which may be unknown; then `known` holds the known fields. `facts` are additional facts for the rule's text.
    """

    rank: int
    rule: str
    path: str
    name: str = ""
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    known: Mapping[str, Field] | None = None

    def to_error(self, spell: Spell) -> ApiError:
        """Return the refusal, with names in the caller's spelling."""
        name = spell(self.name) if isinstance(self.name, str) else str(self.name)
        parameter = _spell_path(self.path, spell) + name
        if self.known is None:
            return refuse(self.rule, parameter=parameter, **self.facts)
        known_names = sorted(map(spell, self.known))
        outer = (f.name for f in self.known.values() if f.shape and not f.many and self.name in f.shape.fields)
        nested = next((f"{spell(each)}.{name}" for each in outer), None)  # ImageIds is Filters.ImageIds
        suggestion = f" Did you mean {nested}?" if nested else suggest(name, known_names, " Did you mean {}?")
        return refuse(self.rule, parameter=parameter, hint=suggestion, known=known_names)


Problems = list[Problem]
Read = Callable[[Any, str, Problems], Any]  # value, path, problems


@dataclass(slots=True)
class Field:
    """One parameter.

    `id` is the kind of the ids that it holds, if any. `read` parses its value. It returns None if nothing is left of an
    object or a list whose empty members are absent. `shape` is the schema of a nested object. `many` marks a list.
    `empty` has the classes of an empty value with a meaning of its own.
    """

    name: str
    required: bool
    id: Id | None
    read: Read
    shape: Shape | None
    type: Any
    many: bool = False
    empty: tuple[type, ...] = ()


@dataclass(slots=True)
class Shape:
    """The schema of an object in a request.

    `with_ids` are the fields that are or contain ids. `all_fields` adds the parameters that typed methods lack: DryRun
    and paging. `cls` is the dataclass of a nested object.
    """

    fields: Mapping[str, Field]
    required: tuple[Field, ...]
    with_ids: tuple[Field, ...]
    all_fields: Mapping[str, Field]
    cls: type | None = None

    def parse(self, request: Request, report: Callable[[ApiError], None]) -> dict[str, Any]:
        """Return the values of a request. Reports unknown names, then wrong types, then missing parameters."""
        if request.values is not None:  # a polling client sent the same request again
            return request.values.copy()
        problems: Problems = []
        dialect = request.dialect
        known_fields = self.all_fields if dialect.controls else self.fields
        values = self.read(request.parameters, "", problems, known_fields)
        if problems:
            for problem in sorted(problems, key=lambda problem: problem.rank):
                report(problem.to_error(dialect.spell))
        else:
            request.values = values.copy() if dialect.controls else values  # dispatch takes the controls out
        return values

    def read(
        self,
        parameters: Mapping[str, Any],
        path: str,
        problems: Problems,
        known_fields: Mapping[str, Field] | None = None,
    ) -> dict[str, Any]:
        """Return the values of an object, and append its problems at any depth (REQ-008 to REQ-010)."""
        known_fields = self.fields if known_fields is None else known_fields
        values: dict[str, Any] = {}
        for name, value in parameters.items():
            if value is None:
                continue
            field = known_fields.get(name)
            if field is None:
                problems.append(Problem(UNKNOWN, "REQ-008", path, name, known=known_fields))
                if len(problems) >= MAX_PROBLEMS:
                    return values
            elif value or not _is_empty(value) or isinstance(value, field.empty):
                read = field.read(value, path + name, problems)
                if read is not None:
                    values[name] = read
        for field in self.required if values or not path else ():  # an object without values is absent itself
            if field.name not in values:
                rule = "REQ-010"
                if field.name == "image_id" and "block_device_mappings" in values:  # probably a launch from snapshots
                    rule = "REQ-010/image"
                problems.append(Problem(MISSING, rule, path, field.name))
        return values

    def report_malformed_ids(
        self, values: Mapping[str, Any], path: str, spell: Spell, report: Callable[[ApiError], None]
    ) -> None:
        """Report the malformed ids (ID-015, ID-016), in the order of the signature."""
        for field in self.with_ids:
            value = values.get(field.name)
            if value is None:
                continue
            for item in value if isinstance(value, tuple) else (value,):
                if field.id is not None:
                    if not field.id.is_well_formed(item):
                        report(_refuse_id(field.id, item, f"{path}{spell(field.name)}"))
                elif field.shape is not None:
                    inner = {f.name: getattr(item, f.name) for f in field.shape.with_ids}
                    field.shape.report_malformed_ids(inner, f"{path}{spell(field.name)}.", spell, report)


def compile_signature(function: Callable[..., Any], *, paged: bool, dry_run: bool) -> Shape:
    """Return the schema of an action's request. The function takes a Call, then keyword-only parameters."""
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    shape = _make_shape([_make_field(p.name, hints[p.name], required=p.default is p.empty) for p in parameters], None)
    paging = (_make_field("results_per_page", int), _make_field("next_page_token", str)) if paged else ()
    controls = (*((_make_field("dry_run", bool),) if dry_run else ()), *paging)
    shape.all_fields = {**shape.fields, **{field.name: field for field in controls}}
    return shape


def _make_shape(members: list[Field], cls: type | None) -> Shape:
    fields = {field.name: field for field in members}
    return Shape(
        fields=fields,
        all_fields=fields,
        required=tuple(field for field in members if field.required),
        with_ids=tuple(field for field in members if field.id or (field.shape and field.shape.with_ids)),
        cls=cls,
    )


def _make_field(name: str, hint: Any, *, required: bool = False, is_filter: bool = False) -> Field:
    base, marks = _unwrap_hint(hint)
    id_kind = next((mark for mark in marks if isinstance(mark, Id)), None)
    may_be_empty = any(isinstance(mark, MayBeEmpty) for mark in marks)
    if get_origin(base) in (tuple, list, Sequence):
        element, inner_marks = _unwrap_hint(get_args(base)[0])
        id_kind = next((mark for mark in inner_marks if isinstance(mark, Id)), id_kind)
        shape = _make_nested_shape(element)
        empty: tuple[type, ...] = (list, tuple) if may_be_empty or is_filter else ()
        read = _make_list_reader(_make_reader(element, shape), may_be_empty=bool(empty), is_filter=is_filter)
        return Field(name, required, id_kind, read, shape, element, many=True, empty=empty)
    shape = _make_nested_shape(base)
    read = _make_reader(base, shape, may_be_empty=may_be_empty)
    empty = (list, tuple) if is_filter else ((Mapping,) if shape else (str,)) if may_be_empty else ()
    return Field(name, required, id_kind, read, shape, base, empty=empty)


def _unwrap_hint(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Strip Optional, the dict alternatives (OrDict, TypedDict) and Annotated. Returns the type and its annotations."""
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        inner, more = _unwrap_hint(base)
        return inner, (*marks, *more)
    if get_origin(hint) in (Union, UnionType):
        choices = [arg for arg in get_args(hint) if arg is not NoneType and not _is_mapping(arg)]
        return _unwrap_hint(choices[0])
    return hint, ()


def _is_mapping(hint: Any) -> bool:
    return get_origin(hint) is Mapping or is_typeddict(hint)


def _make_nested_shape(cls: Any) -> Shape | None:
    if not isinstance(cls, type) or not is_dataclass(cls):
        return None
    hints, is_filter = get_type_hints(cls, include_extras=True), issubclass(cls, Filters)
    members = [_make_field(f.name, hints[f.name], required=_is_required(f), is_filter=is_filter) for f in fields(cls)]
    return _make_shape(members, cls)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _make_reader(cls: Any, shape: Shape | None, *, may_be_empty: bool = False) -> Read:
    if shape is not None:
        return _make_object_reader(shape, may_be_empty=may_be_empty)
    if is_date(cls):
        return _read_date
    if cls is str:
        return _read_text
    accepted = (int, float) if cls is float else cls

    def read(value: Any, path: str, problems: Problems) -> Any:
        if value.__class__ is cls or (isinstance(value, accepted) and not isinstance(value, bool)):
            return value
        return report_wrong_type(value, path, _NAMES[cls], problems)

    return read


def _make_object_reader(shape: Shape, *, may_be_empty: bool) -> Read:
    cls = shape.cls
    assert cls is not None

    def read(value: Any, path: str, problems: Problems) -> Any:
        if isinstance(value, cls):
            value = {name: getattr(value, name) for name in shape.fields}
        if value.__class__ is not dict and not isinstance(value, Mapping):
            return report_wrong_type(value, path, "an object", problems)
        values = shape.read(value, path + ".", problems)  # quicker than an f-string
        if problems:
            return WRONG
        return cls(**values) if values or may_be_empty else None

    return read


def _make_list_reader(element: Read, *, may_be_empty: bool, is_filter: bool) -> Read:
    def read(value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, _LISTS):
            return report_wrong_type(value, path, "a list", problems)
        items = []
        for number, item in enumerate(value):
            if item is not None and (is_filter or item or not _is_empty(item)):
                read = element(item, f"{path}[{number}]", problems)
                if read is not None:
                    items.append(read)
                if read is WRONG and len(problems) >= MAX_PROBLEMS:
                    break
        if is_filter and len(items) > MAX_PATTERNS:
            report_too_many_patterns(items, path, problems)
        return tuple(items) if items or may_be_empty else None

    return read


def report_too_many_patterns(values: Iterable[Any], path: str, problems: Problems) -> None:
    """Append the problem of a filter with too many wildcards: each is compared with each resource (FLT-012)."""
    count = sum(isinstance(value, str) and is_pattern(value) for value in values)
    if count > MAX_PATTERNS:
        problems.append(Problem(TYPE, "FLT-012", path, facts={"count": count, "most": MAX_PATTERNS}))


def _is_empty(value: Any) -> bool:
    return not value and isinstance(value, _MAY_BE_EMPTY)


def _read_text(value: Any, path: str, problems: Problems) -> Any:
    if not isinstance(value, str):
        return report_wrong_type(value, path, _NAMES[str], problems)
    if not value.isascii() and value != escape_surrogates(value):  # JSON cannot have it
        problems.append(_make_type_problem(path, "a string that UTF-8 can encode", "one with a lone surrogate"))
        return WRONG
    return value


def _read_date(value: Any, path: str, problems: Problems) -> Any:
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    try:
        return parse_date(value)
    except TypeError:
        return report_wrong_type(value, path, "an ISO 8601 date", problems)
    except ValueError:  # a string that is not a date
        problems.append(_make_type_problem(path, "an ISO 8601 date", shorten(value)))
        return WRONG


def report_wrong_type(value: Any, path: str, expected: str, problems: Problems) -> object:
    """Append the problem of a value with a wrong type, and return WRONG."""
    names = {dict: "an object", list: "a list", tuple: "a list", **_NAMES}
    kind = value.kind if isinstance(value, Foreign) else names.get(type(value), _name_type(type(value)))
    problems.append(_make_type_problem(path, expected, kind))
    return WRONG


def _name_type(cls: type) -> str:
    """Return the name of a type; for an entity in the place of its id, also the attribute that is the id."""
    attribute = f"{snake_name(cls.__name__)}_id"
    return f"{cls.__name__} (pass its {attribute})" if hasattr(cls, attribute) else cls.__name__


def _make_type_problem(path: str, expected: str, received: str) -> Problem:
    return Problem(TYPE, "REQ-009", path, facts={"expected": expected, "given": received})


def _spell_path(path: str, spell: Spell) -> str:
    """Return a snake_case path, for example `nics[0].subnet_id`, in the caller's spelling, also of its indexes."""
    parts = (part.partition("[") for part in path.split("."))
    return ".".join((spell(name) if name else "") + (spell(f"[{rest}") if rest else "") for name, _, rest in parts)


def find_id_problem(kind: Id, value: str, parameter: str) -> ApiError | None:
    """Return the refusal of a malformed id of a kind (ID-015, ID-016), or None if it is well formed."""
    return None if kind.is_well_formed(value) else _refuse_id(kind, value, parameter)


def _refuse_id(kind: Id, value: str, parameter: str) -> ApiError:
    if kind.kind == "image" and value.startswith("snap-"):
        return refuse("ID-015/snapshot", parameter=parameter, value=value, prefixes=kind.prefixes)
    if not kind.has_prefix(value):
        return refuse("ID-015", parameter=parameter, value=value, prefixes=kind.prefixes)
    return refuse("ID-016", parameter=parameter, value=value)
