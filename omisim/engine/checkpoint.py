"""`Checkpoint`: everything about an engine before a unit of work, to return to if the unit fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omisim.base.clock import SystemClock

if TYPE_CHECKING:
    from omisim.engine.engine import Engine
    from omisim.engine.session import Session

__all__ = ["Checkpoint"]


class Checkpoint:
    """A point in the history of an engine: of its state and its session.

    Every call takes one, so it copies no more than attributes, and the rest by numbers. It names each attribute: Python
    is slower by `attrgetter`, and after `vars` with any attribute of the object. `position` is that of the state;
    `outer` is the checkpoint of the unit in which this one is nested, or None.
    """

    __slots__ = ("_faults", "_saved", "_system_clock", "outer", "position")

    def __init__(self, engine: Engine, outer: Checkpoint | None) -> None:
        state, session, clock = engine.state, engine.session, engine.clock
        self.outer: Checkpoint | None = outer
        self.position: int = state.position
        self._saved = (
            state, session, clock, engine.settings, engine.history, engine.marks, session.requests, session.calls,
            session.calls_trimmed, session.sent, session.warnings, session.faults, session.added_faults,
            session.failures, session.lockouts, len(session.calls), len(session.warnings), clock.now(),
        )  # fmt: skip
        self._system_clock = clock.copy() if clock.__class__ is SystemClock else None
        self._faults = session.list_fault_counts() if session.faults else ()

    def revert(self, engine: Engine) -> None:
        """Return the engine to this point. If an exception interrupts it, calling it again completes it."""
        session: Session  # is set before its attributes
        (
            state, session, clock, engine.settings, engine.history, engine.marks, session.requests, session.calls,
            session.calls_trimmed, session.sent, session.warnings, session.faults, session.added_faults,
            session.failures, session.lockouts, calls, warnings, at,
        ) = self._saved  # fmt: skip
        engine.state, engine.session, engine.clock = state, session, clock
        state.undo_to(self.position)
        clock.restore(at)
        if self._system_clock is not None:
            assert isinstance(clock, SystemClock)
            assert isinstance(self._system_clock, SystemClock)
            clock.undo_to(self._system_clock)
        del session.calls[calls:]
        del session.warnings[warnings:]
        for fault, times, hits in self._faults:
            fault.times, fault.hits = times, hits
