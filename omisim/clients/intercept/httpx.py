"""The httpx patch, for its synchronous and its asynchronous transport."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from unittest import mock

import httpx

from omisim.clients.intercept.stack import answer_request
from omisim.engine.faults import Dropped

__all__ = ["patch_httpx"]


def patch_httpx() -> Callable[[], None]:
    """Patch httpx to send requests to the innermost cloud first; return a function that removes the patch."""
    real_handle, real_handle_async = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    def handle(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        return _answer(request, request.read()) or real_handle(transport, request)

    async def handle_async(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        return _answer(request, await request.aread()) or await real_handle_async(transport, request)

    patches = ExitStack()
    patches.enter_context(mock.patch.object(httpx.HTTPTransport, "handle_request", handle))
    patches.enter_context(mock.patch.object(httpx.AsyncHTTPTransport, "handle_async_request", handle_async))
    return patches.close


def _answer(request: httpx.Request, body: bytes) -> httpx.Response | None:
    url = request.url
    try:
        answer = answer_request(
            request.method, url.host, url.netloc.decode(), url.raw_path.decode(), request.headers, body
        )
    except Dropped as error:
        raise httpx.RemoteProtocolError(str(error), request=request) from error
    if answer is None:
        return None
    return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body, request=request)
