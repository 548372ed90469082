"""The clouds that intercept: a stack for all threads of the process, the innermost last. Each asks no other.

Nothing falls through to an outer cloud; leaving out of order is fine. The libraries are patched once, by the first
cloud that intercepts, and mended by the last.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any

from omisim.intercept.signing import signing_at
from omisim.wire import http, oapi

if TYPE_CHECKING:
    from omisim.cloud import Cloud

__all__ = ["NotServed", "ask", "headers_of", "intercepted", "reply"]

SERVED = ("api", "oos")
_OUTSCALE = re.compile(r"(?:.+\.)?(?P<service>[a-z]+)\.(?P<region>[a-z0-9-]+)\.outscale\.com", re.IGNORECASE)
_STACK: dict[object, Cloud] = {}  # one entry a context, the innermost last
_LOCK = Lock()
_mend: list[Callable[[], None]] = []  # what takes the patches off


class NotServed(RuntimeError):
    """A request to an OUTSCALE host that no cloud here serves: it must never reach the real cloud."""


@contextmanager
def intercepted(cloud: Cloud) -> Iterator[None]:
    """Let OUTSCALE hosts be answered by this cloud in every thread of the process."""
    layer = object()
    signing = signing_at(lambda: cloud.now) if "botocore.auth" in sys.modules else nullcontext()
    with _LOCK:
        if not _STACK:
            _mend.extend(patch() for patch in _patches())
        _STACK[layer] = cloud
    try:
        with signing:
            yield
    finally:
        with _LOCK:
            del _STACK[layer]
            while not _STACK and _mend:
                _mend.pop()()


def _patches() -> Iterator[Callable[[], Callable[[], None]]]:
    """Yield what patches each library that is installed; each returns what mends it."""
    if find_spec("urllib3"):
        from omisim.intercept.http import patch_urllib3  # noqa: PLC0415 - requests and botocore send by it

        yield patch_urllib3
    if find_spec("httpx"):
        from omisim.intercept.httpx import patch_httpx  # noqa: PLC0415

        yield patch_httpx


def reply(
    method: str, host: str, netloc: str, target: str, headers: Mapping[str, Any], body: Any
) -> http.Response | None:
    """Return the innermost cloud's answer to a request, or None: its host is not OUTSCALE's.

    Raises NotServed for a service that no cloud has, Dropped when a fault drops the connection.
    """
    found = _OUTSCALE.fullmatch(host)
    if found is None or not _STACK:
        return None
    service = found["service"].lower()
    if service not in SERVED:
        raise NotServed(f"{method} https://{host}{target}: omisim does not serve {service} hosts yet")
    return ask(_STACK[next(reversed(_STACK))], service, method, netloc, target, headers_of(headers), body)


def ask(
    cloud: Cloud, service: str, method: str, host: str, target: str, headers: Mapping[str, str], body: Any
) -> http.Response:
    """Ask a service of a cloud; `headers` are found by their names in lower case."""
    path, _, query = target.partition("?")
    request = http.Request(method.upper(), headers.get("host", host), path, headers, _bytes(body), query)
    now = dt.datetime.now(dt.UTC)
    if service == "oos":
        from omisim import oos  # noqa: PLC0415 - needs the extra, which a test without object storage may lack

        return oos.handle(cloud, request, now)
    return oapi.handle(cloud, request, now)


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
