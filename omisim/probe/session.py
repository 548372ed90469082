"""A run from the first call to the report: connect, delete left-overs, run the experiments, clean up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from omisim.base.texts import pluralize
from omisim.probe.accounts import NOUNS, identify
from omisim.probe.connection import Answer, Unreachable
from omisim.probe.doors import Caller
from omisim.probe.experiments import Experiment
from omisim.probe.judge import CANNOT_TELL
from omisim.probe.ledger import TAG, find_leftovers
from omisim.probe.objects import Objects, find_old_buckets
from omisim.probe.report import Report
from omisim.probe.runner import Limits, Runner, Stopped

__all__ = ["Interrupted", "Session", "describe_rest"]

Progress = Callable[[int, int, str], None]


class Interrupted(Exception):
    """The user has asked the run to stop."""


@dataclass
class Session:
    """One run against an endpoint. `endpoints` has one per caller; `stop` is asked before each call."""

    endpoints: Mapping[str, Caller]
    report: Report
    sleep: Callable[[float], None]
    limits: Limits
    switches: Mapping[str, Any]
    bucket: str = ""
    stop: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        """Ask the endpoint who the callers are. Raises Stopped."""
        self._cleaning = False
        initial_values = identify({name: caller.api for name, caller in self.endpoints.items()}, self.report.run)
        initial_values |= {"bucket": self.bucket} if self.bucket else {}
        self.runner: Runner = Runner(
            self._send, frozenset(self.endpoints), initial_values, self.sleep, self.limits, self.switches
        )

    def run(
        self, experiments: Sequence[Experiment], rules: frozenset[str], progress: Progress, save: Callable[..., None]
    ) -> None:
        """Run the experiments that the report lacks, for these rules; save the report after each; clean up in any case.

        Raises Stopped if the endpoint cannot be used any more, and Interrupted.
        """
        report = self.report
        try:
            for number, experiment in enumerate(experiments):
                progress(number, len(experiments), experiment.name)
                if experiment.name in report.done:
                    continue
                findings = [one for one in self.runner.run(experiment) if rules.intersection(one.rules)]
                report.findings += findings
                if any(one.verdict != CANNOT_TELL for one in findings):
                    report.done.append(experiment.name)
                save(final=False)
            progress(len(experiments), len(experiments), "clean-up")
        finally:
            self._clean()
            save(final=True)

    def delete_leftovers(self, *, buckets: bool = False) -> None:
        """Delete what earlier runs have left behind, their buckets too if `buckets`, and note it."""
        leftovers = list(find_leftovers(self._send, self.endpoints))
        for run in dict.fromkeys(run for _, run, _ in leftovers):
            owners = {row_id: by for by, other, row_id in leftovers if other == run}
            ledger = self.runner.adopt(run, owners)
            existing = [row_id for row_id in owners if any(ledger.find(row_id))]  # or may exist
            left = ledger.clean(existing)
            self.report.left |= left
            if existing:
                self.report.notes.append(f"deleted {pluralize(len(existing) - len(left), 'left-over')} of run {run}")
        for by in self.endpoints if buckets else ():
            self._delete_buckets(by)

    def check_bucket(self) -> None:
        """Raise Stopped if the user's bucket cannot be listed: each experiment with it would seem to differ."""
        try:
            answer = self._send("alice", "GET", {"Path": f"/{self.bucket}", "Query": {"list-type": "2"}}, door="oos")
        except Unreachable:  # without object storage, the experiments say so
            return
        if not answer.accepted:
            raise Stopped(f"--bucket {self.bucket}: {answer}")

    def _delete_buckets(self, by: str) -> None:
        """Delete the buckets that earlier runs of an account have left behind, and note it."""
        send = partial(self._send, door="oos")
        for run, bucket in find_old_buckets(send, by):
            objects = Objects(send, run)
            objects.record(by, bucket)
            left = objects.clean()
            self.report.left |= left
            if not left:
                self.report.notes.append(f"the bucket {bucket} of an earlier run was deleted")

    def _clean(self) -> None:
        self._cleaning = True
        try:
            self.report.left |= self.runner.clean()
        except (Unreachable, Stopped) as error:
            reason = f"the clean-up failed: {error}"
            self.report.left |= dict.fromkeys(self.runner.ledger.owners, reason)
        self.report.created += self.runner.ledger.created
        self.report.calls += sum(endpoint.calls for endpoint in self.endpoints.values())
        self.report.notes += describe_rest(self.runner, self.report.left)

    def _send(
        self, by: str, action: str, given: Mapping[str, Any], options: Mapping[str, str] = {}, door: str = ""
    ) -> Answer:
        if self.stop() and not self._cleaning:
            raise Interrupted
        return self.endpoints[by].call(action, given, options, door)


def describe_rest(runner: Runner, left: Iterable[str]) -> Iterator[str]:
    """Yield what a run could not clean up, a line each: what may exist without a mark, and the resources left."""
    if runner.unanswered:
        calls = ", ".join(f"{action} of the {NOUNS[by]}" for action, by in runner.unanswered)
        yield f"no answer to {calls}: what these calls may have created has no mark"
    if rest := ", ".join(left):
        yield f"still there, with the tag {TAG}={runner.ledger.run}: {rest}"
