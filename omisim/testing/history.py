"""`History`: the recorded steps of a machine, checked against the laws, and rendered as a script on failure."""

from __future__ import annotations

import sys
from dataclasses import replace

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
OUTSIDE = "\nThe calls alone do not fail: the failure is in the code that made these calls or checked their results.\n"


class History(Recorder, RuleBasedStateMachine):
    """A state machine that records each operation on a cloud as a step and checks the laws after it.

    Attributes of a history: `cloud`, and `account(name)`.
    """

    def teardown(self) -> None:
        """Check the laws for the whole cloud; when the history has failed, add its script to the error."""
        failure = sys.exc_info()[1]
        if not hasattr(self, "cloud"):
            return
        try:
            if failure is None:
                self._check_end()
        except Exception as error:
            failure = error
            raise
        finally:
            if isinstance(failure, Exception) and not isinstance(failure, HypothesisException) and _is_final_run():
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
