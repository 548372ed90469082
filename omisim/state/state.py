"""State: the part of a cloud that can be undone, as plain dicts of frozen values.

Every write is a `Change` in a journal. A refused call and a savepoint are undone by replaying their changes backwards.
The journal is also the event stream, the timeline and the diff. Counters and due transitions are rows like entities, so
they are undone in the same way. A fork shares the tables and copies one at its first write.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from omisim.model import ENTITIES, ClientToken, Content, Due, Origin
from omisim.model.serialize import format_date
from omisim.state.due_table import DueTable
from omisim.state.table import Lookup, Table

__all__ = ["ROWS", "Change", "State"]

# kind → class of its rows
ROWS: Mapping[str, type] = {
    **{entity.kind: entity for entity in ENTITIES},
    "console": str,
    "content": Content,
    "counter": int,
    "due": Due,
    "licence": bool,  # a product code → whether its licence authorises exports
    "name": str,  # a resource's name in a scenario → its id
    "origin": Origin,
    "token": ClientToken,
}


@dataclass(slots=True, unsafe_hash=True)
class Change:
    """One write of a row. It is never changed; a frozen class would make each write slower.

    Attributes:
        seq: the position of the change in the history of the cloud.
        at: the cloud's time.
        kind: the kind of the row, for example "volume".
        id: the id of the row.
        before: the row before the write; None if it did not exist.
        after: the row after the write; None if it does not exist any more.
        cause: "<Action>#<number of the committed call>", or one of due, complete, fail, fault, read, write, account.
        order: the creation number of the row, if the change creates or removes it.
    """

    seq: int
    at: dt.datetime
    kind: str
    id: str
    before: Any
    after: Any
    cause: str
    order: int = 0

    def __str__(self) -> str:
        """Format the change as one line: time, resource, old and new state, cause."""
        return f"{format_date(self.at)} {self.kind} {self.id} {self.describe()} ({self.cause})"

    def describe(self) -> str:
        """Return what happened to the resource: its old and new state."""
        old, new = (getattr(row, "state", None) for row in (self.before, self.after))
        if self.before is None:
            return f"created{f', {new}' if new else ''}"
        if self.after is None:
            return "gone"
        return f"{old} → {new}" if old != new else "changed"


class State:
    """The tables and the journal of one cloud.

    `tables` maps each kind to its Table. Only the methods here may write to them. `position` is the number of the next
    change, and `trimmed` that of the oldest kept one.

    `stored` is the position up to which a JournalStore has the changes, and `reverted` the rows of stored changes that
    were undone since; without a store they stay 0 and empty.
    """

    __slots__ = (
        "__weakref__", "_journal", "_owned", "_shared", "_start", "position", "reverted", "stored", "tables", "trimmed",
    )  # fmt: skip

    def __init__(
        self, tables: dict[str, Table] | None = None, journal: list[Change] | None = None, trimmed: int = 0
    ) -> None:
        """Create an empty State, or a fork that shares the tables of another until either writes, and its journal."""
        self.tables: dict[str, Table] = tables or {kind: _make_table(kind) for kind in ROWS}
        self._owned: dict[str, Table] = {} if tables else self.tables.copy()
        self._shared: list[Change] = journal or []  # the part of the journal that forks share
        self._journal: list[Change] = []  # the later changes
        self._start = trimmed + len(self._shared)  # the number of the first of them
        self.position: int = self._start  # an attribute, because every call asks for it several times
        self.trimmed: int = trimmed
        self.stored: int = 0
        self.reverted: set[tuple[str, str]] = set()

    # --- reading

    def get(self, kind: str, row_id: str) -> Any:
        """Return a row, or None."""
        return self.tables[kind].by_id.get(row_id)  # without Table.get, because this is the most frequent operation

    def rows(self, kind: str) -> dict[str, Any]:
        """Return the rows of a kind by id, in creation order. Do not change the dict or use it after a write."""
        return self.tables[kind].rows()

    def find_by(self, kind: str, index: str, key: object) -> list[Any]:
        """Return the rows under a key of an index, in creation order."""
        table = self.tables[kind]
        return list(map(table.by_id.__getitem__, table.find_ids(index, key)))

    def find_by_ids(self, kind: str, row_ids: Iterable[object], first: int = 0) -> Iterator[Any]:
        """Yield the rows with these ids, in creation order. Other ids, and rows before `first`, are left out."""
        table = self.tables[kind]
        found: list[Any] = list(filter(table.by_id.__contains__, row_ids))
        if len(found) > 1:
            found = sorted(dict.fromkeys(found), key=table.order)
        if first:
            del found[: bisect_left(found, first, key=table.order)]
        return map(table.by_id.__getitem__, found)

    def find_narrowest(self, kind: str, lookups: Iterable[Lookup], first: int = 0) -> Iterator[Any]:
        """Yield the rows of the lookup that finds the fewest, in creation order (`Table.find_narrowest`)."""
        table = self.tables[kind]
        return map(table.by_id.__getitem__, table.find_narrowest(lookups, first))

    def count(self, kind: str, index: str, key: object) -> int:
        """Return the number of rows under a key of an index."""
        return len(self.tables[kind].find_ids(index, key))

    def get_totals(self, kind: str, owner: str) -> Mapping[str, int]:
        """Return the totals of the rows of an account, or of another owner (`state/indexes.py`)."""
        return self.tables[kind].get_totals(owner)

    def order(self, kind: str, row_id: str) -> int:
        """Return the creation number of an existing row, by which rows are sorted."""
        return self.tables[kind].order(row_id)

    @property
    def journal(self) -> list[Change]:
        """The kept changes, the oldest first. Do not change the list."""
        return self._own_journal() if self._journal else self._shared

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same rows in the same order, and the same journal."""
        if not isinstance(other, State):
            return NotImplemented
        if (self.position, self.trimmed) != (other.position, other.trimmed):
            return False
        divergence = self.find_divergence(other)
        if divergence is not None:  # only the later changes can differ
            return self.changes_since(divergence) == other.changes_since(divergence)
        return self.journal == other.journal and all(self._has_same_rows(other, kind) for kind in ROWS)

    def _has_same_rows(self, other: State, kind: str) -> bool:
        if self.tables[kind] is other.tables[kind]:
            return True
        mine, theirs = self.rows(kind), other.rows(kind)
        return mine == theirs and list(mine) == list(theirs)

    def find_divergence(self, other: State) -> int | None:
        """Return the position after the last change that two forks of one State share; None without such a change."""
        start = max(self.trimmed, other.trimmed)
        mine, theirs = (state.position - start for state in (self, other))
        offsets = start - self.trimmed, start - other.trimmed
        journals = self.journal, other.journal
        shared = bisect_left(
            range(max(min(mine, theirs), 0)),
            True,
            key=lambda index: journals[0][index + offsets[0]] is not journals[1][index + offsets[1]],
        )
        return start + shared if shared else None

    def changes_since(self, position: int) -> list[Change]:
        """Return the changes from a position on, which must be kept."""
        if position >= self._start:
            return self._journal[position - self._start :]
        return self.journal[position - self.trimmed :]

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # State changes

    # --- writing

    def write(self, kind: str, row_id: str, after: Any, at: dt.datetime, cause: str) -> None:
        """Set a row (None: remove it) and record the change in the journal.

        The change is recorded first, so that `undo_to` also undoes a write that an exception has interrupted.
        """
        table = self._owned.get(kind) or self.writable(kind)
        journal = self._journal
        before = table.by_id.get(row_id)
        seq = self.position
        order = seq if before is None else table.order(row_id) if after is None else 0
        journal.append(Change(seq, at, kind, row_id, before, after, cause, order))
        self.position = seq + 1
        table.put(row_id, before, after, order)

    def undo_to(self, position: int) -> None:
        """Undo every change from this position on. Raises ValueError for a trimmed position.

        Each row gets back what it was before its first change. If an exception interrupts it, calling it again
        completes it.
        """
        if position < self.trimmed:
            raise ValueError(f"position must be at least {self.trimmed}, the start of the journal, not {position}")
        if self._start + len(self._journal) == position:
            self.position = position  # which an interrupted write may have left behind
            return
        journal = self._journal if position >= self._start else self._own_journal()
        start = position - self._start
        if position < self.stored:
            self.reverted.update((change.kind, change.id) for change in journal[start : self.stored - self._start])
            self.stored = position
        firsts: dict[str, dict[str, Change]] = defaultdict(dict)  # kind → id → the first change of the row
        for change in reversed(journal[start:]):
            firsts[change.kind][change.id] = change
            if change.after is None and change.order < position:  # it may have been created again, with another number
                table = self.writable(change.kind)
                table.put(change.id, table.get(change.id), None, change.order)
                table.put(change.id, None, change.before, change.order)
        for kind, changes in firsts.items():
            table = self.writable(kind)
            for row_id, change in changes.items():
                table.put(row_id, table.by_id.get(row_id), change.before, change.order)
            table.last = min(table.last, position - 1)
        del journal[start:]
        self.position = self._start + len(journal)

    def trim(self, position: int) -> None:
        """Drop the changes before this position. They can no longer be undone or listed."""
        count = position - self.trimmed
        if count > 0:
            self._shared, self._journal, self._start, self.trimmed = [], self.journal[count:], position, position

    def forget(self, kind: str, row_id: str) -> None:
        """Remove a row that no kept change concerns, without a change in the journal (`state/forgetting.py`)."""
        table = self.writable(kind)
        if self.stored:
            self.reverted.add((kind, row_id))
        table.put(row_id, table.get(row_id), None, table.order(row_id))

    def fork(self) -> State:
        """Return an independent State with the same content. Both share each table until one of them writes to it."""
        if self._owned:
            for table in self._owned.values():
                table.catch_up()
            self._owned = {}
        if self._journal:
            self._shared, self._journal, self._start = self._own_journal(), [], self.position
        return State(self.tables, self._shared, self.trimmed)

    def equals_fork(self, other: State) -> bool:
        """Whether this is a fork of another State, and neither has been written to since. It compares no rows."""
        return self.position == other.position and self.tables == other.tables

    def take_from(self, other: State) -> None:
        """Continue as a fork of another State, which was forked from the same one as this and has got further."""
        other.fork()  # so that it copies what it writes to
        tables, journal, start = other.tables, other.journal, other.position
        # in one line, for an interruption (`Checkpoint`); and after `vars(self)`, Python is slower with attributes
        self.tables, self._owned, self._shared, self._journal, self._start = tables, {}, journal, [], start
        self.position = start

    def restore(self, rows: Mapping[str, Mapping[str, tuple[int, Any]]], journal: list[Change], trimmed: int) -> None:
        """Fill the State from a dump: (creation number, row) by kind and id, and the journal. None removes a row."""
        for kind, saved in rows.items():
            table = self.writable(kind)
            for row_id, (order, row) in saved.items():
                old = table.get(row_id)
                if row is not None or old is not None:
                    table.put(row_id, old, row, order if old is None else table.order(row_id))
        self._shared, self._journal, self._start, self.trimmed = [], journal, trimmed, trimmed
        self.position = trimmed + len(journal)

    def writable(self, kind: str) -> Table:
        """Return the table of a kind for writing. Copies it first if a fork shares it."""
        table = self._owned.get(kind)
        if table is None:
            if not self._owned:
                self.tables = self.tables.copy()  # forks share the dict, too
            table = self.tables[kind] = self._owned[kind] = self.tables[kind].copy()
        return table

    def _own_journal(self) -> list[Change]:
        """Return the whole journal, after copying the part that forks share."""
        if self._shared:
            self._shared, self._journal, self._start = [], self._shared + self._journal, self.trimmed
        return self._journal

    # --- due transitions

    def next_due(self, until: dt.datetime | None = None) -> Due | None:
        """Return the earliest due transition, by time, then by order of scheduling. `until` excludes later ones."""
        table: DueTable = self.tables["due"]  # type: ignore[assignment]  # not the property: each call asks this
        transients, timers = table.heaps
        if not transients and not timers:
            return None
        at, _, row_id = min(transients[:1] + timers[:1])
        return table.by_id[row_id] if until is None or at <= until else None

    def next_transient(self) -> Due | None:
        """Return the earliest due transition that leaves a transient state."""
        transients, _ = self.due_table.heaps
        return self.due_table.by_id[transients[0][2]] if transients else None

    @property
    def due_table(self) -> DueTable:
        """The table of due transitions."""
        return self.tables["due"]  # type: ignore[return-value]  # by _make_table


def _make_table(kind: str) -> Table:
    return DueTable(kind) if kind == "due" else Table(kind)
