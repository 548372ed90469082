"""The search: level by level, each state once up to renaming, and in each of them every law and every call.

A state is visited when every law was held against all of it, and every call was tried in it. What a call has changed,
and what that touches, is held against the laws at once: so the states at the last distance, which are found and not
visited, have had those.

A state is kept as the calls that lead to it. To visit it, what differs from the state before is undone and made again:
states are visited in the order they were found, so that is a call or two. Workers get their share of a level in that
order, and what they find is put together in that order: any number of them comes to the same as one.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import NamedTuple

from omisim.spec.errors import ApiError
from omisim.testing import laws
from omisim.tools.check.actions import Bounds, CheckStep, CheckWorld
from omisim.tools.check.canonical import Canonical

__all__ = ["Found", "Level", "check"]

SHARE = 16  # states per task of a worker
MOST_WORKERS = 64
Path = tuple[CheckStep, ...]


class Violation(NamedTuple):
    """The first broken law: the calls that lead to it, and the error."""

    path: Path
    what: str


@dataclass
class Level:
    """The result of visiting the states at one distance from the initial state."""

    depth: int
    visited: int = 0
    transitions: int = 0  # successful calls
    refused: int = 0  # refused calls, which change nothing
    found: int = 0  # new states


@dataclass
class Found:
    """The result of a check: the states by distance, and the first violation, if any."""

    bounds: Bounds
    levels: list[Level] = field(default_factory=list)
    states: int = 1
    complete: bool = False  # every reachable state within the bounds was visited
    violation: Violation | None = None

    @property
    def transitions(self) -> int:
        """The number of successful calls."""
        return sum(level.transitions for level in self.levels)

    @property
    def refused(self) -> int:
        """The number of refused calls."""
        return sum(level.refused for level in self.levels)


@dataclass
class Visit:
    """The result of visiting one state. `found`: states that are new to this process, with their paths."""

    transitions: int = 0
    refused: int = 0
    found: list[tuple[int, CheckStep]] = field(default_factory=list)
    violation: Violation | None = None


class Explorer:
    """Walks one world from state to state."""

    def __init__(self, bounds: Bounds) -> None:
        self.world: CheckWorld = CheckWorld(bounds)
        self._cloud, self._state = self.world.cloud, self.world.cloud.engine.state
        self._canonical = Canonical(self._state.fork(), self.world.accounts.values())
        self._here = self._canonical.number(self._state)  # the number of the current state
        self._seen = {self._here}
        self._path: list[CheckStep] = []
        self._marks = [self._cloud.mark()]  # before each call of the path, and after the last

    def visit(self, path: Path) -> Visit:
        """Check every law in the state that these calls lead to, then try every call in it."""
        visit = Visit()
        self._move_to(path)
        self._here = self._canonical.number(self._state)
        tried: Path = path
        try:
            laws.check(self._cloud)
            for step in tuple(self.world.steps()):
                tried = (*path, step)
                number = self._try_call(step)
                if number is None:
                    visit.refused += 1
                else:
                    self._record_new_state(visit, step, number)
                    self._step_back()
        except Exception as broken:  # noqa: BLE001 - a law, or a defect that shows as whatever it raises
            visit.violation = Violation(tried, _describe_error(broken))
        self._cloud.engine.session.trim_calls(
            self._cloud.engine.session.call_position
        )  # marks would keep them to the end
        return visit

    def _record_new_state(self, visit: Visit, step: CheckStep, number: int) -> None:
        visit.transitions += 1
        if number not in self._seen:
            self._seen.add(number)
            visit.found.append((number, step))

    def _try_call(self, step: CheckStep) -> int | None:
        """Make a call and check the laws on its changes. Returns the number of the new state, or None for a refusal."""
        position = self._marks[-1].position
        try:
            self.world.take(step)
        except ApiError as refusal:
            if self._state.position != position:
                raise AssertionError(f"a refused call has changed something: {refusal}") from refusal
            refusal.__traceback__ = None  # of frames that hold the record of the call, which holds the refusal
            return None
        if self._state.position == position:
            return self._here
        laws.check(self._cloud, since=self._marks[-1])
        return self._canonical.number(self._state)

    def _move_to(self, path: Path) -> None:
        """Move the world to the state that these calls lead to."""
        same = 0
        while same < min(len(path), len(self._path)) and self._path[same] == path[same]:
            same += 1
        del self._path[same:], self._marks[same + 1 :]
        self._step_back()
        for step in path[same:]:
            self.world.take(step)
            self._path.append(step)
            self._marks.append(self._cloud.mark())

    def _step_back(self) -> None:
        self._cloud.rollback(self._marks[-1])


def _describe_error(broken: Exception) -> str:
    return str(broken) if isinstance(broken, AssertionError) else f"{type(broken).__name__}: {broken}"


Visits = Callable[[Sequence[Path]], Iterator[Visit]]
Progress = Callable[[Level, int], None]


def check(bounds: Bounds, depth: int, workers: int = 1, progress: Progress | None = None) -> Found:
    """Visit every state within `depth` calls of the initial state, and stop at the first broken law.

    `progress` is called after each state with the current level and its total number of states. Raises ValueError for
    invalid bounds, and ChildProcessError if a worker process dies.
    """
    if depth < 1:
        raise ValueError(f"a check goes 1 call deep or more, not {depth}")
    if not 1 <= workers <= MOST_WORKERS:
        raise ValueError(f"1 to {MOST_WORKERS} workers can share a check, not {workers}")
    found = Found(bounds.checked())
    frontier: list[Path] = [()]
    seen: set[int] = set()
    with _make_visitor(bounds, workers) as visits:
        for distance in range(depth):
            level = Level(distance)
            found.levels.append(level)
            frontier = list(_visit_level(frontier, visits, found, level, seen, progress or _report_nothing))
            found.states += len(frontier)
            found.complete = not frontier and found.violation is None
            if not frontier or found.violation:
                break
    return found


def _visit_level(
    frontier: Sequence[Path], visits: Visits, found: Found, level: Level, seen: set[int], progress: Progress
) -> Iterator[Path]:
    """Visit a level; yield one path to each new state."""
    for path, visit in zip(frontier, visits(frontier), strict=False):
        level.visited += 1
        level.transitions += visit.transitions
        level.refused += visit.refused
        for number, step in visit.found:
            if number not in seen:
                seen.add(number)
                level.found += 1
                yield (*path, step)
        progress(level, len(frontier))
        if visit.violation:
            found.violation = visit.violation
            return


def _report_nothing(_level: Level, _states: int) -> None:
    """Report no progress."""


@contextmanager
def _make_visitor(bounds: Bounds, workers: int) -> Iterator[Visits]:
    """Yield a function that visits states in order, in this process or in `workers` others."""
    if workers == 1:
        explorer, thresholds = Explorer(bounds), gc.get_threshold()
        _collect_seldom()
        try:
            yield lambda paths: map(explorer.visit, paths)
        finally:
            gc.unfreeze()
            gc.set_threshold(*thresholds)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (bounds,))
    try:
        with _hold_interrupts():
            for _ in range(workers):
                pool.submit(_collect_seldom)  # starts one
        yield lambda paths: pool.map(_visit, paths, chunksize=min(SHARE, 1 + len(paths) // (4 * workers)))
    except BrokenProcessPool as error:
        raise ChildProcessError("a worker was ended from outside; was there too little memory?") from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _hold_interrupts() -> Iterator[None]:
    """Hold back SIGINT, also in the workers that start meanwhile: one that is interrupted as it starts prints nothing.

    Windows has no signal masks, so such a worker prints a traceback there.
    """
    if sys.platform == "win32":
        yield
    else:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


_own: list[Explorer] = []  # the explorer of a worker process


def _begin(bounds: Bounds) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    Thread(target=_end_with_parent, daemon=True).start()
    _own.append(Explorer(bounds))
    _collect_seldom()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # the parent has ended, so the result is not needed


def _visit(path: Path) -> Visit:
    return _own[0].visit(path)


def _collect_seldom() -> None:
    """What a check keeps, it keeps to its end: looking through it for garbage took a fifth of the time."""
    gc.freeze()
    gc.set_threshold(200_000)
