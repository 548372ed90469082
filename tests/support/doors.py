"""The two doors for the same HTTP request: in process, and through the services of a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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
    response = App(cloud, "token").answer(request)
    assert isinstance(response, HttpResponse)
    return response


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
