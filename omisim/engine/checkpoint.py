"""`Checkpoint`: everything about an engine before a unit of work, to return to if the unit fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omisim.base.clock import SystemClock

if TYPE_CHECKING:
    from omisim.engine.engine import Engine

__all__ = ["Checkpoint"]


class Checkpoint:
    """A point in the history of an engine: of its state and its session, and of nested units.

    `depth` is the number of units in which this one is nested.
    """

    __slots__ = (
        "_at", "_call_position", "_clock", "_failures", "_faults", "_history", "_lockouts", "_marks", "_position",
        "_requests", "_scheduler", "_session", "_settings", "_state", "_system_clock", "_warnings", "depth",
    )  # fmt: skip

    def __init__(self, engine: Engine, depth: int) -> None:
        self.depth: int = depth
        self._state, self._settings, self._clock = engine.state, engine.settings, engine.clock
        self._session = session = engine.session
        self._scheduler, self._marks, self._history = engine.scheduler, engine.marks, engine.history
        self._position = engine.state.position
        self._at = engine.clock.now()
        self._system_clock = engine.clock.copy() if isinstance(engine.clock, SystemClock) else None
        self._requests, self._call_position = session.requests, session.call_position
        self._warnings = len(session.warnings)
        self._faults = session.faults.save()
        self._failures = engine.scheduler.failures.copy()
        self._lockouts = session.lockouts.copy()

    def revert(self, engine: Engine) -> None:
        """Return the engine to this point. If an exception interrupts it, calling it again completes it."""
        engine.state, engine.settings, engine.clock = self._state, self._settings, self._clock
        engine.session, engine.scheduler = self._session, self._scheduler
        engine.marks, engine.history = self._marks, self._history
        engine.state.queue = None  # a scheduler that was interrupted may have taken entries out
        engine.state.undo_to(self._position)
        self._clock.restore(self._at)
        if self._system_clock is not None:
            assert isinstance(self._clock, SystemClock)
            self._clock.undo_to(self._system_clock)
        session = self._session
        session.requests = self._requests
        del session.calls[self._call_position - session.calls_trimmed :]
        while session.storage_calls and session.storage_calls[-1].serial > self._requests:
            session.storage_calls.pop()
        del session.warnings[self._warnings :]
        session.faults.restore(self._faults)
        session.lockouts = self._lockouts
        self._scheduler.failures = self._failures
