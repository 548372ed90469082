"""Four doors of equal clouds under one machine: each step is taken on all, each call goes through another door of each.

The machine calls `Account.call` on its own cloud. The other three follow: a typed method of the account, the SDK in
process, and HTTP, a signed request to `cloud.serve()`. What else a step does is done to them by its line of Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from support.entrances import ENTRANCES, NOTHING, Disagreement, Given, Heard, answered, refused

import omisim
from omisim import Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.testing.machine import CORE, CloudMachine
from omisim.testing.script import ScriptLine, bucket
from omisim.testing.strategies import requests as drawn_requests

__all__ = ["APART", "Doors", "OtherDoors"]

# what is not called: the doors differ in it on purpose
APART: Mapping[str, str] = {
    "DeleteAccessKey": "a signed request needs its key, a method does not",
    "ReadApiLogs": "it shows how each call came in",
    "UpdateAccessKey": "a signed request needs its key, a method does not",
}
OTHERS = sorted({*ACTIONS} - {*CORE, *APART})


def _apart(heard: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """Yield where two values differ."""
    if isinstance(heard, dict) and isinstance(wanted, dict):
        for name in heard | wanted:
            yield from _apart(heard.get(name), wanted.get(name), f"{path}.{name}" if path else name)
    elif isinstance(heard, list) and isinstance(wanted, list) and len(heard) == len(wanted):
        for number, items in enumerate(zip(heard, wanted, strict=True)):
            yield from _apart(*items, f"{path}[{number}]")
    elif heard != wanted:
        yield f"{path}: {heard!r}, not {wanted!r}"


class Follower:
    """A cloud that takes the steps of a machine, each call through one door."""

    def __init__(self, name: str) -> None:
        self.name, self.door = name, ENTRANCES[name]()
        self.names: dict[str, Any] = {"Cloud": omisim.Cloud, "bucket": bucket}

    @property
    def cloud(self) -> Cloud:
        """The cloud, which forks and loads replace."""
        cloud: Cloud = self.names["cloud"]
        return cloud

    def do(self, text: str) -> None:
        """Do what a line of the machine's script does."""
        exec(text, self.names)  # the machine has written it

    def call(self, account: str, action: str, given: Given, expected: Heard) -> None:
        """Make a call; it must be told what the others are."""
        heard = self.door(self.cloud.account(account), action, given)
        wanted = {name: value for name, value in expected.items() if name in heard or name != "details"}
        if heard != wanted:
            found = "; ".join(_apart(heard, wanted))
            raise Disagreement(f"{self.name} is told otherwise than call: {found}: {action} {given} by {account}")


class Doors(CloudMachine):
    """Each call of the machine is made through four doors; each is told the same, and nothing differs afterwards."""

    doors: ClassVar[tuple[str, ...]] = tuple(ENTRANCES)

    def __init__(self) -> None:
        super().__init__()
        self.followers = [Follower(name) for name in self.doors]
        self.followed = 0  # steps

    def call(self, name: str, action: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Make a call through each door."""
        self._follow()
        answer = super().call(name, action, **parameters)
        ours = self.cloud.engine.session.calls[-1]
        expected = answered(answer) if answer else refused(ours.error) if ours.error else NOTHING
        for follower in self.followers:
            follower.call(name, action, parameters, expected)
            theirs = follower.cloud.engine.session.calls[-1]
            if _noted(theirs) != _noted(ours):
                raise Disagreement(f"{follower.name} notes {_noted(theirs)}, call notes {_noted(ours)}")
        self.followed = len(self._steps)
        return answer

    @rule(data=st.data())
    def call_another(self, data: Any) -> None:
        """Call an action that is not of the OMI model: networks, keypairs, accounts, catalogues."""
        name = data.draw(st.sampled_from(list(self.accounts)), label="account")
        action = data.draw(st.sampled_from(OTHERS), label="action")
        self.call(name, action, **data.draw(drawn_requests(action, self.cloud, self.account(name)), label=action))

    def _follow(self) -> None:
        """Let all clouds do what the machine has done to its own since the last call."""
        for step in self._steps[self.followed :]:
            assert isinstance(step, ScriptLine)
            for follower in self.followers:
                follower.do(step.text)
        self.followed = len(self._steps)

    @invariant()
    def all_clouds_are_equal(self) -> None:
        """What there is, when it is, and how it came about."""
        self._follow()
        for follower in self.followers:
            if follower.cloud != self.cloud:
                differs = "; ".join(map(str, follower.cloud.diff(self.cloud))) or "in its time or its history"
                raise Disagreement(f"the cloud behind {follower.name} differs: {differs}")

    def teardown(self) -> None:
        """End the history, and stop what was started for it."""
        try:
            super().teardown()
        finally:
            for follower in self.followers:
                follower.door.close()


class OtherDoors(Doors):
    """The same, mostly with actions that are not of the OMI model."""

    actions = frozenset({"CreateVms", "DeleteVms"})


def _noted(record: Any) -> Any:
    """Return what a cloud notes of a call, whatever the door."""
    rule = record.error.rule if record.error else ""
    return record.action, record.account, record.at, record.given, record.status, rule, record.warnings, record.took
