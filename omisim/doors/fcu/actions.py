"""The actions of the table, compiled: read a request, call omisim's action, and make the content of the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

from omisim.actions.fcu_only import FCU_ONLY
from omisim.actions.framework.paging import MAX_RESULTS, find_page
from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.request import EVERYTHING, Dialect, Page, Request
from omisim.base.frozen import replace
from omisim.doors.fcu.context import Context
from omisim.doors.fcu.forms import GROUPS
from omisim.doors.fcu.inputs import Reading, compile_inputs
from omisim.doors.fcu.query import Query, Tree, make_reader, query_name, read_boolean
from omisim.doors.fcu.render import make_element, make_renderer
from omisim.doors.fcu.selection import Criteria, Selection, check_ids, find_by_ids
from omisim.doors.fcu.shapes import find_operation, is_outscale_operation
from omisim.doors.fcu.steps import BEFORE, PREPARE
from omisim.doors.fcu.table import Row, load_rows, load_section
from omisim.doors.fcu.views import compile_view, get_view
from omisim.engine.calls import MakeCall, count_read
from omisim.engine.engine import Engine
from omisim.engine.session import CallRecord
from omisim.model.serialize import api_name, snake_name
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse

__all__ = ["FcuAction", "find_action"]

OUTSCALE_NAMESPACE = "http://api.outscale.com/wsdl/fcuext/2014-04-15/"  # of OUTSCALE's own shapes
SERVED = {**ACTIONS, **FCU_ONLY}
DONE = make_element("return", "true")  # the answer of an action without an output shape
MAX_WARNINGS, MAX_NAME = 10, 60  # unknown parameters in the warnings about one request, and characters of each
Make = Callable[[Context], dict[str, Any]]


@dataclass(slots=True)
class Outcome:
    """The result of a call: the content of its answer as XML, the id of the request, and the warnings."""

    content: str
    request_id: str
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Parsed:
    """A request that has been read. `unknown` are the parameters that the action does not take."""

    request: Request
    ec2_parameters: dict[str, Any]
    criteria: Criteria
    unknown: list[str]
    dry_run: bool


@cache
def find_action(name: str) -> FcuAction:
    """Return the action of this name. Refuses one that omisim does not serve, and an unknown one (FCU-003)."""
    row = load_rows().get(name)
    if row is not None:
        return FcuAction(row)
    raise refuse("FCU-003" if find_operation(name) is not None else "FCU-003/unknown", action=name)


class FcuAction:
    """One action of the table.

    `row` is its row, `namespace` that of its answer, if it is not EC2's, and `dialect` has the names of its parameters.
    """

    def __init__(self, row: Row) -> None:
        self.row = row
        operation, like = find_operation(row.name), find_operation(row.like or row.name)
        assert operation is not None, row.name
        assert like is not None, row.like
        input_shape, self._output = like.input_shape, operation.output_shape
        members = {query_name(member, key): member for key, member in input_shape.members.items()}
        self.namespace = OUTSCALE_NAMESPACE if is_outscale_operation(row.name) else ""
        self._own_names = {_capitalize(name): name for name in members} if self.namespace else {}
        self.dialect: Dialect = Dialect(spell=_make_speller(row), pages=False, api="fcu", own=FCU_ONLY)
        self._read_inputs = compile_inputs(row.parameters, input_shape)
        self._readers = {name: make_reader(members[name]) for name in _list_controls(row) if name in members}
        self._readers["DryRun"] = read_boolean  # also where EC2 does not have it (FCU-002)
        self._prepared = {name: make_reader(members[name]) for name in row.reads}
        self._selection = Selection(row, self._output) if row.lists else None
        self._is_paged = row.pages in self._readers
        self._make_answer = None if row.answers is None else _compile_answers(row.answers, row.group)
        self._attributes = {name: _compile_answers(spec) for name, spec in (row.attributes or {}).items()}
        self._parse_cached = lru_cache(maxsize=64)(self._parse)

    def answer(self, context: Context, query: Query, headers: Mapping[str, str], call: MakeCall) -> Outcome:
        """Call omisim's action, and render its result. Raises ApiError if it is refused, and Dropped as `call` does."""
        engine, row = context.engine, self.row
        record: CallRecord | None = None
        try:
            if row.prepare:
                parsed = self._parse_tree(PREPARE[row.prepare](context, self._check_prepared(self._make_tree(query))))
            else:
                parsed = self._parse_cached(query)
            ignored = self._check_unknown(engine, parsed.unknown) if parsed.unknown else ()
            context.ec2_parameters, context.dry_run = parsed.ec2_parameters, parsed.dry_run
            with engine.lock:
                if row.before:
                    context.before = BEFORE[row.before](context, parsed.ec2_parameters)
                answer = call(parsed.request, context.account_id, context.region, headers)
                record = engine.session.find_call(answer.request_id)  # None if a fault has reset the cloud meanwhile
                found = answer.value if row.calls in SERVED else ()  # else a family that is not served
                is_selected = parsed.request.page.select is not None
                context.result = found if is_selected else self._select(parsed.criteria, context.account_id, found)
                content = self._render(context, parsed, answer.page_size)
                if parsed.dry_run:  # reads are refused until here, for example by an unknown filter
                    raise refuse("FCU-002", action=row.name)
                if record is not None:
                    if self._selection is not None:
                        record.results = len(context.result) if self._is_paged else None
                    count_read(engine, record, context.result)
                return Outcome(content, answer.request_id, (*answer.warnings, *ignored))
        except ApiError as error:
            if record is None and error.rule in row.forgives:
                if not context.dry_run:
                    return Outcome(DONE, error.request_id)
                dry_run = refuse("FCU-002", action=row.name)
                dry_run.request_id = error.request_id
                raise dry_run from None
            error.spell_names(self.dialect.spell)
            if record is not None:
                record.record_failure(error)
            raise

    def _check_unknown(self, engine: Engine, names: list[str]) -> tuple[str, ...]:
        """Refuse parameters that the action does not have, or return the warnings about them (FCU-005)."""
        if engine.settings.switch("fcu_unknown_parameters") == "refuse":
            raise refuse("FCU-005", parameter=names[0], action=self.row.name)
        shown = dict.fromkeys(ascii(name[:MAX_NAME]) for name in names[:MAX_WARNINGS])  # a part of a header
        warnings = tuple(f"FCU ignores the parameter {name} of {self.row.name} (FCU-005)" for name in shown)
        engine.session.warnings.extend(warnings)
        return warnings

    def _check_prepared(self, tree: Tree) -> Tree:
        """Refuse parameters that `prepare` reads in a form that they do not have (FCU-006). Empty ones are absent."""
        for name, read in self._prepared.items():
            if tree.get(name):
                read(tree[name], name)
        return tree

    def _parse(self, query: Query) -> Parsed:
        return self._parse_tree(self._make_tree(query))

    def _make_tree(self, query: Query) -> Tree:
        """Return the parameters, named as the action names them.

        Clients capitalize those of OUTSCALE's own actions differently: libcloud sends `keyName`, osc-cli `KeyName`.
        """
        tree = query.make_tree()
        if self._own_names:
            return {self._own_names.get(_capitalize(name), name): node for name, node in tree.items()}
        return tree

    def _parse_tree(self, tree: Tree) -> Parsed:
        """Read a request."""
        row, reading, criteria = self.row, Reading(), Criteria()
        values = {name: read(tree.pop(name), name) for name, read in self._readers.items() if name in tree}
        dry_run = values.get("DryRun", False)
        self._read_inputs(tree, reading)
        for name in (*row.required, *(["Attribute"] if row.attributes else ())):
            if reading.ec2_parameters.get(name, "") == "":
                raise refuse("REQ-010", parameter=name)
        unknown = [name for name in reading.unknown if name.partition(".")[0] not in row.ignored]
        parameters = {**row.defaults, **reading.parameters}
        for name in row.ids if not row.lists else ():
            if not values.get(name):
                raise refuse("REQ-010", parameter=name)
        criteria.ids = {name: _as_list(values[name]) for name in row.ids if name in values}
        filters = check_ids(row, criteria.ids)
        if filters:
            parameters["filters"] = {**parameters.get("filters", {}), **filters}
        if self._selection is not None:
            criteria.scopes = {name: values[name] for name in row.scopes if name in values}
            criteria.filters = [_read_filter(number, item) for number, item in enumerate(values.get("Filter", ()), 1)]
            criteria.token = values.get(row.pages) or None  # FCU-058
            size = values.get("MaxResults", MAX_RESULTS if criteria.token else None)  # FCU-053
            criteria.size = size and min(size, MAX_RESULTS)  # FCU-059
            if not any(criteria.ids.values()) and (found := self._selection.find_own_filters(criteria.filters)):
                parameters["filters"] = {**parameters.get("filters", {}), **found}
        if dry_run and row.calls in SERVED and SERVED[row.calls].dry_run:
            parameters["dry_run"] = True
        request = Request(row.calls, parameters, self.dialect)
        if criteria.size is not None:
            request.page = self._find_page(criteria)
        return Parsed(request, reading.ec2_parameters, criteria, unknown, dry_run)

    def _find_page(self, criteria: Criteria) -> Page:
        """Return what the read of a page needs to list: everything if the answer may refuse an id or a filter."""
        select = partial(self._select, criteria)
        try:
            select(None, ())
        except ApiError:
            return EVERYTHING
        page = find_page(criteria.size, criteria.token, 0)
        if self.row.items:  # results with several rows each, of which filters may select none
            return EVERYTHING if criteria.filters else page
        return replace(page, select=select)

    def _select(self, criteria: Criteria, account_id: str | None, results: Any) -> Any:
        """Return the rows of a list that a caller selects, each when it is needed, or the result of another action.

        Refuses ids that are not found, and unknown filters.
        """
        row = self.row
        if row.items:
            results = (item for result in results for item in getattr(result, row.items))
        if any(criteria.ids.values()):
            results = find_by_ids(row, criteria.ids, tuple(results))
        return results if self._selection is None else self._selection.select(criteria, account_id, results)

    def _render(self, context: Context, parsed: Parsed, page_size: int | None) -> str:
        if self._selection is not None:
            return self._selection.render(context, parsed.criteria, page_size if self._is_paged else None)
        if self.row.ids:  # the read of one entity
            context.result = context.result[0]
        make = self._make_answer
        if self.row.attributes is not None:
            attribute = context.ec2_parameters["Attribute"]
            make = self._attributes.get(attribute)
            if make is None:
                raise refuse("FCU-052", attribute=attribute, known=[*self._attributes])
        if make is None or self._output is None:
            return DONE
        return make_renderer(self._output)(make(context))


def _list_controls(row: Row) -> Iterator[str]:
    """Yield the parameters that are not passed on to the action of omisim."""
    yield from row.ids
    if row.lists:
        yield from ("Filter", "MaxResults", row.pages, *row.scopes)


def _capitalize(name: str) -> str:
    return name[:1].upper() + name[1:]


def _as_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _read_filter(number: int, item: Mapping[str, Any]) -> tuple[str, list[str]]:
    if "Name" not in item:
        raise refuse("FCU-006", parameter=f"Filter.{number}")
    return item["Name"], item.get("Value", [])


def _make_speller(row: Row) -> Callable[[str], str]:
    """Return the function that spells names of omisim as EC2 does, for the texts of refusals: first as this action.

    A name that FCU lacks is said to be one of OAPI.
    """
    names = _match_all_names() | _match_parameters(row) | {snake_name(row.calls): row.name}
    names |= {"account_ids": "UserId", "global_permission": "Group"}  # of the form `permissions`
    names |= {"dry_run": "DryRun", "next_page_token": row.pages, "results_per_page": "MaxResults"}

    def spell(name: str) -> str:
        if name.startswith("["):  # an index
            return f".{int(name[1:-1]) + 1}"
        return names.get(name) or f"OAPI's {api_name(name)}"

    return spell


@cache
def _match_all_names() -> dict[str, str]:
    """Return EC2's names of omisim's parameters and actions: of the first action that has them."""
    names: dict[str, str] = {}
    rows = [*load_rows().values()][::-1]
    for row in rows:
        names |= _match_parameters(row)
    return names | {snake_name(name): row.name for row in rows for name in (row.name, row.calls)}


def _match_parameters(row: Row) -> dict[str, str]:
    """Return EC2's names of omisim's parameters in an action; one of the action's own precedes one in a structure."""
    names: dict[str, str] = {}
    for spec in (*_list_nested(row.parameters), row.parameters):
        for path, entry in spec.items():
            names |= _match_names(path, entry if isinstance(entry, str) else entry["to"])
    return names


def _match_names(path: str, to: str) -> Iterator[tuple[str, str]]:
    """Pair the parts of omisim's path with those of EC2's from the end; the first one gets all that are left."""
    parts, targets = path.split("."), to.split(".")
    rest = max(len(parts) - len(targets), 0) + 1
    return zip(reversed(targets), reversed([".".join(parts[:rest]), *parts[rest:]]), strict=False)


def _list_nested(parameters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in parameters.values():
        if isinstance(entry, dict) and "each" in entry:
            inner = load_section("inputs")[entry["each"]]
            yield inner
            yield from _list_nested(inner)


def _compile_answers(answers: str | Mapping[str, Any], group: str = "") -> Make:
    """Return the function that makes an answer: a view of the result, and values of the request after an `@`."""
    if isinstance(answers, str):
        view = get_view(answers)
        if group:
            return lambda context: GROUPS[group]((entity, view(entity)) for entity in context.result)[0]
        return lambda context: view(context.result)
    return compile_view({member: _from_context(source) for member, source in answers.items()})


def _from_context(source: Any) -> Any:
    """Return a source of a view, relative to the Context instead of the result."""
    if isinstance(source, str):
        return source[1:] if source.startswith("@") else f"result.{source}".removesuffix("..")
    if isinstance(source, list | tuple):
        return [_from_context(source[0]), *source[1:]]
    return {**source, "path": _from_context(source["path"])} if "path" in source else source
