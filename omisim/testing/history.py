"""`History`: the recorded steps of a machine, checked against the laws, and rendered as a script on failure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import currently_in_test_context
from hypothesis.control import current_build_context
from hypothesis.errors import HypothesisException
from hypothesis.stateful import RuleBasedStateMachine

from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.engine.faults import Dropped
from omisim.spec.catalog import QuotaName
from omisim.spec.errors import ApiError
from omisim.state.settings import Switches, Timing
from omisim.testing import laws
from omisim.testing.script import ScriptCall, ScriptLine, bucket, render_script, shorten_script

__all__ = ["History"]

OUTSIDE = "\nThe calls alone do not fail: the failure is in the code that made these calls or checked their results.\n"


class History(RuleBasedStateMachine):
    """A state machine that records each operation on a cloud as a step and checks the laws after it.

    Attributes of a history: `cloud`, and `account(name)`.
    """

    def _start(
        self,
        timing: Timing,
        switches: Switches | Mapping[str, str | int | bool],
        accounts: Mapping[str, str],
        quotas: Mapping[str, Mapping[QuotaName, int]],
    ) -> None:
        """Create a cloud with these accounts, each with a bucket of the same name."""
        arguments = f"timing={timing!r}" + (f", switches={dict(switches)!r}" if switches else "")
        self._steps: list[ScriptCall | ScriptLine] = [ScriptLine(f"cloud = Cloud({arguments})")]
        self._forked: list[tuple[int, Cloud, dict[str, Any]]] = []  # step, cloud that was forked there, and its dump
        self._recorded_calls = 0  # position in the call log up to which the steps cover it
        self.cloud: Cloud = Cloud(timing=timing, switches=switches)
        for name, region in accounts.items():
            limits = dict(quotas.get(name) or {})
            quotas_argument = f", quotas={limits!r}" if limits else ""
            self._record(f"cloud.account({name!r}, region={region!r}{quotas_argument})")
            account = self.cloud.account(name, region=region, quotas=limits or None)
            self.do(f"bucket(cloud.account({name!r}), {name!r})", partial(bucket, account, name))

    def account(self, name: str) -> Account:
        """Return an account by its name. An unknown name creates the account in eu-west-2."""
        return self.cloud.account(name)

    def call(self, name: str, action: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Make a call and check the laws. Returns the answer, or None for a refused call or a dropped connection.

        Parameters have the API's names. Raises `laws.Broken`.
        """
        self._record_calls()
        account, number = self.account(name), self._count_ids()
        self._steps.append(ScriptCall(name, action, parameters, "", number))
        try:
            answer = laws.call(account, action, **parameters)
        except (ApiError, Dropped) as refusal:
            self._steps[-1] = ScriptCall(name, action, parameters, str(refusal).partition(": ")[0], number)
            answer = None
        finally:
            self._recorded_calls = self.cloud.engine.session.call_position
        return answer

    def do(self, text: str, operation: Callable[[], Any]) -> Any:
        """Run any other operation on the cloud, record it for the script, and check the laws.

        `text` is the same operation as Python code on the variable `cloud`. It is executed repeatedly to find the steps
        that a failure needs. Returns the result of `operation`. Raises `laws.Broken`, and what `operation` raises.
        """
        self._record(text)
        mark = self.cloud.mark()
        try:
            result = operation()
        finally:
            self._recorded_calls = self.cloud.engine.session.call_position  # the text covers the calls of the operation
        laws.check(self.cloud, since=mark)
        return result

    def _record_calls(self) -> None:
        """Record the calls that rules of a subclass have made directly, through any door."""
        new = self.cloud.engine.session.call_position - self._recorded_calls
        for record in self.cloud.engine.session.calls[-new:] if new else ():
            error = str(record.error).partition(": ")[0] if record.error else ""
            self._steps.append(ScriptCall(record.account, record.action, record.parameters, error, self._count_ids()))
        self._recorded_calls = self.cloud.engine.session.call_position

    def _record(self, text: str, end: str = "") -> None:
        """Record an operation as a line of Python, and a line to run at the end of the script."""
        self._record_calls()
        self._steps.append(ScriptLine(text, end, self._count_ids()))

    def _count_ids(self) -> int:
        """Return the number of ids that the cloud has generated."""
        return self.cloud.engine.state.get("counter", "ids") or 0

    # --- the end

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
        kept = shorten_script(self._steps, failure)
        title = f"{type(self).__name__}: {explanation}\n" + (OUTSIDE if kept is None else "")
        return f"\n# --- reproduction script\n{render_script(title, self._steps, kept)}"


def _is_final_run() -> bool:
    """Whether Hypothesis replays the shrunk history to report it, or does not run at all."""
    return not currently_in_test_context() or current_build_context().is_final
