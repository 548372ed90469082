"""The clouds that intercept: a stack for all threads of the process, the innermost last. Each asks no other.

Nothing falls through to an outer cloud; leaving out of order is fine. The libraries are patched once, by the first
cloud that intercepts, and mended by the last.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from threading import Lock
from typing import Any

from omisim.base.hosts import parse_host
from omisim.clients.intercept.signing import signing_at
from omisim.doors import http
from omisim.doors.front import SERVICES, FrontDoor
from omisim.engine.engine import Engine

__all__ = ["NotServed", "ask", "guarded", "headers_of", "intercepted", "refuse_lookup", "reply"]

_ACTION = re.compile(rb'(?:(?:^|&)Action=|"Action": *")(\w+)')  # a form's, or that of a JSON object
_LOCK = Lock()
_mend: list[Callable[[], None]] = []  # what takes the patches off


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


_STACK: dict[Layer, None] = {}  # the innermost last


@contextmanager
def intercepted(engine: Engine) -> Iterator[list[str]]:
    """Let OUTSCALE hosts be answered by this cloud in every thread of the process; yield what had to be refused."""
    signing = signing_at(engine.clock.now) if find_spec("botocore") else nullcontext()
    with _entered(Layer(FrontDoor(engine))) as layer, signing:
        yield layer.strays


@contextmanager
def guarded() -> Iterator[list[str]]:
    """Let no request to an OUTSCALE host leave this machine; yield those that were refused."""
    with _entered(Layer(None)) as layer:
        yield layer.strays


@contextmanager
def _entered(layer: Layer) -> Iterator[Layer]:
    with _LOCK:
        if not _STACK:
            _mend.extend(patch() for patch in _patches())
        _STACK[layer] = None
    try:
        yield layer
    finally:
        with _LOCK:
            del _STACK[layer]
            while not _STACK and _mend:
                _mend.pop()()


def _patches() -> Iterator[Callable[[], Callable[[], None]]]:
    """Yield what patches each library that is installed; each returns what mends it."""
    from omisim.clients.intercept.sockets import patch_sockets  # noqa: PLC0415 - it needs this module

    yield patch_sockets
    if find_spec("urllib3"):
        from omisim.clients.intercept.http import patch_urllib3  # noqa: PLC0415 - requests and botocore send by it

        yield patch_urllib3
    if find_spec("httpx"):
        from omisim.clients.intercept.httpx import patch_httpx  # noqa: PLC0415

        yield patch_httpx


def reply(
    method: str, host: str, netloc: str, target: str, headers: Mapping[str, Any], body: Any
) -> http.Response | None:
    """Return the innermost cloud's answer to a request, or None: its host is not OUTSCALE's.

    Raises NotServed for a service that no cloud has, Dropped when a fault drops the connection.
    """
    service = _service(host)
    if service is None or not _STACK:
        return None
    layer = next(reversed(_STACK))
    if layer.door is None or service not in SERVICES:
        call = f"{_named(service, target, headers_of(headers), body)} ({method} https://{host}{target})"
        raise layer.stray(call, f"omisim does not serve {service} hosts yet")
    return ask(layer.door, service, method, netloc, target, headers_of(headers), body)


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
    if _STACK and _service(host) is not None:
        why = "its client is none that omisim reaches (requests, urllib3, httpx): use the fixture omi_server for it"
        raise next(reversed(_STACK)).stray(f"a connection to {host}", why)


def _service(host: str) -> str | None:
    """Return which service of OUTSCALE a host is, or None for any other host."""
    named = parse_host(host)
    return named and named.service


def ask(
    door: FrontDoor, service: str, method: str, host: str, target: str, headers: Mapping[str, str], body: Any
) -> http.Response:
    """Ask a service of a cloud; `headers` are found by their names in lower case."""
    path, _, query = target.partition("?")
    request = http.Request(method.upper(), headers.get("host", host), path, headers, _bytes(body), query)
    return door.handle(service, request, dt.datetime.now(dt.UTC))


def headers_of(headers: Mapping[str, Any]) -> dict[str, str]:
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
