"""This process and its forks: the only place that notices that a process is a copy of another one."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["watch_forks"]


class Copied(Protocol):
    """An object that has to know that it lives in a forked process."""

    def __hash__(self) -> int:
        """Return a hash by identity."""

    def after_fork(self) -> None:
        """Note, in the child, that this object is a copy. No other thread runs there."""


_WATCHING: WeakSet[Copied] = WeakSet()


def watch_forks(copied: Copied) -> None:
    """Call `after_fork` of an object in every child process that is forked from now on, for as long as it lives."""
    _WATCHING.add(copied)


def _note_fork() -> None:
    for copied in list(_WATCHING):
        copied.after_fork()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_note_fork)
