"""Laws about the books: references, indexes, what is due, the journal, and what undoes, forks and dumps give back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from omisim.cloud.cloud import Cloud
from omisim.engine.engine import Engine
from omisim.model import Due
from omisim.spec.lifecycle import LIFECYCLES
from omisim.state.initial_state import initial_state
from omisim.state.state import ROWS, Change, State
from omisim.state.table import INDEXES
from omisim.testing.laws.table import Step, law, on_change, whole

__all__ = ["DANGLING", "REFERENCES"]

# kind → its fields that name something which is there, and what kind that is
REFERENCES: Mapping[str, Mapping[str, str]] = {
    "access_key": {"account_id": "account"},
    "bucket": {"account_id": "account"},
    "image": {"account_id": "account"},
    "image_export": {"account_id": "account"},
    "internet_service": {"account_id": "account", "net_id": "net"},
    "keypair": {"account_id": "account"},
    "net": {"account_id": "account"},
    "nic": {"account_id": "account", "net_id": "net", "subnet_id": "subnet"},
    "object": {"account_id": "account", "bucket_id": "bucket"},
    "product": {"account_id": "account"},
    "product_type": {"account_id": "account"},
    "public_ip": {"account_id": "account", "nic_account_id": "account", "nic_id": "nic", "vm_id": "vm"},
    "route_table": {"account_id": "account", "net_id": "net"},
    "security_group": {"account_id": "account", "net_id": "net"},
    "snapshot": {"account_id": "account"},
    "snapshot_export": {"account_id": "account"},
    "subnet": {"account_id": "account", "net_id": "net"},
    "upload": {"account_id": "account", "bucket_id": "bucket"},
    "vm": {"account_id": "account", "net_id": "net", "subnet_id": "subnet"},
    "volume": {"account_id": "account", "task_id": "volume_update"},
    "volume_link": {"vm_id": "vm", "volume_id": "volume"},
    "volume_update": {"account_id": "account"},
}
# kind → its fields that may name what is gone, and the rule that says so
DANGLING: Mapping[str, Mapping[str, str]] = {
    "image_export": {"image_id": "EXP-017"},
    "snapshot": {"volume_id": "VOL-022"},
    "snapshot_export": {"snapshot_id": "EXP-017"},
    "vm": {"image_id": "OMI-123", "keypair_name": "KEY-006"},
    "volume": {"snapshot_id": "SNP-017"},
    "volume_update": {"volume_id": "VOL-021"},
}


@law("", *REFERENCES)
def what_is_named_is_there(engine: Engine, row: Any) -> str | None:
    """What a resource names is there, unless a rule lets it dangle."""
    for name, kind in REFERENCES[row.kind].items():
        other = getattr(row, name)
        if other is not None and engine.state.get(kind, other) is None:
            return f"{row.kind} {row.id} names the {kind} {other}, which is not there"
    return None


@law("", *LIFECYCLES)
def what_is_under_way_is_due(engine: Engine, row: Any) -> str | None:
    """A state that ends by itself has its end written down, once, with a time unless only `complete` ends it."""
    event = LIFECYCLES[row.kind].get_automatic_event(row.state)
    due: Due | None = engine.state.get("due", f"{row.kind}:{row.id}")
    if due is None:
        return f"{row.kind} {row.id} is {row.state}, and nothing will end that" if event else None
    to = LIFECYCLES[row.kind].moves[row.state].get(due.event)
    if to is None or due.timer != to.timer or (due.kind, due.id) != (row.kind, row.id):
        return f"{row.kind} {row.id} is {row.state}, and due is {due}"
    waits = engine.settings.timing == "manual" and not due.timer
    return f"{row.kind} {row.id} is due at {due.at}" if (due.at is None) != waits else None


@on_change("", "due")
def what_is_due_is_queued(step: Step, change: Change) -> str | None:
    """What is due is in the queue of what happens by itself, and belongs to something."""
    state, due = step.engine.state, change.after
    if due is None or state.get("due", change.id) is not due:
        return None
    if state.get(due.kind, due.id) is None:
        return f"{change.id} is due, and is gone"
    queued = state.queue is None or due.at is None or (due.at, due.order, change.id) in state.queue
    return None if queued else f"{change.id} is due at {due.at}, and not queued"


@on_change("", *INDEXES)
def an_index_follows_its_rows(step: Step, change: Change) -> str | None:
    """A row is found under its keys, and no longer under those it had."""
    state = step.engine.state
    row = state.get(change.kind, change.id)
    for index, keys in INDEXES[change.kind].items():
        new = keys(row) if row is not None else ()
        old = keys(change.before) if change.before is not None else ()
        for key in (*old, *new):
            if (change.id in state.tables[change.kind].find_ids(index, key)) != (key in new):
                return f"{change.id} is {'not ' if key in new else ''}found under the {index} {key}"
    return None


@on_change("", *ROWS)
def the_journal_tells_what_happened(step: Step, change: Change) -> str | None:
    """Changes are numbered without a gap, none comes before the one it follows, and the last of a row is the row."""
    place = change.seq - step.changes[0].seq
    if not 0 <= place < len(step.changes) or step.changes[place] is not change:
        return f"change {change.seq} of {change.kind} {change.id} stands in another place"
    after = step.engine.state.get(change.kind, change.id)
    if after is not change.after and not any(
        later.kind == change.kind and later.id == change.id for later in step.changes[place + 1 :]
    ):
        return f"{change.kind} {change.id} is not what its last change made of it"
    return None


@whole("")
def indexes_hold_what_tables_hold(cloud: Cloud) -> str | None:
    """Every index is what its table makes of it, and every table is in the order of creation."""
    for kind in ROWS:
        table = cloud.engine.state.tables[kind]
        rows = table.rows()
        if list(rows) != sorted(rows, key=table.order) or set(rows) != set(table.creation):
            return f"the table of {kind} is out of order"
        for index, (keys, found) in table.indexes.items():
            wanted: dict[object, set[str]] = {}
            for row_id, row in rows.items():
                for key in keys(row):
                    wanted.setdefault(key, set()).add(row_id)
            if wanted != {key: set(ids) for key, ids in found.items()}:
                return f"the index {index} of {kind} is not what its rows make of it"
    return None


@whole("")
def disks_and_dues_belong_to_something(cloud: Cloud) -> str | None:
    """Content is on a disk that is there, what is due is of something that is there, and all of it is queued."""
    state = cloud.engine.state
    for row_id in state.rows("content"):
        if state.get("snapshot", row_id) is None and state.get("volume", row_id) is None:
            return f"the content of {row_id} is left over"
    for due_id, due in state.rows("due").items():
        if state.get(due.kind, due.id) is None:
            return f"{due_id} is due, and is gone"
        if state.queue is not None and due.at is not None and (due.at, due.order, due_id) not in state.queue:
            return f"{due_id} is due at {due.at}, and not queued"
    return None


@whole("")
def nothing_is_left_under_way(cloud: Cloud) -> str | None:
    """With the timing "eager" nothing but timers is due between two calls."""
    if cloud.engine.settings.timing == "eager":
        for due_id, due in cloud.engine.state.rows("due").items():
            if not due.timer:
                return f"{due_id} is still under way"
    return None


@whole("")
def undoing_everything_leads_back(cloud: Cloud) -> str | None:
    """Undone to its first change, a cloud is as it began; the journal holds all that has happened."""
    first, twin = initial_state(), cloud.engine.state.fork()
    if cloud.engine.state.position - len(cloud.engine.state.journal) != first.position:
        return None  # the history is cut off, or began elsewhere
    for (kind, row_id), after in {(c.kind, c.id): c.after for c in twin.journal}.items():
        if twin.get(kind, row_id) != after:
            return f"{kind} {row_id} is not what its last change made of it"
    try:
        twin.undo_to(first.position)
    except KeyError as error:
        return f"the cloud cannot be undone: {error} is not where the journal has it"
    odd = _different(first, twin)
    return f"undone, the cloud differs from its beginning in {odd}" if odd else None


@whole("")
def a_dump_gives_the_cloud_back(cloud: Cloud) -> str | None:
    """What a dump gives back is equal to what was dumped, through JSON too."""
    twin = Cloud.load(json.loads(json.dumps(cloud.dump())))
    return (
        None if twin == cloud else f"loaded, the cloud differs in {_different(cloud.engine.state, twin.engine.state)}"
    )


@whole("")
def a_fork_goes_its_own_way(cloud: Cloud) -> str | None:
    """A fork is equal to its cloud; what happens in it does not happen here, and is what a diff names."""
    before = {kind: dict(cloud.engine.state.rows(kind)) for kind in ROWS}
    length, now, twin = len(cloud.engine.state.journal), cloud.now, cloud.fork()
    if twin != cloud:
        return f"the fork differs in {_different(cloud.engine.state, twin.engine.state)}"
    stranger = twin.account("a stranger in the fork")
    stranger.create_volume(subregion_name=f"{stranger.region}a", size=1)
    twin.advance(1)
    touched = {(change.kind, change.id) for change in twin.engine.state.journal[length:]}
    written = {row for row in touched if cloud.engine.state.get(*row) != twin.engine.state.get(*row)}
    told = {(row.kind, row.id) for row in cloud.diff(twin)}
    if told != written:
        return f"a diff tells the fork from its cloud by {sorted(told)}, and {sorted(written)} were written"
    same = all(dict(cloud.engine.state.rows(kind)) == rows for kind, rows in before.items())
    return None if same and (len(cloud.engine.state.journal), cloud.now) == (length, now) else "a fork has written here"


def _different(one: State, other: State) -> str:
    """Name the kinds in which two States differ, for a person; "" when they do not."""
    return ", ".join(kind for kind in ROWS if list(one.rows(kind).items()) != list(other.rows(kind).items()))
