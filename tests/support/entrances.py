"""The entrances of a cloud: the same call by a typed method, by the SDK in process, and as a signed HTTP request.

A test with the fixture `entrance` runs once for each of them:

    def test_sorts_routes(entrance: Entrance, timed: Cloud) -> None:
        alice = timed.account("alice")
        net = entrance.answer(alice, "CreateNet", IpRange="10.0.0.0/16")["Net"]
        assert entrance.refusal(alice, "DeleteNet", NetId="vpc-00000000") == (400, "5065", "NET-002")

`timed` is a cloud in eager timing, then one in clock timing; `timed.settle()` ends what is in progress in both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any

import requests
from support.sign import signed

from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.engine.faults import Dropped
from omisim.model.serialize import snake_name, to_api

__all__ = ["DETOURS", "ENTRANCES", "NOTHING", "Disagreement", "Entrance", "Given", "Heard", "answered", "refused"]

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


# --- the entrances


class Entrance:
    """`account.call("ReadImages", Filters={…})`."""

    def __call__(self, account: Account, action: str, given: Given) -> Heard:
        """Make a call."""
        try:
            return answered(account.call(action, **given))
        except (ApiError, Dropped) as error:
            return refused(error)

    def answer(self, account: Account, action: str, /, **given: Any) -> dict[str, Any]:
        """Make a call that must succeed, and return its answer without the ResponseContext."""
        heard = self(account, action, given)
        assert "body" in heard, f"{action} is refused: {heard}"
        body: dict[str, Any] = heard["body"]
        return body

    def refusal(self, account: Account, action: str, /, **given: Any) -> tuple[int, str, str]:
        """Make a call that must be refused and change nothing. Return its status, code and rule."""
        before = account.cloud.fork()
        heard = self(account, action, given)
        assert "code" in heard, f"{action} is not refused: {heard}"
        assert account.cloud == before, f"{action} is refused, and has changed the cloud"
        return heard["status"], heard["code"], heard["rule"]

    def close(self) -> None:
        """Do nothing."""


class Typed(Entrance):
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


class Sdk(Entrance):
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


class Http(Entrance):
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


ENTRANCES: Mapping[str, type[Entrance]] = {"typed": Typed, "sdk": Sdk, "http": Http}


def _snaked(value: Any) -> Any:
    """Return parameters by the names of a typed call, all the way down."""
    if isinstance(value, Mapping):
        return {snake_name(name): _snaked(item) for name, item in value.items()}
    return [_snaked(item) for item in value] if isinstance(value, list) else value
