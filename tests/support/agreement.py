"""One machine drives equal clouds: each step runs on all of them, and each call uses a different door per cloud.

The machine calls `Account.call` on its own cloud. The others are called by a typed method of the account, by the SDK in
process, by a signed HTTP request to `cloud.serve()`, and by boto3 through FCU. Other steps run there as their line of
Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from support.entrances import ENTRANCES, NO_ANSWER, Disagreement, Outcome, Parameters, describe_answer, describe_refusal
from support.fcu_entrance import Fcu

import omisim
from omisim import Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.testing.machine import CORE, CloudMachine
from omisim.testing.script import ScriptLine, bucket
from omisim.testing.strategies import requests as drawn_requests

__all__ = ["DOORS", "EXCLUDED", "Doors", "OtherDoors"]

DOORS = {**ENTRANCES, "fcu": Fcu}
# actions that are not called, because the doors differ on purpose
EXCLUDED: Mapping[str, str] = {
    "DeleteAccessKey": "a signed request needs its key, a method does not",
    "ReadApiLogs": "it shows how each call came in",
    "UpdateAccessKey": "a signed request needs its key, a method does not",
}
OTHERS = sorted({*ACTIONS} - {*CORE, *EXCLUDED})


def _find_differences(outcome: Any, expected_outcome: Any, path: str = "") -> Iterator[str]:
    """Yield the differences between two values, with their paths."""
    if isinstance(outcome, dict) and isinstance(expected_outcome, dict):
        for name in outcome | expected_outcome:
            yield from _find_differences(
                outcome.get(name), expected_outcome.get(name), f"{path}.{name}" if path else name
            )
    elif isinstance(outcome, list) and isinstance(expected_outcome, list) and len(outcome) == len(expected_outcome):
        for number, items in enumerate(zip(outcome, expected_outcome, strict=True)):
            yield from _find_differences(*items, f"{path}[{number}]")
    elif outcome != expected_outcome:
        yield f"{path}: {outcome!r}, not {expected_outcome!r}"


class Follower:
    """A cloud that repeats the steps of a machine, and makes each call through one door."""

    def __init__(self, name: str) -> None:
        self.name, self.door = name, DOORS[name]()
        self.names: dict[str, Any] = {"Cloud": omisim.Cloud, "bucket": bucket}

    @property
    def cloud(self) -> Cloud:
        """The current cloud; forks and loads replace it."""
        cloud: Cloud = self.names["cloud"]
        return cloud

    def run_line(self, text: str) -> None:
        """Run a line of the machine's script."""
        exec(text, self.names)  # the machine wrote the text

    def call(self, account: str, action: str, parameters: Parameters, expected: Outcome) -> None:
        """Make a call, whose outcome must be the expected one."""
        outcome = self.door(self.cloud.account(account), action, parameters)
        expected = self.door.reduce(outcome, expected)
        expected_outcome = {name: value for name, value in expected.items() if name in outcome or name != "details"}
        if outcome != expected_outcome:
            differences = "; ".join(_find_differences(outcome, expected_outcome))
            raise Disagreement(f"{self.name} differs from call: {differences}: {action} {parameters} by {account}")


class Doors(CloudMachine):
    """Each call of the machine is made through all doors, with equal outcomes and equal clouds afterwards."""

    doors: ClassVar[tuple[str, ...]] = tuple(DOORS)

    def __init__(self) -> None:
        super().__init__()
        self.followers = [Follower(name) for name in self.doors]
        self.followed_steps = 0  # steps

    def call(self, name: str, action: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Make a call through each door."""
        self._follow()
        answer = super().call(name, action, **parameters)
        ours = self.cloud.engine.session.calls[-1]
        expected = describe_answer(answer) if answer else describe_refusal(ours.error) if ours.error else NO_ANSWER
        for follower in self.followers:
            follower.call(name, action, parameters, expected)
            theirs = follower.cloud.engine.session.calls[-1]
            records = [_get_record(record, follower.door.keeps_parameters) for record in (theirs, ours)]
            if records[0] != records[1]:
                raise Disagreement(f"{follower.name} records {records[0]}, call records {records[1]}")
        self.followed_steps = len(self._steps)
        return answer

    @rule(data=st.data())
    def call_another(self, data: Any) -> None:
        """Call an action outside the OMI model: networks, keypairs, accounts, catalogues."""
        name = data.draw(st.sampled_from(list(self.accounts)), label="account")
        action = data.draw(st.sampled_from(OTHERS), label="action")
        self.call(name, action, **data.draw(drawn_requests(action, self.cloud, self.account(name)), label=action))

    def _follow(self) -> None:
        """Repeat the steps of the machine since its last call on all clouds."""
        for step in self._steps[self.followed_steps :]:
            assert isinstance(step, ScriptLine)
            for follower in self.followers:
                follower.run_line(step.text)
        self.followed_steps = len(self._steps)

    @invariant()
    def clouds_are_equal(self) -> None:
        """All clouds have the same resources, times and histories."""
        self._follow()
        for follower in self.followers:
            if follower.cloud != self.cloud:
                differences = "; ".join(map(str, follower.cloud.diff(self.cloud))) or "in its time or its history"
                raise Disagreement(f"the cloud behind {follower.name} differs: {differences}")

    def teardown(self) -> None:
        """End the history, and close the doors."""
        try:
            super().teardown()
        finally:
            for follower in self.followers:
                follower.door.close()


class OtherDoors(Doors):
    """The same, mostly with actions outside the OMI model."""

    actions = frozenset({"CreateVms", "DeleteVms"})


def _get_record(record: Any, keeps_parameters: bool) -> Any:
    """Return the parts of a recorded call that do not depend on the door."""
    rule, arguments = record.error.rule if record.error else "", record.arguments if keeps_parameters else None
    return record.action, record.account, record.at, arguments, record.status, rule, record.warnings, record.took
