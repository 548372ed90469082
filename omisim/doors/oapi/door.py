"""The OAPI door: answer an HTTP request of the OUTSCALE API, without I/O.

The order of the checks is (REQ-014): the caller, the action, the method, the content type, the JSON; then the call.
The Region comes from the host name or the path. If neither names one, it is the Region of the access key.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from omisim.actions.framework.request import Dialect, Request, copy_arguments
from omisim.base.foreign import make_json_decoder, parse_json
from omisim.base.hosts import parse_host
from omisim.doors.http import MAX_CACHED, MAX_PARSED, HttpRequest, HttpResponse
from omisim.doors.identity import identify_caller
from omisim.doors.oapi.render import render_body, render_bytes, render_refusal
from omisim.engine.calls import MakeCall, check_action, note_refused, refuse_unsaved, run_call, run_request
from omisim.engine.engine import Engine
from omisim.engine.faults import Dropped, Killed, raise_failure
from omisim.model.serialize import api_name, mark_name, snake_name, to_snake_names
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse
from omisim.state.journal_store import StoreError

__all__ = ["OAPI", "OapiDoor", "call", "make_request"]

OAPI = Dialect(spell=api_name)
CACHED_REQUESTS = 256
MAX_NAMES = 256  # of an object that are converted; one with more has unknown names, and is refused for the first
_PATH = re.compile(
    r"/+(?:(?P<region>[a-z]+(?:-[a-z0-9]+)+)/+)?(?:(?:api|oapi)/+(?:v1(?:\.\d+)*|latest)/+)?(?P<action>[^/]+)/*"
)
_OPTIONS_HEADERS = {"Access-Control-Allow-Methods": "GET, OPTIONS, POST", "Access-Control-Max-Age": "86400"}
_JSON_TYPES = frozenset({"application/json", "application/x-amz-json-1.1", "application/x-amz-json-1.0"})
_HEADERS = {"Content-Type": "application/json"}
_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
_OPEN_HEADERS = _HEADERS | _ANY_ORIGIN


class OapiDoor:
    """The OUTSCALE API of one cloud.

    A polling client sends the same bytes repeatedly, so each door caches its latest parsed requests by their bytes.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._parse_cached = lru_cache(maxsize=CACHED_REQUESTS)(_parse_body)

    def handle(self, request: HttpRequest, host_time: dt.datetime) -> HttpResponse:
        """Answer one HTTP request.

        `host_time` is the host's UTC time: a signature may be dated by it or by the cloud's clock (AUTH-007).
        Raises Dropped when a fault drops the connection.
        """
        if request.method == "OPTIONS":
            name, _ = _route(request.host, request.path)
            return HttpResponse(204, headers=_OPTIONS_HEADERS | (_ANY_ORIGIN if _is_open_to_pages(name) else {}))
        try:
            return raise_failure(run_request(self.engine, self._answer, request, host_time))
        except StoreError as error:
            action = _route(request.host, request.path)[0]
            return _render_refusal(refuse_unsaved(self.engine, error, action, headers=request.headers))

    def _answer(self, request: HttpRequest, host_time: dt.datetime, call: MakeCall) -> HttpResponse | Dropped | Killed:
        """Answer one request, or return the exception that ends its connection."""
        engine = self.engine
        name, region = _route(request.host, request.path)
        size = request.head_size + len(request.body)
        account_id: str | None = None
        try:
            account_id, region = identify_caller(engine, request, name, region, host_time)
            check_action(engine, name)
            if request.method != "POST":
                raise refuse("REQ-002", action=f"{request.method} {request.path}", hint=" Call it with POST.")
            _check_content_type(request)
            parse = self._parse_cached if len(request.body) <= MAX_CACHED else _parse_body
            answer = call(parse(name, request.body), account_id, region, request.headers)
        except ApiError as error:
            if not error.request_id:
                note_refused(engine, name, account_id, error, request.headers)
            response = _render_refusal(error)
            engine.session.record_sizes(error.request_id, size, len(response.body))
            return response
        except (Dropped, Killed) as failure:
            return failure
        headers = _OPEN_HEADERS if _is_open_to_pages(name) else _HEADERS
        if answer.warnings:
            headers = headers | {"X-Omisim-Warning": "; ".join(answer.warnings)}
        content = render_bytes(answer)
        engine.session.record_sizes(answer.request_id, size, len(content))
        return HttpResponse(200, content, headers)


def call(engine: Engine, action: str, parameters: Mapping[str, Any], account_id: str, region: str) -> dict[str, Any]:
    """Call an action with parameters under their API names, and return the JSON body of the answer.

    Raises ApiError when the call is refused.
    """
    return render_body(run_call(engine, make_request(action, parameters), account_id, region))


def make_request(action: str, parameters: Mapping[str, Any]) -> Request:
    """Return a Request from parameters under their API names; lists and mappings are copied.

    Raises TypeError if the action is not a text.
    """
    if not isinstance(action, str):
        raise TypeError(f"action must be a str, not {action!r}")
    return Request(action, to_snake_names(copy_arguments(parameters)), OAPI)


def _is_open_to_pages(action: str) -> bool:
    """Whether a browser lets a page of any site use an action: a page may read. The server's own may write, too."""
    return action.startswith("Read")


def _render_refusal(error: ApiError) -> HttpResponse:
    headers = _HEADERS | {"X-Omisim-Rule": error.rule}
    return HttpResponse(error.status, render_refusal(error).encode(), headers)


@lru_cache(maxsize=1024)
def _route(host: str, path: str) -> tuple[str, str | None]:
    """Return the action of a request, or the whole path if it names none, and the Region, or None."""
    match = _PATH.fullmatch(path)
    parsed = parse_host(host)
    host_region = parsed.region if parsed and (parsed.service, parsed.prefix) == ("api", "") else None
    return (match["action"] if match else path), (match and match["region"]) or host_region


def _check_content_type(request: HttpRequest) -> None:
    """Refuse a body whose content type is not JSON (REQ-003); an empty body may have any type."""
    if request.body and not request.body.isspace():
        content_type = request.headers.get("content-type") or "application/json"
        if content_type.partition(";")[0].strip().lower() not in _JSON_TYPES:
            raise refuse("REQ-003", content_type=content_type)


def _parse_body(action: str, content: bytes) -> Request:
    """Return the Request of a JSON object; an empty body counts as an empty object (REQ-001, REQ-004)."""
    if not content or content.isspace():
        return Request(action, {}, OAPI)
    if len(content) > MAX_PARSED:
        raise refuse("REQ-004", reason=f"it has more than {MAX_PARSED} bytes")
    try:
        parameters = parse_json(content, _DECODER)
    except ValueError as error:
        raise refuse("REQ-004", reason=str(error)) from None
    if not isinstance(parameters, dict):
        raise refuse("REQ-004", reason="the JSON value is not an object")
    return Request(action, parameters, OAPI)


def _snake_names(members: dict[str, Any]) -> dict[str, Any]:
    if len(members) > MAX_NAMES:
        names = [*map(snake_name, islice(members, MAX_NAMES)), *map(mark_name, islice(members, MAX_NAMES, None))]
        return dict(zip(names, members.values(), strict=True))
    named = {}
    for name, value in members.items():  # not a comprehension, which is one more call for each object of a request
        named[snake_name(name)] = value
    return named


_DECODER = make_json_decoder(_snake_names)
