"""The httpx patch, for its synchronous and its asynchronous transport."""

from __future__ import annotations

from collections.abc import Callable

from httpx import AsyncHTTPTransport, ByteStream, HTTPTransport, RemoteProtocolError, Request, Response

from omisim.clients.intercept.replaced import replace_attributes
from omisim.clients.intercept.stack import answer_request, find_service
from omisim.engine.faults import Dropped

__all__ = ["patch_httpx"]


def patch_httpx() -> Callable[[], None]:
    """Patch httpx to send requests to the innermost cloud first; return a function that removes the patch."""
    real_handle, real_handle_async = HTTPTransport.handle_request, AsyncHTTPTransport.handle_async_request

    def handle(transport: HTTPTransport, request: Request) -> Response:
        if find_service(request.url.host) is None:
            return real_handle(transport, request)
        return _answer(request, request.read()) or real_handle(transport, request)

    async def handle_async(transport: AsyncHTTPTransport, request: Request) -> Response:
        if find_service(request.url.host) is None:
            return await real_handle_async(transport, request)
        return _answer(request, await request.aread()) or await real_handle_async(transport, request)

    return replace_attributes(
        (HTTPTransport, "handle_request", handle), (AsyncHTTPTransport, "handle_async_request", handle_async)
    )


def _answer(request: Request, body: bytes) -> Response | None:
    url = request.url
    try:
        answer = answer_request(
            request.method, url.host, url.netloc.decode(), url.raw_path.decode(), request.headers, body
        )
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
