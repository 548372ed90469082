"""Threads that outlive the environment in which the code under test started them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from threading import Thread, current_thread
from threading import enumerate as living_threads
from types import FrameType
from typing import Final
from weakref import WeakKeyDictionary

__all__ = ["DISOWNED", "disown_threads", "find_owner"]

GRACE: Final = 0.05  # seconds in which threads that are about to end may do so
# the file → the functions of it in which a thread waits for work: what it runs as work lies above another one
_IDLE: Final = {
    "anyio/_backends/_asyncio.py": ("run",),
    "asyncio/base_events.py": ("_run_once",),
    "asyncio/events.py": (),
    "concurrent/futures/thread.py": ("_worker",),
    "multiprocessing/pool.py": ("worker", "_handle_workers", "_handle_tasks", "_handle_results", "_wait_for_updates"),
    "trio/_core/_thread_cache.py": ("_work",),
}
DISOWNED: WeakKeyDictionary[Thread, str] = WeakKeyDictionary()  # a thread → the account of its environment


def disown_threads(before: Iterable[Thread], owner: str) -> list[str]:
    """Note the threads that were started since `before` and still run; return their names.

    An idle thread of a pool, of an event loop, of anyio or of trio counts as ended: what it runs later belongs to a
    later caller.
    """
    for thread in [thread for thread in DISOWNED if not thread.is_alive()]:
        del DISOWNED[thread]
    before = {*before, current_thread()}
    end = time.monotonic() + GRACE
    for thread in _running(before):
        thread.join(max(0.0, end - time.monotonic()))
    running_threads = list(_running(before))
    DISOWNED.update(dict.fromkeys(running_threads, owner))
    return [thread.name for thread in running_threads]


def find_owner() -> str | None:
    """Return the account whose environment this thread has outlived, or None."""
    return DISOWNED.get(current_thread()) if DISOWNED else None


def _running(before: set[Thread]) -> Iterator[Thread]:
    return (thread for thread in living_threads() if thread not in before and not _is_idle(thread))


def _is_idle(thread: Thread) -> bool:
    """Whether a thread waits until a job or a coroutine is submitted to it."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - documented, in spite of its name
    while frame is not None:
        code = frame.f_code
        for file, functions in _IDLE.items():
            if code.co_filename.replace("\\", "/").endswith(file):
                return code.co_name in functions and not _has_work(frame)
        frame = frame.f_back
    return False


def _has_work(frame: FrameType) -> bool:
    """Whether an event loop has tasks, or a worker has a job, which may have frames of other files, or none if in C."""
    function, variables = frame.f_code.co_name, frame.f_locals
    if function == "_run_once":
        return bool(sys.modules["asyncio"].all_tasks(variables["self"]))
    if function == "run":  # of a worker of anyio
        worker = variables.get("self")
        return worker is None or worker not in worker.idle_workers
    return function == "worker" and variables.get("task") is not None
