"""Alarms and waits for signals in virtual time.

`signal.alarm` and `signal.setitimer(ITIMER_REAL)` of a member set the alarm of its kernel, which rings in the main
thread: at its time, the main thread moves the clock and gets SIGALRM. While it works instead of waiting, time stands
still, and the watch sends it the signal after as much real time. Timers of CPU time stay real, as do an alarm that
is older than the context and that of pytest-timeout.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import ceil
from operator import index
from socket import MSG_PEEK, socket, socketpair
from threading import current_thread, main_thread
from typing import Any, Final

from omisim.clients.real_time import TIME_LIMITS
from omisim.clients.waiting.kernel import Kernel, current_kernel
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.private import get_caller
from omisim.clients.waiting.waits import Alarm, Wait
from omisim.clients.waiting.watch_thread import MUTEX

__all__ = ["patch_signals"]

_ALARM: Final[int | None] = getattr(signal, "ITIMER_REAL", None)
_list_pending: Callable[[], Any] = getattr(signal, "sigpending", set)  # Windows has none
_real: dict[str, Callable[..., Any]] = {}


def patch_signals(patches: Patches) -> None:
    """Replace the functions that set an alarm and those that wait for a signal, where the platform has them."""
    for name, replacement in (
        ("setitimer", _setitimer),
        ("getitimer", _getitimer),
        ("alarm", _alarm),
        ("pause", _pause),
        ("sigtimedwait", _sigtimedwait),
        ("sigwait", _sigwait),
    ):
        _real[name] = patches.set(signal, name, replacement)


# --- alarms


def _setitimer(which: int, seconds: float, interval: float = 0.0, /) -> tuple[float, float]:
    kernel = _find_kernel(which, get_caller()[0])
    if kernel is None or seconds < 0 or interval < 0:
        real: tuple[float, float] = _real["setitimer"](which, seconds, interval)
        return real
    return _set_alarm(kernel, seconds, interval)


def _getitimer(which: int, /) -> tuple[float, float]:
    kernel = _find_kernel(which, get_caller()[0])
    return _read_alarm(kernel) if kernel is not None else _real["getitimer"](which)


def _alarm(seconds: int, /) -> int:
    kernel = _find_kernel(_ALARM, get_caller()[0])
    return int(_real["alarm"](seconds)) if kernel is None else ceil(_set_alarm(kernel, max(index(seconds), 0), 0.0)[0])


def _find_kernel(which: int | None, package: str) -> Kernel | None:
    """Return the kernel whose alarm the caller of a function of `signal` means, or None for a real timer."""
    kernel = current_kernel()
    if kernel is None or which != _ALARM or package in TIME_LIMITS:
        return None
    return kernel if any(member.thread is main_thread() for member in kernel.members) else None


def _set_alarm(kernel: Kernel, seconds: float, interval: float) -> tuple[float, float]:
    """Set the alarm of a kernel, or cancel it by no seconds; return what `_read_alarm` returned before."""
    before = _read_alarm(kernel)
    with MUTEX:
        kernel.alarm = Alarm(kernel.time.now() + seconds, interval) if seconds else None
        kernel.settle()
    return before


def _read_alarm(kernel: Kernel) -> tuple[float, float]:
    """Return the seconds until the alarm of a kernel, in whole microseconds as the system's, and its interval."""
    alarm = kernel.alarm
    return (0.0, 0.0) if alarm is None else (max(0.0, round(alarm.at - kernel.time.now(), 6)), alarm.interval)


# --- waiting for signals


def _pause() -> None:
    kernel = current_kernel()
    if kernel is None or kernel.alarm is None:
        _real["pause"]()
    elif current_thread() is not main_thread():
        kernel.wait(Wait(kernel.alarm.at))
    else:
        with _noting_signals() as has_arrived:
            kernel.wait(Wait(kernel.alarm.at, has_arrived))


@contextmanager
def _noting_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells any thread whether a signal with a handler has arrived inside the block."""
    reader, writer = socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield lambda: _has_input(reader)
        finally:
            signal.set_wakeup_fd(previous)


def _has_input(sock: socket) -> bool:
    try:
        return bool(sock.recv(1, MSG_PEEK))
    except BlockingIOError:
        return False


def _sigtimedwait(sigset: Iterable[int], timeout: float, /) -> Any:
    signals = set(sigset)
    left = _wait(signals, timeout) if timeout > 0 else timeout
    return _real["sigtimedwait"](signals, left)


def _sigwait(sigset: Iterable[int], /) -> Any:
    signals = set(sigset)
    _wait(signals, None)
    return _real["sigwait"](signals)


def _wait(signals: set[int], timeout: float | None) -> float | None:
    """Wait in virtual time until one of the signals is pending; return the seconds for which to wait really."""
    kernel = current_kernel()
    if kernel is None:
        return timeout
    deadline = kernel.time.compute_deadline(timeout)
    outcome = kernel.wait(Wait(deadline, lambda: not signals.isdisjoint(_list_pending())))
    return kernel.time.get_remaining(deadline) if outcome == "closed" else 0.0
