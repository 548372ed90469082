"""Four doors of equal clouds under one machine: each step is taken on all, each call goes through another door of each.

The machine calls `Account.call` on its own cloud. The other three follow: a typed method of the account, the SDK in
process, and HTTP, a signed request to `cloud.serve()`. What else a step does is done to them by its line of Python.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any, ClassVar

import requests
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from support.sign import signed

import omisim
from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.engine.faults import Dropped
from omisim.model.serialize import snake_name, to_api
from omisim.testing.machine import CORE, CloudMachine
from omisim.testing.script import ScriptLine, bucket
from omisim.testing.strategies import requests as drawn_requests

__all__ = ["APART", "DETOURS", "DOORS", "NOTHING", "Disagreement", "Doors", "OtherDoors"]

Given = Mapping[str, Any]
Heard = dict[str, Any]  # what a client is told: a body; or a status, a code, a type, details and a rule; or nothing
NOTHING: Heard = {"dropped": True}
# what a door does not take, why, and how such a call is made instead
DETOURS: Mapping[str, Mapping[str, str]] = {
    "typed": {
        "DryRun": "a typed method either does it or not (`account.can`): Account.call",
        "ResultsPerPage": "a typed read answers all: Account.call",
        "NextPageToken": "a typed read answers all: Account.call",
        "Details of REQ-008 to REQ-010": "they name parameters as the caller spells them: not compared",
    },
    "sdk": {
        "DryRun": "the SDK knows no such parameter: gateway.raw",
        "unknown names, wrong types, missing ones": "the SDK refuses them itself, and so does the cloud: gateway.raw",
    },
    "http": {},
}
# what is not called: the doors differ in it on purpose
APART: Mapping[str, str] = {
    "DeleteAccessKey": "a signed request needs its key, a method does not",
    "ReadApiLogs": "it shows how each call came in",
    "UpdateAccessKey": "a signed request needs its key, a method does not",
}
OTHERS = sorted({*ACTIONS} - {*CORE, *APART})
SPELT = frozenset({"parameter", "parameters", "given"})  # facts that name parameters


class Disagreement(AssertionError):
    """Two doors have said, done or noted different things."""


# --- what is heard at a door


def refused(error: ApiError | Dropped) -> Heard:
    """Return what the caller of a method hears of a refusal."""
    if isinstance(error, Dropped):
        return NOTHING
    names = ("status", "code", "type", "details", "rule")
    return {name: getattr(error, name) for name in names}


def answered(body: Given) -> Heard:
    """Return what a client hears of an answer; each has a RequestId, of its own."""
    assert body["ResponseContext"]["RequestId"]
    return {"body": {name: value for name, value in body.items() if name != "ResponseContext"}}


def received(status: int, headers: Mapping[str, str], content: bytes) -> Heard:
    """Return what a client hears of an HTTP response."""
    body = json.loads(content)
    if status == requests.codes.ok:
        return answered(body)
    assert body["ResponseContext"]["RequestId"]
    (error,) = body["Errors"]
    said = {name.lower(): value for name, value in error.items()}
    return {"status": status, **said, "rule": headers["X-Omisim-Rule"]}


# --- the doors


class Called:
    """`account.call("ReadImages", Filters={…})`."""

    def __call__(self, account: Account, action: str, given: Given) -> Heard:
        """Make a call."""
        try:
            return answered(account.call(action, **given))
        except (ApiError, Dropped) as error:
            return refused(error)

    def close(self) -> None:
        """Do nothing."""


class Typed(Called):
    """`account.read_images(filters={…})`."""

    def __call__(self, account: Account, action: str, given: Given) -> Heard:
        """Make a call; its value is told as the API would tell it."""
        if not given.keys().isdisjoint(DETOURS["typed"]):
            return super().__call__(account, action, given)
        try:
            value = getattr(account, snake_name(action))(**_snaked(given))
        except (ApiError, Dropped) as error:
            heard = refused(error)
            if isinstance(error, ApiError) and SPELT & error.facts.keys():
                del heard["details"]
            return heard
        key = ACTIONS[action].answer
        return {"body": {} if key is None else {key: to_api(value)} if isinstance(key, str) else to_api(value)}


class Sdk(Called):
    """`account.gateway().ReadImages(Filters={…})`, without the SDK's own retries."""

    def __call__(self, account: Account, action: str, given: Given) -> Heard:
        """Make a call; one that the SDK refuses itself goes to the cloud all the same, which must refuse it too."""
        gateway = account.gateway()
        gateway.call.update_retry(max_retries=0)
        try:
            return self._heard(getattr(gateway, action), given)
        except NotImplementedError as error:  # what all the SDK's own refusals are
            heard = self._heard(lambda **given: gateway.raw(action, **given), given)
            if "body" in heard and "DryRun" not in given:
                raise Disagreement(f"{action}: the SDK refuses what the cloud lets pass: {error}") from error
            return heard
        finally:
            gateway.call.close()

    def _heard(self, send: Callable[..., Any], given: Given) -> Heard:
        try:
            return answered(send(**given))
        except requests.HTTPError as error:
            return received(error.response.status_code, error.response.headers, error.response.content)
        except requests.ConnectionError:
            return NOTHING


class Http(Called):
    """A signed request to `cloud.serve()`, over a socket."""

    def __init__(self) -> None:
        self._cloud: Cloud | None = None
        self._stack = ExitStack()

    def __call__(self, account: Account, action: str, given: Given) -> Heard:
        """Make a call."""
        cloud, region = account.cloud, account.region
        if cloud is not self._cloud:
            self.close()
            self._cloud = cloud
            self._address = self._stack.enter_context(cloud.serve()).url.partition("://")[2]
        request = signed(
            account,
            f"/api/v1/{action}",
            json.dumps(given).encode(),
            host=f"api.{region}.outscale.com",
            region=region,
            at=cloud.now,
        )
        connection = HTTPConnection(self._address)
        try:
            connection.request("POST", request.path, request.body, dict(request.headers))
            response = connection.getresponse()
            return received(response.status, dict(response.headers), response.read())
        except ConnectionError:
            return NOTHING
        finally:
            connection.close()

    def close(self) -> None:
        """Stop the server."""
        self._stack.close()


DOORS: Mapping[str, type[Called]] = {"typed": Typed, "sdk": Sdk, "http": Http}


def _snaked(value: Any) -> Any:
    """Return parameters by the names of a typed call, all the way down."""
    if isinstance(value, Mapping):
        return {snake_name(name): _snaked(item) for name, item in value.items()}
    return [_snaked(item) for item in value] if isinstance(value, list) else value


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


# --- the machine


class Follower:
    """A cloud that takes the steps of a machine, each call through one door."""

    def __init__(self, name: str) -> None:
        self.name, self.door = name, DOORS[name]()
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

    doors: ClassVar[tuple[str, ...]] = tuple(DOORS)

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
