"""The two doors for the same HTTP request: in process, and through the WSGI application of the server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from omisim import Cloud
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.doors.oapi import OapiDoor
from omisim.server.app import App

__all__ = ["DOORS", "Door", "send_refused", "send_request"]

Door = Callable[[Cloud, HttpRequest], HttpResponse]


def _in_process(cloud: Cloud, request: HttpRequest) -> HttpResponse:
    return OapiDoor(cloud.engine).handle(request, cloud.now)


def _as_server(cloud: Cloud, request: HttpRequest) -> HttpResponse:
    headers = dict(request.headers)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "REQUEST_URI": request.path + (f"?{request.query}" if request.query else ""),
        "CONTENT_TYPE": headers.pop("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": BytesIO(request.body),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        "HTTP_HOST": request.host,
    }
    responses: list[tuple[str, list[tuple[str, str]]]] = []
    body = b"".join(App(cloud, "token")(environ, lambda *answer: responses.append(answer)))
    status, headers_list = responses[0]
    return HttpResponse(int(status[:3]), body, dict(headers_list))


DOORS: Mapping[str, Door] = {"in process": _in_process, "server": _as_server}


def send_request(door: Door, cloud: Cloud, request: HttpRequest) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON body of an answer."""
    response = door(cloud, request)
    return response.status, json.loads(response.body or b"{}")


def send_refused(door: Door, cloud: Cloud, request: HttpRequest) -> tuple[int, str, str]:
    """Return the HTTP status, code and rule of a refusal; check that nothing changed. [REQ-007]"""
    before = cloud.fork()
    response = door(cloud, request)
    body = json.loads(response.body)
    (error,) = body["Errors"]
    assert {name: type(value) for name, value in error.items()} == {"Code": str, "Details": str, "Type": str}
    assert body["ResponseContext"]["RequestId"]
    assert cloud == before
    headers = {name.lower(): value for name, value in response.headers.items()}
    return response.status, error["Code"], headers["x-omisim-rule"]
