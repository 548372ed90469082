"""Visit states in this process, or in a pool of others, in the order of the level."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from threading import Thread

from omisim.tools.check.actions import Bounds, Scenario
from omisim.tools.check.explorer import Explorer, Path, Start, Visit, collect_seldom

__all__ = ["Visits", "make_visitor"]

CHUNK_SIZE = 16  # states per task of a worker
Visits = Callable[[Sequence[Path]], Iterator[Visit]]


@contextmanager
def make_visitor(start: Start, workers: int) -> Iterator[Visits]:
    """Yield a function that visits states in order, in this process or in `workers` others.

    Raises ChildProcessError if one of the others was killed.
    """
    if workers == 1:
        explorer = Explorer(*start)
        yield lambda paths: map(explorer.visit, paths)
        return
    Explorer(*start)  # an invalid scenario or statement is an error of this process
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, start)
    others = set(active_children())
    processes: set[BaseProcess] = set()
    try:
        with _hold_interrupts():
            for _ in range(workers):
                pool.submit(collect_seldom)  # starts one
            processes = {process for process in active_children() if process not in others}
        yield lambda paths: pool.map(
            _visit_in_worker, paths, chunksize=min(CHUNK_SIZE, 1 + len(paths) // (4 * workers))
        )
    except BrokenProcessPool as error:
        raise ChildProcessError("a worker process was killed, possibly for lack of memory") from error
    finally:
        for process in processes:  # one that SIGSTOP has suspended does not end by any other signal
            process.kill()
        pool.shutdown(cancel_futures=True)


@contextmanager
def _hold_interrupts() -> Iterator[None]:
    """Block SIGINT, also in the workers that start meanwhile, so that an interrupted worker prints no traceback.

    Windows has no signal masks, so the worker prints one there.
    """
    if sys.platform == "win32":
        yield
    else:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


_own_explorer: list[Explorer] = []  # the explorer of a worker process


def _start_worker(bounds: Bounds, scenario: Scenario | None, never: tuple[str, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    Thread(target=_end_with_parent, daemon=True).start()
    _own_explorer.append(Explorer(bounds, scenario, never))
    collect_seldom()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # the parent has ended, so the result is not needed


def _visit_in_worker(path: Path) -> Visit:
    return _own_explorer[0].visit(path)
