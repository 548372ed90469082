"""Clocks: where a cloud takes its time from.

`ManualClock` is virtual: it stands still but for `advance`, and for one millisecond a call that commits a change, so
that creation dates differ. `SystemClock` is the wall clock (freezegun and time-machine rule it) plus an offset.
Nothing else in the core asks what time it is.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol, Self

__all__ = ["EPOCH", "Clock", "ManualClock", "SystemClock", "check_clock"]

EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TICK = dt.timedelta(milliseconds=1)
METHODS = ("now", "advance", "tick", "copy", "restore")


class Clock(Protocol):
    """What a cloud needs of a clock. All times are aware and in UTC."""

    def now(self) -> dt.datetime:
        """Return the time. It never runs backwards but by `restore`."""

    def advance(self, seconds: float) -> None:
        """Move forward. Raises ValueError for a negative number of seconds."""

    def tick(self) -> None:
        """Take note that a call has committed a change."""

    def copy(self) -> Self:
        """Return an independent clock that shows the same time, for a fork."""

    def restore(self, at: dt.datetime) -> None:
        """Turn back to a time this clock has shown, where it can."""


class ManualClock:
    """A clock that only moves when it is told to. It starts at `start`, by default 2026-01-01T00:00:00Z."""

    def __init__(self, start: dt.datetime = EPOCH) -> None:
        if getattr(start, "tzinfo", None) is None:
            raise ValueError(f"the start of a ManualClock needs a time zone, for example UTC: {start!r} has none")
        self._now = start.astimezone(dt.UTC)

    def now(self) -> dt.datetime:
        """Return the virtual time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move forward by so many seconds. Raises ValueError when they are negative or not finite."""
        self._now += _parse_seconds(seconds)

    def tick(self) -> None:
        """Move by one millisecond, so that two creations have two dates."""
        self._now += TICK

    def copy(self) -> ManualClock:
        """Return an independent clock that shows the same time."""
        return ManualClock(self._now)

    def restore(self, at: dt.datetime) -> None:
        """Turn back to `at`."""
        self._now = at


class SystemClock:
    """Wall time in UTC plus the seconds advanced so far. It never runs backwards, and a rollback does not turn it."""

    def __init__(self) -> None:
        self._offset = dt.timedelta()
        self._latest = dt.datetime.min.replace(tzinfo=dt.UTC)

    def now(self) -> dt.datetime:
        """Return the wall time plus what was advanced, or the latest time shown if that is later."""
        self._latest = max(self._latest, dt.datetime.now(dt.UTC) + self._offset)
        return self._latest

    def advance(self, seconds: float) -> None:
        """Grow the offset by so many seconds. Raises ValueError when they are negative or not finite."""
        self._offset += _parse_seconds(seconds)

    def tick(self) -> None:
        """Do nothing: wall time moves by itself."""

    def copy(self) -> SystemClock:
        """Return an independent clock with the same offset."""
        clock = SystemClock()
        clock._offset, clock._latest = self._offset, self._latest
        return clock

    def restore(self, at: dt.datetime) -> None:
        """Do nothing: wall time cannot be turned back."""


def check_clock(clock: Clock) -> Clock:
    """Return a clock. Raises ValueError for what is none."""
    if isinstance(clock, type) or not all(hasattr(clock, method) for method in METHODS):
        raise ValueError(f"clock is a clock, for example SystemClock(); not {clock!r}")
    return clock


def _parse_seconds(seconds: float) -> dt.timedelta:
    try:
        span = dt.timedelta(seconds=seconds)
    except (OverflowError, TypeError, ValueError):
        raise ValueError(f"a clock advances by a finite number of seconds, not {seconds!r}") from None
    if span < dt.timedelta():
        raise ValueError(f"a clock does not run backwards: advance by {seconds!r} seconds")
    return span
