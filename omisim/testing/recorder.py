"""`Recorder`: operations on a cloud, recorded as the steps of a script and checked against the laws."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from omisim.actions.fcu_only import is_fcu_only
from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.base.suggest import describe_unknown, suggest_action
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.engine.faults import Dropped
from omisim.spec.catalog import QuotaName
from omisim.spec.errors import ApiError
from omisim.spec.lifecycle import LIFECYCLES
from omisim.state.settings import Timing
from omisim.testing import laws
from omisim.testing.script import ScriptCall, ScriptLine, bucket

if TYPE_CHECKING:
    from omisim.state.switch_types import Switches

__all__ = ["Recorder"]

R = TypeVar("R")


class Recorder:
    """Records each operation on a cloud as a step and checks the laws after it.

    Attributes: `cloud`, and `account(name)`.
    """

    def start_cloud(
        self,
        timing: Timing,
        accounts: Mapping[str, str],
        *,
        switches: Switches | None = None,
        quotas: Mapping[str, Mapping[QuotaName, int]] | None = None,
        scenario: str = "",
        buckets: bool = True,
    ) -> None:
        """Create a cloud, empty or of a scenario, with these accounts, each with a bucket of its name."""
        settings: dict[str, Any] = {"timing": timing} | ({"switches": dict(switches)} if switches else {})
        arguments = [f"{name}={value!r}" for name, value in settings.items()]
        maker = f"Cloud.from_scenario({', '.join([repr(scenario), *arguments])})"
        text = maker if scenario else f"Cloud({', '.join(arguments)})"
        self._steps: list[ScriptCall | ScriptLine] = [ScriptLine(f"cloud = {text}")]
        self._forked: list[tuple[int, Cloud, dict[str, Any]]] = []  # step, cloud that was forked there, and its dump
        self.cloud: Cloud = Cloud.from_scenario(scenario, **settings) if scenario else Cloud(**settings)
        self._mark_recorded()
        for name, region in accounts.items():
            limits = dict((quotas or {}).get(name) or {})
            quotas_argument = f", quotas={limits!r}" if limits else ""
            self._record(f"cloud.account({name!r}, region={region!r}{quotas_argument})", account=name)
            account = self.cloud.account(name, region=region, quotas=limits or None)
            if buckets:
                self._record(f"bucket(cloud.account({name!r}), {name!r})", account=name)
                bucket(account, name)

    def account(self, name: str) -> Account:
        """Return an account of the cloud by its name. Raises ValueError, with a suggestion, for an unknown name."""
        if name not in self.cloud.accounts:
            raise ValueError(describe_unknown("account", name, self.cloud.accounts))
        return self.cloud.account(name)

    def call(self, name: str, action: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Make a call and check the laws. Returns the answer, or None for a refused call or a dropped connection.

        Parameters have the API's names. Raises `laws.Broken`, and ValueError for an action that does not exist.
        """
        return self._call(laws.call, name, action, parameters)

    def call_unchecked(self, name: str, action: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Make a call without checking the laws, which takes a third of the time."""
        return self._call(Account.call, name, action, parameters)

    def _call(
        self, function: Callable[..., dict[str, Any]], name: str, action: str, parameters: dict[str, Any]
    ) -> dict[str, Any] | None:
        if action not in ACTIONS and action not in not_served():  # its refusal would look like any other
            raise ValueError(f"unknown action {action!r}{suggest_action(action, [*ACTIONS, *not_served()])}")
        self._record_calls()
        account, number = self.account(name), self._count_ids()
        self._steps.append(ScriptCall(name, action, parameters, "", number))
        try:
            answer = function(account, action, **parameters)
        except (ApiError, Dropped) as refusal:
            self._steps[-1] = ScriptCall(name, action, parameters, str(refusal).partition(": ")[0], number)
            answer = None
        finally:
            self._mark_recorded()
        return answer

    def do(self, text: str, operation: Callable[[], R]) -> R:
        """Run any other operation on the cloud, record it for the script, and check the laws.

        `text` is the same operation as Python code on the variable `cloud`. It is executed repeatedly to find the steps
        that a failure needs. Returns the result of `operation`. Raises `laws.Broken`, and what `operation` raises.
        """
        self._record(text)
        mark = self.cloud.mark()
        try:
            result = operation()
        finally:
            self._mark_recorded()  # the text covers the calls of the operation
        is_undone = mark not in self.cloud.engine.marks  # by a rollback of the operation to an earlier mark
        laws.check(self.cloud, since=None if is_undone else mark)
        return result

    def comment(self, text: str) -> None:
        """Add a comment to the script."""
        self._record("\n".join(f"# {line}" for line in text.splitlines()))

    def render(self) -> str:
        """Return the steps so far as lines of Python."""
        self._record_calls()
        return "\n".join(line for step in self._steps for line in step.render_lines(last=False))

    def _record_calls(self) -> None:
        """Record the calls that rules of a subclass have made directly, through any door, and the waits between."""
        new = self.cloud.engine.session.call_position - self._recorded_calls
        for record in self.cloud.engine.session.calls[-new:] if new else ():
            self._record_wait(record.at)
            self._recorded_time = record.at + dt.timedelta(microseconds=record.took)
            if record.api == "oos" or (record.api == "fcu" and is_fcu_only(record.action, record.arguments)):
                service = {"fcu": "FCU", "oos": "object storage"}[record.api]
                call = f"{record.account}: {record.action} of {service} with {record.parameters!r}"
                text = f"# {call}: no call of the API repeats it"
                self._steps.append(ScriptLine(text, id_count=self._count_ids()))
                continue
            error = str(record.error).partition(": ")[0] if record.error else "Dropped" if record.dropped else ""
            parameters = record.unredacted_parameters  # with the signature of a URL, which the script uses
            self._steps.append(ScriptCall(record.account, record.action, parameters, error, self._count_ids()))
        self._record_wait(self.cloud.engine.clock.now())
        self._mark_recorded()

    def _record_wait(self, until: dt.datetime) -> None:
        """Record that the clock has moved, apart from the millisecond by which a call moves it."""
        seconds = round((until - self._recorded_time).total_seconds(), 2)
        if seconds > 0:
            self._steps.append(ScriptLine(f"cloud.advance({seconds:g})", id_count=self._count_ids()))

    def _mark_recorded(self) -> None:
        """Note that the steps cover the call log and the clock so far."""
        self._recorded_calls = self.cloud.engine.session.call_position
        self._recorded_time = self.cloud.engine.clock.now()

    def _record(self, text: str, end: str = "", account: str = "") -> None:
        """Record an operation as a line of Python, and a line to run at the end of the script."""
        self._record_calls()
        self._steps.append(ScriptLine(text, end, self._count_ids(), account))

    def _count_ids(self) -> int:
        """Return the number of ids that the cloud has generated."""
        return self.cloud.engine.state.get("counter", "ids") or 0

    def finish(self) -> None:
        """Complete all in-progress resources, in any timing."""
        self.do("cloud.settle()", self.cloud.settle)
        while in_progress := [row_id for ids in self._list_in_progress().values() for row_id in ids]:  # timing "manual"
            self.do(f"cloud.complete({in_progress[0]!r})", partial(self.cloud.complete, in_progress[0]))

    def _list_in_progress(self, *, can_fail: bool = False) -> dict[str, list[str]]:
        """Return the ids of in-progress resources by kind, optionally only of those that can fail now."""
        rows = (
            (due, self.cloud.engine.state.get(due.kind, due.id)) for due in self.cloud.engine.state.rows("due").values()
        )
        moves = ((due, LIFECYCLES[due.kind].moves[row.state]) for due, row in rows if not due.timer)
        ids_by_kind: dict[str, list[str]] = {}
        for due, events in moves:
            if not can_fail or "fail" in events:
                ids_by_kind.setdefault(due.kind, []).append(due.id)
        return ids_by_kind
