"""A connection of cheroot that neither receives a request nor sends an answer by waiting for its client.

`framing.RequestBuffer` parses the requests; cheroot does not parse them again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import cache
from http import HTTPStatus
from io import BytesIO
from socket import SHUT_WR, socket
from ssl import SSLError, SSLSocket, SSLWantReadError, SSLWantWriteError
from typing import TYPE_CHECKING, Any

from cheroot.server import HTTPConnection, HTTPRequest

from omisim.clients.real_time import read_monotonic
from omisim.doors.http import HttpResponse
from omisim.server.framing import Limits, Received, RequestBuffer
from omisim.server.http_error import HttpError

if TYPE_CHECKING:
    from omisim.server.limited_server import LimitedServer

__all__ = ["Connection"]

READ_SIZE = 65536
READS_IN_A_ROW = 16  # from one connection, or so many writes, before the others get their turn
DRAIN_SECONDS = 2  # for which the rest of a rejected request is read, because closing at once may lose the answer
_EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}  # the headers of a stream of events
_NOTHING_YET = (BlockingIOError, SSLWantReadError, SSLWantWriteError)


class _NoFile(BytesIO):
    """In place of the socket's file: the connection itself reads from the socket."""

    def has_data(self) -> bool:
        """Return False: cheroot has to ask the connection, not this file."""
        return False


@cache
def _make_status_line(status: int) -> bytes:
    return f"{status} {HTTPStatus(status).phrase}".encode()


class _Exchange(HTTPRequest):
    """A request and its answer."""

    conn: Connection
    server: LimitedServer

    def parse_request(self) -> None:
        """Take the request, which the connection has parsed."""
        received = self.conn.received
        assert received is not None
        self._received: Received = received
        self.method: bytes = received.request.method.encode()
        self.response_protocol: str = f"HTTP/{received.version}"
        self.close_connection: bool = not received.keeps_open
        self.rfile: None = None
        self.ready = self.started_request = True

    def respond(self) -> None:
        """Send the answer. With TLS, cheroot prints a traceback if the client does not take it."""
        try:
            self._respond()
        except (TimeoutError, SSLError) as error:
            raise ConnectionResetError(errno.ECONNRESET, str(error)) from None

    def _respond(self) -> None:
        answer = self.server.answer(self._received.request, is_for_proxy=self._received.is_for_proxy)
        if isinstance(answer, HttpResponse):
            self._set_head(answer.status, answer.headers)
            head, body = self._make_head(), answer.body
            self.conn.send(*((head, body) if len(body) > READ_SIZE else (head + body,)))  # a large body is not copied
            return
        self._set_head(200, _EVENTS)
        self.conn.socket.settimeout(self.server.limits.send_seconds)
        with closing(answer) as events:
            self.ensure_headers_sent()
            for event in events:
                self.write(event)
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")

    def _set_head(self, status: int, headers: Mapping[str, str]) -> None:
        self.status: Any = _make_status_line(status)  # cheroot writes it as bytes, and types it as str
        self.outheaders = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    def _make_head(self) -> bytes:
        """Return the first line and the headers. cheroot would send them by themselves, before the body."""
        wfile, self.conn.wfile = self.conn.wfile, BytesIO()
        try:
            self.ensure_headers_sent()
            return bytes(self.conn.wfile.getvalue())
        finally:
            self.conn.wfile = wfile


class Connection(HTTPConnection):
    """A connection, and what it has sent of its next request."""

    server: LimitedServer
    wfile: Any
    RequestHandlerClass = _Exchange

    def __init__(self, server: LimitedServer, sock: socket, makefile: Callable[..., Any]) -> None:
        super().__init__(server, sock, makefile)
        self.limits: Limits = server.limits
        self.incoming: RequestBuffer = RequestBuffer(server.limits)
        self.received: Received | None = None  # the request that waits for a thread, or is being answered
        self.rfile: Any = _NoFile()
        self.held: int = 0  # bytes of the request that waits for a thread, or is being answered, and of later ones
        self.deadline: float = read_monotonic() + self.limits.idle_seconds
        self.is_receiving: bool = False  # part of a request has come
        self.is_rejected: bool = False
        self.unsent: list[memoryview] = []  # what the client has not taken of its answer
        self._is_last = False  # no request is taken after this answer
        self._is_greeting = isinstance(sock, SSLSocket)

    def receive(self) -> bool:
        """Receive what has come, without waiting; return whether a request is whole. Raises OSError at the end."""
        self.socket.settimeout(0)
        try:
            if self._is_greeting:
                self.socket.do_handshake()
                self._is_greeting = False
            if self.unsent and not self._send_some():
                return False
            if self._is_last:
                raise ConnectionResetError(errno.ECONNRESET, "the client has the last answer")
            return self._drain() if self.is_rejected else self._receive_request()
        except _NOTHING_YET:
            return False

    def send(self, *parts: bytes) -> None:
        """Send what the client takes of an answer at once, and keep the rest."""
        self.unsent = [memoryview(part) for part in parts]
        self.socket.settimeout(0)
        try:
            while not self._send_some():
                pass
        except _NOTHING_YET:
            pass
        except OSError:
            self.unsent = []
            raise

    def _send_some(self) -> bool:
        """Send a little of the rest of an answer; return whether that was all."""
        for _ in range(READS_IN_A_ROW):
            part = self.unsent[0]
            sent = self.socket.send(part[:READ_SIZE])
            self.deadline = read_monotonic() + self.limits.send_seconds
            self.unsent[:1] = [part[sent:]] if sent < len(part) else []
            if not self.unsent:
                self.deadline = read_monotonic() + self.limits.idle_seconds
                return True
        return False

    def count_unsent(self) -> int:
        """Return how many bytes of an answer wait for the client."""
        return sum(map(len, self.unsent))

    def _receive_request(self) -> bool:
        reads = 0
        while True:
            try:
                received = self.incoming.take()
            except HttpError as error:
                self.reject(error)
                return False
            if received is not None:
                self.received = received
                self.held = received.request.head_size + len(received.request.body) + len(self.incoming)
                self.is_receiving = False
                return True
            self._check_progress()
            if reads >= READS_IN_A_ROW and not self._has_unread_tls():
                return False
            reads += 1
            data = self.socket.recv(READ_SIZE)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "the client has closed the connection")
            self.incoming.feed(data)

    def _check_progress(self) -> None:
        """Note the beginning of a request, and answer a client that waits for permission to send its body."""
        if len(self.incoming) or self.incoming.has_head:
            if not self.is_receiving:
                self.is_receiving = True
                self.deadline = read_monotonic() + self.limits.request_seconds
            if self.incoming.expects_continue:
                self.incoming.expects_continue = False
                self.socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _has_unread_tls(self) -> bool:
        """Whether decrypted bytes are left, of which the selector does not know."""
        return isinstance(self.socket, SSLSocket) and self.socket.pending() > 0

    def _drain(self) -> bool:
        for _ in range(READS_IN_A_ROW):
            if not self.socket.recv(READ_SIZE):
                raise ConnectionResetError(errno.ECONNRESET, "the client has read the answer")
        return False

    def reject(self, error: HttpError) -> None:
        """Answer a request that the application never sees; the connection is closed soon."""
        text = f"{error}\n".encode()
        head = f"HTTP/1.1 {error.status} {error.status.phrase}\r\nContent-Type: text/plain\r\nConnection: close\r\n"
        self.is_rejected = True
        self.deadline = read_monotonic() + DRAIN_SECONDS
        self.incoming, self.received = RequestBuffer(self.limits), None
        with suppress(OSError):  # if it takes no answer, the deadline ends it
            self.socket.send(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
            if not isinstance(self.socket, SSLSocket):
                self.socket.shutdown(SHUT_WR)

    def communicate(self) -> bool:
        """Answer the request, and forget it: an idle connection would keep its bytes.

        Returns whether to keep the connection: for another request, or until the client has taken the answer.
        """
        try:
            self._is_last = not super().communicate()  # type: ignore[no-untyped-call]  # cheroot types its public names
            return bool(self.unsent) or not self._is_last
        finally:
            self.received = None
            self.server.answering.discard(self)

    def close(self) -> None:
        """Close the connection, and forget the rest of an answer that the client did not take.

        From 3.13 on, Python prints the error of a file that still tries to write it when it is freed.
        """
        super().close()
        with suppress(OSError):
            self.wfile.close()

    def abandon(self) -> None:
        """Close the connection, whatever its state."""
        with suppress(OSError):
            self.close()

    def _conditional_error(self, req: HTTPRequest, response: str) -> None:
        """Send an error, but nothing before a request has begun: the next request would take it for its answer."""
        if req and req.started_request:
            super()._conditional_error(req, response)  # type: ignore[misc]
