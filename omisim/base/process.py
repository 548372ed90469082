"""This process, its end and its forks: the only place that notices that a process is a copy of another one."""

from __future__ import annotations

import atexit
import os
from _thread import RLock
from contextlib import ExitStack
from typing import Protocol
from weakref import ref

__all__ = ["ForkedCloud", "close_at_exit", "hold_at_fork", "watch_forks"]


_FORKED = (
    "this cloud belongs to the parent process, which would not see the call. To reach it from child processes, use "
    "omisim_children = true, or account.environment(server=True). To work on a copy, use cloud.fork()"
)


class ForkedCloud(RuntimeError):
    """A call in a forked process, in which the cloud is a copy that its own process never sees."""

    def __init__(self, text: str = _FORKED) -> None:
        super().__init__(text)  # a pool of processes pickles it


class Copied(Protocol):
    """An object that has to know that it lives in a forked process."""

    def __hash__(self) -> int:
        """Return a hash by identity."""

    def after_fork(self) -> None:
        """Note, in the child, that this object is a copy. No other thread runs there."""


_WATCHING: set[ref[Copied]] = set()


def watch_forks(copied: Copied) -> None:
    """Call `after_fork` of an object in every child process that is forked from now on, for as long as it lives."""
    _WATCHING.add(ref(copied, _WATCHING.discard))


def hold_at_fork(lock: RLock) -> None:
    """Let each fork of this process wait for a lock, so that no other thread is within it: in the child, it is free."""
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


def close_at_exit(stack: ExitStack) -> None:
    """Close a stack when the interpreter ends, if it is open then: later, modules and daemon threads are gone.

    A forked process leaves it to its parent.
    """
    process = os.getpid()

    def close() -> None:
        if os.getpid() == process:
            stack.close()

    atexit.register(close)
    stack.callback(atexit.unregister, close)


def _note_fork() -> None:
    for watched in list(_WATCHING):
        copied = watched()
        if copied is not None:
            copied.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
