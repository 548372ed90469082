"""Threads and executor jobs that begin inside a context take part in its virtual time.

A worker of a ThreadPoolExecutor takes part only while it runs a job, so that the workers of an executor that a module
made long ago do too. Threads of the standard library's own machinery, and those of servers, do not take part.
"""

from __future__ import annotations

from _thread import get_ident
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Thread, Timer
from typing import Any, Final
from weakref import WeakKeyDictionary

from omisim.clients.real_time import TIME_LIMITS
from omisim.clients.waiting.kernel import Kernel, current_kernel, waiting_really
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.private import WorkItem, get_max_workers, get_target, is_pending, is_thread_pool
from omisim.clients.waiting.processes import note_child
from omisim.clients.waiting.waits import ContextEnded, Wait
from omisim.clients.waiting.watch_thread import MUTEX

__all__ = ["cancel_jobs", "patch_threads"]

_OUTSIDERS: Final = ("cheroot", "concurrent", "execnet", "multiprocessing", "omisim", "socketserver", "xdist")
_jobs: WeakKeyDictionary[Future[Any], _Job] = WeakKeyDictionary()
_outside: WeakKeyDictionary[Kernel, _Outside] = WeakKeyDictionary()
_real: dict[str, Callable[..., Any]] = {}


def patch_threads(patches: Patches) -> None:
    """Replace the functions that begin and join threads and jobs."""
    for owner, name, replacement in (
        (Thread, "start", _start),
        (Thread, "join", _join),
        (WorkItem, "__init__", _init_job),
        (WorkItem, "run", _run_job),
        (ThreadPoolExecutor, "submit", _submit),
    ):
        _real[f"{owner.__name__}.{name}"] = patches.set(owner, name, replacement)


# --- threads


def _start(thread: Thread) -> None:
    kernel = current_kernel()
    if kernel is None:
        _real["Thread.start"](thread)
        return
    if not _takes_part(thread):
        with waiting_really():  # until the thread runs
            _real["Thread.start"](thread)
        if _waits_for_child(thread):
            note_child(id(thread), thread.is_alive)
        return
    member = kernel.add()
    member.thread = thread
    run = thread.run

    def run_in_turn() -> None:
        del thread.run  # the class's own again
        with suppress(ContextEnded), kernel.entered(member):
            kernel.take_turn()
            run()

    thread.run = run_in_turn  # type: ignore[method-assign]
    try:
        with waiting_really():
            _real["Thread.start"](thread)
    except BaseException:
        kernel.remove(member)
        raise


def _takes_part(thread: Thread) -> bool:
    """Whether a thread runs code under test, not that of an executor, a server, pytest-timeout or omisim."""
    code = get_target(thread)
    if getattr(code, "__module__", "") == "multiprocessing.pool":  # ThreadPool, or the managing threads of Pool
        return code.__name__ != "_handle_workers" and is_thread_pool(thread)
    if isinstance(thread, Timer) and getattr(thread.function, "__module__", "") in TIME_LIMITS:
        return False
    package = str(getattr(code, "__module__", "")).partition(".")[0]
    return package not in _OUTSIDERS and not _waits_for_child(thread)


def _waits_for_child(thread: Thread) -> bool:
    """Whether a thread of asyncio waits for a child process, as before Python 3.12."""
    return getattr(get_target(thread), "__name__", "") == "_do_waitpid"


def _join(thread: Thread, timeout: float | None = None) -> None:
    kernel = current_kernel()
    if kernel is None or thread.ident == get_ident() or not thread.is_alive() or (timeout is not None and timeout <= 0):
        _real["Thread.join"](thread, timeout)
        return
    deadline = kernel.time.compute_deadline(timeout)
    outcome = kernel.wait(Wait(deadline, lambda: not thread.is_alive(), target=thread))
    seconds_left = {"time": 0.0, "closed": kernel.time.get_remaining(deadline)}.get(outcome)
    _real["Thread.join"](thread, seconds_left)


# --- executors


class _Job:
    """A job that an executor has accepted."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.number = next(kernel.numbers)
        self.executor: Any = None


class _Outside:
    """The jobs of a kernel's executors: those that have not begun, and those that run."""

    def __init__(self, kernel: Kernel) -> None:
        self.queued: dict[Future[Any], _Job] = {}
        self.running: list[_Job] = []
        kernel.arriving.append(self.is_outstanding)

    def is_outstanding(self) -> bool:
        """Whether a job is about to begin."""
        self.queued = {future: job for future, job in self.queued.items() if is_pending(future)}
        running = Counter(id(job.executor) for job in self.running)
        return any(
            job.executor is None or running[id(job.executor)] < get_max_workers(job.executor)
            for job in self.queued.values()
        )


def cancel_jobs(kernel: Kernel) -> None:
    """Cancel the jobs that have not begun, because the test that wants them ends."""
    outside = _outside.get(kernel)
    for future in list(outside.queued if outside else ()):
        future.cancel()


def _get_outside(kernel: Kernel) -> _Outside:
    with MUTEX:
        return _outside.get(kernel) or _outside.setdefault(kernel, _Outside(kernel))


def _init_job(item: Any, future: Future[Any], *rest: Any) -> None:
    _real["_WorkItem.__init__"](item, future, *rest)
    kernel = current_kernel()
    if kernel is not None:
        _jobs[future] = _get_outside(kernel).queued[future] = _Job(kernel)


def _submit(executor: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    future: Future[Any] = _real["ThreadPoolExecutor.submit"](executor, fn, *args, **kwargs)
    job = _jobs.get(future)
    if job is not None:
        job.executor = executor
    return future


def _run_job(item: Any, *args: Any) -> None:
    job = _jobs.get(item.future)
    if job is None or job.kernel.closed:
        _real["_WorkItem.run"](item, *args)
        return
    kernel, outside = job.kernel, _get_outside(job.kernel)
    with MUTEX:
        member = kernel.add(job.number)
        outside.queued.pop(item.future, None)
        outside.running.append(job)
    with kernel.entered(member):
        try:
            kernel.take_turn()
            _real["_WorkItem.run"](item, *args)
        finally:
            with MUTEX:
                outside.running.remove(job)
