"""The clouds that intercept: a stack for all threads of the process, the innermost last. Each asks no other.

Nothing falls through to an outer cloud; leaving out of order is fine.
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

_ACTION = re.compile(rb'(?:(?:^|&)Action=|"Action": *")(\w+)')  # a form's, or that of a JSON object


class NotServed(RuntimeError):
    """A request to an OUTSCALE host that no cloud here serves: it must never reach the real cloud."""


@dataclass(eq=False, slots=True)
class Layer:
    """One context of the stack: a cloud's front door, or None for a guard, which refuses all.

    `strays`: what it had to refuse.
    """

    door: FrontDoor | None
    strays: list[str] = field(default_factory=list)

    def stray(self, request: str, why: str) -> NotServed:
        """Note a request that would have left this machine, and return the refusal."""
        if self.door is None:
            why = "no cloud stands in for OUTSCALE here: ask for the fixture omi_env, or enter cloud.intercept()"
        self.strays.append(f"{request}: {why}")
        return NotServed(self.strays[-1])


STACK: dict[Layer, None] = {}  # the innermost last


def answer_request(
    method: str, host: str, netloc: str, target: str, headers: Mapping[str, Any], body: Any
) -> http.HttpResponse | None:
    """Return the innermost cloud's answer to a request, or None: its host is not OUTSCALE's.

    Raises NotServed for a service that no cloud has, Dropped when a fault drops the connection.
    """
    service = _service(host)
    if service is None or not STACK:
        return None
    layer = next(reversed(STACK))
    if layer.door is None or service not in SERVICES:
        call = f"{_named(service, target, normalize_headers(headers), body)} ({method} https://{host}{target})"
        raise layer.stray(call, f"omisim does not serve {service} hosts yet")
    return send_to_cloud(layer.door, service, method, netloc, target, normalize_headers(headers), body)


def _named(service: str, target: str, headers: Mapping[str, str], body: Any) -> str:
    """Return the name of a call, by whatever protocol: the action where the request tells it, else the service."""
    if service == "api":
        return target.partition("?")[0].rstrip("/").rpartition("/")[2] or service
    for header in ("x-amz-target", "x-osc-target"):
        if header in headers:
            return f"{service} {headers[header].rpartition('.')[2]}"
    found = _ACTION.search(body.encode() if isinstance(body, str) else body) if isinstance(body, str | bytes) else None
    return f"{service} {found[1].decode()}" if found else service


def refuse_lookup(host: str) -> None:
    """Raise NotServed for an OUTSCALE host: who looks one up is about to leave this machine."""
    if STACK and _service(host) is not None:
        why = "its client is none that omisim reaches (requests, urllib3, httpx): use the fixture omi_server for it"
        raise next(reversed(STACK)).stray(f"a connection to {host}", why)


def _service(host: str) -> str | None:
    """Return which service of OUTSCALE a host is, or None for any other host."""
    named = parse_host(host)
    return named and named.service


def send_to_cloud(
    door: FrontDoor, service: str, method: str, host: str, target: str, headers: Mapping[str, str], body: Any
) -> http.HttpResponse:
    """Ask a service of a cloud; `headers` are found by their names in lower case."""
    path, _, query = target.partition("?")
    request = http.HttpRequest(method.upper(), headers.get("host", host), path, headers, _bytes(body), query)
    return door.handle(service, request, dt.datetime.now(dt.UTC))


def normalize_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return headers by their names in lower case; values may be bytes."""
    return {str(name).lower(): v.decode() if isinstance(v, bytes) else str(v) for name, v in headers.items()}


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        return _bytes(body.read())
    return bytes(body) if isinstance(body, bytes | bytearray) else b"".join(_bytes(part) for part in body)
