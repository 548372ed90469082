"""The aiohttp patch, which covers aiobotocore: connections to OUTSCALE hosts end in the innermost cloud.

aiohttp gets a transport in memory, so that its own code writes the request and reads the response.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from http.client import parse_headers
from io import BytesIO
from typing import Any

from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import TCPConnector

from omisim.clients.intercept.patches import wrap_attributes
from omisim.clients.intercept.stack import NotServed, answer_request, find_service, may_leave, remove_origin
from omisim.doors.http import HttpResponse
from omisim.engine.faults import Dropped

__all__ = ["patch_aiohttp"]

_HEAD_END = b"\r\n\r\n"


def patch_aiohttp() -> Callable[[], None]:
    """Patch aiohttp to connect to the innermost cloud first; return a function that removes the patch."""
    return wrap_attributes((TCPConnector, "_create_connection", _wrap_create))  # aiohttp has no hook below its pool


def _wrap_create(real: Callable[..., Any]) -> Callable[..., Any]:
    async def create_connection(connector: TCPConnector, req: ClientRequest, *args: Any, **kwargs: Any) -> Any:
        host, target = req.url.host or "", req.url.raw_path_qs
        if find_service(host) is None or may_leave(req.method, host, target, req.headers):
            return await real(connector, req, *args, **kwargs)
        protocol = ResponseHandler(asyncio.get_running_loop())
        protocol.connection_made(_CloudTransport(protocol, host))
        return protocol

    return create_connection


class _CloudTransport(asyncio.Transport):
    """The client's end of a connection to the innermost cloud, for one request."""

    def __init__(self, protocol: ResponseHandler, host: str) -> None:
        super().__init__()
        self._protocol = protocol
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._line = ""
        self._headers: dict[str, str] | None = None  # None until the head is complete
        self._received = bytearray()  # bytes of the head or of the body that are not read yet
        self._body = bytearray()
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Collect the bytes of the request, and answer it when it is complete."""
        self._received += data
        if self._headers is None:
            self._headers = self._read_head()
        headers = self._headers
        if headers is not None and self._read_body(headers):
            self._headers = None
            self._answer(self._line, headers, bytes(self._body))

    def _read_head(self) -> dict[str, str] | None:
        """Return the headers of the request, or None while they are not complete."""
        head, end, body = self._received.partition(_HEAD_END)
        if not end:
            return None
        line, _, fields = head.partition(b"\r\n")
        parsed = parse_headers(BytesIO(fields + _HEAD_END))
        headers = {name.lower(): value for name, value in parsed.items()}
        if headers.get("expect", "").lower() == "100-continue":
            self._deliver(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._line, self._received = line.decode("latin-1"), body
        return headers

    def _read_body(self, headers: dict[str, str]) -> bool:
        """Read what has arrived of the body, and return whether it is complete."""
        received = self._received
        if "chunked" not in headers.get("transfer-encoding", "").lower():
            self._body += received
            received.clear()
            return len(self._body) >= int(headers.get("content-length", "0"))
        while (start := received.find(b"\r\n") + 2) > 1:
            length = int(received[: start - 2].partition(b";")[0], 16)
            if len(received) < start + length + 2:
                break
            self._body += received[start : start + length]
            del received[: start + length + 2]
            if length == 0:
                return True
        return False

    def _answer(self, line: str, headers: dict[str, str], body: bytes) -> None:
        method, target, _ = line.split(" ")
        if not target.startswith("/"):  # a request without TLS through a proxy
            target = remove_origin(target)
        self._protocol.force_close()  # the pool must not keep this connection for another context
        try:
            answer = answer_request(method, self._host, self._host, target, headers, body)
        except Dropped:
            self.close()
        except NotServed as error:
            self._protocol.set_exception(error)
        else:
            if answer is None:
                self._protocol.set_exception(NotServed(f"{method} https://{self._host}{target}: the context has ended"))
            else:
                self._deliver(_encode(answer))

    def _deliver(self, data: bytes) -> None:
        self._loop.call_soon(self._receive, data)  # never within a write, as from a network

    def _receive(self, data: bytes) -> None:
        if not self._is_closing:
            self._protocol.data_received(data)

    def close(self) -> None:
        """Close both ends of the connection."""
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Close both ends of the connection."""
        self.close()

    def is_closing(self) -> bool:
        """Whether the connection is closed."""
        return self._is_closing

    def can_write_eof(self) -> bool:
        """Return False, as a TLS connection does."""
        return False

    def get_write_buffer_size(self) -> int:
        """Return 0: nothing waits to be sent."""
        return 0

    def pause_reading(self) -> None:
        """Do nothing: a response is in memory anyway."""

    def resume_reading(self) -> None:
        """Do nothing, as `pause_reading`."""


def _encode(answer: HttpResponse) -> bytes:
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + _HEAD_END + answer.body
