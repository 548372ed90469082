"""httpx, where it is installed: both of its transports ask the innermost cloud first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from unittest import mock

import httpx

from omisim.clients.intercept.stack import answer_request
from omisim.engine.faults import Dropped

__all__ = ["patch_httpx"]


def patch_httpx() -> Callable[[], None]:
    """Let httpx ask the innermost cloud first; return what takes that back."""
    plain, later = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    def handle(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        return _answer(request, request.read()) or plain(transport, request)

    async def handle_later(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        return _answer(request, await request.aread()) or await later(transport, request)

    patches = ExitStack()
    patches.enter_context(mock.patch.object(httpx.HTTPTransport, "handle_request", handle))
    patches.enter_context(mock.patch.object(httpx.AsyncHTTPTransport, "handle_async_request", handle_later))
    return patches.close


def _answer(request: httpx.Request, body: bytes) -> httpx.Response | None:
    url = request.url
    try:
        found = answer_request(
            request.method, url.host, url.netloc.decode(), url.raw_path.decode(), request.headers, body
        )
    except Dropped as error:
        raise httpx.RemoteProtocolError(str(error), request=request) from error
    if found is None:
        return None
    return httpx.Response(found.status, headers=dict(found.headers), content=found.body, request=request)
