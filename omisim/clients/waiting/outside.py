"""Polling loops of other programs: their real waits do not move the clock, so that a loop might never finish."""

from __future__ import annotations

from time import process_time
from typing import Final

from omisim.base.endless import EndlessPollingError
from omisim.clients.waiting.cloud_time import CloudTime

__all__ = ["OutsideLoop"]

ROUNDS: Final = 5  # looks that find new calls, and equal requests, which make a loop
MAX_WORK: Final = 0.25  # of one processor: a process that works more than this does not wait for another program
_POLLS_OUTSIDE: Final = (
    "a polling loop that can never finish: {} equal requests without a change, and with real waits between them. The "
    "clock stands still while the test waits for another program, whose waits do not move it: use timing='reads'. If "
    "the program gives up by itself, raise the limit: cloud.sleeping(patience=…)"
)


class OutsideLoop:
    """Looks for such a loop: equal requests without a change, while this process waits and a transition is due."""

    def __init__(self, time: CloudTime, patience: float) -> None:
        self._time = time
        self._interval = patience / ROUNDS  # real seconds between two looks
        self._seconds = 0.0  # real seconds since the last look
        self._worked = process_time()
        self._progress = time.read_progress()
        self._first_call = self._last_call = time.count_calls()
        self._rounds = 0

    def find(self, seconds: float) -> EndlessPollingError | None:
        """Return the error of a loop, `seconds` after the last time, or None."""
        self._seconds += seconds
        if self._seconds < self._interval:
            return None
        worked, progress, calls = process_time(), self._time.read_progress(), self._time.count_calls()
        has_worked = worked - self._worked > MAX_WORK * self._seconds
        if has_worked or progress != self._progress or not self._time.has_due():
            self._first_call, self._rounds = calls, 0
        elif calls != self._last_call:
            self._rounds += 1
        self._seconds, self._worked, self._progress, self._last_call = 0.0, worked, progress, calls
        if self._rounds < ROUNDS or (repeats := self._time.count_repeats(self._first_call)) < ROUNDS:
            return None
        self._first_call, self._rounds = calls, 0
        return EndlessPollingError(_POLLS_OUTSIDE.format(repeats))
