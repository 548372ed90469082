"""The stack of intercepting clouds, for all threads of the process, the innermost last.

The innermost cloud answers every request; no request reaches an outer cloud. Contexts may exit in any order. A guard
refuses requests only while no cloud is open, also if a cloud was opened before: by a fixture of a class, for example.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from os import getpid
from threading import current_thread
from typing import Any
from urllib.parse import urlsplit

from omisim.base.hosts import is_aws_host, make_endpoint, parse_host
from omisim.base.process import ForkedCloud
from omisim.clients.intercept.forked import send_to_server
from omisim.clients.threads import find_owner
from omisim.doors import http
from omisim.doors.front import SERVICES, FrontDoor

__all__ = [
    "STACK", "Layer", "NotServed", "answer_request", "find_innermost", "find_service", "is_kept_in_process",
    "may_leave", "normalize_headers", "refuse_lookup", "remove_origin", "send_to_cloud",
]  # fmt: skip

AWS = "AWS"  # the service of a host of AWS
_ACTION = re.compile(rb'(?:(?:^|&)Action=|"Action": *")(\w+)')  # in a form or in a JSON object
_FORM_SIGNATURE = re.compile(rb'name="(?:x-amz-)?signature"', re.IGNORECASE)  # a field of a pre-signed POST
_RENAMED = {"osu": "oos"}  # the former name of a service → its name
_AWS_REASON = (
    "a signed request to AWS, which no simulated cloud serves. Its client is of a service other than EC2 and S3, has "
    "no endpoint_url, or was made before the test's environment (at import, in setUpClass, in a cache): make it inside "
    "the test"
)
_OUTLIVED = "the thread {} was started in an environment of the account {} and has outlived it: end it in the test"


class NotServed(RuntimeError):
    """A request to an OUTSCALE host that no simulated cloud serves. It was refused, not sent to the real cloud."""

    __module__ = "omisim.intercept"  # its public path, which tracebacks show


@dataclass(eq=False, slots=True)
class Layer:
    """One context of the stack: the front door of a cloud, or None for a guard that refuses every request.

    `server` is the URL of the cloud's server for the forks of its process `pid`. `strays` lists the refused requests.
    """

    door: FrontDoor | None
    server: str | None = None
    pid: int = field(default_factory=getpid)
    strays: list[str] = field(default_factory=list)

    def record_stray(self, request: str, reason: str) -> NotServed:
        """Record a request that would have left this machine, and return the exception to raise."""
        if self.door is None:
            reason = "no cloud intercepts this request: use the fixture omi_env, or cloud.intercept()"
        self.strays.append(f"{request}: {reason}")
        return NotServed(self.strays[-1])


STACK: dict[Layer, None] = {}  # the innermost last


def find_innermost() -> Layer | None:
    """Return the layer of the innermost cloud; without a cloud, that of the innermost guard, if there is one."""
    layers = list(reversed(STACK))
    return next((layer for layer in layers if layer.door), layers[0] if layers else None)


def answer_request(
    method: str, host: str, netloc: str, target: str, headers: Mapping[str, Any], body: Any
) -> http.HttpResponse | None:
    """Return the innermost cloud's answer to a request, or None if the request may leave this machine.

    Raises NotServed for a request that omisim cannot answer, and Dropped when a fault drops the connection.
    """
    service = find_service(host)
    if service is None:
        return None
    headers = normalize_headers(headers)
    layer = _find_layer(method, host, target, headers, body)
    if layer is None:
        return None
    assert layer.door is not None
    if layer.pid != getpid():
        return send_to_server(layer.server or "", method, netloc, target, headers, _read_body(body))
    try:
        return send_to_cloud(layer.door, service, method, netloc, target, headers, body)
    except ImportError as error:
        raise NotServed(f"{service} ({method} https://{host}{target}): {error}") from error


def may_leave(method: str, host: str, target: str, headers: Mapping[str, Any]) -> bool:
    """Whether a request may leave this machine. Raises NotServed if it may not, and no cloud can answer it."""
    return _find_layer(method, host, target, normalize_headers(headers), None) is None


def _find_layer(method: str, host: str, target: str, headers: Mapping[str, str], body: Any) -> Layer | None:
    """Return the layer that answers a request, or None if it may leave this machine. Raises NotServed for others."""
    service = find_service(host)
    if service is None:
        return None
    call = partial(_name_request, method, service, host, target, headers, body)
    if owner := find_owner():
        raise NotServed(f"{call()}: {_OUTLIVED.format(current_thread().name, owner)}")
    layer = find_innermost()
    if layer is None:
        raise NotServed(f"{call()}: the context in which the request began has ended")
    reason = _find_reason(layer, service, host, target, headers, body)
    if reason:
        raise layer.record_stray(call(), reason)
    return layer if reason is None else None


def _find_reason(
    layer: Layer, service: str, host: str, target: str, headers: Mapping[str, str], body: Any
) -> str | None:
    """Return why a request cannot be answered: None if it can be, "" if it may leave this machine."""
    if service == AWS:
        return _AWS_REASON if layer.door is not None and _is_signed(target, headers, body) else ""
    if layer.door is not None and layer.pid != getpid() and layer.server is None:
        return str(ForkedCloud())
    if layer.door is not None and service in SERVICES:
        return None
    if service in _RENAMED:
        parsed = parse_host(host)
        new = make_endpoint(_RENAMED[service], parsed.region if parsed else "")
        return f"the service {service} is {_RENAMED[service]} now: use {new}"
    return f"omisim does not serve {service} hosts yet"


def _is_signed(target: str, headers: Mapping[str, str], body: Any) -> bool:
    """Whether a request to AWS has credentials: in a header, in its URL, or in the fields of a form."""
    if "authorization" in headers or "Signature=" in target:  # X-Amz-Signature, or Signature of version 2
        return True
    is_form = headers.get("content-type", "").startswith("multipart/form-data")
    return is_form and isinstance(body, str | bytes) and _FORM_SIGNATURE.search(_read_body(body)) is not None


def _name_request(method: str, service: str, host: str, target: str, headers: Mapping[str, str], body: Any) -> str:
    name = _name_call(host.partition(".")[0] if service == AWS else service, target, headers, body)
    return f"{name} ({method} https://{host}{target})"


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
    if is_kept_in_process(host):
        if owner := find_owner():
            raise NotServed(f"a connection to {host}: {_OUTLIVED.format(current_thread().name, owner)}")
        reason = "omisim intercepts only urllib3, requests, httpx and aiohttp: use the fixture omi_server for others"
        layer = find_innermost() or Layer(None)
        raise layer.record_stray(f"a connection to {host}", reason)


def find_service(host: str) -> str | None:
    """Return the service of a host that an open context intercepts, or None for any other host."""
    return _parse_service(host) if STACK or find_owner() else None


def is_kept_in_process(host: str) -> bool:
    """Whether every request to a host is answered or refused in this process, so that none leaves it."""
    return find_service(host) not in (None, AWS)


@lru_cache(maxsize=256)
def _parse_service(host: str) -> str | None:
    parsed = parse_host(host)
    return parsed.service if parsed else AWS if is_aws_host(host) else None


def remove_origin(url: str) -> str:
    """Return the path and the query of an absolute URL, by which a client without TLS addresses a proxy."""
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def send_to_cloud(
    door: FrontDoor, service: str, method: str, host: str, target: str, headers: Mapping[str, str], body: Any
) -> http.HttpResponse:
    """Return a service's response to a request. The names in `headers` are lower case."""
    path, _, query = target.partition("?")
    headers = headers or {"host": host}  # urllib3 adds it below the interception
    request = http.HttpRequest(method.upper(), headers.get("host", host), path, headers, _read_body(body), query)
    answer = door.handle(service, request, dt.datetime.now(dt.UTC))
    if request.method == "HEAD" and answer.body:  # no server sends the body, and clients fail at one
        return http.HttpResponse(answer.status, b"", {"content-length": str(len(answer.body)), **answer.headers})
    return answer


def normalize_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return headers as a server reads them, under lower-case names; values may be bytes."""
    return {
        str(name).lower(): (value.decode("latin-1") if isinstance(value, bytes) else str(value)).strip(" \t")
        for name, value in headers.items()
    }


def _read_body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        return _read_body(body.read())
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b"".join(map(_read_body, body))
