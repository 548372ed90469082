"""A history that can be told: what a machine does to a cloud, held against the laws, and as a script when it fails."""

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

OUTSIDE = "\nThis alone does not fail: what failed is no call, but code that made these calls, or looked at them.\n"


class History(RuleBasedStateMachine):
    """Does things to a cloud, notes each as a step, and holds the laws against it.

    Attributes of a history: `cloud`, and `account(name)`.
    """

    def _begin(
        self,
        timing: Timing,
        switches: Switches | Mapping[str, str | int | bool],
        accounts: Mapping[str, str],
        quotas: Mapping[str, Mapping[QuotaName, int]],
    ) -> None:
        """Begin with a cloud that has these accounts, each with a bucket of its name."""
        said = f"timing={timing!r}" + (f", switches={dict(switches)!r}" if switches else "")
        self._steps: list[ScriptCall | ScriptLine] = [ScriptLine(f"cloud = Cloud({said})")]
        self._left: list[tuple[int, Cloud, dict[str, Any]]] = []  # clouds left behind in a fork, and their dumps
        self._seen = 0  # calls that stand in the steps
        self.cloud: Cloud = Cloud(timing=timing, switches=switches)
        for name, region in accounts.items():
            limits = dict(quotas.get(name) or {})
            more = f", quotas={limits!r}" if limits else ""
            self._note(f"cloud.account({name!r}, region={region!r}{more})")
            account = self.cloud.account(name, region=region, quotas=limits or None)
            self.do(f"bucket(cloud.account({name!r}), {name!r})", partial(bucket, account, name))

    def account(self, name: str) -> Account:
        """Return an account by its name; the first use of another name than the machine's makes it, in eu-west-2."""
        return self.cloud.account(name)

    def call(self, name: str, action: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Make a call and hold it against the laws. Returns the answer; None when it was refused, or not answered.

        Parameters go by the API's names. Raises `laws.Broken`.
        """
        self._note_calls()
        account, number = self.account(name), self._number()
        self._steps.append(ScriptCall(name, action, parameters, "", number))
        try:
            answer = laws.call(account, action, **parameters)
        except (ApiError, Dropped) as refused:
            self._steps[-1] = ScriptCall(name, action, parameters, str(refused).partition(": ")[0], number)
            answer = None
        finally:
            self._seen = self.cloud.engine.session.call_position
        return answer

    def do(self, text: str, what: Callable[[], Any]) -> Any:
        """Do anything else to the cloud, hold it against the laws, and note it for the script.

        `text` says in Python what `what` does, to the variable `cloud`; it is run, more than once, to find out what a
        failure needs. Returns what `what` returns. Raises `laws.Broken`, and whatever `what` raises.
        """
        self._note(text)
        mark = self.cloud.mark()
        try:
            done = what()
        finally:
            self._seen = self.cloud.engine.session.call_position  # the text stands for its calls
        laws.check(self.cloud, since=mark)
        return done

    def _note_calls(self) -> None:
        """Note the calls that rules of a subclass have made by themselves, through whatever door."""
        new = self.cloud.engine.session.call_position - self._seen
        for record in self.cloud.engine.session.calls[-new:] if new else ():
            error = str(record.error).partition(": ")[0] if record.error else ""
            self._steps.append(ScriptCall(record.account, record.action, record.parameters, error, self._number()))
        self._seen = self.cloud.engine.session.call_position

    def _note(self, text: str, end: str = "") -> None:
        """Note what is done now, as a line of Python, and what must hold of it at the end."""
        self._note_calls()
        self._steps.append(ScriptLine(text, end, self._number()))

    def _number(self) -> int:
        return self.cloud.engine.state.get("counter", "ids") or 0

    # --- the end

    def teardown(self) -> None:
        """Hold the whole cloud against the laws; or, when the history has failed, tell it as a script."""
        failed = sys.exc_info()[1]
        if not hasattr(self, "cloud"):
            return
        try:
            if failed is None:
                self._close()
        except Exception as found:
            failed = found
            raise
        finally:
            if isinstance(failed, Exception) and not isinstance(failed, HypothesisException) and _final():
                self._note_calls()
                failed.add_note(self._script(failed))

    def _close(self) -> None:
        laws.check(self.cloud)
        for number, cloud, dumped in self._left:
            assert cloud.dump() == dumped, f"a fork has written to the cloud that it was made from, left at {number}"

    def _script(self, failed: Exception) -> str:
        what = f"{type(failed).__name__}: {failed}".partition("\n")[0]
        said = failed.explain() if isinstance(failed, laws.Broken) else what
        end = self._steps[-1]
        if isinstance(failed, ApiError | Dropped) and isinstance(end, ScriptCall) and end.refused:
            self._steps[-1] = replace(end, escapes=True)
        kept = shorten_script(self._steps, failed)
        title = f"{type(self).__name__}: {said}\n" + (OUTSIDE if kept is None else "")
        return f"\n# --- the same as a script\n{render_script(title, self._steps, kept)}"


def _final() -> bool:
    """Whether Hypothesis has shrunk the history, and runs it to tell it; or runs nothing here."""
    return not currently_in_test_context() or current_build_context().is_final
