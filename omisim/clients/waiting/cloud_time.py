"""The virtual time of one context: a monotonic clock that moves with the cloud's."""

from __future__ import annotations

import datetime as dt
import sys
from collections import Counter
from collections.abc import Mapping
from math import ceil, inf, nextafter, ulp
from typing import TYPE_CHECKING, Any, Final

from omisim.base.clock import parse_seconds
from omisim.base.endless import EndlessPollingError
from omisim.clients.real_time import read_monotonic
from omisim.clients.waiting.watch_thread import MUTEX

if TYPE_CHECKING:
    from omisim.cloud.cloud import Cloud

__all__ = ["MAX_IDLE", "CloudTime", "is_frozen"]

MAX_IDLE: Final = 1_000  # consecutive waits between calls without a change or a transition in progress
MAX_QUIET: Final = 100_000  # those without a call, beside a timer, or between requests that all differ
FOREVER: Final = 1e8  # seconds; a longer wait counts as one without a time limit


class CloudTime:
    """A monotonic clock in seconds. It begins at `started`, and moves by as much as the cloud's clock.

    `clocks` holds what each clock that follows it showed at the start; it is empty if none follows. `reached` is the
    time when it was last read: reading it again may move a clock of freezegun.
    """

    def __init__(self, cloud: Cloud, clocks: Mapping[str, Any]) -> None:
        self._cloud = cloud
        self.clocks = clocks
        self.started: float = read_monotonic()
        self.reached = self.started
        self._reading = -inf
        self._overshoot = 0.0  # seconds by which the readings are ahead of the time
        self._shown: dict[str, tuple[float, Any]] = {}  # by clock: the last reading, and what the clock showed then
        self._cloud_time = cloud.now
        self._seen = (-1, -1)  # the numbers of changes and of calls at the last wait
        self._idle = self._quiet = 0

    def now(self) -> float:
        """Return the time. It never runs backwards: a rollback of the cloud only stops it."""
        with MUTEX:
            at = self._cloud.now
            if at != self._cloud_time:
                self.reached += max(0.0, (at - self._cloud_time).total_seconds())
                self._cloud_time = at
            return self.reached

    def read(self) -> float:
        """Return the time for the code under test. As on a real clock, a wait takes a little longer."""
        with MUTEX:
            now = self.now()
            self._reading = max(now + self._overshoot, nextafter(self._reading, inf))
            self._overshoot = max(self._overshoot, self._reading - now)  # a wait from here on is as long
            return self._reading

    def show(self, clock: str) -> Any:
        """Return what a clock that follows shows. Its floats may be coarser than this one's, and no wait is shorter."""
        with MUTEX:
            at, start = self.read(), self.clocks[clock]
            if clock.endswith("_ns"):
                return start + round((at - self.started) * 1e9)
            before, shown = self._shown.get(clock, (self.started, start))
            self._shown[clock] = at, max(start + (at - self.started), shown + (at - before))
            return self._shown[clock][1]

    def compute_deadline(self, timeout: float | None) -> float | None:
        """Return the time in `timeout` seconds, or None for a wait without a time limit."""
        return None if timeout is None or timeout >= FOREVER else self.now() + timeout

    def get_remaining(self, deadline: float | None) -> float | None:
        """Return the seconds until a deadline, at least 0, or None without one."""
        return None if deadline is None else max(0.0, deadline - self.now())

    def count_calls(self) -> int:
        """Return the number of calls so far."""
        return self._cloud.engine.session.call_position

    def count_repeats(self, position: int) -> int:
        """Return how often the most frequent request was sent, of the last hundred calls from a position on."""
        session = self._cloud.engine.session
        calls = session.calls[max(0, position - session.calls_trimmed) :][-100:]
        requests = Counter(repr((call.account, call.action, call.arguments)) for call in calls)
        return max(requests.values(), default=0)

    def read_progress(self) -> tuple[float, int]:
        """Return the time, and the number of the next change."""
        return self.now(), self._cloud.engine.state.position

    def has_due(self) -> bool:
        """Whether a transition waits for the clock."""
        return self._cloud.engine.state.next_due() is not None

    def has_expiry(self) -> bool:
        """Whether an access key expires or a lock-out ends later. Neither is a transition."""
        engine = self._cloud.engine
        with engine.lock:
            now = self._cloud.now
            ends = [key.expiration_date for key in engine.state.rows("access_key").values()]
            ends += [until for _, until in engine.session.lockouts.failures.values()]
            return any(end is not None and end > now for end in ends)

    def move_to(self, deadline: float) -> None:
        """Move the cloud's clock to a time, in the thread that has waited for it.

        Raises EndlessPollingError if the code waits for something that can never happen.
        """
        rounding = max(1e-9, 4 * ulp(deadline))  # seconds by which floats may be wrong
        seconds = ceil((deadline - self.now() - rounding) * 1e6) / 1e6  # the clock of a cloud counts microseconds
        if seconds > 0:
            before = self._cloud.now
            parse_seconds(seconds, before)  # or the frozen time would move, and then the cloud could not
            _move_frozen(seconds)
            moved = (self._cloud.now - before).total_seconds()  # a SystemClock follows the frozen time
            self._cloud.advance(max(0.0, seconds - moved))
        with MUTEX:
            self.reached, self._cloud_time = max(self.now(), deadline), self._cloud.now
        self._overshoot += rounding
        self._check_progress()

    def _check_progress(self) -> None:
        state, session = self._cloud.engine.state, self._cloud.engine.session
        changes, calls = self._seen
        self._seen = state.position, session.call_position
        self._quiet = 0 if session.call_position != calls else self._quiet + 1
        if state.position != changes or state.next_transient() is not None:
            self._idle = 0
        elif session.call_position != calls:
            self._idle += 1
        is_idle = self._is_idle()
        if not is_idle and self._quiet < MAX_QUIET:
            return
        manual = self._cloud.timing == "manual"
        reason = "the timing manual, in which only the test ends a state" if manual else "no transition in progress"
        message = (
            f"{self._idle} sleeps between calls without a change, and {reason} (last call: {session.calls[-1].action})"
            if is_idle
            else f"{MAX_QUIET} waits without a call"
        )
        self._idle = self._quiet = 0
        clock, remedy = (
            ("datetime.now()", "freezegun or time-machine")
            if self.clocks
            else ("time.monotonic()", "virtual_time=True")
        )
        raise EndlessPollingError(
            f"a polling loop that can never finish: {message}; code with a deadline by {clock} needs {remedy}"
        )

    def _is_idle(self) -> bool:
        """Whether the waits between calls are too many: more of them may reach a timer, or serve different requests."""
        if not self._idle or self._idle % MAX_IDLE:
            return False
        if self._idle >= MAX_QUIET:
            return True
        return not self.has_due() and not self.has_expiry() and self.count_repeats(0) > 1


def _find_freezer() -> Any:
    """Return what moves the frozen time of freezegun or time-machine, or None if neither is active."""
    freezegun, machine = sys.modules.get("freezegun.api"), sys.modules.get("time_machine")
    stack: Any = (
        getattr(freezegun, "freeze_factories", None)
        or getattr(machine, "traveller_stack", None)
        or getattr(machine, "coordinates_stack", None)  # time-machine 2
    )
    return stack[-1] if stack else None


def is_frozen(clock: str) -> bool:
    """Whether freezegun or time-machine controls a clock of `time`. time-machine controls only the time of day."""
    freezer = _find_freezer()
    return freezer is not None and (hasattr(freezer, "tick") or clock in ("time", "time_ns"))


def _move_frozen(seconds: float) -> None:
    freezer = _find_freezer()
    if hasattr(freezer, "shift"):
        freezer.shift(seconds)
    elif hasattr(freezer, "start"):  # a time of freezegun that ticks, whose `tick` would lose what has passed
        freezer.move_to(freezer() + dt.timedelta(seconds=seconds))
    elif freezer is not None:
        freezer.tick(dt.timedelta(seconds=seconds))
