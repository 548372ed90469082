"""cheroot with connections that take a thread only for a whole request, and limits for what a client may use.

cheroot gives a connection to a thread as soon as it can be read, and the thread then waits for the rest of the request:
a few slow clients occupy all threads. Here, the thread that watches the connections receives what has come and sends
what a client did not take of its answer at once, without waiting, and closes connections that take too long.
"""

from __future__ import annotations

import errno
import logging
import os
import selectors
from collections.abc import Callable, Generator
from contextlib import suppress
from http import HTTPStatus
from socket import SHUT_RDWR, SO_REUSEADDR, SOL_SOCKET, socket
from ssl import SSLSocket
from threading import Event
from typing import Any

from cheroot.connections import ConnectionManager
from cheroot.server import HTTPServer
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.workers.threadpool import ThreadPool, WorkerThread

from omisim.base.process import watch_forks
from omisim.clients.real_time import read_monotonic
from omisim.doors.http import HttpResponse
from omisim.server.connection import Connection
from omisim.server.framing import Limits
from omisim.server.http_error import HttpError

__all__ = ["LimitedServer", "TlsAdapter"]

CHECK_SECONDS = 0.1  # between two searches for connections that take too long
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
_Answer = Callable[..., HttpResponse | Generator[bytes]]  # an answer is whole, or a stream of events


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

    def _list_watched(self) -> list[tuple[int, Connection]]:
        return [(sock_fd, conn) for sock_fd, conn in self._selector.connections if conn is not self.server]

    def drop(self, sock_fd: int, conn: Connection) -> None:
        """Stop watching a connection, and close it."""
        self._selector.unregister(sock_fd)
        conn.abandon()

    def watch(self, conn: Connection) -> None:
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

    def _force_close(self, _conn: Connection | None) -> None:
        """Close all connections of threads: cheroot would wait for clients that do not read their answers."""
        for conn in self.server.answering.copy():
            with suppress(OSError):
                socket.shutdown(conn.socket, SHUT_RDWR)  # that of SSLSocket would let a thread send in plain text


class LimitedServer(HTTPServer):
    """A cheroot server with `limits`. `serving` is set once it has started all its threads.

    `answer` returns the answer to an HttpRequest; `is_for_proxy` is whether its URL was absolute.
    """

    ConnectionClass = Connection

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], answer: _Answer, threads: int, limits: Limits) -> None:
        super().__init__(address, gateway=None)
        self.answer = answer
        self.limits = limits
        self.serving: Event = Event()
        self.answering: set[Connection] = set()  # the connections that threads have or will get
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

    def process_conn(self, conn: Connection) -> None:
        """Give a connection with a whole request to a thread, and watch any other one."""
        try:
            is_whole = conn.receive()
            size = conn.held if is_whole else len(conn.incoming)
            if is_excessive := not conn.unsent and self._is_excessive(size):  # a rest is sent before another answer
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

    def put_conn(self, conn: Connection) -> None:
        """Take a connection back from a thread that has answered its request."""
        conn.deadline = read_monotonic() + (self.limits.send_seconds if conn.unsent else self.limits.idle_seconds)
        if self.ready:
            self.process_conn(conn)  # the next request may have come with the last one
        else:
            conn.abandon()


class TlsAdapter(BuiltinSSLAdapter):
    """TLS whose handshake does not wait for the client: `Connection.receive` continues it."""

    def wrap(self, sock: socket) -> tuple[SSLSocket, dict[str, str]]:
        """Return the socket with TLS, before its handshake."""
        return self.context.wrap_socket(sock, do_handshake_on_connect=False, server_side=True), {}
