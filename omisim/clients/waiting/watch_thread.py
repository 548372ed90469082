"""The watch thread: one thread in real time that runs the watch of every active context of the process."""

from __future__ import annotations

import os
import signal
import sys
from _thread import RLock, allocate_lock, start_new_thread
from typing import Final, Protocol

from omisim.clients.real_time import read_real_time
from omisim.clients.waiting.private import reset_lock

__all__ = ["MUTEX", "Watcher", "look_often", "start_watching", "stop_watching"]

TICK: Final = 0.002  # seconds between two looks while a thread waits in virtual time
IDLE_TICK: Final = 0.05  # and while none does
MUTEX: Final = RLock()  # guards all state of virtual time; a finalizer may take it again


class Watcher(Protocol):
    """The part of a watch that the thread calls."""

    def look(self, seconds: float) -> bool:
        """Look `seconds` after the last look; return whether a thread waits in virtual time. The thread holds MUTEX."""


class _WatchThread:
    """The thread: its watchers, and how it sleeps between two looks."""

    def __init__(self) -> None:
        self.watchers: list[Watcher] = []
        self.is_running = self.looks_often = False
        self.sleep_lock = allocate_lock()  # held, so that acquiring it with a time limit is a sleep, which `wake` ends
        self.sleep_lock.acquire()

    def wake(self) -> None:
        if self.sleep_lock.locked():
            self.sleep_lock.release()

    def run(self) -> None:
        """Look at each watcher for as long as the process lives."""
        # a signal that every thread of the test blocks stays pending
        if sys.platform != "win32" and hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            while True:
                with MUTEX:
                    tick = TICK if self.looks_often else IDLE_TICK if self.watchers else -1
                before = read_real_time()
                self.sleep_lock.acquire(timeout=tick)
                seconds = read_real_time() - before if tick > 0 else 0.0  # none of the time without a watcher
                with MUTEX:
                    self.looks_often = any([watcher.look(seconds) for watcher in self.watchers])  # noqa: C419 - looks at each
        finally:
            self.is_running = False  # after an error, the next context starts another thread


_watch_thread = _WatchThread()


def start_watching(watcher: Watcher) -> None:
    """Begin to call a watcher. The caller holds MUTEX."""
    _watch_thread.watchers.append(watcher)
    if not _watch_thread.is_running:
        _watch_thread.is_running = True
        start_new_thread(_watch_thread.run, ())
    elif len(_watch_thread.watchers) == 1:
        _watch_thread.wake()


def stop_watching(watcher: Watcher) -> None:
    """End the calls of a watcher. The caller holds MUTEX."""
    _watch_thread.watchers.remove(watcher)


def look_often() -> None:
    """Look often from now on, because a thread begins to wait. The caller holds MUTEX."""
    if not _watch_thread.looks_often:
        _watch_thread.looks_often = True
        _watch_thread.wake()


def _forget() -> None:
    """Forget everything in a forked child: it has no other thread."""
    global _watch_thread  # noqa: PLW0603 - the process has one
    reset_lock(MUTEX)
    _watch_thread = _WatchThread()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
