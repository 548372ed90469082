"""The OAPI door: an HTTP request in, an HTTP response out, no I/O.

In order (REQ-014): who calls, whether there is such an action and it is served, content type, JSON; then the call.
The Region comes from the host name or from the path; a nameless host means the Region of the access key.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from omisim.actions.framework.request import Dialect, Request
from omisim.base.hosts import DEFAULT_REGION, parse_host
from omisim.doors import http
from omisim.doors.http import LONGEST_KEPT, HttpResponse
from omisim.doors.identity import identify_caller
from omisim.doors.oapi.render import render_body, render_refusal, render_text
from omisim.engine.dispatch import find_action
from omisim.engine.engine import Engine
from omisim.model.serialize import api_name, snake_name, to_snake_names
from omisim.spec.catalog import load_catalog
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse

__all__ = ["OAPI", "OapiDoor", "call", "make_request"]

OAPI = Dialect(spell=api_name)
KEPT_REQUESTS = 256
_PATH = re.compile(
    r"/+(?:(?P<region>[a-z]+(?:-[a-z0-9]+)+)/+)?(?:(?:api|oapi)/+(?:v1(?:\.\d+)*|latest)/+)?(?P<action>[^/]*)/*"
)
_CORS = {
    "Access-Control-Allow-Methods": "GET, OPTIONS, POST",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Max-Age": "86400",
}
_JSON_TYPES = frozenset({"application/json", "application/x-amz-json-1.1", "application/x-amz-json-1.0"})
_HEADERS = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}


class OapiDoor:
    """The OUTSCALE API of one cloud.

    A client that polls sends the same bytes again: the requests last read are kept, by their bytes, for this cloud
    alone.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._read = lru_cache(maxsize=KEPT_REQUESTS)(_read)

    def handle(self, request: http.HttpRequest, host_time: dt.datetime) -> HttpResponse:
        """Answer one HTTP request. `host_time` is the host's UTC time: a signature's date may go by it (AUTH-007)."""
        if request.method == "OPTIONS":
            return HttpResponse(204, headers=_CORS)
        engine = self.engine
        name, region = _route(request.host, request.path)
        account_id: str | None = None
        try:
            if region is not None and region not in load_catalog().regions:
                raise refuse("REG-007", region=region, known=tuple(load_catalog().regions))
            account_id, region = identify_caller(engine, request, name, region, host_time)
            find_action(name)
            if request.method != "POST":
                raise refuse("REQ-002", action=f"{request.method} {request.path}")
            _check_content_type(request)
            read = self._read if len(request.body) <= LONGEST_KEPT else _read
            answer = engine.call(read(name, request.body), account_id, region or DEFAULT_REGION, request.headers)
        except ApiError as error:
            if not error.request_id:
                engine.note_refused(name, account_id, error, request.headers)
            response = HttpResponse(
                error.status, render_refusal(error).encode(), _HEADERS | {"X-Omisim-Rule": error.rule}
            )
            engine.session.record_size(error.request_id, len(response.body))
            return response
        headers = _HEADERS | {"X-Omisim-Warning": "; ".join(answer.warnings)} if answer.warnings else _HEADERS
        content = render_text(answer).encode()
        engine.session.record_size(answer.request_id, len(content))
        return HttpResponse(200, content, headers)


def call(engine: Engine, action: str, parameters: Mapping[str, Any], account_id: str, region: str) -> dict[str, Any]:
    """Make a call of this process: names of the API in, its JSON out. Raises ApiError when it is refused."""
    return render_body(engine.call(make_request(action, parameters), account_id, region))


def make_request(action: str, parameters: Mapping[str, Any]) -> Request:
    """Return the request that parameters by the API's names make. It shares no list and no mapping with them."""
    return Request(action, to_snake_names(parameters), OAPI)


@lru_cache(maxsize=1024)
def _route(host: str, path: str) -> tuple[str, str | None]:
    """Return the action that a request names (a path that names none: as it is), and the Region, or None."""
    in_path = _PATH.fullmatch(path)
    named = parse_host(host)
    of_host = named.region if named and (named.service, named.prefix) == ("api", "") else None
    return (in_path["action"] if in_path else path), (in_path and in_path["region"]) or of_host


def _check_content_type(request: http.HttpRequest) -> None:
    """Refuse a body that is sent as something else than JSON (REQ-003); an empty one may be anything."""
    if request.body and not request.body.isspace():
        content_type = request.headers.get("content-type", "application/json")
        if content_type.partition(";")[0].strip().lower() not in _JSON_TYPES:
            raise refuse("REQ-003", content_type=content_type)


def _read(action: str, content: bytes) -> Request:
    """Return the request of a body, which is a JSON object; an empty one is an empty object (REQ-001, REQ-004)."""
    if not content or content.isspace():
        return Request(action, {}, OAPI)
    try:
        parameters = _DECODER.decode(content.decode())
    except (ValueError, RecursionError) as error:
        raise refuse("REQ-004", reason=str(error)) from None
    if not isinstance(parameters, dict):
        raise refuse("REQ-004", reason="it is JSON, but no object")
    return Request(action, parameters, OAPI)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _our_names(found: dict[str, Any]) -> dict[str, Any]:
    return {snake_name(name): value for name, value in found.items()}


_DECODER = json.JSONDecoder(object_hook=_our_names, parse_constant=_no_constant)
