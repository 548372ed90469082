"""Sleeping in a cloud's time: `time.sleep` and `asyncio.sleep` of one thread move its clock and return at once.

Both names are replaced in `time` and `asyncio`, and in every module that holds them under the name `sleep` (as after
`from time import sleep`), while any cloud sleeps so. Other threads sleep really, and so does the standard library
(`subprocess.Popen.wait` with a time-out). What was bound under another name, or as a default argument, before the
context began, sleeps really too.

Where freezegun or time-machine rules the time, a sleep moves what they show, so that a loop which watches its own
deadline ends as it would outside; `time.time` and `time.monotonic` are otherwise left alone.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import operator
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock, get_ident
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

if TYPE_CHECKING:
    from omisim.cloud.cloud import Cloud

__all__ = ["virtual_sleep"]

MOST_IDLE: Final = 1_000  # looks in a row that find nothing changed and nothing under way
LONGEST: Final = 1e9  # seconds; who sleeps longer waits for something else to happen
_LOCK = Lock()
_STACK: list[Sleeper] = []
_mend = ExitStack()
_really: Callable[[float], None] = time.sleep
_really_later: Callable[..., Any] = asyncio.sleep


class Sleeper:
    """One context: whose clock moves, in which thread, and who waits until when."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.thread: int = get_ident()
        self._wakes: dict[object, dt.datetime] = {}  # the tasks of an event loop that sleep
        self._seen = (-1, -1)  # changes and calls so far
        self._idle = 0

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        before = self.cloud.now
        _move_frozen(seconds)
        moved = (self.cloud.now - before).total_seconds()  # a SystemClock goes with them
        self.cloud.advance(max(0.0, seconds - moved))
        self._count()

    async def sleep_later(self, seconds: float) -> None:
        """Let so many seconds pass for one task. Those of a loop wake in the order of their times."""
        task, wake = object(), self.cloud.now + dt.timedelta(seconds=seconds)
        self._wakes[task] = wake
        try:
            while True:
                await _really_later(0)  # the others' turn
                left = (wake - self.cloud.now).total_seconds()
                if left <= 0:
                    return
                if min(self._wakes.values()) == wake:
                    self.sleep(left)
                    return
        finally:
            del self._wakes[task]

    def _count(self) -> None:
        """Raise RuntimeError when somebody polls for what never comes: outside it would wait for ever."""
        state, session = self.cloud.engine.state, self.cloud.engine.session
        changes, calls = self._seen
        self._seen = state.position, session.call_position
        if state.position != changes or state.next_due(timers=False, until=None) is not None:
            self._idle = 0
        elif session.call_position != calls:
            self._idle += 1
        if self._idle >= MOST_IDLE:
            self._idle = 0
            raise RuntimeError(
                f"slept {MOST_IDLE} times between calls while nothing changed and nothing is under way: what this "
                f"waits for never comes (its last call: {session.calls[-1].action})"
            )


@contextmanager
def virtual_sleep(cloud: Cloud) -> Iterator[None]:
    """Let this thread's sleeps move the clock of this cloud. The innermost context of a thread counts."""
    sleeper = Sleeper(cloud)
    with _LOCK:
        if not _STACK:
            _patch()
        _STACK.append(sleeper)
    try:
        yield
    finally:
        with _LOCK:
            _STACK.remove(sleeper)
            if not _STACK:
                _mend.close()


def _patch() -> None:
    global _really, _really_later
    _really, _really_later = time.sleep, asyncio.sleep
    for module in list(sys.modules.values()):
        if type(module) is not ModuleType:
            continue  # lazy ones load when they are looked at
        bound = vars(module).get("sleep")
        for real, ours in ((_really, _sleep), (_really_later, _sleep_later)):
            if bound is real:
                _mend.enter_context(mock.patch.object(module, "sleep", ours))


def _here() -> Sleeper | None:
    me = get_ident()
    return next((sleeper for sleeper in reversed(_STACK) if sleeper.thread == me), None)


def _sleep(seconds: float, /) -> None:
    """Stand in for `time.sleep`."""
    sleeper = _here()
    frame = inspect.currentframe()
    caller = str(frame.f_back.f_globals.get("__name__")) if frame and frame.f_back else ""
    if sleeper is None or caller.partition(".")[0] in sys.stdlib_module_names:
        _really(seconds)
        return
    span = seconds if isinstance(seconds, float) else operator.index(seconds)
    if 0 <= span < float("inf"):
        sleeper.sleep(span)
    else:
        _really(span)  # which refuses it


async def _sleep_later(delay: float, result: Any = None) -> Any:
    """Stand in for `asyncio.sleep`."""
    sleeper = _here()
    if sleeper is None or not 0 < delay < LONGEST:
        return await _really_later(delay, result)
    await sleeper.sleep_later(delay)
    return result


def _move_frozen(seconds: float) -> None:
    """Move the time that freezegun or time-machine shows, if one of them does."""
    freezegun, machine = sys.modules.get("freezegun.api"), sys.modules.get("time_machine")
    travellers = getattr(machine, "traveller_stack", None) or getattr(machine, "coordinates_stack", None)  # 3 or 2
    if freezegun is not None and freezegun.freeze_factories:
        freezegun.freeze_factories[-1].tick(dt.timedelta(seconds=seconds))
    elif travellers:
        travellers[-1].shift(seconds)
