"""The urllib3 patch, which covers requests, osc-sdk-python and botocore.

They all send through `HTTPConnectionPool.urlopen`, which retries and follows redirects. Interception replaces the one
exchange below it, so that retries, redirects and pools behave as they do over a network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import RemoteDisconnected
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProtocolError
from urllib3.response import HTTPResponse

from omisim.clients.intercept.patches import wrap_attributes
from omisim.clients.intercept.stack import answer_request, find_service, is_kept_in_process, remove_origin
from omisim.doors.http import HttpResponse
from omisim.engine.faults import Dropped

__all__ = ["STANDARD_PORTS", "answer_host", "closed_by_server", "describe_response", "patch_urllib3"]

_Send = Callable[..., Any]
STANDARD_PORTS = (None, 80, 443)
_LINE_END = re.compile(rb"[\r\n]")


def patch_urllib3() -> Callable[[], None]:
    """Patch urllib3 to send requests to the innermost cloud first; return a function that removes the patch."""
    return wrap_attributes(  # urllib3 has no public hook below its retries
        (HTTPConnectionPool, "_make_request", _wrap_make_request),
        (HTTPSConnectionPool, "_prepare_proxy", _wrap_prepare_proxy),
    )


def _wrap_make_request(real: _Send) -> _Send:
    def make_request(
        pool: HTTPConnectionPool,
        conn: Any,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        answer = _answer(pool, method, url, body, headers or {})
        if answer is None:
            return real(pool, conn, method, url, body, headers, *args, **kwargs)
        return _make_response(pool, method, url, answer, kwargs)

    return make_request


def _wrap_prepare_proxy(real: _Send) -> _Send:
    def prepare_proxy(pool: HTTPSConnectionPool, conn: Any) -> None:
        if not is_kept_in_process(pool.host):
            real(pool, conn)

    return prepare_proxy


def _answer(
    pool: HTTPConnectionPool, method: str, url: str, body: Any, headers: Mapping[str, str]
) -> HttpResponse | None:
    """Return the innermost cloud's answer to a request of a pool, or None if it is to be sent."""
    if url.startswith("/"):
        host, target = pool.host, url
        netloc = host if pool.port in STANDARD_PORTS else f"{host}:{pool.port}"
    else:  # a request without TLS through a proxy
        parts = urlsplit(url)
        host, netloc, target = parts.hostname or pool.host, parts.netloc or pool.host, remove_origin(url)
    return answer_host(method, host, netloc, target, headers, body)


def answer_host(
    method: str, host: str, netloc: str, target: str, headers: Mapping[str, Any], body: Any
) -> HttpResponse | None:
    """Return what `answer_request` returns. Raises the exceptions of urllib3, and those of http.client below it."""
    if find_service(host):
        _check_headers(headers)
    try:
        return answer_request(method, host, netloc, target, headers, body)
    except Dropped as error:
        raise closed_by_server() from error


def _check_headers(headers: Mapping[str, Any]) -> None:
    """Raise the error of http.client for a value that it does not send: UnicodeEncodeError, or another ValueError."""
    for _, value in headers.items():  # noqa: PERF102 - `values` of urllib3's headers fails at bytes
        encoded = value if isinstance(value, bytes) else str(value).encode("latin-1")
        if _LINE_END.search(encoded):
            raise ValueError(f"Invalid header value {encoded!r}")


def closed_by_server() -> ProtocolError:
    """Return the exception by which urllib3 reports a connection that its server closed without an answer."""
    return ProtocolError("Connection aborted.", RemoteDisconnected("Remote end closed connection without response"))


def _make_response(
    pool: HTTPConnectionPool, method: str, url: str, answer: HttpResponse, options: Mapping[str, Any]
) -> HTTPResponse:
    """Return an answer as a response of urllib3. It holds no connection: the pool gets its own back at once."""
    pool.num_requests += 1
    response = HTTPResponse(
        body=BytesIO(answer.body),
        **describe_response(answer),
        preload_content=options.get("preload_content", True),
        decode_content=options.get("decode_content", True),
        enforce_content_length=options.get("enforce_content_length", True),
        retries=options.get("retries"),
        connection=options.get("response_conn"),
        pool=pool,
        request_method=method,
        request_url=url,
    )
    response.release_conn()  # a response from a network does so after its last byte
    return response


def describe_response(answer: HttpResponse) -> dict[str, Any]:
    """Return the arguments of a response of urllib3 for the headers and the status of an answer."""
    return {
        "headers": {"content-length": str(len(answer.body)), **answer.headers},
        "status": answer.status,
        "version": 11,
        "version_string": "HTTP/1.1",
        "reason": HTTPStatus(answer.status).phrase,
    }
