"""The stack of intercepting clouds, for all threads of the process, the innermost last.

The innermost cloud answers every request; no request reaches an outer cloud. Contexts may exit in any order.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omisim.base.hosts import parse_host
from omisim.doors import http
from omisim.doors.front import SERVICES, FrontDoor

__all__ = ["STACK", "Layer", "NotServed", "answer_request", "normalize_headers", "refuse_lookup", "send_to_cloud"]

_ACTION = re.compile(rb'(?:(?:^|&)Action=|"Action": *")(\w+)')  # in a form or in a JSON object


class NotServed(RuntimeError):
    """A request to an OUTSCALE host that no simulated cloud serves. It was refused, not sent to the real cloud."""


@dataclass(eq=False, slots=True)
class Layer:
    """One context of the stack: the front door of a cloud, or None for a guard that refuses every request.

    `strays` lists the refused requests.
    """

    door: FrontDoor | None
    strays: list[str] = field(default_factory=list)

    def record_stray(self, request: str, reason: str) -> NotServed:
        """Record a request that would have left this machine, and return the exception to raise."""
        if self.door is None:
            reason = "no cloud intercepts this request: use the fixture omi_env, or cloud.intercept()"
        self.strays.append(f"{request}: {reason}")
        return NotServed(self.strays[-1])


STACK: dict[Layer, None] = {}  # the innermost last


def answer_request(
    method: str, host: str, netloc: str, target: str, headers: Mapping[str, Any], body: Any
) -> http.HttpResponse | None:
    """Return the innermost cloud's answer to a request, or None if the host is not an OUTSCALE host.

    Raises NotServed for a service that omisim does not serve, and Dropped when a fault drops the connection.
    """
    service = _find_service(host)
    if service is None or not STACK:
        return None
    layer = next(reversed(STACK))
    if layer.door is None or service not in SERVICES:
        call = f"{_name_call(service, target, normalize_headers(headers), body)} ({method} https://{host}{target})"
        raise layer.record_stray(call, f"omisim does not serve {service} hosts yet")
    return send_to_cloud(layer.door, service, method, netloc, target, normalize_headers(headers), body)


def _name_call(service: str, target: str, headers: Mapping[str, str], body: Any) -> str:
    """Return the name of a call in any protocol: its service and, if the request names one, its action."""
    if service == "api":
        return target.partition("?")[0].rstrip("/").rpartition("/")[2] or service
    for header in ("x-amz-target", "x-osc-target"):
        if header in headers:
            return f"{service} {headers[header].rpartition('.')[2]}"
    match = _ACTION.search(body.encode() if isinstance(body, str) else body) if isinstance(body, str | bytes) else None
    return f"{service} {match[1].decode()}" if match else service


def refuse_lookup(host: str) -> None:
    """Raise NotServed for the lookup of an OUTSCALE host, because the request would leave this machine."""
    if STACK and _find_service(host) is not None:
        reason = "omisim intercepts only urllib3, requests and httpx: use the fixture omi_server for other clients"
        raise next(reversed(STACK)).record_stray(f"a connection to {host}", reason)


def _find_service(host: str) -> str | None:
    """Return the OUTSCALE service of a host, or None for any other host."""
    parsed = parse_host(host)
    return parsed and parsed.service


def send_to_cloud(
    door: FrontDoor, service: str, method: str, host: str, target: str, headers: Mapping[str, str], body: Any
) -> http.HttpResponse:
    """Return a service's response to a request. The names in `headers` are lower case."""
    path, _, query = target.partition("?")
    request = http.HttpRequest(method.upper(), headers.get("host", host), path, headers, _bytes(body), query)
    return door.handle(service, request, dt.datetime.now(dt.UTC))


def normalize_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return headers as str under lower-case names; values may be bytes."""
    return {str(name).lower(): v.decode() if isinstance(v, bytes) else str(v) for name, v in headers.items()}


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        return _bytes(body.read())
    return bytes(body) if isinstance(body, bytes | bytearray) else b"".join(_bytes(part) for part in body)
