"""The control plane under /_omisim/: the methods of `Cloud` for tests in other languages.

Requests and answers are JSON. The token goes into `Authorization: Bearer` or `X-Omisim-Token`; a page of the server
exchanges it for a cookie (`access`). Answers hold no secrets, except those of endpoints that are for them: accounts,
and a dump with `secrets`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from omisim.base.foreign import parse_json
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.server.access import Access
from omisim.server.cloud_endpoints import CLOUD_ENDPOINTS, account_names, describe_cloud, without_nulls
from omisim.server.clouds import Clouds, HostedCloud
from omisim.server.console import CONSOLE, find_page
from omisim.server.endpoints import ENDPOINTS, PREFIX, Endpoint, describe
from omisim.server.http_error import HttpError
from omisim.server.streams import Streams
from omisim.state.journal_store import StoreError

__all__ = ["Control", "Shared"]

Answer = Any


@dataclass
class Shared:
    """What the control planes of all clouds of a server share.

    `env` returns the variables of an account's clients, for those that reach the server by a Host header.
    """

    access: Access
    clouds: Clouds
    streams: Streams = field(default_factory=Streams)
    env: Callable[[Account, str], dict[str, str]] = lambda _account, _host: {}


class Control:
    """The endpoints for one cloud."""

    def __init__(self, hosted: HostedCloud, shared: Shared) -> None:
        self.cloud: Cloud = hosted.cloud
        self._hosted = hosted
        self._shared = shared
        self._host = ""  # of the request
        self.endpoints: Mapping[tuple[str, str], Callable[[dict[str, Any]], Answer]] = {
            ("GET", "openapi.json"): lambda _: describe(),
            ("GET", "clouds"): self._list_clouds,
            ("POST", "clouds"): self._create_cloud,
            ("DELETE", "clouds"): self._remove_cloud,
            ("POST", "reset"): self._reset,
            ("POST", "savepoint"): self._savepoint,
            ("DELETE", "savepoint"): lambda _: hosted.marks.clear(),
            ("POST", "rollback"): self._rollback,
            ("POST", "load"): self._load,
            ("GET", "accounts"): lambda _: self._list_accounts(self.cloud),
            ("POST", "accounts"): self._create_account,
        } | {key: partial(run, self.cloud) for key, run in {**CLOUD_ENDPOINTS, **CONSOLE}.items()}

    def handle(self, request: HttpRequest, problem: HttpError | None = None) -> HttpResponse | Generator[bytes]:
        """Answer one request, or stream events. With a `problem`, answer it to a client that has the token."""
        self._host = request.host
        try:
            answer = self._answer(request, request.path.strip("/").removeprefix(PREFIX).strip("/"), problem)
        except HttpError as error:
            return _json(error.status, {"error": str(error)}, error.headers)
        except (ValueError, TypeError, ArithmeticError, FileNotFoundError) as error:
            return _json(400, {"error": str(error)})
        except StoreError as error:
            return _json(503, {"error": f"nothing has changed, because it could not be kept: {error}"})
        return answer if isinstance(answer, HttpResponse | Generator) else _json(200, {} if answer is None else answer)

    def _answer(self, request: HttpRequest, name: str, problem: HttpError | None) -> Answer:
        """Return the answer of an endpoint: JSON data, or a whole response."""
        if name == "health" and request.method in ("GET", "HEAD") and not self._shared.access.has_token(request):
            return {"status": "ok"}
        self._shared.access.check_site(request)
        if (page := find_page(request, name)) is not None:
            return page
        self._shared.access.check_token(request)
        if problem is not None:
            raise problem
        if name == "session":
            return self._answer_session(request)
        method = self._get_method(request, name)
        parameters = _parse_parameters(request, ENDPOINTS[method, name])
        accepts_events = request.method == "GET" and "text/event-stream" in request.headers.get("accept", "")
        if name in ("events", "view") and accepts_events:
            streams = self._shared.streams
            return streams.open_changes(self.cloud) if name == "events" else streams.open_view(self.cloud)
        is_unit = method != "GET" and name != "clouds" and (method, name) not in CONSOLE  # a call is one by itself
        with self.cloud.engine.atomic() if is_unit else nullcontext():  # all that it does is kept, or nothing
            return self.endpoints[method, name](parameters)

    def _get_method(self, request: HttpRequest, name: str) -> str:
        """Return the requested method. Raises HttpError for an unknown path or method."""
        method = "GET" if request.method == "HEAD" else request.method
        methods = [method_name for method_name, other in self.endpoints if other == name]
        if not methods:
            raise HttpError(404, f"there is no /{PREFIX}/{name}; GET /{PREFIX}/openapi.json lists all")
        if method not in methods:
            raise HttpError(405, f"/{PREFIX}/{name} takes {' and '.join(methods)}", {"Allow": ", ".join(methods)})
        return method

    def _answer_session(self, request: HttpRequest) -> HttpResponse:
        """Begin or end the session of a page of this server."""
        access = self._shared.access
        changes = {"POST": access.open_session, "DELETE": access.close_session}
        if request.method not in changes:
            raise HttpError(405, f"/{PREFIX}/session takes POST and DELETE", {"Allow": "POST, DELETE"})
        return _json(200, {}, {"Set-Cookie": changes[request.method](request)})

    # --- endpoints of the server

    def _list_clouds(self, _parameters: dict[str, Any]) -> Answer:
        return [{"name": hosted.name} | describe_cloud(hosted.cloud) for hosted in self._shared.clouds]

    def _create_cloud(self, parameters: dict[str, Any]) -> Answer:
        hosted = self._shared.clouds.create(self.cloud, **without_nulls(parameters))
        return {"name": hosted.name, "accounts": self._list_accounts(hosted.cloud)}

    def _remove_cloud(self, parameters: dict[str, Any]) -> None:
        self._shared.streams.end(self._shared.clouds.remove(parameters["name"]).cloud)

    def _reset(self, _parameters: dict[str, Any]) -> None:
        if self._hosted.fresh is None:
            self.cloud.reset()
        else:
            self.cloud.become(self._hosted.fresh())
        self._hosted.marks.clear()

    def _savepoint(self, _parameters: dict[str, Any]) -> Answer:
        name = str(len(self._hosted.marks) + 1)
        self._hosted.marks[name] = self.cloud.mark()
        return {"mark": name}

    def _rollback(self, parameters: dict[str, Any]) -> None:
        mark = self._hosted.marks.get(parameters["mark"])
        if mark is None:
            raise HttpError(400, f"unknown mark {parameters['mark']!r}: POST /{PREFIX}/savepoint creates one")
        self.cloud.rollback(mark)

    def _load(self, parameters: dict[str, Any]) -> None:
        loaded = Cloud.load(parameters)
        # which may be what lets other machines in
        loaded.engine.change_settings(auth=self.cloud.engine.settings.auth)
        self.cloud.become(loaded)
        self._hosted.marks.clear()

    def _list_accounts(self, cloud: Cloud) -> Answer:
        with cloud.engine.lock:  # `account` would create again what a reset removes meanwhile
            return [self._describe_account(cloud.account(name)) for name in account_names(cloud)]

    def _create_account(self, parameters: dict[str, Any]) -> Answer:
        return self._describe_account(self.cloud.account(**without_nulls(parameters)))

    def _describe_account(self, account: Account) -> Answer:
        attributes = ("name", "account_id", "region", "access_key", "secret_key", "email", "password")
        env = self._shared.env(account, self._host)
        return {attribute: getattr(account, attribute) for attribute in attributes} | {"env": env}


def _parse_parameters(request: HttpRequest, endpoint: Endpoint) -> dict[str, Any]:
    if request.method in ("GET", "HEAD") or not request.body:
        parameters: dict[str, Any] = dict(parse_qsl(request.query, keep_blank_values=True))
        for name, kind in (endpoint.parameters or {}).items():
            if kind == "boolean?" and parameters.get(name) in ("true", "false"):
                parameters[name] = parameters[name] == "true"
    else:
        try:
            body = parse_json(request.body)
        except ValueError as error:
            raise HttpError(400, f"the body must be JSON: {error}") from None
        if not isinstance(body, dict):
            raise HttpError(400, "the body must be a JSON object")
        parameters = body
    if error_text := endpoint.find_error(parameters):
        raise HttpError(400, error_text)
    return parameters


def _json(status: int, answer: Answer, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(status, json.dumps(answer).encode(), {"Content-Type": "application/json", **(headers or {})})
