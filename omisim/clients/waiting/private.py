"""The names without a public equivalent that virtual time relies on, of Python and of trio, all in one place.

Tests of each wait fail where a version of them changes one.
"""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.thread
import multiprocessing.process
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from operator import attrgetter
from threading import Thread
from types import FrameType, ModuleType
from typing import Any

__all__ = [
    "ReentrantLock", "SimpleQueue", "WorkItem", "count_readers", "current_frames", "futures_base", "get_caller",
    "get_children", "get_max_workers", "get_target", "get_trio_queue", "get_trio_registrations", "get_workers",
    "is_job_pending", "is_pending", "is_thread_pool", "reset_lock",
]  # fmt: skip

_current_frames: Callable[[], dict[int, FrameType]] = attrgetter("_current_frames")(sys)
_get_frame: Callable[[int], FrameType] = attrgetter("_getframe")(sys)
futures_base: ModuleType = attrgetter("_base")(concurrent.futures)
WorkItem: type = attrgetter("_WorkItem")(concurrent.futures.thread)  # a job: the one place that both its ends share
SimpleQueue: type = attrgetter("_PySimpleQueue")(queue)  # the queue that is written in Python, of conditions
ReentrantLock: type = attrgetter("_PyRLock")(threading)  # the lock that is written in Python, of locks
get_max_workers: Callable[[Any], int] = attrgetter("_max_workers")  # of a ThreadPoolExecutor
get_workers: Callable[[Any], list[Any]] = attrgetter("_pool")  # the processes or threads of a pool of multiprocessing
count_readers: Callable[[Any], int] = attrgetter("_io_refs")  # the files that a socket's `makefile` has made
get_trio_registrations: Callable[[Any], dict[Any, Any]] = attrgetter("_registered")


def current_frames() -> dict[int, FrameType]:
    """Return the frame of every other thread, by the thread's identifier.

    The frame of this function would hold the result in a cycle, and with it what the code under test has in its
    variables, until the garbage collector breaks the cycle.
    """
    frames = _current_frames()
    del frames[threading.get_ident()]
    return frames


def get_caller() -> tuple[str, str]:
    """Return the package and the function that called the caller of this function."""
    frame = _get_frame(2)
    return str(frame.f_globals.get("__name__")).partition(".")[0], frame.f_code.co_name


def get_children() -> set[Any]:
    """Return the child processes of multiprocessing; active_children() waits for those that have ended."""
    children: set[Any] = attrgetter("_children")(multiprocessing.process)
    return children


def is_pending(future: Future[Any]) -> bool:
    """Whether a future has no result yet. Its method done() takes a lock, whose holder may wait for us."""
    return attrgetter("_state")(future) in ("PENDING", "RUNNING")


def is_job_pending(result: Any, pool: Any) -> bool:
    """Whether a pool of multiprocessing still works on a result. A pool that is terminated forgets its jobs."""
    job = vars(result)
    # the result of a map leaves the cache before it wakes the threads that wait for it, and drops its pool thereafter
    is_waking = bool(job.get("_value")) and job["_pool"] is not None
    return (job["_job"] in job["_cache"] or is_waking) and vars(pool)["_state"] in ("RUN", "CLOSE")


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
