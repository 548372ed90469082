"""From an HTTP library's request to a cloud and back: an adapter for `requests`, one patch of urllib3 below them all.

requests, osc-sdk-python and botocore all send through `urllib3.HTTPConnectionPool.urlopen`; while any cloud intercepts,
that one method asks the innermost of them first. Nothing falls through to an outer cloud; leaving out of order is fine.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3
from requests import ConnectionError, PreparedRequest, Response  # noqa: A004 - its own, which clients catch
from requests.adapters import BaseAdapter

from omisim.faults import Dropped
from omisim.intercept.signing import signing_at
from omisim.wire import http, oapi

if TYPE_CHECKING:
    from omisim.cloud import Cloud

__all__ = ["CloudAdapter", "NotServed", "asked", "intercepted"]

SERVED = ("api", "oos")
_OUTSCALE = re.compile(r"(?:.+\.)?(?P<service>[a-z]+)\.(?P<region>[a-z0-9-]+)\.outscale\.com", re.IGNORECASE)


class NotServed(RuntimeError):
    """A request to an OUTSCALE host that no cloud here serves: it must never reach the real cloud."""


class CloudAdapter(BaseAdapter):
    """A transport adapter of requests that hands every request to one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self._cloud = cloud

    def send(self, request: PreparedRequest, *_args: Any, **_kwargs: Any) -> Response:
        """Answer a request in process."""
        host, _, target = (request.url or "").partition("//")[2].partition("#")[0].partition("/")
        names = dict(request.headers.lower_items())
        try:
            answered = _ask(self._cloud, "api", request.method or "", host, f"/{target}", names, request.body)
        except Dropped as error:
            raise ConnectionError(error, request=request) from error
        response = Response()
        response.status_code = answered.status
        for name, value in answered.headers.items():
            response.headers[name] = value
        response._content = answered.body
        response.encoding = "utf-8"
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Do nothing: there is no connection."""


def _ask(
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


def asked(cloud: Cloud, method: str, url: str, headers: Mapping[str, Any], body: Any) -> http.Response:
    """Ask the object storage of a cloud by a whole URL; header values may be bytes."""
    host, _, target = url.partition("//")[2].partition("/")
    return _ask(cloud, "oos", method, host, f"/{target}", _lower(headers), body)


def _lower(headers: Mapping[str, Any]) -> dict[str, str]:
    return {str(name).lower(): v.decode() if isinstance(v, bytes) else str(v) for name, v in headers.items()}


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        return _bytes(body.read())
    return bytes(body) if isinstance(body, bytes | bytearray) else b"".join(_bytes(part) for part in body)


_STACK: dict[object, Cloud] = {}  # one entry a context, the innermost last
_LOCK = Lock()
_real_urlopen: Callable[..., Any] = urllib3.HTTPConnectionPool.urlopen


@contextmanager
def intercepted(cloud: Cloud) -> Iterator[None]:
    """Let OUTSCALE hosts be answered by this cloud in every thread of the process."""
    global _real_urlopen  # noqa: PLW0603 - the one patch, put on by the first context and taken off by the last
    layer = object()
    signing = signing_at(lambda: cloud.now) if "botocore.auth" in sys.modules else nullcontext()
    with _LOCK:
        if not _STACK:
            _real_urlopen = urllib3.HTTPConnectionPool.urlopen
            urllib3.HTTPConnectionPool.urlopen = _urlopen  # type: ignore[method-assign, assignment]
        _STACK[layer] = cloud
    try:
        with signing:
            yield
    finally:
        with _LOCK:
            del _STACK[layer]
            if not _STACK:
                urllib3.HTTPConnectionPool.urlopen = _real_urlopen  # type: ignore[method-assign]


def _urlopen(
    pool: urllib3.HTTPConnectionPool,
    method: str,
    url: str,
    body: Any = None,
    headers: Mapping[str, Any] | None = None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Stand in for `HTTPConnectionPool.urlopen`: answer OUTSCALE's hosts, pass all others on."""
    target = urlsplit(url)
    host = target.hostname or pool.host
    service = _OUTSCALE.fullmatch(host)
    if service is None or not _STACK:
        return _real_urlopen(pool, method, url, body, headers, *args, **kwargs)
    path = target.path + (f"?{target.query}" if target.query else "")
    if service["service"].lower() not in SERVED:
        raise NotServed(f"{method} https://{host}{path}: omisim does not serve {service['service']} hosts yet")
    netloc = target.netloc or (host if pool.port in (None, 80, 443) else f"{host}:{pool.port}")
    names = _lower(headers or pool.headers)
    cloud = _STACK[next(reversed(_STACK))]
    try:
        answered = _ask(cloud, service["service"].lower(), method, netloc, path, names, body)
    except Dropped as error:
        raise urllib3.exceptions.ProtocolError("Connection aborted.", error) from error
    return urllib3.HTTPResponse(
        body=BytesIO(answered.body),
        headers={"content-length": str(len(answered.body)), **answered.headers},
        status=answered.status,
        preload_content=kwargs.get("preload_content", True),
        decode_content=kwargs.get("decode_content", True),
        request_method=method,
        request_url=url,
    )
