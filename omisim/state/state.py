"""State: everything a cloud knows that can be undone, as plain dicts of frozen values.

Every write is a `Change` in a journal. One structure, many uses: a refused call is undone by walking its changes
backwards, and so is a savepoint; the journal is the event stream, the timeline and the diff. Counters and due
transitions are rows like entities, so they are undone the same way. A fork shares the tables, and copies one when it is
first written to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any, ClassVar

from omisim.model import ENTITIES, ClientToken, Content, Due, Origin
from omisim.state.table import Table

__all__ = ["ROWS", "Change", "State"]

# kind → class of its rows
ROWS: Mapping[str, type] = {
    **{entity.kind: entity for entity in ENTITIES},
    "console": str,
    "content": Content,
    "counter": int,
    "due": Due,
    "name": str,  # what a scenario calls a resource → its id
    "origin": Origin,
    "token": ClientToken,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One write: a row before and after (None: it did not or does not exist), when, and because of what.

    `cause` is "<Action>#<number of the committed call>", or one of due, complete, fail, fault, write, account.
    """

    seq: int
    at: dt.datetime
    kind: str
    id: str
    before: Any
    after: Any
    cause: str
    order: int = field(default=0, repr=False, compare=False)  # the row's creation number, for undoing its deletion

    def __str__(self) -> str:
        """Spell the change on a line: when, what, from which state to which, why."""
        old, new = (getattr(row, "state", None) for row in (self.before, self.after))
        if self.before is None:
            what = f"created{f', {new}' if new else ''}"
        elif self.after is None:
            what = "gone"
        else:
            what = f"{old} → {new}" if old != new else "changed"
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return f"{at} {self.kind} {self.id} {what} ({self.cause})"


class State:
    """The tables and the journal of one cloud.

    `tables`: kind → its Table; not to be written to but by `write`, `undo_to` and `restore`.
    `queue`: the due transitions as a heap of (time, order, key), or None until it is needed. It may hold stale entries.
    """

    def __init__(
        self, tables: dict[str, Table] | None = None, journal: list[Change] | None = None, trimmed: int = 0
    ) -> None:
        """Begin empty; or as a fork of another State, whose tables and journal are shared until either writes."""
        self.tables: dict[str, Table] = tables or {kind: Table(kind) for kind in ROWS}
        self._owned = set() if tables else set(ROWS)
        self._journal: list[Change] = [] if journal is None else journal
        self._journal_owned = journal is None
        self._trimmed = trimmed  # how many changes were cut off at the front
        self.queue: list[tuple[dt.datetime, int, str]] | None = None

    # --- reading

    def get(self, kind: str, row_id: str) -> Any:
        """Return a row, or None."""
        return self.tables[kind].by_id.get(row_id)  # not by Table.get: this is asked most of all

    def rows(self, kind: str) -> dict[str, Any]:
        """Return the rows of a kind by id, in creation order. Not to be changed, nor kept over a write."""
        return self.tables[kind].rows()

    def find_by(self, kind: str, index: str, key: object) -> list[Any]:
        """Return the rows under a key of an index, in creation order."""
        table = self.tables[kind]
        return [table.get(row_id) for row_id in table.find_ids(index, key)]

    def order(self, kind: str, row_id: str) -> int:
        """Return the creation number of a row that exists: rows are listed by it."""
        return self.tables[kind].order(row_id)

    @property
    def position(self) -> int:
        """The number of the next change."""
        return self._trimmed + len(self._journal)

    @property
    def journal(self) -> list[Change]:
        """The changes kept, oldest first. Not to be changed."""
        return self._journal

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same rows in the same order, and the same journal."""
        if not isinstance(other, State):
            return NotImplemented
        return (
            self.position == other.position
            and all(list(self.rows(kind).items()) == list(other.rows(kind).items()) for kind in ROWS)
            and self.journal == other.journal
        )

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # State changes

    # --- writing

    def write(self, kind: str, row_id: str, after: Any, at: dt.datetime, cause: str) -> None:
        """Set a row (None: remove it) and note it in the journal."""
        table = self.writable(kind)
        before = table.get(row_id)
        seq = self.position
        order = seq if before is None else table.order(row_id)
        table.put(row_id, after, order)
        self._own_journal().append(Change(seq, at, kind, row_id, before, after, cause, order))
        if kind == "due" and self.queue is not None and after is not None and after.at is not None:
            heappush(self.queue, (after.at, after.order, row_id))

    def undo_to(self, position: int) -> None:
        """Undo every change from this position on, the last first."""
        if position < self._trimmed:
            raise ValueError("what came before this position is no longer in the journal")
        if self.position == position:
            return
        journal = self._own_journal()
        while self.position > position:
            change = journal.pop()
            self.writable(change.kind).put(change.id, change.before, change.order)
        self.queue = None

    def trim(self, position: int) -> None:
        """Forget the changes before this position: they can be neither undone nor listed any more."""
        count = position - self._trimmed
        if count > 0:
            del self._own_journal()[:count]
            self._trimmed = position

    def fork(self) -> State:
        """Return an independent State of the same content. It shares every table until one of the two writes to it."""
        self._owned, self._journal_owned = set(), False
        return State(self.tables.copy(), self._journal, self._trimmed)

    def restore(self, rows: Mapping[str, Mapping[str, tuple[int, Any]]], journal: list[Change], trimmed: int) -> None:
        """Fill a State from a dump: (creation number, row) by kind and id, row None for a removed one; the journal."""
        for kind, saved in rows.items():
            table = self.writable(kind)
            for row_id, (order, row) in saved.items():
                if row is not None or table.get(row_id) is not None:
                    table.put(row_id, row, order)
        self._journal, self._journal_owned, self._trimmed = journal, True, trimmed
        self.queue = None

    def writable(self, kind: str) -> Table:
        """Return the table of a kind, to be written to: a copy of its own where a fork shares it."""
        if kind not in self._owned:
            self.tables[kind] = self.tables[kind].copy()
            self._owned.add(kind)
        return self.tables[kind]

    def _own_journal(self) -> list[Change]:
        if not self._journal_owned:
            self._journal, self._journal_owned = self._journal.copy(), True
        return self._journal

    # --- what happens by itself

    def next_due(self, *, timers: bool, until: dt.datetime | None) -> Due | None:
        """Return the earliest due transition (in order of time, then of scheduling), or None.

        `timers`: count timers too; `until`: none later than that.
        """
        if self.queue is None:
            self.queue = [(due.at, due.order, key) for key, due in self.rows("due").items() if due.at is not None]
            heapify(self.queue)
        skipped = []
        found = None
        while self.queue and found is None:
            at, order, key = self.queue[0]
            due = self.get("due", key)
            if due is None or due.order != order:
                heappop(self.queue)  # it was moved or called off
            elif until is not None and at > until:
                break
            elif due.timer and not timers:
                skipped.append(heappop(self.queue))
            else:
                found = due
        for entry in skipped:
            heappush(self.queue, entry)
        return found
