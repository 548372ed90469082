"""Laws about bookkeeping: references, indexes, due transitions, the journal, undo, forks and dumps."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import chain
from operator import is_
from typing import Any

from omisim.cloud.cloud import Cloud
from omisim.engine.engine import Engine
from omisim.model import Due
from omisim.spec.lifecycle import LIFECYCLES, get_automatic_event
from omisim.state.indexes import INDEXES
from omisim.state.initial_state import initial_state
from omisim.state.layers import Layers
from omisim.state.references import REFERENCES, list_references
from omisim.state.state import ROWS, Change, State
from omisim.state.table import Table, find_differences
from omisim.testing.laws.table import Step, law, on_change, on_cloud

MAX_HISTORY = 2**60  # changes


@law("", *(kind for kind in REFERENCES if kind != "origin"))  # an origin has the kind of its resource
def references_exist(engine: Engine, row: Any) -> str | None:
    """A resource names only existing resources, except where a rule allows a dangling reference."""
    for _, get, kind in list_references(row.kind):
        other = get(row)
        if other is not None and engine.state.get(kind, other) is None:
            return f"{row.kind} {row.id} names the {kind} {other}, which does not exist"
    return None


@law("", *LIFECYCLES)
def transient_states_have_a_due_transition(engine: Engine, row: Any) -> str | None:
    """A transient state has exactly one due transition, with a time unless the timing is manual or reads."""
    event = get_automatic_event(row.kind, row.state)
    due: Due | None = engine.state.get("due", f"{row.kind}:{row.id}")
    if due is None:
        return f"{row.kind} {row.id} is {row.state} without a due transition" if event else None
    to = LIFECYCLES[row.kind].moves[row.state].get(due.event)
    if to is None or due.timer != to.timer or (due.kind, due.id) != (row.kind, row.id):
        return f"{row.kind} {row.id} is {row.state}, but its due transition is {due}"
    has_no_time = engine.settings.timing in ("manual", "reads") and not due.timer
    counts = engine.settings.timing == "reads" and not due.timer
    is_right = (due.at is None) == has_no_time and (due.reads is not None) == counts
    return None if is_right else f"{row.kind} {row.id} has the due transition {due}"


@on_change("", "due")
def due_transitions_are_queued(step: Step, change: Change) -> str | None:
    """A due transition belongs to an existing resource and is in the queue."""
    state, due = step.engine.state, change.after
    if due is None or state.get("due", change.id) is not due:
        return None
    if state.get(due.kind, due.id) is None:
        return f"{change.id} is due, but does not exist"
    return None if _is_queued(state, change.id, due) else f"{change.id} is due at {due.at}, but not queued"


def _is_queued(state: State, due_id: str, due: Due) -> bool:
    return due.at is None or (due.at, due.order, due_id) in state.due_table.heaps[due.timer]


@on_change("", *INDEXES)
def indexes_follow_changes(step: Step, change: Change) -> str | None:
    """An index finds a row under its current keys, and not under its former keys."""
    row_id, before, table = change.id, change.before, step.engine.state.tables[change.kind]
    row, find_ids = table.get(row_id), table.find_ids
    for index, declared in INDEXES[change.kind].items():
        new = declared.list_keys(row) if row is not None else ()
        for key in new:
            if row_id not in find_ids(index, key):
                return f"{row_id} is not found under the {index} {key}"
        for key in declared.list_keys(before) if before is not None and before is not row else ():
            if key not in new and row_id in find_ids(index, key):
                return f"{row_id} is found under the {index} {key}"
    return None


@on_change("", *ROWS)
def the_journal_matches_the_state(step: Step, change: Change) -> str | None:
    """Changes are numbered in order without gaps, and the last change of a row holds its current value."""
    index = change.seq - step.changes[0].seq
    if not 0 <= index < len(step.changes) or step.changes[index] is not change:
        return f"change {change.seq} of {change.kind} {change.id} is at another position of the journal"
    after = step.engine.state.get(change.kind, change.id)
    if after is not change.after and not any(
        later.kind == change.kind and later.id == change.id for later in step.changes[index + 1 :]
    ):
        return f"{change.kind} {change.id} differs from its last change"
    return None


@on_cloud("")
def indexes_match_their_tables(cloud: Cloud) -> str | None:
    """Every index and total matches the rows of its table, and every table is in creation order."""
    for kind, table in cloud.engine.state.tables.items():
        initial = initial_state().tables[kind] if _is_initial_right(kind) else Table(kind)
        problem = _find_index_problem(table, initial) if table is not initial else None
        if problem is not None:
            return problem
    return None


@cache
def _is_initial_right(kind: str) -> bool:
    """Whether a table of the initial state is right, so that only differences from it need a check."""
    return _find_index_problem(initial_state().tables[kind], Table(kind)) is None


def _find_index_problem(table: Table, initial: Table) -> str | None:
    """Compare a table with its indexes, where it differs from an initial one, which is right."""
    rows, indexes, first = table.rows(), table.catch_up(), initial.rows()
    creation = table.creation.to_dict()
    if rows.keys() != creation.keys() or list(rows) != sorted(rows, key=creation.__getitem__):
        return f"the table of {table.kind} is out of order"
    changed, replaced = find_differences(rows, first)
    old_rows = [first[row_id] for row_id in replaced]
    for index, declared in INDEXES.get(table.kind, {}).items():
        expected: dict[object, list[str]] = {}  # the ids of changed rows by key
        for row_id in changed:
            for key in dict.fromkeys(declared.list_keys(rows[row_id])):
                expected.setdefault(key, []).append(row_id)
        other_keys = _list_other_keys(indexes[index], initial.catch_up()[index])
        for key in {*expected, *other_keys, *chain.from_iterable(map(declared.list_keys, old_rows))}:
            ids = expected.get(key, [])
            if first_ids := initial.find_ids(index, key):
                ids = sorted({*first_ids}.difference(replaced).union(ids), key=creation.__getitem__)
            if list(table.find_ids(index, key)) != ids:
                return f"the index {index} of {table.kind} does not match its rows"
    return f"the totals of {table.kind} do not match its rows" if _has_wrong_totals(table) else None


def _has_wrong_totals(table: Table) -> bool:
    if table.totals is None:
        return False
    known, counted = table.totals.to_dict(), table.count_totals().to_dict()
    # 0 is the same as absent
    return any(Counter(known.get(owner)) != Counter(counted.get(owner)) for owner in known | counted)


def _list_other_keys(index: Layers, initial: Layers) -> Iterator[object]:
    """Return the keys of an index, without those of the layers that it shares with an initial one."""
    layers, shared = (index.own, *index.shared), initial.shared
    own = len(layers) - len(shared)
    is_shared = own > 0 and not initial.own and all(map(is_, layers[own:], shared))
    return chain.from_iterable(layers[:own] if is_shared else layers)


@on_cloud("")
def content_and_due_transitions_have_an_owner(cloud: Cloud) -> str | None:
    """Disk content and due transitions belong to existing resources, and due transitions are queued."""
    state = cloud.engine.state
    for row_id in state.rows("content"):
        if state.get("snapshot", row_id) is None and state.get("volume", row_id) is None:
            return f"the content of {row_id} belongs to no disk"
    for due_id, due in state.rows("due").items():
        if state.get(due.kind, due.id) is None:
            return f"{due_id} is due, but does not exist"
        if not _is_queued(state, due_id, due):
            return f"{due_id} is due at {due.at}, but not queued"
    return None


@on_cloud("")
def eager_timing_leaves_no_transient(cloud: Cloud) -> str | None:
    """With the timing "eager", only timers are due between two calls."""
    if cloud.engine.settings.timing == "eager":
        for due_id, due in cloud.engine.state.rows("due").items():
            if not due.timer:
                return f"{due_id} is still in progress"
    return None


@on_cloud("")
def undoing_the_journal_restores_the_start(cloud: Cloud) -> str | None:
    """Undoing all kept changes restores what they have changed, and a whole journal restores the initial state."""
    initial, twin = initial_state(), cloud.engine.state.fork()
    firsts: dict[tuple[str, str], Any] = {}
    lasts: dict[tuple[str, str], Any] = {}
    for change in twin.journal:
        firsts.setdefault((change.kind, change.id), change.before)
        lasts[change.kind, change.id] = change.after
    for (kind, row_id), after in lasts.items():
        if twin.get(kind, row_id) != after:
            return f"{kind} {row_id} differs from its last change"
    try:
        twin.undo_to(twin.trimmed)
    except KeyError as error:
        return f"the journal cannot be undone: {error} is missing"
    for (kind, row_id), before in firsts.items():
        if twin.get(kind, row_id) != before:
            return f"after undoing the journal, {kind} {row_id} differs from what it was before"
    differences = _name_differences(initial, twin) if twin.trimmed == initial.position else ""
    if differences:
        return f"after undoing the journal, the cloud differs from its initial state in {differences}"
    return None


@on_cloud("")
def loading_a_dump_restores_the_cloud(cloud: Cloud) -> str | None:
    """A cloud loaded from a dump equals the original, also through JSON."""
    try:
        twin = Cloud.load(json.loads(json.dumps(cloud.dump())))
    except ValueError as error:
        return str(error)
    if twin != cloud:
        return f"the loaded cloud differs in {_name_differences(cloud.engine.state, twin.engine.state)}"
    return None


@on_cloud("")
def a_fork_is_independent(cloud: Cloud) -> str | None:
    """A fork equals its cloud, changes in it leave the cloud unchanged, and a diff lists exactly these changes."""
    before = {kind: dict(cloud.engine.state.rows(kind)) for kind in ROWS}
    position, twin = cloud.engine.state.position, cloud.fork()
    if twin != cloud:
        return f"the fork differs in {_name_differences(cloud.engine.state, twin.engine.state)}"
    twin.engine.history = MAX_HISTORY  # so that it forgets nothing meanwhile, also with a short history
    stranger = twin.account("a stranger in the fork")
    stranger.create_volume(subregion_name=f"{stranger.region}a", size=1)
    twin.advance(1)
    touched_rows = {(change.kind, change.id) for change in twin.engine.state.changes_since(position)}
    written_rows = {row for row in touched_rows if cloud.engine.state.get(*row) != twin.engine.state.get(*row)}
    listed_rows = {(row.kind, row.id) for row in cloud.diff(twin)}
    if listed_rows != written_rows:
        return f"the diff to the fork lists {sorted(listed_rows)}, but {sorted(written_rows)} were written"
    is_unchanged = all(dict(cloud.engine.state.rows(kind)) == rows for kind, rows in before.items())
    now = cloud.now  # read first, because a SystemClock moves between the two
    is_behind = twin.now - now >= dt.timedelta(seconds=1)
    if not (is_unchanged and cloud.engine.state.position == position and is_behind):
        return "a change in a fork has changed its cloud"
    return None


def _name_differences(one: State, other: State) -> str:
    """Return the kinds in which two states differ, as text; "" if they are equal."""
    return ", ".join(kind for kind in ROWS if list(one.rows(kind).items()) != list(other.rows(kind).items()))
