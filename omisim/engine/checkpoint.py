"""`Checkpoint`: everything about an engine before a unit of work, to return to if the unit fails."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from omisim.base.clock import SystemClock
from omisim.engine.session import Session

if TYPE_CHECKING:
    from omisim.engine.engine import Engine

__all__ = ["ENGINE", "Checkpoint"]

ENGINE = ("settings", "clock", "history", "state", "scheduler", "session", "marks")  # what a unit may replace
_SESSION = tuple(vars(Session()))
_get_engine, _get_session = attrgetter(*ENGINE), attrgetter(*_SESSION)


class Checkpoint:
    """A point in the history of an engine: of its state and its session.

    Every call takes one, so it copies no more than the attributes of the engine and of its session, and the rest by
    numbers. It does not ask for their `vars`, after which Python would be slower with each attribute. `depth` is the
    number of units in which this one is nested.
    """

    __slots__ = (
        "_at", "_engine", "_failures", "_faults", "_lengths", "_lockouts", "_position", "_session", "_system_clock",
        "depth",
    )  # fmt: skip

    def __init__(self, engine: Engine, depth: int) -> None:
        self.depth: int = depth
        session, clock = engine.session, engine.clock
        self._engine = _get_engine(engine)
        self._session = _get_session(session)
        self._position = engine.state.position
        self._at = clock.now()
        self._system_clock = clock.copy() if clock.__class__ is SystemClock else None
        self._lengths = len(session.calls), len(session.warnings)
        self._faults = session.faults.save() if session.faults.pending else []
        self._failures = engine.scheduler.failures.copy()
        self._lockouts = session.lockouts.copy() if session.lockouts.failures else None

    def revert(self, engine: Engine) -> None:
        """Return the engine to this point. If an exception interrupts it, calling it again completes it."""
        for name, value in zip(ENGINE, self._engine, strict=True):
            setattr(engine, name, value)
        session, state, clock = engine.session, engine.state, engine.clock
        state.undo_to(self._position)
        clock.restore(self._at)
        if self._system_clock is not None:
            assert isinstance(clock, SystemClock)
            assert isinstance(self._system_clock, SystemClock)
            clock.undo_to(self._system_clock)
        for name, value in zip(_SESSION, self._session, strict=True):
            setattr(session, name, value)
        calls, warnings = self._lengths
        del session.calls[calls:]
        del session.warnings[warnings:]
        session.faults.restore(self._faults)
        if self._lockouts is not None:
            session.lockouts = self._lockouts
        else:
            session.lockouts.clear()
        engine.scheduler.failures = self._failures
