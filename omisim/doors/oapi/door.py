"""The OAPI door: an HTTP request in, an HTTP response out, no I/O.

In order (REQ-014): who calls, whether there is such an action and it is served, content type, JSON; then the call.
The Region comes from the host name or from the path; a nameless host means the Region of the access key.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from omisim.doors.http import LONGEST_KEPT, Request, Response
from omisim.doors.identity import caller
from omisim.engine.dispatch import action_named
from omisim.spec.catalog import catalog
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse

if TYPE_CHECKING:
    from omisim.cloud.cloud import Cloud

__all__ = ["handle"]

_HOST = re.compile(r"api\.([a-z0-9-]+)\.outscale\.com(?::\d+)?", re.IGNORECASE)
_PATH = re.compile(
    r"/+(?:(?P<region>[a-z]+(?:-[a-z0-9]+)+)/+)?(?:(?:api|oapi)/+(?:v1(?:\.\d+)*|latest)/+)?(?P<action>[^/]*)/*"
)
_CORS = {
    "Access-Control-Allow-Methods": "GET, OPTIONS, POST",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Max-Age": "86400",
}
DEFAULT_REGION = "eu-west-2"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_JSON_TYPES = frozenset({"application/json", "application/x-amz-json-1.1", "application/x-amz-json-1.0"})
_HEADERS = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}


def handle(cloud: Cloud, request: Request, host_time: dt.datetime) -> Response:
    """Answer one request. `host_time` is the host's UTC time: a signature's date may go by it (AUTH-007)."""
    if request.method == "OPTIONS":
        return Response(204, headers=_CORS)
    name, region = _route(request.host, request.path)
    account_id: str | None = None
    try:
        if region is not None and region not in catalog().regions:
            raise refuse("REG-007", region=region, known=tuple(catalog().regions))
        account_id, region = caller(cloud, request, name, region, host_time)
        action_named(name)
        if request.method != "POST":
            raise refuse("REQ-002", action=f"{request.method} {request.path}")
        given = _parameters(request)
        answer = cloud._perform(name, account_id, region or DEFAULT_REGION, given, wire=True, headers=request.headers)
    except ApiError as error:
        if not error.request_id:
            cloud._note_refused(name, account_id, error, request.headers)
        response = _refusal(error)
        cloud._session.answered(error.request_id, len(response.body))
        return response
    headers = _HEADERS | {"X-Omisim-Warning": "; ".join(answer.warnings)} if answer.warnings else _HEADERS
    body = answer.text().encode()
    cloud._session.answered(answer.request_id, len(body))
    return Response(200, body, headers)


@lru_cache(maxsize=1024)
def _route(host: str, path: str) -> tuple[str, str | None]:
    """Return the action that a request names (a path that names none: as it is), and the Region, or None."""
    in_path = _PATH.fullmatch(path)
    in_host = _HOST.fullmatch(host)
    region = (in_path and in_path["region"]) or (in_host[1].lower() if in_host else None)
    return (in_path["action"] if in_path else path), region


def _parameters(request: Request) -> dict[str, Any]:
    """Return the JSON object of the body; an empty body is an empty object (REQ-001, REQ-003, REQ-004)."""
    body = request.body
    if not body or body.isspace():
        return {}
    content_type = request.headers.get("content-type", "application/json")
    if content_type.partition(";")[0].strip().lower() not in _JSON_TYPES:
        raise refuse("REQ-003", content_type=content_type)
    return _decoded(body) if len(body) <= LONGEST_KEPT else _decode(body)


def _decode(body: bytes) -> dict[str, Any]:
    try:
        parameters = _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise refuse("REQ-004", reason=str(error)) from None
    if not isinstance(parameters, dict):
        raise refuse("REQ-004", reason="it is JSON, but no object")
    return parameters


_decoded = lru_cache(maxsize=256)(_decode)  # a client that polls sends the same bytes again; nobody may change it


def _refusal(error: ApiError) -> Response:
    body = {
        "Errors": [{"Type": error.type, "Details": error.details, "Code": error.code}],
        "ResponseContext": {"RequestId": error.request_id},
    }
    return Response(error.status, json.dumps(body).encode(), _HEADERS | {"X-Omisim-Rule": error.rule})
