"""`History`: the recorded steps of a machine, checked against the laws, and rendered as a script on failure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TypeVar

from hypothesis import currently_in_test_context
from hypothesis.control import current_build_context
from hypothesis.errors import HypothesisException
from hypothesis.stateful import RuleBasedStateMachine

from omisim.engine.faults import Dropped
from omisim.spec.errors import ApiError
from omisim.testing import laws
from omisim.testing.recorder import Recorder
from omisim.testing.script import ScriptCall, leave_out_unused, render_script, shorten_script

__all__ = ["SCRIPT", "History"]

SCRIPT = "# --- reproduction script"
_History = TypeVar("_History", bound="History")
OUTSIDE = "\nThe calls alone do not fail: the failure is in the code that made these calls or checked their results.\n"


def _with_script(teardown: Callable[[_History], None]) -> Callable[[_History], None]:
    """Add the script of a failed history to its error: that of a rule, or of the teardown itself."""

    @wraps(teardown)
    def explained(self: _History) -> None:
        failure = sys.exc_info()[1]
        try:
            teardown(self)
        except Exception as error:
            failure = error
            raise
        finally:
            self.add_script(failure)

    return explained


class History(Recorder, RuleBasedStateMachine):
    """A state machine that records each operation on a cloud as a step and checks the laws after it.

    Attributes of a history: `cloud`, and `account(name)`.
    """

    def __init_subclass__(cls) -> None:
        """Let failures of an overriding `teardown` have their script, too."""
        super().__init_subclass__()
        if "teardown" in vars(cls):
            cls.teardown = _with_script(cls.teardown)  # type: ignore[method-assign]  # on purpose

    @_with_script
    def teardown(self) -> None:
        """Check the laws for the whole cloud, unless the history has failed."""
        if sys.exc_info()[1] is None and hasattr(self, "cloud"):
            self._check_end()

    def add_script(self, failure: BaseException | None) -> None:
        """Add the script of the history to an error of the code under test, once."""
        if not isinstance(failure, Exception) or isinstance(failure, HypothesisException) or not _is_final_run():
            return
        if hasattr(self, "cloud") and not any(SCRIPT in note for note in getattr(failure, "__notes__", ())):
            self._record_calls()
            failure.add_note(self._render_failure(failure))

    def _check_end(self) -> None:
        laws.check(self.cloud)
        for number, cloud, dumped in self._forked:
            assert cloud.dump() == dumped, f"a fork has changed its parent cloud, which was forked at step {number}"

    def _render_failure(self, failure: Exception) -> str:
        first_line = f"{type(failure).__name__}: {failure}".partition("\n")[0]
        explanation = failure.explain() if isinstance(failure, laws.Broken) else first_line
        last_step = self._steps[-1]
        if isinstance(failure, ApiError | Dropped) and isinstance(last_step, ScriptCall) and last_step.refused:
            self._steps[-1] = replace(last_step, is_uncaught=True)
        kept_steps = shorten_script(self._steps, failure)
        title = f"{type(self).__name__}: {explanation}\n" + (OUTSIDE if kept_steps is None else "")
        if kept_steps is None:
            script = render_script(title, self._steps, leave_out_unused(self._steps), checks=False)
        else:
            script = render_script(title, self._steps, kept_steps)
        return f"\n{SCRIPT}\n{script}"


def _is_final_run() -> bool:
    """Whether Hypothesis replays the shrunk history to report it, or does not run at all."""
    return not currently_in_test_context() or current_build_context().is_final
