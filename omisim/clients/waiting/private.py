"""The names without a public equivalent that virtual time relies on, of Python and of trio, all in one place.

Tests of each wait fail where a version of them changes one.
"""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.thread
import queue
import sys
import threading
from collections.abc import Callable
from operator import attrgetter
from threading import Thread
from types import FrameType, ModuleType
from typing import Any

__all__ = [
    "ReentrantLock", "SimpleQueue", "WorkItem", "current_frames", "futures_base", "get_caller", "get_max_workers",
    "get_state", "get_target", "get_trio_queue", "get_trio_registrations", "is_thread_pool", "reset_lock",
]  # fmt: skip

current_frames: Callable[[], dict[int, FrameType]] = attrgetter("_current_frames")(sys)
_get_frame: Callable[[int], FrameType] = attrgetter("_getframe")(sys)
futures_base: ModuleType = attrgetter("_base")(concurrent.futures)
WorkItem: type = attrgetter("_WorkItem")(concurrent.futures.thread)  # a job: the one place that both its ends share
SimpleQueue: type = attrgetter("_PySimpleQueue")(queue)  # the queue that is written in Python, of conditions
ReentrantLock: type = attrgetter("_PyRLock")(threading)  # the lock that is written in Python, of locks
get_max_workers: Callable[[Any], int] = attrgetter("_max_workers")  # of a ThreadPoolExecutor
get_state: Callable[[Any], str] = attrgetter("_state")  # of a Future; done() takes a lock, whose holder may wait for us
get_trio_registrations: Callable[[Any], dict[Any, Any]] = attrgetter("_registered")


def get_caller() -> tuple[str, str]:
    """Return the package and the function that called the caller of this function."""
    frame = _get_frame(2)
    return str(frame.f_globals.get("__name__")).partition(".")[0], frame.f_code.co_name


def get_target(thread: Thread) -> Any:
    """Return the function that a thread runs."""
    return vars(thread).get("_target") or type(thread).run


def is_thread_pool(thread: Thread) -> bool:
    """Whether a thread of multiprocessing's pool serves a ThreadPool, by the type of its queue."""
    arguments = vars(thread).get("_args") or [None]
    return isinstance(arguments[0], SimpleQueue)


def get_trio_queue(manager: Any) -> Any:
    """Return the epoll or kqueue object of trio's I/O manager."""
    return getattr(manager, "_epoll", None) or attrgetter("_kqueue")(manager)


def reset_lock(lock: Any) -> None:
    """Release a lock in a forked child, as logging does."""
    attrgetter("_at_fork_reinit")(lock)()
