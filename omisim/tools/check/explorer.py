"""`Explorer`: walks one world from state to state, makes every call in a state, and checks every law.

A state is stored as the path of calls that leads to it. To visit it, the explorer undoes the calls that differ from
its current path, and makes the others. States are visited in the order in which they were found, so this takes a call
or two.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from omisim.spec.errors import ApiError
from omisim.testing import laws
from omisim.tools.check.actions import Bounds, CheckStep, CheckWorld, Scenario
from omisim.tools.check.canonical import Canonical
from omisim.tools.check.statements import Happened, StatementError, Statements

__all__ = ["Explorer", "Path", "Start", "Violation", "Visit", "collect_seldom", "collecting_seldom"]

Path = tuple[CheckStep, ...]
Start = tuple[Bounds, Scenario | None, tuple[str, ...]]  # the bounds, the scenario and the statements


class Violation(NamedTuple):
    """The first broken law: the calls that lead to it, and the error.

    `statement` is the statement of the user's that came true, or the rule that refused the last call; else "".
    """

    path: Path
    error: str
    statement: str = ""


@dataclass
class Visit:
    """The result of visiting one state. `new_states` has the hash of each new state, and the last call to it."""

    transitions: int = 0
    refused: int = 0
    new_states: list[tuple[int, CheckStep]] = field(default_factory=list)
    violation: Violation | None = None


class Explorer:
    """Walks one world from state to state. `never` are the statements that must not become true."""

    def __init__(self, bounds: Bounds, scenario: Scenario | None = None, never: Sequence[str] = ()) -> None:
        self.world: CheckWorld = CheckWorld(bounds, scenario)
        self._cloud, self._state = self.world.cloud, self.world.cloud.engine.state
        self._state.trim(self._state.position)  # a dump of each state would have the changes that made the world
        accounts, is_named = list(self.world.accounts.values()), bool(scenario or never)
        self._canonical = Canonical(self._state.fork(), accounts, named=is_named)
        self._statements = Statements(never, self._cloud, self.world.name_resources())
        self._current = self._canonical.hash_state(self._state)  # the number of the current state
        self._first = self._current
        self._known_states = {self._first}
        self._path: list[CheckStep] = []
        self._marks = [self._cloud.mark()]  # before each call of the path, and after the last

    def visit(self, path: Path) -> Visit:
        """Check every law in the state that these calls lead to, then try every call in it.

        Raises ValueError for a statement that cannot be evaluated there.
        """
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
        session = self._cloud.engine.session
        session.trim_calls(session.call_position)  # otherwise the marks would keep the recorded calls to the end
        return visit

    def forget_states(self) -> None:
        """Report each state as new again, except the initial one."""
        self._known_states = {self._first}

    def _record_new_state(self, visit: Visit, step: CheckStep, number: int) -> None:
        visit.transitions += 1
        if number not in self._known_states:
            self._known_states.add(number)
            visit.new_states.append((number, step))

    def _try_call(self, step: CheckStep) -> int | None:
        """Make a call, and check the laws on its changes and on a new state. Returns its number; None for a refusal."""
        engine, position = self._cloud.engine, self._marks[-1].position
        try:
            self.world.take(step)
        except ApiError as refusal:
            if self._state.position != position:
                raise AssertionError(f"a refused call changed something: {refusal}") from refusal
            self._statements.check_refusal(refusal)
            return None
        if self._state.position == position:
            return self._current
        changes = self._state.changes_since(position)
        laws.check_changes(engine, changes)
        self._statements.check()
        number = self._canonical.hash_state(self._state)
        if number not in self._known_states:
            laws.check_affected(engine, changes)
        return number

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


def collect_seldom() -> None:
    """Collect garbage rarely: a check keeps its objects to its end, and collecting took a fifth of its time."""
    gc.freeze()
    gc.set_threshold(200_000)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Collect garbage rarely within the context."""
    thresholds = gc.get_threshold()
    collect_seldom()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
