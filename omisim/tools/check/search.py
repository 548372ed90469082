"""The search: breadth-first, visiting each state once (up to renaming) with every law and every call.

To visit a state is to check all laws in it and to try every call in it. The changes of each call, and the resources
they affect, are checked against the laws at once. The states at the greatest depth, which are found but not visited,
are therefore checked in this way only.

A state is stored as the path of calls that leads to it. To visit it, the explorer undoes the calls that differ from
its current path, and makes the others. States are visited in the order in which they were found, so this takes a call
or two. Workers get consecutive parts of a level, and their results are combined in the order of the level. The result
is the same for any number of workers.
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
from omisim.tools.check.statements import Happened, StatementError, Statements

__all__ = ["CheckResult", "Level", "check"]

CHUNK_SIZE = 16  # states per task of a worker
MAX_WORKERS = 64
Path = tuple[CheckStep, ...]
Start = tuple[Bounds, str | None, tuple[str, ...]]  # the bounds, the scenario and the statements


class Violation(NamedTuple):
    """The first broken law: the calls that lead to it, and the error.

    `statement` is the statement of the user's that came true, or the rule that refused the last call; else "".
    """

    path: Path
    error: str
    statement: str = ""


@dataclass
class Level:
    """The result of visiting the states at one distance from the initial state."""

    depth: int
    visited: int = 0
    transitions: int = 0  # successful calls
    refused: int = 0  # refused calls, which change nothing
    new_states: int = 0


@dataclass
class CheckResult:
    """The result of a check: the states by distance, and the first violation, if any."""

    bounds: Bounds
    scenario: str | None = None
    never: tuple[str, ...] = ()
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
    """The result of visiting one state. `new_states` has the hash of each new state, and the last call to it."""

    transitions: int = 0
    refused: int = 0
    new_states: list[tuple[int, CheckStep]] = field(default_factory=list)
    violation: Violation | None = None


class Explorer:
    """Walks one world from state to state. `never` are the statements that must not become true."""

    def __init__(self, bounds: Bounds, scenario: str | None = None, never: Sequence[str] = ()) -> None:
        self.world: CheckWorld = CheckWorld(bounds, scenario)
        self._cloud, self._state = self.world.cloud, self.world.cloud.engine.state
        accounts, is_named = list(self.world.accounts.values()), bool(scenario or never)
        self._canonical = Canonical(self._state.fork(), accounts, named=is_named)
        self._statements = Statements(never, self._cloud, self.world.name_resources())
        self._current = self._canonical.hash_state(self._state)  # the number of the current state
        self._known_states = {self._current}
        self._path: list[CheckStep] = []
        self._marks = [self._cloud.mark()]  # before each call of the path, and after the last

    def visit(self, path: Path) -> Visit:
        """Check every law in the state that these calls lead to, then try every call in it."""
        visit = Visit()
        self._move_to(path)
        self._current = self._canonical.hash_state(self._state)
        path_tried: Path = path
        try:
            laws.check(self._cloud)
            if not path:
                self._statements.check()
            for step in tuple(self.world.iter_steps()):
                path_tried = (*path, step)
                number = self._try_call(step)
                if number is None:
                    visit.refused += 1
                else:
                    self._record_new_state(visit, step, number)
                    self._step_back()
        except StatementError as error:
            calls = "; ".join(map(str, path_tried))
            raise ValueError(f"{error} ({f'after {calls}' if calls else 'at the beginning'})") from None
        except Happened as event:
            visit.violation = Violation(path_tried, str(event), event.statement)
        except Exception as error:  # noqa: BLE001 - a broken law, or any error of a defect
            visit.violation = Violation(path_tried, _describe_error(error))
        self._cloud.engine.session.trim_calls(
            self._cloud.engine.session.call_position
        )  # otherwise the marks would keep the recorded calls to the end
        return visit

    def _record_new_state(self, visit: Visit, step: CheckStep, number: int) -> None:
        visit.transitions += 1
        if number not in self._known_states:
            self._known_states.add(number)
            visit.new_states.append((number, step))

    def _try_call(self, step: CheckStep) -> int | None:
        """Make a call and check the laws on its changes. Returns the number of the new state, or None for a refusal."""
        position = self._marks[-1].position
        try:
            self.world.take(step)
        except ApiError as refusal:
            if self._state.position != position:
                raise AssertionError(f"a refused call changed something: {refusal}") from refusal
            self._statements.check_refusal(refusal)
            refusal.__traceback__ = None  # it would form a cycle: its frames hold the call's record, which holds it
            return None
        if self._state.position == position:
            return self._current
        laws.check(self._cloud, since=self._marks[-1])
        self._statements.check()
        return self._canonical.hash_state(self._state)

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


def _describe_error(error: Exception) -> str:
    return str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"


Visits = Callable[[Sequence[Path]], Iterator[Visit]]
Progress = Callable[[Level, int], None]


def check(
    bounds: Bounds,
    depth: int,
    workers: int = 1,
    progress: Progress | None = None,
    *,
    scenario: str | None = None,
    never: Sequence[str] = (),
) -> CheckResult:
    """Visit every state within `depth` calls of the initial state, and stop at the first broken law.

    With a scenario, the search begins with its cloud. It also stops at the first call after which a statement of
    `never` is true, or that a rule of `never` refuses: a shortest history that leads there. `progress` is called after
    each state with the current level and its total number of states. Raises ValueError for invalid bounds, scenarios
    and statements, and ChildProcessError if a worker process dies.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}")
    if not 1 <= workers <= MAX_WORKERS:
        raise ValueError(f"workers must be 1 to {MAX_WORKERS}, not {workers}")
    result = CheckResult(bounds.validate(), scenario, tuple(never))
    frontier: list[Path] = [()]
    known_states: set[int] = set()
    with _make_visitor((bounds, scenario, tuple(never)), workers) as visits:
        for distance in range(depth):
            level = Level(distance)
            result.levels.append(level)
            frontier = list(_visit_level(frontier, visits, result, level, known_states, progress or _report_nothing))
            result.states += len(frontier)
            result.complete = not frontier and result.violation is None
            if not frontier or result.violation:
                break
    return result


def _visit_level(
    frontier: Sequence[Path],
    visits: Visits,
    result: CheckResult,
    level: Level,
    known_states: set[int],
    progress: Progress,
) -> Iterator[Path]:
    """Visit a level; yield one path to each new state."""
    for path, visit in zip(frontier, visits(frontier), strict=False):
        level.visited += 1
        level.transitions += visit.transitions
        level.refused += visit.refused
        for number, step in visit.new_states:
            if number not in known_states:
                known_states.add(number)
                level.new_states += 1
                yield (*path, step)
        progress(level, len(frontier))
        if visit.violation:
            result.violation = visit.violation
            return


def _report_nothing(_level: Level, _states: int) -> None:
    """Report no progress."""


@contextmanager
def _make_visitor(start: Start, workers: int) -> Iterator[Visits]:
    """Yield a function that visits states in order, in this process or in `workers` others."""
    if workers == 1:
        explorer, thresholds = Explorer(*start), gc.get_threshold()
        _collect_seldom()
        try:
            yield lambda paths: map(explorer.visit, paths)
        finally:
            gc.unfreeze()
            gc.set_threshold(*thresholds)
        return
    Explorer(*start)  # an invalid scenario or statement is an error of this process
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, start)
    try:
        with _hold_interrupts():
            for _ in range(workers):
                pool.submit(_collect_seldom)  # starts one
        yield lambda paths: pool.map(
            _visit_in_worker, paths, chunksize=min(CHUNK_SIZE, 1 + len(paths) // (4 * workers))
        )
    except BrokenProcessPool as error:
        raise ChildProcessError("a worker process was killed, possibly for lack of memory") from error
    finally:
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


def _start_worker(bounds: Bounds, scenario: str | None, never: tuple[str, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    Thread(target=_end_with_parent, daemon=True).start()
    _own_explorer.append(Explorer(bounds, scenario, never))
    _collect_seldom()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # the parent has ended, so the result is not needed


def _visit_in_worker(path: Path) -> Visit:
    return _own_explorer[0].visit(path)


def _collect_seldom() -> None:
    """Collect garbage rarely: a check keeps its objects to its end, and collecting took a fifth of its time."""
    gc.freeze()
    gc.set_threshold(200_000)
