"""Virtual sleeping: `time.sleep` and `asyncio.sleep` of one thread advance a cloud's clock and return at once.

Both functions are replaced in `time` and `asyncio`, and in every module that holds them under the name `sleep` (as by
`from time import sleep`). The standard library (`subprocess.Popen.wait` with a timeout) and other threads really sleep.
So does a function that was bound under another name, or as a default argument, before the context began.

If freezegun or time-machine controls the time, a sleep also advances their clock, so that a loop with a deadline ends
as usual. Otherwise `time.time` and `time.monotonic` are unchanged.
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

MAX_IDLE: Final = 1_000  # consecutive sleeps between calls without a change or a transition in progress
MAX_SLEEP: Final = 1e9  # seconds; a longer asyncio sleep means "wait to be cancelled"
_LOCK = Lock()
_STACK: list[Sleeper] = []
_patches = ExitStack()
_real_sleep: Callable[[float], None] = time.sleep
_real_async_sleep: Callable[..., Any] = asyncio.sleep


class Sleeper:
    """One context: its cloud, its thread, and the wake-up times of its sleeping tasks."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.thread: int = get_ident()
        self._wakes: dict[object, dt.datetime] = {}  # of the sleeping tasks of an event loop
        self._seen = (-1, -1)  # the numbers of changes and of calls at the last sleep
        self._idle = 0

    def sleep(self, seconds: float) -> None:
        """Advance the clock by a number of seconds."""
        before = self.cloud.now
        _move_frozen(seconds)
        moved = (self.cloud.now - before).total_seconds()  # a SystemClock follows the frozen time
        self.cloud.advance(max(0.0, seconds - moved))
        self._check_progress()

    async def async_sleep(self, seconds: float) -> None:
        """Sleep in one task; the tasks of an event loop wake in the order of their wake-up times."""
        task, wake = object(), self.cloud.now + dt.timedelta(seconds=seconds)
        self._wakes[task] = wake
        try:
            while True:
                await _real_async_sleep(0)  # let other tasks run
                left = (wake - self.cloud.now).total_seconds()
                if left <= 0:
                    return
                if min(self._wakes.values()) == wake:
                    self.sleep(left)
                    return
        finally:
            del self._wakes[task]

    def _check_progress(self) -> None:
        """Raise RuntimeError if the code polls for something that can never happen."""
        state, session = self.cloud.engine.state, self.cloud.engine.session
        changes, calls = self._seen
        self._seen = state.position, session.call_position
        if state.position != changes or state.next_due(timers=False, until=None) is not None:
            self._idle = 0
        elif session.call_position != calls:
            self._idle += 1
        if self._idle >= MAX_IDLE:
            self._idle = 0
            raise RuntimeError(
                f"a polling loop that can never finish: {MAX_IDLE} sleeps between calls without a change, and no "
                f"transition in progress (last call: {session.calls[-1].action})"
            )


@contextmanager
def virtual_sleep(cloud: Cloud) -> Iterator[None]:
    """Make this thread's sleeps advance the clock of this cloud. The innermost context of a thread applies."""
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
                _patches.close()


def _patch() -> None:
    global _real_sleep, _real_async_sleep
    _real_sleep, _real_async_sleep = time.sleep, asyncio.sleep
    for module in list(sys.modules.values()):
        if type(module) is not ModuleType:
            continue  # reading an attribute of a lazy module would load it
        bound = vars(module).get("sleep")
        for real, replacement in ((_real_sleep, _sleep), (_real_async_sleep, _async_sleep)):
            if bound is real:
                _patches.enter_context(mock.patch.object(module, "sleep", replacement))


def _current_sleeper() -> Sleeper | None:
    me = get_ident()
    return next((sleeper for sleeper in reversed(_STACK) if sleeper.thread == me), None)


def _sleep(seconds: float, /) -> None:
    """Replace `time.sleep`."""
    sleeper = _current_sleeper()
    frame = inspect.currentframe()
    caller = str(frame.f_back.f_globals.get("__name__")) if frame and frame.f_back else ""
    if sleeper is None or caller.partition(".")[0] in sys.stdlib_module_names:
        _real_sleep(seconds)
        return
    span = seconds if isinstance(seconds, float) else operator.index(seconds)
    if 0 <= span < float("inf"):
        sleeper.sleep(span)
    else:
        _real_sleep(span)  # raises for negative values


async def _async_sleep(delay: float, result: Any = None) -> Any:
    """Replace `asyncio.sleep`."""
    sleeper = _current_sleeper()
    if sleeper is None or not 0 < delay < MAX_SLEEP:
        return await _real_async_sleep(delay, result)
    await sleeper.async_sleep(delay)
    return result


def _move_frozen(seconds: float) -> None:
    """Advance the time of freezegun or time-machine, if one of them is active."""
    freezegun, machine = sys.modules.get("freezegun.api"), sys.modules.get("time_machine")
    travellers = getattr(machine, "traveller_stack", None) or getattr(
        machine, "coordinates_stack", None
    )  # of time-machine 3 or 2
    if freezegun is not None and freezegun.freeze_factories:
        freezegun.freeze_factories[-1].tick(dt.timedelta(seconds=seconds))
    elif travellers:
        travellers[-1].shift(seconds)
