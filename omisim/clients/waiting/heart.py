"""The heart: one thread in real time that looks after every active context of the process."""

from __future__ import annotations

import os
import signal
import sys
import time
from _thread import RLock, allocate_lock, start_new_thread
from collections.abc import Callable
from typing import Final, Protocol

from omisim.clients.waiting.private import reset_lock

__all__ = ["MUTEX", "Watcher", "hurry", "look_after", "read_monotonic", "read_real_time", "stop_looking_after"]

TICK: Final = 0.002  # seconds between two looks while a thread waits in virtual time
IDLE_TICK: Final = 0.05  # and while none does
MUTEX: Final = RLock()  # guards all state of virtual time; a finalizer may take it again


class Watcher(Protocol):
    """The part of a context that the heart calls."""

    def look(self, seconds: float) -> bool:
        """Look `seconds` after the last look; return whether a thread waits in virtual time. The heart holds MUTEX."""


class _Heart:
    """The state of the thread: whom it looks after, and how it sleeps."""

    def __init__(self) -> None:
        self.watchers: list[Watcher] = []
        self.beats = self.hurries = False
        self.bell = allocate_lock()  # held: waiting for it with a time limit is a sleep that `ring` ends
        self.bell.acquire()

    def ring(self) -> None:
        if self.bell.locked():
            self.bell.release()

    def beat(self) -> None:
        """Look at each watcher for as long as the process lives."""
        # a signal that every thread of the test blocks stays pending
        if sys.platform != "win32" and hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            while True:
                with MUTEX:
                    tick = TICK if self.hurries else IDLE_TICK if self.watchers else -1
                before = read_real_time()
                self.bell.acquire(timeout=tick)
                seconds = read_real_time() - before if tick > 0 else 0.0  # none of the time without a watcher
                with MUTEX:
                    self.hurries = any([watcher.look(seconds) for watcher in self.watchers])  # noqa: C419 - looks at each
        finally:
            self.beats = False  # after an error, the next context starts another thread


_heart = _Heart()
_clocks: dict[str, Callable[[], float]] = {  # not names of the module: freezegun would replace them
    name: getattr(sys.modules.get("freezegun.api"), f"real_{name}", getattr(time, name))
    for name in ("monotonic", "perf_counter")
}


def read_monotonic() -> float:
    """Return the real monotonic time, from which event loops count, whatever freezegun does."""
    return _clocks["monotonic"]()


def read_real_time() -> float:
    """Return a real time in seconds: a clock that neither freezegun nor time-machine controls."""
    return _clocks["perf_counter"]()


def look_after(watcher: Watcher) -> None:
    """Begin to call a watcher. The caller holds MUTEX."""
    _heart.watchers.append(watcher)
    if not _heart.beats:
        _heart.beats = True
        start_new_thread(_heart.beat, ())
    elif len(_heart.watchers) == 1:
        _heart.ring()


def stop_looking_after(watcher: Watcher) -> None:
    """End the calls of a watcher. The caller holds MUTEX."""
    _heart.watchers.remove(watcher)


def hurry() -> None:
    """Look often from now on, because a thread begins to wait. The caller holds MUTEX."""
    if not _heart.hurries:
        _heart.hurries = True
        _heart.ring()


def _forget() -> None:
    """Forget everything in a forked child: it has no other thread."""
    global _heart  # noqa: PLW0603 - the process has one
    reset_lock(MUTEX)
    _heart = _Heart()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
