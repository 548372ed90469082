"""State: everything a cloud knows that can be undone, as plain dicts of frozen values, and `Tx`, the only way to write.

Every write is a `Change` in a journal. One structure, many uses: a refused call is undone by walking its changes
backwards, and so is a savepoint; the journal is the event stream, the timeline and the diff. Counters and due
transitions are rows like entities, so they are undone the same way. A fork shares the tables, and copies one when it is
first written to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple, TypeVar

from omisim.model import ENTITIES, ClientToken, Content, Due, Entity, Origin
from omisim.model.ids import new_id
from omisim.spec.lifecycle import LIFECYCLES, IllegalMove
from omisim.state.observer import Observer
from omisim.state.settings import Settings
from omisim.state.table import Table

__all__ = ["ROWS", "Change", "Effects", "State", "Tx"]

E = TypeVar("E", bound=Entity)

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
    """The tables and the journal of one cloud."""

    def __init__(self) -> None:
        self._tables = {kind: Table(kind) for kind in ROWS}
        self._owned = set(ROWS)
        self._journal: list[Change] = []
        self._journal_owned = True
        self._trimmed = 0  # how many changes were cut off at the front
        self._heap: list[tuple[dt.datetime, int, str]] | None = None

    # --- reading

    def get(self, kind: str, row_id: str) -> Any:
        """Return a row, or None."""
        return self._tables[kind]._rows.get(row_id)  # not by Table.get: this is asked most of all

    def rows(self, kind: str) -> dict[str, Any]:
        """Return the rows of a kind by id, in creation order. Not to be changed, nor kept over a write."""
        return self._tables[kind].rows()

    def found(self, kind: str, index: str, key: object) -> list[Any]:
        """Return the rows under a key of an index, in creation order."""
        table = self._tables[kind]
        return [table.get(row_id) for row_id in table.found(index, key)]

    def order(self, kind: str, row_id: str) -> int:
        """Return the creation number of a row that exists: rows are listed by it."""
        return self._tables[kind].order(row_id)

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
            and self._journal == other._journal
        )

    __hash__ = None  # type: ignore[assignment]  # State changes

    # --- writing

    def write(self, kind: str, row_id: str, after: Any, at: dt.datetime, cause: str) -> None:
        """Set a row (None: remove it) and note it in the journal."""
        table = self._own(kind)
        before = table.get(row_id)
        seq = self.position
        order = seq if before is None else table.order(row_id)
        table.put(row_id, after, order)
        self._own_journal().append(Change(seq, at, kind, row_id, before, after, cause, order))
        if kind == "due" and self._heap is not None and after is not None and after.at is not None:
            heappush(self._heap, (after.at, after.order, row_id))

    def undo_to(self, position: int) -> None:
        """Undo every change from this position on, the last first."""
        if position < self._trimmed:
            raise ValueError("what came before this position is no longer in the journal")
        if self.position == position:
            return
        journal = self._own_journal()
        while self.position > position:
            change = journal.pop()
            self._own(change.kind).put(change.id, change.before, change.order)
        self._heap = None

    def trim(self, position: int) -> None:
        """Forget the changes before this position: they can be neither undone nor listed any more."""
        count = position - self._trimmed
        if count > 0:
            del self._own_journal()[:count]
            self._trimmed = position

    def fork(self) -> State:
        """Return an independent State of the same content. It shares every table until one of the two writes to it."""
        twin = State.__new__(State)
        twin._tables, twin._owned = self._tables.copy(), set()
        twin._journal, twin._journal_owned, twin._trimmed = self._journal, False, self._trimmed
        twin._heap = None
        self._owned, self._journal_owned = set(), False
        return twin

    def restore(self, rows: Mapping[str, Mapping[str, tuple[int, Any]]], journal: list[Change], trimmed: int) -> None:
        """Fill a State from a dump: (creation number, row) by kind and id, row None for a removed one; the journal."""
        for kind, saved in rows.items():
            table = self._own(kind)
            for row_id, (order, row) in saved.items():
                if row is not None or table.get(row_id) is not None:
                    table.put(row_id, row, order)
        self._journal, self._journal_owned, self._trimmed = journal, True, trimmed
        self._heap = None

    def _own(self, kind: str) -> Table:
        if kind not in self._owned:
            self._tables[kind] = self._tables[kind].copy()
            self._owned.add(kind)
        return self._tables[kind]

    def _own_journal(self) -> list[Change]:
        if not self._journal_owned:
            self._journal, self._journal_owned = self._journal.copy(), True
        return self._journal

    # --- what happens by itself

    def next_due(self, *, timers: bool, until: dt.datetime | None) -> Due | None:
        """Return the earliest due transition (in order of time, then of scheduling), or None.

        `timers`: count timers too; `until`: none later than that.
        """
        if self._heap is None:
            self._heap = [(due.at, due.order, key) for key, due in self.rows("due").items() if due.at is not None]
            heapify(self._heap)
        skipped = []
        found = None
        while self._heap and found is None:
            at, order, key = self._heap[0]
            due = self.get("due", key)
            if due is None or due.order != order:
                heappop(self._heap)  # it was moved or called off
            elif until is not None and at > until:
                break
            elif due.timer and not timers:
                skipped.append(heappop(self._heap))
            else:
                found = due
        for entry in skipped:
            heappush(self._heap, entry)
        return found


class Effects(NamedTuple):
    """How lifecycles depend on one another and on the rest.

    `before`: (kind, event) → what makes the event fail instead, "" for nothing. `after`: (kind, state entered, None
    for gone) → what follows.
    """

    before: Mapping[tuple[str, str], Callable[[Tx, Any], str]]
    after: Mapping[tuple[str, str | None], Callable[[Tx, Any, str], None]]


class Tx:
    """The writes of one call or of one due transition, all at one time and for one cause."""

    observer: Observer | None = None  # set on the class by omisim.testing.coverage, for all clouds of the process

    def __init__(self, state: State, settings: Settings, effects: Effects, at: dt.datetime, cause: str) -> None:
        self.state = state
        self.settings = settings
        self.at = at
        self._effects = effects
        self._cause = cause

    def next_number(self, counter: str) -> int:
        """Count up, and return the number."""
        number = (self.state.get("counter", counter) or 0) + 1
        self.write("counter", counter, number)
        return int(number)

    def new_id(self, kind: str) -> str:
        """Return a fresh id, the same for the same seed and the same calls."""
        row_id = new_id(kind, self.settings.seed, self.next_number("ids"))
        return row_id if kind not in ROWS or self.state.get(kind, row_id) is None else self.new_id(kind)

    def write(self, kind: str, row_id: str, row: Any) -> None:
        """Set a row that is no entity (None: remove it)."""
        self.state.write(kind, row_id, row, self.at, self._cause)

    def add(self, entity: E, *, then: str | None = None) -> E:
        """Create an entity in its state. `then`: the event that leaves it by itself, if not the table's first."""
        self.write(entity.kind, entity.id, entity)
        if entity.kind in LIFECYCLES:
            self._schedule(entity, then)
        return entity

    def put(self, entity: E) -> E:
        """Change an entity's fields, not its state. Returns it."""
        before = self.state.get(entity.kind, entity.id)
        if entity.kind in LIFECYCLES and before.state != entity.state:  # type: ignore[attr-defined]
            raise IllegalMove(f"{entity.kind} {entity.id}: only move() changes a state")
        if entity != before:
            self.write(entity.kind, entity.id, entity)
        return entity

    def drop(self, entity: Entity) -> None:
        """Remove an entity whose kind has no lifecycle."""
        if entity.kind in LIFECYCLES:
            raise IllegalMove(f"{entity.kind} {entity.id}: only move() ends it")
        self.write(entity.kind, entity.id, None)

    def move(self, entity: E, event: str, comment: str = "", **fields: Any) -> E:
        """Move an entity along its table, change fields with it, and let follow what follows (`comment`: of a failure).

        Returns the entity in its new state; one that is gone, as it last was.
        """
        kind, state = entity.kind, entity.state  # type: ignore[attr-defined]
        fails = self._effects.before.get((kind, event))
        if fails is not None and (reason := fails(self, entity)):
            event, comment = "fail", reason
        to = LIFECYCLES[kind].moves[state].get(event)
        if to is None:
            raise IllegalMove(f"{kind} {entity.id} is {state}: no event {event!r}")
        if self.observer is not None:
            self.observer.moved(kind, state, event)
        if to.state is None:
            moved = entity
            self.write(kind, entity.id, None)
        else:
            moved = replace(entity, state=type(state)(to.state), **fields)  # type: ignore[type-var]
            self.write(kind, entity.id, moved)
        self._schedule(moved if to.state else None, None, kind, entity.id)
        effect = self._effects.after.get((kind, to.state))
        if effect:
            effect(self, moved, comment)
        return moved

    def schedule(self, entity: Entity, event: str, seconds: float) -> None:
        """Let an event happen by itself, so many seconds from now, in place of the table's."""
        to = LIFECYCLES[entity.kind].moves[entity.state][event]  # type: ignore[attr-defined]
        waits = not to.timer and self.settings.timing == "manual"
        at = None if waits else self.at + dt.timedelta(seconds=seconds)
        due = Due(entity.kind, entity.id, event, at, to.timer, self.next_number("due"))
        self.write("due", f"{entity.kind}:{entity.id}", due)

    def _schedule(self, entity: Entity | None, then: str | None, kind: str = "", row_id: str = "") -> None:
        """Schedule what leaves the state an entity has entered (None: it is gone), and call off what was due."""
        if entity is not None:
            kind, row_id = entity.kind, entity.id
            state = entity.state  # type: ignore[attr-defined]
            event = then or LIFECYCLES[kind].by_itself(state)
            if event is not None:
                self.schedule(entity, event, self.settings.durations.of(entity, state, event))
                return
        key = f"{kind}:{row_id}"
        if self.state.get("due", key) is not None:
            self.write("due", key, None)
