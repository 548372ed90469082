"""Child processes: time stands still while one of them works for the test.

These are the children that the test asks about or whose answer it waits for, and the jobs of pools and executors.
"""

from __future__ import annotations

import concurrent.futures.process
import multiprocessing.connection
import multiprocessing.pool
import multiprocessing.process
import multiprocessing.queues
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

from omisim.clients.waiting.kernel import Kernel, current_kernel
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.private import get_children, get_workers, is_job_pending, is_pending
from omisim.clients.waiting.watch_thread import MUTEX

__all__ = ["has_children", "note_child", "patch_processes"]

_work: WeakKeyDictionary[Kernel, dict[int, Callable[[], bool]]] = WeakKeyDictionary()  # whether each is outstanding
_real: dict[str, Callable[..., Any]] = {}


def patch_processes(patches: Patches, count_time: Callable[[], float]) -> None:
    """Replace the functions that begin jobs in other processes, those that ask about them, and their clock."""
    for owner, name, replacement in (
        (concurrent.futures.process.ProcessPoolExecutor, "submit", _submit),
        (multiprocessing.pool.ApplyResult, "__init__", _make_init("ApplyResult")),
        (multiprocessing.pool.IMapIterator, "__init__", _make_init("IMapIterator")),
        (subprocess.Popen, "poll", _poll),
        (multiprocessing.process.BaseProcess, "is_alive", _is_alive),
        (os, "waitpid", _waitpid),
    ):
        _real[f"{owner.__name__}.{name}"] = patches.set(owner, name, replacement)
    for module in (multiprocessing.connection, multiprocessing.queues):
        real: Any = vars(module)["time"]
        patches.set(module, "time", SimpleNamespace(**{**vars(real), "monotonic": count_time}))


def has_children() -> bool:
    """Whether a child process of multiprocessing runs."""
    is_alive = _real["BaseProcess.is_alive"]
    return any(is_alive(child) for child in list(get_children()))


def note_child(key: int, is_alive: Callable[[], bool]) -> None:
    """Let time stand still in this thread's kernel for as long as a child is alive."""
    kernel = current_kernel()
    if kernel is not None:
        _note(kernel, key, is_alive)


def _note(kernel: Kernel, key: int, is_outstanding: Callable[[], bool]) -> None:
    with MUTEX:
        if kernel not in _work:
            work: dict[int, Callable[[], bool]] = {}
            _work[kernel] = work
            kernel.outside.append(lambda: _is_any_outstanding(work))
        _work[kernel][key] = is_outstanding


def _is_any_outstanding(work: dict[int, Callable[[], bool]]) -> bool:
    for key in [key for key, is_outstanding in work.items() if not is_outstanding()]:
        del work[key]
    return bool(work)


def _submit(executor: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    future: Future[Any] = _real["ProcessPoolExecutor.submit"](executor, fn, *args, **kwargs)
    note_child(id(future), lambda: is_pending(future))
    return future


def _make_init(name: str) -> Callable[..., None]:
    def init(result: Any, pool: Any, *args: Any, **kwargs: Any) -> None:
        _real[f"{name}.__init__"](result, pool, *args, **kwargs)
        kernel = current_kernel()
        if kernel is not None:
            threads = {member.thread for member in kernel.members}
            if threads.isdisjoint(get_workers(pool)):  # not the threads of a ThreadPool that was made inside
                _note(kernel, id(result), lambda: is_job_pending(result, pool))

    return init


def _poll(child: subprocess.Popen[Any]) -> int | None:
    """Replace `Popen.poll`: time stands still for a child that the test asks about."""
    code: int | None = _real["Popen.poll"](child)
    if code is None:
        note_child(id(child), lambda: _real["Popen.poll"](child) is None)
    return code


def _is_alive(child: multiprocessing.process.BaseProcess) -> bool:
    is_alive: bool = _real["BaseProcess.is_alive"](child)
    if is_alive:
        note_child(id(child), lambda: bool(_real["BaseProcess.is_alive"](child)))
    return is_alive


def _waitpid(pid: int, options: int, /) -> tuple[int, int]:
    """Replace `os.waitpid`, with which a test asks about a child that it has forked."""
    ended: tuple[int, int] = _real["os.waitpid"](pid, options)
    if ended[0] == 0 and pid > 0 and hasattr(os, "waitid") and sys.platform != "win32":
        note_child(pid, lambda: _is_running(pid))
    return ended


def _is_running(pid: int) -> bool:
    """Whether a child runs. WNOWAIT leaves the status of one that has ended to the code under test."""
    try:
        return sys.platform != "win32" and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False
