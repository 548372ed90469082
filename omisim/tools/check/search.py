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

SHARE = 16  # states that a worker is given at a time
MOST_WORKERS = 64
Path = tuple[CheckStep, ...]


class Violation(NamedTuple):
    """The first law that was broken: by the last of these calls, and how."""

    path: Path
    what: str


@dataclass
class Level:
    """What came of visiting the states at one distance from the beginning."""

    depth: int
    visited: int = 0
    transitions: int = 0  # calls that were answered
    refused: int = 0  # calls that were refused, and changed nothing
    found: int = 0  # states that were new


@dataclass
class Found:
    """What a check has found: how many states, at which distance; the first violation, if there is one."""

    bounds: Bounds
    levels: list[Level] = field(default_factory=list)
    states: int = 1
    complete: bool = False  # no state is left to visit: there are no more, however deep
    violation: Violation | None = None

    @property
    def transitions(self) -> int:
        """The calls that were answered."""
        return sum(level.transitions for level in self.levels)

    @property
    def refused(self) -> int:
        """The calls that were refused."""
        return sum(level.refused for level in self.levels)


@dataclass
class Visit:
    """What was found at one state. `found`: states this process saw for the first time, and the calls to them."""

    transitions: int = 0
    refused: int = 0
    found: list[tuple[int, CheckStep]] = field(default_factory=list)
    violation: Violation | None = None


class Explorer:
    """One world, walked from state to state."""

    def __init__(self, bounds: Bounds) -> None:
        self.world: CheckWorld = CheckWorld(bounds)
        self._cloud, self._state = self.world.cloud, self.world.cloud.engine.state
        self._canonical = Canonical(self._state.fork(), self.world.accounts.values())
        self._here = self._canonical.number(self._state)  # the number of the state it is in
        self._seen = {self._here}
        self._path: list[CheckStep] = []
        self._marks = [self._cloud.mark()]  # before each call of the path, and after the last

    def visit(self, path: Path) -> Visit:
        """Hold every law against the state that these calls lead to, then try every call in it."""
        visit = Visit()
        self._go(path)
        self._here = self._canonical.number(self._state)
        tried: Path = path
        try:
            laws.check(self._cloud)
            for step in tuple(self.world.steps()):
                tried = (*path, step)
                number = self._tried(step)
                if number is None:
                    visit.refused += 1
                else:
                    self._note(visit, step, number)
                    self._back()
        except Exception as broken:  # noqa: BLE001 - a law, or a defect that shows as whatever it raises
            visit.violation = Violation(tried, _told(broken))
        self._cloud.engine.session.trim_calls(
            self._cloud.engine.session.call_position
        )  # marks would keep them to the end
        return visit

    def _note(self, visit: Visit, step: CheckStep, number: int) -> None:
        visit.transitions += 1
        if number not in self._seen:
            self._seen.add(number)
            visit.found.append((number, step))

    def _tried(self, step: CheckStep) -> int | None:
        """Make a call, and hold the laws against what it did. Returns the state's number, None for a refusal."""
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

    def _go(self, path: Path) -> None:
        """Go to the state that these calls lead to."""
        same = 0
        while same < min(len(path), len(self._path)) and self._path[same] == path[same]:
            same += 1
        del self._path[same:], self._marks[same + 1 :]
        self._back()
        for step in path[same:]:
            self.world.take(step)
            self._path.append(step)
            self._marks.append(self._cloud.mark())

    def _back(self) -> None:
        self._cloud.rollback(self._marks[-1])


def _told(broken: Exception) -> str:
    return str(broken) if isinstance(broken, AssertionError) else f"{type(broken).__name__}: {broken}"


Visits = Callable[[Sequence[Path]], Iterator[Visit]]
Progress = Callable[[Level, int], None]


def check(bounds: Bounds, depth: int, workers: int = 1, progress: Progress | None = None) -> Found:
    """Visit every state within so many calls of the beginning, and stop at the first law that is broken.

    `progress` is told the level under way and how many states it has in all, after each of them. Raises ValueError for
    bounds that cannot be, ChildProcessError when something else ends a worker.
    """
    if depth < 1:
        raise ValueError(f"a check goes 1 call deep or more, not {depth}")
    if not 1 <= workers <= MOST_WORKERS:
        raise ValueError(f"1 to {MOST_WORKERS} workers can share a check, not {workers}")
    found = Found(bounds.checked())
    frontier: list[Path] = [()]
    seen: set[int] = set()
    with _visiting(bounds, workers) as visits:
        for distance in range(depth):
            level = Level(distance)
            found.levels.append(level)
            frontier = list(_after(frontier, visits, found, level, seen, progress or _silent))
            found.states += len(frontier)
            found.complete = not frontier and found.violation is None
            if not frontier or found.violation:
                break
    return found


def _after(
    frontier: Sequence[Path], visits: Visits, found: Found, level: Level, seen: set[int], progress: Progress
) -> Iterator[Path]:
    """Visit a level; yield the ways to the states that are new, each once."""
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


def _silent(_level: Level, _states: int) -> None:
    """Tell nobody."""


@contextmanager
def _visiting(bounds: Bounds, workers: int) -> Iterator[Visits]:
    """Yield what visits states in order: this process, or so many others."""
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


_own: list[Explorer] = []  # of a worker process: the one it explores with


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
    os._exit(1)  # nobody waits for what is found here


def _visit(path: Path) -> Visit:
    return _own[0].visit(path)


def _collect_seldom() -> None:
    """What a check keeps, it keeps to its end: looking through it for garbage took a fifth of the time."""
    gc.freeze()
    gc.set_threshold(200_000)
