"""The control plane under /_omisim/: what a Python test does with a cloud, for tests in other languages.

JSON in, JSON out, with a token of its own in `Authorization: Bearer` or `X-Omisim-Token`.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Event
from typing import Any
from urllib.parse import parse_qsl

from omisim.account import Account
from omisim.cloud import Cloud
from omisim.engine import Mark
from omisim.plain import to_plain
from omisim.state import Change
from omisim.wire.http import Request, Response

__all__ = ["Control"]

Answer = Any
PREFIX = "_omisim"
BEAT = 0.1  # seconds between two looks for new events


class Wrong(Exception):
    """The request cannot be served: an HTTP status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Control:
    """The endpoints, and the cloud that they act on."""

    def __init__(self, cloud: Cloud, token: str) -> None:
        self.cloud = cloud
        self.env: Callable[[Account], dict[str, str]] = lambda _: {}  # what the server says that clients need
        self.stopping = Event()
        self._token = token
        self._marks: dict[str, Mark] = {}
        self._endpoints: Mapping[tuple[str, str], Callable[[dict[str, Any]], Answer]] = {
            ("GET", "health"): self._health,
            ("GET", "openapi.json"): lambda _: describe(),
            ("POST", "reset"): lambda _: self.cloud.reset(),
            ("POST", "savepoint"): self._savepoint,
            ("POST", "rollback"): self._rollback,
            ("POST", "advance"): lambda given: self.cloud.advance(given["seconds"]),
            ("POST", "settle"): lambda _: self.cloud.settle(),
            ("POST", "complete"): lambda given: self.cloud.complete(given["id"]),
            ("POST", "fail"): lambda given: self.cloud.fail(given["id"], given.get("comment", "")),
            ("POST", "fail_next"): lambda given: self.cloud.fail_next(
                given["kind"], given.get("id"), given.get("comment", "")
            ),
            ("POST", "faults"): self._add_fault,
            ("GET", "faults"): lambda _: [str(fault) for fault in self.cloud.faults],
            ("DELETE", "faults"): lambda _: self.cloud.faults.clear(),
            ("GET", "dump"): lambda _: self.cloud.dump(),
            ("POST", "load"): self._load,
            ("GET", "timeline"): lambda given: [_change(change) for change in self.cloud.timeline(given["id"])],
            ("GET", "events"): lambda _: [_change(change) for change in self.cloud.events],
            ("GET", "calls"): self._calls,
            ("GET", "accounts"): lambda _: [self._account(name) for name in self._names()],
            ("POST", "accounts"): self._create_account,
            ("GET", "read"): lambda given: {"text": self.cloud.read(given["volume_id"], given["path"])},
            ("POST", "console"): lambda given: self.cloud.write_console(given["vm_id"], given["text"]),
            ("POST", "write"): lambda given: self.cloud.write(given["volume_id"], given["path"], given["text"]),
        }

    def handle(self, request: Request) -> Response | Iterator[bytes]:
        """Answer one request, or stream events."""
        name = request.path.strip("/").removeprefix(PREFIX).strip("/")
        try:
            endpoint = self._endpoint(request, name)
            given = _given(request)
            if name == "events" and "text/event-stream" in request.headers.get("accept", ""):
                return self._stream()
            answer = endpoint(given)
        except Wrong as wrong:
            return _json(wrong.status, {"error": str(wrong)})
        except KeyError as error:
            return _json(400, {"error": f"{error.args[0]} is missing"})
        except (ValueError, TypeError, FileNotFoundError) as error:
            return _json(400, {"error": str(error)})
        return _json(200, {} if answer is None else answer)

    def _endpoint(self, request: Request, name: str) -> Callable[[dict[str, Any]], Answer]:
        endpoint = self._endpoints.get((request.method, name))
        if endpoint is None:
            raise Wrong(404, f"there is no {request.method} /{PREFIX}/{name}; GET /{PREFIX}/openapi.json lists all")
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = request.headers.get("x-omisim-token", given)
        if name != "health" and not hmac.compare_digest(given.encode(), self._token.encode()):
            raise Wrong(401, "the control plane wants its token, in Authorization: Bearer or X-Omisim-Token")
        return endpoint

    # --- the longer ones

    def _health(self, _given: dict[str, Any]) -> Answer:
        return {"status": "ok", "now": self.cloud.now.isoformat(), "accounts": self._names()}

    def _savepoint(self, _given: dict[str, Any]) -> Answer:
        name = str(len(self._marks) + 1)
        self._marks[name] = self.cloud.mark()
        return {"mark": name}

    def _rollback(self, given: dict[str, Any]) -> None:
        mark = self._marks.get(str(given["mark"]))
        if mark is None:
            raise Wrong(400, f"{given['mark']!r} is no mark of POST /{PREFIX}/savepoint")
        self.cloud.rollback(mark)

    def _add_fault(self, given: dict[str, Any]) -> None:
        action = given.pop("action")
        self.cloud.faults.add(action, **given)

    def _load(self, given: dict[str, Any]) -> None:
        self.cloud = Cloud.load(given)
        self._marks.clear()

    def _calls(self, given: dict[str, Any]) -> Answer:
        return [
            {
                "action": call.action,
                "account": call.account,
                "parameters": call.parameters,
                "at": call.at.isoformat(),
                "request_id": call.request_id,
                "error": str(call.error) if call.error else None,
                "rule": call.error.rule if call.error else None,
                "dropped": call.dropped,
                "warnings": list(call.warnings),
            }
            for call in self.cloud.calls(given.get("action"))
        ]

    def _names(self) -> list[str]:
        owners = dict.fromkeys(key.account_id for key in self.cloud._state.rows("access_key").values())
        return [self.cloud._state.get("account", owner).name for owner in owners]

    def _create_account(self, given: dict[str, Any]) -> Answer:
        self.cloud.account(given.pop("name"), **given)
        return self._account(self._names()[-1])

    def _account(self, name: str) -> Answer:
        account: Account = self.cloud.account(name)
        shown = ("name", "account_id", "region", "access_key", "secret_key", "email", "password")
        return {**{attribute: getattr(account, attribute) for attribute in shown}, "env": self.env(account)}

    def _stream(self) -> Iterator[bytes]:
        """Yield each change as it happens, as server-sent events, until the server stops."""
        position = self.cloud._state.position
        yield b": omisim\n\n"
        while not self.stopping.is_set():
            for change in self.cloud.events:
                if change.seq >= position:
                    yield f"event: change\ndata: {json.dumps(_change(change))}\n\n".encode()
            position = self.cloud._state.position
            time.sleep(BEAT)


def _change(change: Change) -> dict[str, Any]:
    return {
        "seq": change.seq,
        "at": change.at.isoformat(),
        "kind": change.kind,
        "id": change.id,
        "before": to_plain(change.before),
        "after": to_plain(change.after),
        "cause": change.cause,
    }


def _given(request: Request) -> dict[str, Any]:
    if request.method == "GET" or not request.body:
        return dict(parse_qsl(request.query, keep_blank_values=True))
    try:
        given = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise Wrong(400, f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise Wrong(400, "the body is a JSON object")
    return given


def _json(status: int, answer: Answer) -> Response:
    return Response(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})


# endpoint → what it does, and its parameters: name → (type, required)
ENDPOINTS: Mapping[tuple[str, str], tuple[str, Mapping[str, tuple[str, bool]]]] = {
    ("GET", "health"): ("Whether the server is there; needs no token.", {}),
    ("GET", "openapi.json"): ("This description.", {}),
    ("POST", "reset"): ("Back to the cloud as it was made: no accounts, no calls.", {}),
    ("POST", "savepoint"): ("A mark to roll back to.", {}),
    ("POST", "rollback"): ("Undo everything since a mark.", {"mark": ("string", True)}),
    ("POST", "advance"): ("Move the clock.", {"seconds": ("number", True)}),
    ("POST", "settle"): ("Jump to the end of all that is under way.", {}),
    ("POST", "complete"): ("Take one step on a resource's success path.", {"id": ("string", True)}),
    ("POST", "fail"): ("Let a resource fail.", {"id": ("string", True), "comment": ("string", False)}),
    ("POST", "fail_next"): (
        "Let the next transition of a kind fail.",
        {"kind": ("string", True), "id": ("string", False), "comment": ("string", False)},
    ),
    ("POST", "faults"): (
        "Refuse the next calls of an action.",
        {
            "action": ("string", True),
            "times": ("integer", False),
            "status": ("integer", False),
            "error": ("string", False),
            "after_effect": ("boolean", False),
            "every": ("integer", False),
            "when": ("object", False),
            "probability": ("number", False),
            "drop": ("boolean", False),
            "delay": ("number", False),
        },
    ),
    ("GET", "faults"): ("The faults that are waiting.", {}),
    ("DELETE", "faults"): ("Call all faults off.", {}),
    ("GET", "dump"): ("The cloud as data.", {}),
    ("POST", "load"): ("Serve the cloud of a dump instead.", {}),
    ("GET", "timeline"): ("The changes of one resource.", {"id": ("string", True)}),
    ("GET", "events"): ("The changes so far; as server-sent events, those to come.", {}),
    ("GET", "calls"): ("The calls so far, or those of one action.", {"action": ("string", False)}),
    ("GET", "accounts"): ("The accounts, with their credentials.", {}),
    ("POST", "accounts"): (
        "Make an account.",
        {"name": ("string", True), "region": ("string", False), "alias": ("string", False)},
    ),
    ("GET", "read"): ("A file of a volume.", {"volume_id": ("string", True), "path": ("string", True)}),
    ("POST", "console"): (
        "Print on the console of a VM.",
        {"vm_id": ("string", True), "text": ("string", True)},
    ),
    ("POST", "write"): (
        "Write a file on a volume.",
        {"volume_id": ("string", True), "path": ("string", True), "text": ("string", True)},
    ),
}


def describe() -> dict[str, Any]:
    """Return the OpenAPI description of the control plane."""
    paths: dict[str, dict[str, Any]] = {}
    for (method, name), (says, parameters) in ENDPOINTS.items():
        operation: dict[str, Any] = {"summary": says, "responses": {"200": {"description": "JSON"}}}
        schemas = {parameter: {"type": kind} for parameter, (kind, _) in parameters.items()}
        required = [parameter for parameter, (_, needed) in parameters.items() if needed]
        if method == "GET":
            operation["parameters"] = [
                {"name": parameter, "in": "query", "required": parameter in required, "schema": schema}
                for parameter, schema in schemas.items()
            ]
        elif schemas:
            schema = {"type": "object", "properties": schemas, "required": required}
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
        if name != "health":
            operation["security"] = [{"token": []}]
        paths.setdefault(f"/{PREFIX}/{name}", {})[method.lower()] = operation
    return {
        "openapi": "3.0.3",
        "info": {"title": "omisim control plane", "version": "1"},
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }
