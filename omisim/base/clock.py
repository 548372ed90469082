"""Clocks: the source of a cloud's time. No other module of the core reads the time.

`ManualClock` is virtual. It moves by `advance`, and by one millisecond with each call that commits a change, so that
creation dates differ. `SystemClock` is the wall clock, which freezegun and time-machine control, plus an offset.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Protocol, Self

__all__ = [
    "EARLIEST", "EPOCH", "Clock", "ManualClock", "SystemClock", "check_clock", "parse_seconds", "show_same_time",
    "truncate_date",
]  # fmt: skip

EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TICK = dt.timedelta(milliseconds=1)
LATEST = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)  # far below the last year of a datetime, so that sums never overflow
EARLIEST = dt.datetime(1000, 1, 1, tzinfo=dt.UTC)  # strftime writes an earlier year with fewer than four digits
METHODS = ("now", "advance", "tick", "copy", "restore")


class Clock(Protocol):
    """The interface of a clock. All times are aware and in UTC."""

    def now(self) -> dt.datetime:
        """Return the time. Only `restore` turns it back."""

    def advance(self, seconds: float) -> None:
        """Move forward. Raises ValueError for a negative number of seconds."""

    def tick(self) -> None:
        """React to a call that has committed a change."""

    def copy(self) -> Self:
        """Return an independent clock that shows the same time, for a fork."""

    def restore(self, at: dt.datetime) -> None:
        """Turn back to an earlier time of this clock, if it can."""


class ManualClock:
    """A virtual clock. It starts at `start`, by default 2026-01-01T00:00:00Z.

    Raises ValueError for a start without a time zone, and for one outside of the years 1000 to 8999.
    """

    __slots__ = ("_now",)

    def __init__(self, start: dt.datetime = EPOCH) -> None:
        self._now = _check_time("start", _check_aware("start", start)).astimezone(dt.UTC)

    def __repr__(self) -> str:
        """Show the virtual time."""
        return f"<ManualClock at {self._now.isoformat()}>"

    def now(self) -> dt.datetime:
        """Return the virtual time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move forward by so many seconds. Raises ValueError for a negative number, and beyond the year 8999."""
        self._now += parse_seconds(seconds, self._now)

    def tick(self) -> None:
        """Move by one millisecond, so that creation dates differ. At the end of the year 8999, the clock stands."""
        self._now = min(self._now + TICK, LATEST)

    def copy(self) -> ManualClock:
        """Return an independent clock that shows the same time."""
        twin = ManualClock.__new__(ManualClock)  # which does not check the time again
        twin.restore(self._now)
        return twin

    def restore(self, at: dt.datetime) -> None:
        """Turn back to `at`."""
        self._now = at


class SystemClock:
    """Wall time in UTC plus the seconds advanced so far. It never runs backwards, and a rollback does not turn it.

    `offset` is the time advanced so far, `latest` the latest time that the clock has shown. Raises ValueError for an
    offset that is not a timedelta, and for a time without a time zone.
    """

    def __init__(self, offset: dt.timedelta = dt.timedelta(), latest: dt.datetime | None = None) -> None:
        if not isinstance(offset, dt.timedelta):
            raise ValueError(f"offset must be a timedelta, for example timedelta(hours=1), not {offset!r}")
        self.offset: dt.timedelta = offset
        self._latest = dt.datetime.min.replace(tzinfo=dt.UTC) if latest is None else _check_aware("latest", latest)

    def __repr__(self) -> str:
        """Show the offset."""
        return f"<SystemClock, wall time + {self.offset}>"

    def now(self) -> dt.datetime:
        """Return the wall time plus the offset, or the latest time returned so far if that is later.

        Raises ValueError for a wall time, as of freezegun, outside of the years 1000 to 8999, where the clock stands.
        """
        wall = _check_time("the wall time", dt.datetime.now(dt.UTC))
        self._latest = max(self._latest, wall + min(self.offset, LATEST - wall))
        return self._latest

    def advance(self, seconds: float) -> None:
        """Grow the offset by so many seconds. Raises ValueError for a negative number, and beyond the year 8999.

        The clock moves by as much also if the wall time has been turned back meanwhile, as freezegun may do.
        """
        now = self.now()
        span = parse_seconds(seconds, now)
        self.offset, self._latest = self.offset + span, now + span

    def tick(self) -> None:
        """Do nothing: wall time moves by itself."""

    def copy(self) -> SystemClock:
        """Return an independent clock with the same offset."""
        return SystemClock(self.offset, self._latest)

    def restore(self, at: dt.datetime) -> None:
        """Do nothing: wall time cannot be turned back."""

    def undo_to(self, earlier: SystemClock) -> None:
        """Take back an `advance` that was not committed. `earlier` is a copy of this clock from before."""
        self.offset, self._latest = earlier.offset, earlier._latest


def check_clock(clock: Clock) -> Clock:
    """Return the clock. Raises ValueError for an object without a clock's methods."""
    if isinstance(clock, type) or not all(hasattr(clock, method) for method in METHODS):
        raise ValueError(f"clock must be a clock, such as ManualClock(datetime) or SystemClock(), not {clock!r}")
    return clock


def show_same_time(clock: Clock, other: Clock) -> bool:
    """Whether two clocks show the same time. Wall time passes between two looks at clocks that follow it."""
    return clock.now() <= other.now() <= clock.now()


def truncate_date(at: dt.datetime) -> dt.datetime:
    """Return a time in whole milliseconds, as the API shows it (FLD-008)."""
    rest = at.microsecond % 1000
    return at.replace(microsecond=at.microsecond - rest) if rest else at


def parse_seconds(seconds: float, now: dt.datetime) -> dt.timedelta:
    """Return the time by which a clock that shows `now` moves forward.

    Raises ValueError for a negative number, and beyond the year 8999.
    """
    try:
        span = dt.timedelta(seconds=seconds)
    except OverflowError:
        span = dt.timedelta.max if 0 < seconds < math.inf else dt.timedelta.min
    except (TypeError, ValueError):
        span = dt.timedelta.min
    if span < dt.timedelta():
        raise ValueError(f"seconds must be a finite, non-negative number, not {seconds!r}")
    if span > LATEST - now:
        raise ValueError(f"the clock cannot move by {seconds!r} seconds: it must not pass the year {LATEST.year - 1}")
    return span


def _check_aware(name: str, at: dt.datetime) -> dt.datetime:
    if not isinstance(at, dt.datetime) or at.utcoffset() is None:
        raise ValueError(f"{name} must be a datetime with a time zone, for example UTC, not {at!r}")
    return at


def _check_time(name: str, at: dt.datetime) -> dt.datetime:
    if not EARLIEST <= at <= LATEST:
        raise ValueError(f"{name} must be in the years {EARLIEST.year} to {LATEST.year - 1}, not {at.isoformat()}")
    return at
