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
from typing import Any, ClassVar

import requests
from support.sign import sign_request

from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.engine.faults import Dropped
from omisim.model.serialize import snake_name, to_api

__all__ = [
    "DETOURS",
    "ENTRANCES",
    "NO_ANSWER",
    "Disagreement",
    "Entrance",
    "Outcome",
    "Parameters",
    "describe_answer",
    "describe_refusal",
]

Parameters = Mapping[str, Any]
Outcome = dict[str, Any]  # a body; or status, code, type, details and rule; or NO_ANSWER
NO_ANSWER: Outcome = {"dropped": True}
# calls that an entrance cannot make, with the reason and the entrance that is used instead
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


class Disagreement(AssertionError):
    """Two doors gave different answers, made different changes or recorded different calls."""


# --- outcomes


def describe_refusal(error: ApiError | Dropped) -> Outcome:
    """Return the outcome of an exception."""
    if isinstance(error, Dropped):
        return NO_ANSWER
    names = ("status", "code", "type", "details", "rule")
    return {name: getattr(error, name) for name in names}


def describe_answer(body: Parameters) -> Outcome:
    """Return the outcome of an answer, without its RequestId, which differs for each call."""
    assert body["ResponseContext"]["RequestId"]
    return {"body": {name: value for name, value in body.items() if name != "ResponseContext"}}


def parse_response(status: int, headers: Mapping[str, str], content: bytes) -> Outcome:
    """Return the outcome of an HTTP response."""
    body = json.loads(content)
    if status == requests.codes.ok:
        return describe_answer(body)
    assert body["ResponseContext"]["RequestId"]
    (error,) = body["Errors"]
    members = {name.lower(): value for name, value in error.items()}
    return {"status": status, **members, "rule": headers["X-Omisim-Rule"]}


# --- the entrances


class Entrance:
    """`account.call("ReadImages", Filters={…})`."""

    keeps_parameters: ClassVar[bool] = True  # whether the call log has the parameters as they are given

    def __call__(self, account: Account, action: str, parameters: Parameters) -> Outcome:
        """Make a call."""
        try:
            return describe_answer(account.call(action, **parameters))
        except (ApiError, Dropped) as error:
            return describe_refusal(error)

    def reduce(self, _outcome: Outcome, expected: Outcome) -> Outcome:
        """Return the part of an expected outcome that an outcome of this entrance can be compared with: all of it."""
        return expected

    def answer(self, account: Account, action: str, /, **parameters: Any) -> dict[str, Any]:
        """Make a call that must succeed, and return its answer without the ResponseContext."""
        outcome = self(account, action, parameters)
        assert "body" in outcome, f"{action} is refused: {outcome}"
        body: dict[str, Any] = outcome["body"]
        return body

    def refusal(self, account: Account, action: str, /, **parameters: Any) -> tuple[int, str, str]:
        """Make a call that must be refused and change nothing. Return its status, code and rule."""
        before = account.cloud.fork()
        outcome = self(account, action, parameters)
        assert "code" in outcome, f"{action} is not refused: {outcome}"
        assert account.cloud == before, f"{action} is refused, and has changed the cloud"
        return outcome["status"], outcome["code"], outcome["rule"]

    def close(self) -> None:
        """Do nothing."""


class Typed(Entrance):
    """`account.read_images(filters={…})`."""

    def __call__(self, account: Account, action: str, parameters: Parameters) -> Outcome:
        """Make a call, and convert its value to the form of the API."""
        if not parameters.keys().isdisjoint(DETOURS["typed"]):
            return super().__call__(account, action, parameters)
        try:
            value = getattr(account, snake_name(action))(**_snake_names(parameters))
        except (ApiError, Dropped) as error:
            outcome = describe_refusal(error)
            outcome.pop("details", None)  # its names are spelled as in Python
            return outcome
        key = ACTIONS[action].answer
        return {"body": {} if key is None else {key: to_api(value)} if isinstance(key, str) else to_api(value)}


class Sdk(Entrance):
    """`account.gateway().ReadImages(Filters={…})`, without the SDK's own retries."""

    def __call__(self, account: Account, action: str, parameters: Parameters) -> Outcome:
        """Make a call. If the SDK itself refuses it, send it raw: the cloud must refuse it, too."""
        gateway = account.gateway()
        gateway.call.update_retry(max_retries=0)
        try:
            return self._send(getattr(gateway, action), parameters)
        except NotImplementedError as error:  # how the SDK raises its own refusals
            outcome = self._send(lambda **parameters: gateway.raw(action, **parameters), parameters)
            has_empty = any(
                empty in repr(parameters) for empty in ("{}", "[]", "''")
            )  # absent for the cloud, of any type
            if "body" in outcome and "DryRun" not in parameters and not has_empty:
                raise Disagreement(f"{action}: the SDK refuses a call that the cloud accepts: {error}") from error
            return outcome
        finally:
            gateway.call.close()

    def _send(self, send: Callable[..., Any], parameters: Parameters) -> Outcome:
        try:
            return describe_answer(send(**parameters))
        except requests.HTTPError as error:
            return parse_response(error.response.status_code, error.response.headers, error.response.content)
        except requests.ConnectionError:
            return NO_ANSWER


class Http(Entrance):
    """A signed request to `cloud.serve()`, over a socket."""

    def __init__(self) -> None:
        self._cloud: Cloud | None = None
        self._stack = ExitStack()

    def __call__(self, account: Account, action: str, parameters: Parameters) -> Outcome:
        """Make a call."""
        cloud, region = account.cloud, account.region
        if cloud is not self._cloud:
            self.close()
            self._cloud = cloud
            self._address = self._stack.enter_context(cloud.serve()).url.partition("://")[2]
        request = sign_request(
            account,
            f"/api/v1/{action}",
            json.dumps(parameters).encode(),
            host=f"api.{region}.outscale.com",
            region=region,
            at=cloud.now,
        )
        connection = HTTPConnection(self._address)
        try:
            connection.request("POST", request.path, request.body, dict(request.headers))
            response = connection.getresponse()
            return parse_response(response.status, dict(response.headers), response.read())
        except ConnectionError:
            return NO_ANSWER
        finally:
            connection.close()

    def close(self) -> None:
        """Stop the server."""
        self._stack.close()


ENTRANCES: Mapping[str, type[Entrance]] = {"typed": Typed, "sdk": Sdk, "http": Http}


def _snake_names(value: Any) -> Any:
    """Return parameters with snake_case names, at any depth."""
    if isinstance(value, Mapping):
        return {snake_name(name): _snake_names(item) for name, item in value.items()}
    return [_snake_names(item) for item in value] if isinstance(value, list) else value
