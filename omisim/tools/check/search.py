"""The search: breadth-first, visiting each state once (up to renaming) with every law and every call.

To visit a state is to check all laws in it and to try every call in it. The changes of each call are checked against
the laws at once, and so are the resources that they affect, if the call leads to a new state. The states at the
greatest depth, which are found but not visited, are therefore checked in this way only.

Workers get consecutive parts of a level, and their results are combined in the order of the level. The result is the
same for any number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from omisim.tools.check.actions import Bounds
from omisim.tools.check.cluster import connect
from omisim.tools.check.explorer import Path, Violation, collecting_seldom
from omisim.tools.check.workers import Visits, make_visitor

__all__ = ["CheckResult", "Level", "Progress", "check"]

MAX_WORKERS = 64
Progress = Callable[["Level", int], None]


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


def check(
    bounds: Bounds,
    depth: int,
    workers: int = 1,
    progress: Progress | None = None,
    *,
    scenario: str | None = None,
    never: Sequence[str] = (),
    dask: str | None = None,
) -> CheckResult:
    """Visit every state within `depth` calls of the initial state, and stop at the first broken law.

    With a scenario, the search begins with its cloud. It also stops at the first call after which a statement of
    `never` is true, or that a rule of `never` refuses: a shortest history that leads there. `progress` is called after
    each state with the current level and its total number of states. `dask` is the address of the scheduler of a
    cluster that visits the states, instead of `workers` processes of this machine.

    Raises ValueError for invalid bounds, scenarios, statements and addresses, ChildProcessError if a worker process
    dies, and ImportError for `dask` without the extra.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}")
    if not 1 <= workers <= MAX_WORKERS:
        raise ValueError(f"workers must be 1 to {MAX_WORKERS}, not {workers}")
    result = CheckResult(bounds.validate(), scenario, tuple(never))
    frontier: list[Path] = [()]
    known_states: set[int] = set()
    start = (bounds, scenario, tuple(never))
    visitor = make_visitor(start, workers) if dask is None else connect(dask, start)
    with visitor as visits, collecting_seldom():
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
