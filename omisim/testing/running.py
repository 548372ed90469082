"""Run a machine: bound the time that shrinking takes, shorten the failure, and report rules that tested nothing."""

from __future__ import annotations

import types
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import Path
from typing import Any, ClassVar, Final

import hypothesis
from hypothesis import Phase
from hypothesis import settings as Settings  # noqa: N812 - the class of Hypothesis's settings
from hypothesis.stateful import RuleBasedStateMachine

from omisim.testing.empty_accounts import EmptyAccounts
from omisim.testing.history import SCRIPT
from omisim.testing.shrinking import quick_shrinking

__all__ = ["MachineTestCase", "TestCaseProperty", "running"]

SHRINK_SECONDS: Final = 20.0  # of machines that do not choose it
BLOB: Final = "@reproduce_failure("  # which Hypothesis notes with `settings(print_blob=True)`
_INTERNAL: Final = (Path(hypothesis.__file__).parent, Path(__file__).parents[1])
_BASE: Final[Any] = vars(RuleBasedStateMachine)["TestCase"]


class MachineTestCase(unittest.TestCase):
    """The test of a machine, for unittest and pytest. Assign `settings` to change how Hypothesis runs it."""

    settings: ClassVar[Settings]


class TestCaseProperty:
    """The attribute `TestCase` of a machine: Hypothesis's test case, run inside `running`."""

    def __get__(self, machine: RuleBasedStateMachine | None, cls: type[RuleBasedStateMachine]) -> type[MachineTestCase]:
        """Return the test case of a machine class, the same one each time."""
        return _make_test_case(cls)


@cache
def _make_test_case(machine: type[RuleBasedStateMachine]) -> type[MachineTestCase]:
    base: type[Any] = _BASE.__get__(None, machine)

    @wraps(base.runTest)
    def run_test(self: unittest.TestCase) -> None:
        with running(machine):
            base.runTest(self)

    # to explain the values of a long history takes minutes, and tells little: they follow from each other
    phases = [phase for phase in base.settings.phases if phase is not Phase.explain]
    attributes = {
        "runTest": run_test,
        "settings": Settings(base.settings, phases=phases),
        "__module__": machine.__module__,
        "__qualname__": base.__qualname__,
    }
    return type(base.__name__, (base, MachineTestCase), attributes)


@contextmanager
def running(machine: type[RuleBasedStateMachine]) -> Iterator[None]:
    """Run a machine within the context: shrinking takes at most its `shrink_seconds`, and a failure is shortened.

    When the run has passed, print how often its rules met an empty account.
    """
    counts = EmptyAccounts()
    if hasattr(machine, "empty_accounts"):  # not another state machine
        machine.empty_accounts = counts
    with quick_shrinking(getattr(machine, "shrink_seconds", SHRINK_SECONDS)):
        try:
            yield
        except Exception as failure:
            _shorten(failure)
            raise
    counts.report(machine.__name__)


def _shorten(failure: BaseException) -> None:
    """Of a failure of several errors, keep the frames of the code under test, the script and the blob of each error."""
    if isinstance(failure, BaseExceptionGroup):
        failure.__traceback__ = _keep_outside(failure.__traceback__)
        for error in failure.exceptions:
            _shorten(error)
            error.__traceback__ = _keep_outside(error.__traceback__)
            notes = getattr(error, "__notes__", ())
            if any(SCRIPT in note for note in notes):
                error.__notes__ = [note for note in notes if SCRIPT in note or BLOB in note]


def _keep_outside(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """Return a traceback without the frames of Hypothesis and omisim."""
    if traceback is None:
        return None
    following = _keep_outside(traceback.tb_next)
    path = Path(traceback.tb_frame.f_code.co_filename)
    if any(path.is_relative_to(folder) for folder in _INTERNAL):
        return following
    return types.TracebackType(following, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)
