"""cheroot with connections that take a thread only for a whole request, and limits for what a client may use.

cheroot gives a connection to a thread as soon as it can be read, and the thread then waits for the rest of the request:
a few slow clients occupy all threads. Here, the thread that watches the connections receives what has come and sends
what a client did not take of its answer at once, without waiting, and closes connections that take too long.
`framing.RequestBuffer` parses the requests; cheroot does not parse them again.
"""

from __future__ import annotations

import errno
import logging
import os
import selectors
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, suppress
from functools import cache
from http import HTTPStatus
from io import BytesIO
from socket import SHUT_RDWR, SHUT_WR, SO_REUSEADDR, SOL_SOCKET, socket
from ssl import SSLError, SSLSocket, SSLWantReadError, SSLWantWriteError
from threading import Event
from typing import Any

from cheroot.connections import ConnectionManager
from cheroot.server import HTTPConnection, HTTPRequest, HTTPServer
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.workers.threadpool import ThreadPool, WorkerThread

from omisim.base.process import watch_forks
from omisim.clients.real_time import read_monotonic
from omisim.doors.http import HttpResponse
from omisim.server.framing import Limits, Received, RequestBuffer
from omisim.server.http_error import HttpError

__all__ = ["LimitedServer", "TlsAdapter"]

READ_SIZE = 65536
READS_IN_A_ROW = 16  # from one connection, or so many writes, before the others get their turn
DRAIN_SECONDS = 2  # for which the rest of a rejected request is read, because closing at once may lose the answer
CHECK_SECONDS = 0.1  # between two searches for connections that take too long
_EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}  # the headers of a stream of events
_Answer = Callable[..., HttpResponse | Generator[bytes]]  # an answer is whole, or a stream of events
_NOTHING_YET = (BlockingIOError, SSLWantReadError, SSLWantWriteError)
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)


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

    conn: _Connection
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


class _Connection(HTTPConnection):
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


class _Connections(ConnectionManager):
    """The connections that no thread has: a bounded number of them, each with a deadline."""

    server: LimitedServer
    _selector: Any
    _num_connections: int
    _next_check = 0.0

    def run(self, expiration_interval: float) -> None:
        """Serve the connections. The server has started all its threads then."""
        self.server.serving.set()
        super().run(expiration_interval)

    def _expire(self, threshold: float) -> None:  # noqa: ARG002 - each connection has a deadline of its own
        now = read_monotonic()
        if now < self._next_check:
            return
        self._next_check = now + CHECK_SECONDS
        for sock_fd, conn in self._list_watched():
            if conn.deadline > now:
                continue
            if conn.is_receiving and not conn.is_rejected:
                conn.reject(HttpError(HTTPStatus.REQUEST_TIMEOUT, "the request took too long"))
            else:
                self.drop(sock_fd, conn)
        self._bound_answers()

    def _bound_answers(self) -> None:
        """Close the connections that have taken nothing for longest, if the unsent answers exceed the memory."""
        unsent = [(conn.deadline, conn.count_unsent(), sock_fd, conn) for sock_fd, conn in self._list_watched()]
        excess = sum(size for _, size, _, _ in unsent) - self.server.limits.memory
        for _, size, sock_fd, conn in sorted(unsent, key=lambda each: each[0]) if excess > 0 else ():
            if excess > 0 and size:
                self.drop(sock_fd, conn)
                excess -= size

    def _list_watched(self) -> list[tuple[int, _Connection]]:
        return [(sock_fd, conn) for sock_fd, conn in self._selector.connections if conn is not self.server]

    def drop(self, sock_fd: int, conn: _Connection) -> None:
        """Stop watching a connection, and close it."""
        self._selector.unregister(sock_fd)
        conn.abandon()

    def watch(self, conn: _Connection) -> None:
        """Wait until a connection can be read again."""
        event = selectors.EVENT_WRITE if conn.unsent else selectors.EVENT_READ
        self._selector.register(conn.socket.fileno(), event, data=conn)

    def _from_server_socket(self, server_socket: socket) -> Any:
        self._make_room(self.server.limits.connections - 1)
        try:
            return super()._from_server_socket(server_socket)  # type: ignore[misc]  # cheroot types its public names
        except OSError as error:
            if error.errno not in _OUT_OF_FILES:
                raise
            self._make_room(max(self._num_connections - 1, 0))
            return None

    def _make_room(self, most: int) -> None:
        """Close the connections with the earliest deadlines, so that at most so many are left."""
        if self._num_connections > most:
            watched = sorted(self._list_watched(), key=lambda watched: (watched[1].is_receiving, watched[1].deadline))
            for sock_fd, conn in watched[: self._num_connections - most]:
                self.drop(sock_fd, conn)

    def count_incoming(self) -> int:
        """Return the size of all requests that are being received."""
        return sum(len(conn.incoming) for _, conn in self._list_watched())


class _Threads(ThreadPool):
    """The threads of a server."""

    server: LimitedServer

    def _spawn_worker(self) -> WorkerThread:
        """Start a daemon thread: a server that is never stopped does not keep the interpreter from its end."""
        worker = WorkerThread(self.server)  # type: ignore[no-untyped-call]  # cheroot types its public names
        worker.daemon = True
        worker.start()
        return worker

    def _force_close(self, _conn: _Connection | None) -> None:
        """Close all connections of threads: cheroot would wait for clients that do not read their answers."""
        for conn in self.server.answering.copy():
            with suppress(OSError):
                socket.shutdown(conn.socket, SHUT_RDWR)  # that of SSLSocket would let a thread send in plain text


class LimitedServer(HTTPServer):
    """A cheroot server with `limits`. `serving` is set once it has started all its threads.

    `answer` returns the answer to an HttpRequest; `is_for_proxy` is whether its URL was absolute.
    """

    ConnectionClass = _Connection

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], answer: _Answer, threads: int, limits: Limits) -> None:
        super().__init__(address, gateway=None)
        self.answer = answer
        self.limits = limits
        self.serving: Event = Event()
        self.answering: set[_Connection] = set()  # the connections that threads have or will get
        self.requests: Any = _Threads(self, min=threads)
        self.timeout: Any = limits.send_seconds
        self.keep_alive_conn_limit: int = limits.connections  # by default 10: each other client connects anew each time

    def clear_stats(self) -> None:
        """Leave cheroot's table of all servers: it would keep this server, and so its cloud, for good."""
        super().clear_stats()  # type: ignore[no-untyped-call]  # cheroot's method has no types
        del logging.statistics[f"Cheroot HTTPServer {id(self)}"]  # type: ignore[attr-defined]  # cheroot adds it

    def prepare(self) -> None:
        """Bind the address and start the threads."""
        super().prepare()
        self._connections = _Connections(self)
        watch_forks(self)

    @staticmethod
    def bind_socket(sock: socket, address: tuple[str, int]) -> socket:
        """Bind a socket, so that the next server can have its port at once.

        The connections of this server keep the option until the last one has ended, minutes after the server; cheroot
        sets it only for a given port. It is set after the port is bound: otherwise, a free port might be the port of
        another program that does not listen yet. On Windows, it lets two servers listen on one port.
        """
        sock.bind(address)
        if os.name == "posix":
            sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        return sock

    def after_fork(self) -> None:
        """Close the port in a forked process: it would stay in use as long as that process, without a server.

        None of the threads that `stop` waits for runs there.
        """
        self.ready = False
        if self.socket:
            self.socket.close()
            self.socket = None

    def process_conn(self, conn: _Connection) -> None:
        """Give a connection with a whole request to a thread, and watch any other one."""
        try:
            is_whole = conn.receive()
            if is_excessive := self._is_excessive(conn.held if is_whole else len(conn.incoming)):
                reason = "the server is receiving too many large requests"
                conn.reject(HttpError(HTTPStatus.SERVICE_UNAVAILABLE, reason))
        except OSError:  # closed, or the TLS handshake has failed
            conn.abandon()
            return
        if is_whole and not is_excessive:
            self.answering.add(conn)
            super().process_conn(conn)
        else:
            self._connections.watch(conn)

    def _is_excessive(self, size: int) -> bool:
        """Whether the requests of all connections exceed the limit, because one has this size."""
        if size * self.limits.connections <= self.limits.memory:  # as the average of all may have
            return False
        held = sum(conn.held for conn in self.answering.copy())
        return size + held + self._connections.count_incoming() > self.limits.memory

    def put_conn(self, conn: _Connection) -> None:
        """Take a connection back from a thread that has answered its request."""
        conn.deadline = read_monotonic() + (self.limits.send_seconds if conn.unsent else self.limits.idle_seconds)
        if self.ready:
            self.process_conn(conn)  # the next request may have come with the last one
        else:
            conn.abandon()


class TlsAdapter(BuiltinSSLAdapter):
    """TLS whose handshake does not wait for the client: `_Connection.receive` continues it."""

    def wrap(self, sock: socket) -> tuple[SSLSocket, dict[str, str]]:
        """Return the socket with TLS, before its handshake."""
        return self.context.wrap_socket(sock, do_handshake_on_connect=False, server_side=True), {}
