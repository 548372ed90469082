"""The reads of the table: select among the results of a call by ids, scopes and filters, page them, and render them.

A filter compares the values that the answer shows, as text. Its values may contain the wildcards `*` and `?` (FCU-012).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any

from omisim.actions.framework.paging import paginate
from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.schema import Problems, find_id_problem, report_too_many_patterns
from omisim.doors.fcu.context import Context
from omisim.doors.fcu.forms import FILTER_VALUES, GROUPS, SCOPES
from omisim.doors.fcu.render import make_element, make_renderer
from omisim.doors.fcu.table import Row, load_section
from omisim.doors.fcu.views import get_view, make_getter
from omisim.model.base import keep_text
from omisim.model.filters.match import compile_filters, compile_patterns, is_pattern
from omisim.model.ids import PREFIXES, Id
from omisim.model.serialize import format_date
from omisim.spec.errors import ERRORS, ApiError
from omisim.spec.rules import get_rule, refuse

__all__ = ["Criteria", "Selection", "check_ids", "find_by_ids", "make_not_found"]

GetTexts = Callable[[Any, Mapping[str, Any]], list[str]]  # entity and item → the texts of a filter
TAGS = ("Tags", "TagSet")  # the names that EC2 has for the tags of an item
# kind of an id → the error for one that does not exist; the others are of families that omisim does not serve
_MISSING: Mapping[str, str] = {
    "address": "no-such-ip",
    "image": "no-such-image",
    "image_export": "no-such-task",
    "internet_service": "gateway-does-not-exist",
    "keypair": "no-such-keypair",
    "keypair_name": "no-such-keypair",
    "net": "no-such-vpc",
    "nic": "no-such-nic",
    "prefix list": "no-such-prefix-list",
    "public_ip": "no-such-public-ip",
    "quota": "no-such-quota",
    "region": "no-such-region",
    "route_table": "no-such-route-table",
    "security_group": "no-such-group",
    "security_group_name": "no-such-group",
    "snapshot": "no-such-snapshot",
    "snapshot_export": "no-such-task",
    "subnet": "no-such-subnet",
    "subregion": "no-such-az",
    "vm": "no-such-vm",
    "volume": "no-such-volume",
}


@dataclass(slots=True)
class Criteria:
    """What a read selects: ids and scopes by parameter, filters, and the page."""

    ids: dict[str, list[str]] = field(default_factory=dict)
    scopes: dict[str, Any] = field(default_factory=dict)
    filters: list[tuple[str, list[str]]] = field(default_factory=list)
    size: int | None = None
    token: str | None = None


def check_ids(row: Row, ids: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the filters of omisim's read that find the ids. Refuses malformed ids (ID-015, ID-016).

    Ids of two kinds have no filters: among the results for both, an id that exists may be missing.
    """
    filters: dict[str, Any] = {}
    for parameter, values in ids.items():
        spec = row.ids[parameter]
        for value in values if spec["kind"] in PREFIXES else ():
            problem = find_id_problem(Id(spec["kind"]), value, parameter)
            if problem is not None:
                raise make_not_found(spec["kind"], value) if "malformed" in spec else problem
        if values and "filter" in spec:
            filters[spec["filter"]] = list(values)
    return filters if sum(map(bool, ids.values())) == 1 else {}


def find_by_ids(row: Row, ids: Mapping[str, Sequence[str]], rows: Sequence[Any]) -> Sequence[Any]:
    """Return the results of a read that have the ids, of each given kind. Refuses ids that none has (FCU-004)."""
    selected = rows
    for parameter, values in ids.items():
        spec = row.ids[parameter]
        get_id = _make_id_getter(spec)
        found_ids = set(map(get_id, rows))
        for value in values:
            if value not in found_ids:
                raise make_not_found(spec["kind"], value)
        if values:
            requested = frozenset(values)
            selected = [entity for entity in selected if get_id(entity) in requested]
    return selected


def _make_id_getter(spec: Mapping[str, str]) -> Callable[[Any], Any]:
    """Return the function that gets the id of an entity, or None if ids of this kind do not find it."""
    get_id = attrgetter(spec["attribute"])
    if "without" not in spec:
        return get_id
    return lambda entity: get_id(entity) if getattr(entity, spec["without"]) is None else None


def make_not_found(kind: str, row_id: str) -> ApiError:
    """Return the refusal of an id of a kind that the caller cannot see (FCU-004)."""
    return ApiError(get_rule("FCU-004"), {"id": row_id, "kind": kind}, ERRORS[_MISSING.get(kind, "no-such-resource")])


class Selection:
    """The list of one read."""

    def __init__(self, row: Row, output: Any) -> None:
        self._row = row
        ((member, view_name),) = row.lists.items()
        self._view = get_view(view_name)
        self._is_empty = view_name == "Nothing"
        self._members = load_section("views")[view_name]
        self._tags = tags = next((name for name in TAGS if name in self._members), None)
        self._paths = row.filters
        if tags is not None:
            self._paths = {**row.filters, "tag-key": f"{tags}.Key", "tag-value": f"{tags}.Value"}
        shape = output.members[member]
        self._name = shape.serialization.get("name", member)
        self._token_name = row.pages[0].lower() + row.pages[1:]
        self._item_name = shape.member.serialization.get("name", "member")
        self._render = make_renderer(shape.member)
        self._get_text = keep_text(self._render_entity)

    def select(self, criteria: Criteria, account_id: str | None, rows: Iterable[Any]) -> Iterable[Any]:
        """Return the rows that the scopes and filters of a caller select, each when it is needed."""
        for parameter, scope in self._row.scopes.items():
            value = criteria.scopes.get(parameter)
            if value not in (None, []) or scope == "running":
                rows = filter(SCOPES[scope](account_id, value), rows)
        if criteria.filters and not self._is_empty:
            tests = [(self._find_getter(name), _check_patterns(name, values)) for name, values in criteria.filters]
            rows = (row for row in rows if all(self._matches(row, *test) for test in tests))
        return rows

    def render(self, context: Context, criteria: Criteria, max_size: int | None) -> str:
        """Return one page of `context.result` as XML, with the token of the next page, and leave it there.

        `max_size` is the largest number of results that the platform returns at once.
        """
        selection = [criteria.filters, criteria.scopes, criteria.ids]
        state, rows = context.engine.state, tuple(context.result)
        page, token = paginate(state, self._row.name, rows, selection, criteria.size, criteria.token, 0, max_size)
        context.result = page
        content = make_element(self._name, self._render_page(page))
        if self._row.pages == "Marker":
            content += make_element("isTruncated", "false" if token is None else "true")
        return content if token is None else content + make_element(self._token_name, token)

    def find_own_filters(self, filters: Sequence[tuple[str, Sequence[str]]]) -> dict[str, list[str]]:
        """Return filters of omisim's read that find at least what these find, so that it visits few other resources.

        A filter has none if one of its values has wildcards, is a malformed id, which some reads refuse, is empty, as
        EC2 shows absent texts (`empty` in `forms.py`), or is a boolean, which has no exact text (FCU-006/type).
        """
        found: dict[str, list[str]] = {}
        for name, values in filters:
            tag = name.removeprefix("tag:")
            own_filter, kind = self._own_filters.get(name if tag == name else "tag:", ("", None))
            if own_filter and all(_is_exact(value, kind) for value in values):
                found.setdefault(own_filter, [value if tag == name else f"{tag}={value}" for value in values])
        return found

    @cached_property
    def _own_filters(self) -> Mapping[str, tuple[str, Id | None]]:
        """The filters on texts that omisim's read can find, too: name → its filter, and the kind of id that it takes.

        "tag:" is that of all `tag:<key>`.
        """
        action = ACTIONS.get(self._row.calls)
        shape = action.shape.fields["filters"].shape if action and "filters" in action.shape.fields else None
        if shape is None:
            return {}
        cls: Any = shape.cls
        names = [name for name, field in shape.fields.items() if field.many and field.type is str]
        own_filters = {path: name for name in names for path, _ in compile_filters(cls(**{name: ()}))[1]}
        ids = {spec["filter"]: spec["kind"] for spec in self._row.ids.values() if "filter" in spec}
        kinds = {own_filter: Id(kind) for own_filter, kind in ids.items() if kind in PREFIXES}
        paths = {name: _find_path(self._members, path) for name, path in self._paths.items()} | {"tag:": "tags"}
        found = {name: own_filters[path] for name, path in paths.items() if path in own_filters}
        return {name: (own_filter, kinds.get(own_filter)) for name, own_filter in found.items()}

    def _find_getter(self, name: str) -> GetTexts:
        path = self._paths.get(name)
        if path is not None:
            return _make_text_getter(path)
        tags = self._tags
        if tags and name.startswith("tag:"):
            key = name.removeprefix("tag:")
            return lambda _, item: [tag["Value"] for tag in item[tags] if tag["Key"] == key]
        raise refuse("FCU-013", filter=name)

    def _matches(self, row: Any, get_texts: GetTexts, patterns: Sequence[str]) -> bool:
        matches = compile_patterns(tuple(patterns))
        return any(matches(text) or _is_boolean(text, patterns) for text in get_texts(row, self._view(row)))

    def _render_page(self, page: Sequence[Any]) -> str:
        if self._row.group:
            groups = GROUPS[self._row.group]((row, self._view(row)) for row in page)
            return "".join([make_element(self._item_name, self._render(group)) for group in groups])
        return "".join(map(self._get_text, page))

    def _render_entity(self, entity: Any) -> str:
        return make_element(self._item_name, self._render(self._view(entity)))


@lru_cache(maxsize=1024)
def _make_text_getter(path: str) -> GetTexts:
    """Return the function that gets the texts at a path of `filters`, in the form that the table explains."""
    if not path:
        return lambda _, __: []
    if path.startswith("="):
        return lambda _, __: [path[1:]]
    if path.startswith(":"):
        get = make_getter(path[1:])
        return lambda entity, _: _list_texts(get(entity))
    if path.startswith("@"):
        get = FILTER_VALUES[path[1:]]
        return lambda entity, _: _list_texts(get(entity))
    names = path.split(".")

    def get_texts(_: Any, item: Mapping[str, Any]) -> list[str]:
        values: list[Any] = [item]
        for name in names:
            values = [part[name] for value in values for part in _as_list(value) if name in part]
        return [text for value in values for text in _list_texts(value)]

    return get_texts


def _find_path(members: Mapping[str, Any], path: str) -> str | None:
    """Return the path in an entity of the texts at a path of `filters`, or None if a view changes them."""
    if path.startswith(":"):
        return path[1:]
    source = members.get(path)
    if isinstance(source, Mapping) and source.get("form") == "empty":
        source = source["path"]
    if isinstance(source, str):
        return source
    name, _, rest = path.partition(".")
    part = members.get(name)
    if not rest or not isinstance(part, list | tuple):
        return None
    below = _find_path(load_section("views")[part[1]], rest)
    return below and f"{part[0]}.{below}"


def _is_exact(value: str, kind: Id | None) -> bool:
    """Whether a value of a filter equals what it finds, and is well formed if it is an id."""
    if not value or is_pattern(value) or value.lower() in ("true", "false"):
        return False
    return kind is None or kind.is_well_formed(value)


def _check_patterns(name: str, values: Sequence[str]) -> Sequence[str]:
    """Return the values of a filter, or refuse too many with wildcards (FLT-012)."""
    problems: Problems = []
    report_too_many_patterns(values, f"Filter {name}", problems)
    if problems:
        raise problems[0].to_error(str)
    return values


def _is_boolean(text: str, patterns: Sequence[str]) -> bool:
    """Whether a text is a boolean that a filter writes in any case (FCU-006/type)."""
    return text in ("true", "false") and any(value.lower() == text for value in patterns)


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _list_texts(value: Any) -> list[str]:
    return [_to_text(item) for item in _as_list(value) if item is not None]


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format_date(value) if isinstance(value, datetime) else str(value)
