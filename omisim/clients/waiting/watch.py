"""The watch over the threads of a kernel: it ends waits that nothing else can end.

It moves time past threads that are blocked where the kernel cannot see it, mostly in a lock that a waiting thread
holds; it lets time pass at its real speed beside outstanding work; and where every thread waits for another, it raises
an error in the thread of the test.
"""

from __future__ import annotations

import gc
import inspect
import linecache
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING, Final

from omisim.base.endless import EndlessPollingError
from omisim.clients.waiting import cloud_time
from omisim.clients.waiting.outside import OutsideLoop
from omisim.clients.waiting.private import current_frames

if TYPE_CHECKING:
    from omisim.clients.waiting.kernel import Kernel
    from omisim.clients.waiting.waits import Member

__all__ = ["Watch"]

LOCKED_LOOKS: Final = 10  # looks at one line with a lock, of 2 ms each, after which a thread counts as blocked by it
STALLED_LOOKS: Final = 25  # looks at any one line after which another thread has its turn although one still runs
MIN_REAL: Final = 1.0  # seconds for which outstanding work holds up even the shortest wait
MAX_SLEEP: Final = 1.0  # real seconds that a sleep may last which the kernel does not see
ALARM: Final = getattr(signal, "SIGURG", None)  # ignored by default, and used by hardly any program
_OURS: Final = "omisim.clients.waiting"
_FINALIZING: Final = ("_weakrefset", "weakref")  # modules whose functions run when an object is freed
_LOCKING = re.compile(
    r"^\s*(async\s+)?with\b|\.(acquire|get|put|join|wait|result|run|run_until_complete)\("
)  # lines that wait for a thread
_SLEEPING = re.compile(r"sleep\w*\(")  # lines that sleep, where only the line tells
_SLEEPS_REALLY: Final = (
    "{}: this sleep takes real time, because its function was taken before cloud.sleeping() or omi_sleep began, for "
    "example as a default argument or in a functools.partial. Call time.sleep by its name, or pass it as an argument"
)

_POLLS_WITHOUT_WAITING: Final = (
    "a polling loop that can never finish: {} calls without a change, and without a wait that moves the clock. Wait "
    "between the calls, for example by time.sleep, or use timing='reads'"
)


class Watch:
    """The watch of one kernel. `patience` is the number of real seconds after which it reports a deadlock."""

    def __init__(self, kernel: Kernel, patience: float) -> None:
        self._kernel = kernel
        self._patience = patience
        self._moves = -1
        self._lull = 0.0  # real seconds since something last happened
        self._rung = 0.0  # what `_lull` was when the alarm last rang
        self._progress = kernel.time.read_progress()  # some time ago
        self._calls = self._calls_before = kernel.time.count_calls()  # now and then
        self._seconds = self._silent = 0.0  # real seconds since then, and since the last call
        self._same_looks = 0  # looks for which the running threads have been at the same instructions
        self._same_seconds = 0.0  # real seconds for which they have been there
        self._places: list[tuple[int, int]] = []
        self._outside = OutsideLoop(kernel.time, patience)
        self._error: BaseException | None = None

    def look(self, seconds: float) -> bool:
        """End what nothing else can end; return whether a member waits. The caller holds MUTEX."""
        self._same_seconds += seconds
        self._check_polling(seconds)
        if (error := self._outside.find(seconds)) is not None:
            self._raise(error)
        self._end_waits(seconds)
        return bool(self._kernel.list_waits())

    def _check_polling(self, seconds: float) -> None:
        """End a loop of calls, none of which changes anything, while a transition waits for the clock to move."""
        calls = self._kernel.time.count_calls()
        self._silent = 0.0 if calls != self._calls else self._silent + seconds
        self._calls = calls
        self._seconds += seconds
        if self._silent >= MIN_REAL:  # the code does something else between its calls
            self._calls_before, self._seconds = calls, 0.0
        if self._seconds < self._patience or calls - self._calls_before < cloud_time.MAX_IDLE:
            return
        progress = self._kernel.time.read_progress()  # seldom: a clock of freezegun may tick when it is read
        if progress == self._progress and self._kernel.time.has_due():
            self._raise(EndlessPollingError(_POLLS_WITHOUT_WAITING.format(calls - self._calls_before)))
        self._progress, self._calls_before, self._seconds = progress, calls, 0.0

    def _end_waits(self, seconds: float) -> None:
        kernel = self._kernel
        if kernel.moves != self._moves:
            self._lull, self._rung, self._same_looks = 0.0, 0.0, 0
        self._lull += seconds
        self._moves = kernel.moves
        kernel.settle()
        if kernel.moves != self._moves:
            return
        earliest = kernel.find_earliest()
        running = [member for member in kernel.members if member.wait is None]
        self._ring(running)
        frames = self._note_places(running)
        self._check_real_sleep(frames)
        is_still = self._same_looks >= (LOCKED_LOOKS if earliest else 1)
        is_locked = is_still and all(_is_locking(member, frame) and not _is_running(member) for member, frame in frames)
        has_begun = all(map(_get_ident, running))  # a busy machine begins a new thread late
        is_stuck = (not running or is_locked) and has_begun and not kernel.is_busy()
        if earliest is None:
            if is_stuck and min(self._lull, self._silent) >= self._patience:
                self._lull = 0.0
                self._raise(RuntimeError(self._describe()))
        elif is_stuck or self._lull >= max(MIN_REAL, (kernel.find_wake_up(earliest) or 0.0) - kernel.time.now()):
            kernel.settle(jump=True)
        elif self._is_stalled(running) and has_begun and kernel.is_due(earliest) and not kernel.has_arrivals():
            kernel.wake(earliest, "time")

    def _ring(self, running: list[Member]) -> None:
        """Send the alarm to a main thread that runs, after as much real time: the clock stands still meanwhile."""
        alarm, main = self._kernel.alarm, main_thread()
        if alarm is None or all(member.thread is not main for member in running):
            return
        now = self._kernel.time.now()
        if sys.platform != "win32" and self._lull - self._rung >= max(MIN_REAL, alarm.at - now):
            self._rung = self._lull
            self._kernel.alarm = alarm.repeat(now)
            signal.pthread_kill(main.ident or 0, signal.SIGALRM)

    def _note_places(self, running: list[Member]) -> list[tuple[Member, FrameType]]:
        """Return what each of these threads executes, and count the looks for which none of them has moved."""
        all_frames = current_frames()
        frames = [(member, frame) for member in running if (frame := all_frames.get(_get_ident(member))) is not None]
        places = [(id(frame), frame.f_lasti) for _, frame in frames]
        if places != self._places:
            self._same_looks, self._same_seconds = -1, 0.0
        self._same_looks += 1
        self._places = places
        return frames

    def _check_real_sleep(self, frames: list[tuple[Member, FrameType]]) -> None:
        """End a test of which a thread has slept really for `MAX_SLEEP`."""
        if self._same_seconds >= MAX_SLEEP:
            self._same_seconds = 0.0
            for member, frame in frames:
                if _is_sleeping(member, frame):
                    self._raise(RuntimeError(_SLEEPS_REALLY.format(_find_line(frame))))

    def _is_stalled(self, running: list[Member]) -> bool:
        """Whether the turn goes to another thread although these have not ended theirs."""
        if not running or self._same_looks < 1 or any(map(_is_running, running)):
            return False
        return self._same_looks >= STALLED_LOOKS or all(map(_is_blocked, running))

    def _describe(self) -> str:
        """Return the error of a deadlock: each thread, and the line at which it waits."""
        frames = current_frames()
        lines = [f"every thread of the test waits for another one, for {self._patience:g} real seconds by now:"]
        for member in self._kernel.members:
            name = member.thread.name if member.thread else "a thread that has not started"
            lines.append(f"  {name}: {_find_line(frames.get(_get_ident(member)))}")
        lines.append(
            "A lock or a SimpleQueue that is older than cloud.sleeping() or omi_sleep waits really: make it inside. If "
            "one waits for something outside the test, raise the limit: cloud.sleeping(patience=…)"
        )
        return "\n".join(lines)

    def _raise(self, error: BaseException) -> None:
        """Raise an error in the thread that entered the context."""
        owner = self._kernel.owner
        if owner.wait is not None:
            owner.wait.error = error
            self._kernel.wake(owner.wait, "ready")
        elif owner.thread is main_thread() and ALARM is not None and sys.platform != "win32":
            self._error = error
            signal.pthread_kill(_get_ident(owner), ALARM)  # interrupts a lock that is not ours

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Let the watch interrupt the main thread inside the block, where the platform has signals for it."""
        if ALARM is None or current_thread() is not main_thread():
            yield
            return
        previous = signal.signal(ALARM, self._on_alarm)
        try:
            yield
        finally:
            if current_thread() is main_thread():  # another thread cannot set it, and alone it has no effect
                signal.signal(ALARM, previous)

    def _on_alarm(self, _number: int, frame: FrameType | None) -> None:
        error, self._error = self._error, None
        if error is not None and not (_is_finalizing(frame) or _is_logged_by_a_loop(frame)):
            raise error  # else the watch will raise it again


def _is_finalizing(frame: FrameType | None) -> bool:
    """Whether the garbage collector or the end of an object called this code: Python ignores what it raises."""
    callbacks = [getattr(callback, "__code__", None) for callback in gc.callbacks]
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or code in callbacks or frame.f_globals.get("__name__") in _FINALIZING:
            return True
        frame = frame.f_back
    return False


def _is_logged_by_a_loop(frame: FrameType | None) -> bool:
    """Whether an event loop runs this code outside a coroutine: the loop logs what it raises, and goes on."""
    while frame is not None and not frame.f_code.co_flags & inspect.CO_COROUTINE:
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) == ("asyncio.events", "_run"):
            return True
        frame = frame.f_back
    return False


def _get_ident(member: Member) -> int:
    return (member.thread.ident if member.thread else None) or 0


def _is_locking(member: Member, frame: FrameType) -> bool:
    """Whether a thread is at a line that waits for a thread, and does not read there, as Linux says."""
    if "read" in _find_wait(member):  # a loop that is not followed waits in a poll for its threads
        return False
    # an instruction that the compiler has added has no line
    return _LOCKING.search(linecache.getline(frame.f_code.co_filename, frame.f_lineno or 0)) is not None


def _is_running(member: Member) -> bool:
    """Whether a thread runs, or would if it had a processor, as Linux says: on a busy machine it may stay at a line."""
    return _read_status(member, "stat").rpartition(")")[2].split()[:1] == ["R"]


def _find_wait(member: Member) -> str:
    """Return the function of Linux that a thread waits in, or "" if it runs, or the system does not say."""
    blocked_in = _read_status(member, "wchan")
    return "" if blocked_in == "0" else blocked_in


def _read_status(member: Member, name: str) -> str:
    """Return what Linux says of a thread in a file, or "" on another platform."""
    with suppress(OSError):
        task = member.thread.native_id if member.thread else None
        return Path(f"/proc/self/task/{task}/{name}").read_text("utf-8", "replace")
    return ""


def _is_blocked(member: Member) -> bool:
    """Whether a thread waits for something else than a thread, as Linux says."""
    blocked_in = _find_wait(member)
    return blocked_in != "" and "futex" not in blocked_in


def _is_sleeping(member: Member, frame: FrameType) -> bool:
    """Whether a thread sleeps where the kernel cannot see it: as Linux says, elsewhere by the line that it executes."""
    if str(frame.f_globals.get("__name__")).startswith(_OURS):
        return False
    if (blocked_in := _find_wait(member)) != "":
        return "nanosleep" in blocked_in
    return _SLEEPING.search(linecache.getline(frame.f_code.co_filename, frame.f_lineno or 0)) is not None


def _find_line(frame: FrameType | None) -> str:
    """Return the innermost line outside the standard library and this package."""
    while frame is not None and frame.f_back is not None:
        module = str(frame.f_globals.get("__name__"))
        if not module.startswith(_OURS) and module.partition(".")[0] not in sys.stdlib_module_names:
            break
        frame = frame.f_back
    if frame is None:
        return "not started"
    name, line = frame.f_code.co_filename, frame.f_lineno or 0
    return f"{name}:{line}: {linecache.getline(name, line).strip()}"
