"""`Transaction`: the writes of one call or one due transition. Nothing else writes to a State."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, TypeVar

from omisim.base.clock import truncate_date
from omisim.base.frozen import replace
from omisim.model import Due, Entity
from omisim.model.ids import make_id
from omisim.spec.lifecycle import LIFECYCLES, IllegalMove, get_automatic_event
from omisim.state.observer import Observer
from omisim.state.settings import Settings
from omisim.state.state import ROWS, State
from omisim.state.transients import Transients

__all__ = ["Effects", "Transaction"]

E = TypeVar("E", bound=Entity)
_TIMED = ("eager", "clock")  # the timings that give a transient state a time to end


@cache
def _get_member(states: type[StrEnum], state: str) -> StrEnum:
    """Return a member of an enumeration. Calling the class takes five times as long."""
    return states(state)


class Effects(NamedTuple):
    """What comes with lifecycle events: reasons to fail, values, and side effects.

    `before` maps (kind, event) to a function that returns the reason why the event fails, or "". `entering` maps (kind,
    entered state) to a function that returns the values of the fields that the entity gets with the state; it may
    change the entities that these depend on. `after` maps the same to the side effect on other entities, which sees the
    new state; the state is None if the entity is gone.
    """

    before: Mapping[tuple[str, str], Callable[[Transaction, Any], str]]
    entering: Mapping[tuple[str, str], Callable[[Transaction, Any, str], Mapping[str, Any]]]
    after: Mapping[tuple[str, str | None], Callable[[Transaction, Any, str], None]]


class Transaction:
    """The writes of one call or one due transition, with a single time and cause."""

    __slots__ = ("_effects", "at", "cause", "observer", "settings", "state", "transients")

    def __init__(
        self,
        state: State,
        settings: Settings,
        effects: Effects,
        at: dt.datetime,
        cause: str,
        observer: Observer | None = None,
    ) -> None:
        self.state = state
        self.settings = settings
        self.at = truncate_date(at)  # the dates of rows: a client filters by what it is shown
        self.observer = observer
        self._effects = effects
        self.cause = cause
        self.transients: Transients | None = None  # from the first transient state on, with the timing "eager"

    def next_number(self, counter: str) -> int:
        """Increment a counter and return its value."""
        number: int = (self.state.get("counter", counter) or 0) + 1
        self.write("counter", counter, number)
        return number

    def new_id(self, kind: str) -> str:
        """Return a new id. The same seed and the same calls give the same ids."""
        row_id = make_id(kind, self.settings.seed, self.next_number("ids"))
        return row_id if kind not in ROWS or self.state.get(kind, row_id) is None else self.new_id(kind)

    def write(self, kind: str, row_id: str, row: Any) -> None:
        """Set a row that is not an entity (None: remove it)."""
        self.state.write(kind, row_id, row, self.at, self.cause)

    def add(self, entity: E, *, then: str | None = None) -> E:
        """Create an entity in its state. `then` overrides the event that is scheduled to leave that state."""
        self.write(entity.kind, entity.id, entity)
        if entity.kind in LIFECYCLES:
            self._schedule(entity, then)
        return entity

    def put(self, entity: E) -> E:
        """Change an entity's fields, but not its state. Returns the entity. Raises IllegalMove for a new state."""
        before = self.state.get(entity.kind, entity.id)
        if entity.kind in LIFECYCLES and before.state != entity.state:  # type: ignore[attr-defined]
            raise IllegalMove(f"{entity.kind} {entity.id}: only move() changes a state")
        if entity != before:
            self.write(entity.kind, entity.id, entity)
        return entity

    def drop(self, entity: Entity) -> None:
        """Remove an entity whose kind has no lifecycle. Raises IllegalMove for any other entity."""
        if entity.kind in LIFECYCLES:
            raise IllegalMove(f"{entity.kind} {entity.id}: only move() ends it")
        self.write(entity.kind, entity.id, None)

    def move(self, entity: E, event: str, comment: str = "", **fields: Any) -> E:
        """Apply a lifecycle event, update fields and run its side effects.

        `comment` is the reason of a failure. Returns the entity in its new state, or the last version of an entity that
        is gone. Raises IllegalMove if the entity's state does not have the event.
        """
        kind, state = entity.kind, entity.state  # type: ignore[attr-defined]
        find_failure = self._effects.before.get((kind, event))
        if find_failure is not None and (reason := find_failure(self, entity)):
            event, comment = "fail", reason
        to = LIFECYCLES[kind].moves[state].get(event)
        if to is None:
            raise IllegalMove(f"{kind} {entity.id} is {state}: no event {event!r}")
        if self.observer is not None:
            self.observer.on_move(kind, state, event)
        if to.state is None:
            moved = entity
            self.write(kind, entity.id, None)
            self.cancel(entity)
        else:
            find_values = self._effects.entering.get((kind, to.state))
            if find_values is not None:
                fields |= find_values(self, entity, comment)
            moved = replace(entity, state=_get_member(state.__class__, to.state), **fields)
            self.write(kind, entity.id, moved)
            self._schedule(moved)
        effect = self._effects.after.get((kind, to.state))
        if effect:
            effect(self, moved, comment)
        return moved

    def schedule(self, entity: Entity, event: str, seconds: float) -> None:
        """Schedule an event in `seconds` from now, in place of the state's own one.

        With the timing "eager", a transient state ends with this unit of work (`transients`); with "reads", it lasts
        for a number of reads, and with "manual", until a request.
        """
        kind, state = entity.kind, entity.state  # type: ignore[attr-defined]  # every kind with a lifecycle has one
        key, timer, timing = f"{kind}:{entity.id}", LIFECYCLES[kind].moves[state][event].timer, self.settings.timing
        at = self.at + dt.timedelta(seconds=seconds) if timer or timing in _TIMED else None
        if timing == "eager" and not timer:
            self.transients = self.transients or Transients()
            self.transients.add(key, Due(kind, entity.id, event, at, timer, self.state.position))
            return
        reads = self.settings.reads_for(entity, state) if timing == "reads" and not timer else None
        self.write("due", key, Due(kind, entity.id, event, at, timer, self.state.position, reads))

    def _schedule(self, entity: Entity, then: str | None = None) -> None:
        """Schedule the event that leaves an entity's new state: `then`, or the state's own one, if it has one."""
        state = entity.state  # type: ignore[attr-defined]  # every kind with a lifecycle has one
        event = then or get_automatic_event(entity.kind, state)
        if event is None:
            self.cancel(entity)
        else:
            self.schedule(entity, event, self.settings.seconds_for(entity, state, event))

    def cancel(self, entity: Entity) -> None:
        """Cancel the due transition of an entity, if it has one."""
        key = f"{entity.kind}:{entity.id}"
        if self.transients is not None:
            self.transients.cancel(key)
        if self.state.get("due", key) is not None:
            self.write("due", key, None)
