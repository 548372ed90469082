"""The httpx patch, for its synchronous and its asynchronous transport."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from httpx import (
    AsyncHTTPTransport,
    ByteStream,
    HTTPTransport,
    LocalProtocolError,
    RemoteProtocolError,
    Request,
    Response,
)

from omisim.clients.intercept.patches import wrap_attributes
from omisim.clients.intercept.stack import answer_request, find_service
from omisim.engine.faults import Dropped

__all__ = ["patch_httpx"]

_LINE_END = re.compile(rb"[\0\r\n]")


def patch_httpx() -> Callable[[], None]:
    """Patch httpx to send requests to the innermost cloud first; return a function that removes the patch."""
    return wrap_attributes(
        (HTTPTransport, "handle_request", _wrap_handle),
        (AsyncHTTPTransport, "handle_async_request", _wrap_handle_async),
    )


def _wrap_handle(real: Callable[..., Any]) -> Callable[..., Any]:
    def handle(transport: HTTPTransport, request: Request) -> Response:
        answer = _answer(request, request.read()) if find_service(request.url.host) else None
        return answer or real(transport, request)

    return handle


def _wrap_handle_async(real: Callable[..., Any]) -> Callable[..., Any]:
    async def handle(transport: AsyncHTTPTransport, request: Request) -> Response:
        answer = _answer(request, await request.aread()) if find_service(request.url.host) else None
        return answer or await real(transport, request)

    return handle


def _answer(request: Request, body: bytes) -> Response | None:
    url = request.url
    headers = {name: value.encode(request.headers.encoding) for name, value in request.headers.items()}
    for value in headers.values():
        if value != value.strip() or _LINE_END.search(value):
            raise LocalProtocolError(f"Illegal header value {value!r}", request=request)
    try:
        answer = answer_request(request.method, url.host, url.netloc.decode(), url.raw_path.decode(), headers, body)
    except Dropped as error:  # as httpx reports a connection that its server closed
        text = "Server disconnected without sending a response."
        raise RemoteProtocolError(text, request=request) from error
    if answer is None:
        return None
    return Response(
        answer.status,
        headers={"content-length": str(len(answer.body)), **answer.headers},
        stream=ByteStream(answer.body),  # the client reads it, or the caller streams it
        extensions={"http_version": b"HTTP/1.1"},
    )
