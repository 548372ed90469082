"""How time passes in a cloud: when what is under way ends, and what fails instead."""

from __future__ import annotations

import datetime as dt

from omisim.engine.engine import Engine
from omisim.engine.faults import Faults
from omisim.state.settings import Durations

__all__ = ["Pace"]


class Pace(Engine):
    """The part of `Cloud` that moves its clock, and what is under way."""

    @property
    def timing(self) -> str:
        """When what a call starts comes to its end: eager, clock or manual. It is given when the cloud is made."""
        return self._settings.timing

    @property
    def now(self) -> dt.datetime:
        """The cloud's time, in UTC."""
        return self._clock.now()

    @property
    def durations(self) -> Durations:
        """Seconds spent in transient states by "<kind>.<state>", where they are to differ from the default."""
        return self._settings.durations

    def advance(self, seconds: float) -> None:
        """Move the clock by so many seconds; what falls due on the way happens, each at its own time."""
        with self._lock:
            self._transitions.advance(seconds)

    def settle(self) -> None:
        """Jump to each due transient in turn until none is left, firing the timers that are passed."""
        with self._lock:
            self._transitions.settle()

    def complete(self, resource_id: str) -> None:
        """Take one step on a resource's success path now. The id of a link is its volume's.

        For a pending OMI: complete the snapshots it waits for, and thereby the OMI. Raises ValueError when nothing is
        under way.
        """
        with self._lock:
            self._transitions.complete(resource_id)

    def fail(self, resource_id: str, comment: str = "") -> None:
        """Let a resource fail now. For a pending OMI: one of its snapshots. Raises ValueError when it cannot."""
        with self._lock:
            self._transitions.fail(resource_id, comment)

    @property
    def faults(self) -> Faults:
        """Calls that are to be refused on order: `faults.add("CreateSnapshot", times=2, status=503)`."""
        return self._session.faults

    def fail_next(self, kind: str, id: str | None = None, comment: str = "") -> None:  # noqa: A002 - the users' name
        """Let the next transition of a kind (or of one resource) end in its failure state. Set it before the call.

        Raises ValueError for a kind that cannot fail, and for what is no id of that kind.
        """
        with self._lock:
            self._transitions.fail_next(kind, id, comment)
