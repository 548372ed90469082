"""Locks whose waits are those of a kernel: `threading.Lock`, and what conditions, events and queues are made of.

Outside a context they are ordinary locks. A lock that exists before the context stays a real one.
"""

from __future__ import annotations

import queue
import threading
from _thread import allocate_lock
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from omisim.clients.waiting.kernel import Kernel, current_kernel, current_member
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.private import ReentrantLock, SimpleQueue, get_caller
from omisim.clients.waiting.waits import Member, Wait
from omisim.clients.waiting.watch_thread import MUTEX

__all__ = ["VirtualLock", "patch_locks"]

SLICE: Final = 0.001  # seconds of really waiting for a lock whose holder runs
MAX_SLICES: Final = 20
_REAL_RLOCKS: Final = ("omisim", "trio")  # for its speed; for its safety in signal handlers, on which trio insists
_real: dict[str, Callable[..., Any]] = {}


def patch_locks(patches: Patches) -> None:
    """Make new locks, conditions and queues of VirtualLock. Existing conditions and queues use it for each new wait."""
    patches.set(threading, "Lock", VirtualLock)
    patches.set(threading, "_allocate_lock", VirtualLock)
    _real["RLock"] = patches.set(threading, "RLock", _make_rlock)
    patches.set(queue, "SimpleQueue", SimpleQueue)  # the one that is written in Python


def _make_rlock() -> Any:
    """Replace `threading.RLock`: return the lock that is written in Python, of a VirtualLock."""
    return _real["RLock"]() if get_caller()[0] in _REAL_RLOCKS else ReentrantLock()


class VirtualLock:
    """A lock with the interface of `threading.Lock`."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._holder: Member | None = None
        self._waits: list[Wait] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT002 - as threading.Lock
        """Acquire the lock; a member of a kernel waits in virtual time."""
        if self._lock.acquire(False):
            self._holder = current_member()
            return True
        kernel = current_kernel()
        if kernel is None or not blocking or timeout == 0 or (timeout < 0 and timeout != -1):
            return self._lock.acquire(blocking, timeout)
        acquired = self._wait(kernel, None if timeout < 0 else kernel.time.compute_deadline(timeout))
        if acquired:
            self._holder = current_member()
        return acquired

    def _wait(self, kernel: Kernel, deadline: float | None) -> bool:
        for _ in range(MAX_SLICES):
            if not self._is_held_by_running_thread():
                break
            if self._lock.acquire(timeout=SLICE):
                return True
        while True:
            wait = Wait(deadline, lambda: not self._lock.locked())
            with MUTEX:
                self._waits.append(wait)
            try:
                outcome = kernel.wait(wait)
            finally:
                with MUTEX:
                    self._waits.remove(wait)
            if outcome == "closed":
                seconds_left = kernel.time.get_remaining(deadline)
                return self._lock.acquire(timeout=-1 if seconds_left is None else seconds_left)
            if self._lock.acquire(False):
                return True
            if outcome == "time":
                return False

    def _is_held_by_running_thread(self) -> bool:
        holder = self._holder
        return holder is not None and holder is not current_member() and holder.wait is None and not holder.has_ended

    def release(self) -> None:
        """Release the lock, and wake the members that wait for it."""
        self._holder = None
        self._lock.release()
        if self._waits:
            with MUTEX:
                for wait in self._waits:
                    if wait.member is not None:
                        wait.member.kernel.wake(wait, "ready")

    def locked(self) -> bool:
        """Whether the lock is held."""
        return self._lock.locked()

    def _at_fork_reinit(self) -> None:
        self._lock = allocate_lock()
        self._holder, self._waits = None, []

    def __enter__(self) -> bool:
        """Acquire the lock."""
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release the lock."""
        self.release()

    def __repr__(self) -> str:
        """Show whether the lock is held."""
        return f"<{'locked' if self.locked() else 'unlocked'} VirtualLock at {id(self):#x}>"
