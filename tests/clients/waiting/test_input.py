"""`select`, poll objects and blocking sockets in a cloud's time."""

from __future__ import annotations

import os
import select
import selectors
import socket
import socketserver
import threading
import time
from typing import Any

import pytest
from support.waiting import measure, work

from omisim import Cloud


class TestSelect:
    @pytest.mark.parametrize("cls", [selectors.DefaultSelector, selectors.SelectSelector, selectors.PollSelector])
    def test_with_a_time_limit_moves_the_clock(self, cloud: Cloud, cls: Any) -> None:
        """Every selector jumps to its time limit where nothing arrives, and returns what has arrived."""
        ours, theirs = socket.socketpair()
        with ours, theirs, cls() as selector:
            selector.register(ours, selectors.EVENT_READ)
            assert measure(cloud, lambda: selector.select(10)) == 10
            theirs.send(b"x")
            assert measure(cloud, lambda: selector.select(10)) == 0

    def test_of_a_poll_object_returns_what_has_arrived(self, cloud: Cloud) -> None:
        """`select.poll` and `select.epoll` have the interface and the answers of the real ones."""
        ours, theirs = socket.socketpair()
        with ours, theirs, cloud.sleeping():
            poll = select.poll()
            poll.register(ours, select.POLLOUT)
            assert poll.poll(10_000) == [(ours.fileno(), select.POLLOUT)]
            poll.modify(ours, select.POLLIN)
            theirs.send(b"x")
            assert poll.poll() == [(ours.fileno(), select.POLLIN)]
            poll.unregister(ours)
            assert poll.poll(10_000) == []
            with pytest.raises(KeyError):
                poll.unregister(ours)

    @pytest.mark.skipif(not hasattr(select, "epoll"), reason="needs epoll")
    def test_of_an_epoll_object_returns_what_has_arrived(self, cloud: Cloud) -> None:
        """The same for `select.epoll`, which is a context manager."""
        ours, theirs = socket.socketpair()
        with ours, theirs, cloud.sleeping(), select.epoll() as poll:
            poll.register(ours)
            assert poll.poll(maxevents=1) == [(ours.fileno(), select.EPOLLOUT)]
            poll.modify(ours, select.EPOLLIN)
            theirs.send(b"x")
            assert select.epoll.fromfd(os.dup(poll.fileno())).poll(10) == [(ours.fileno(), select.EPOLLIN)]
            poll.unregister(ours)
            assert poll.poll(10) == []
            poll.close()
            assert poll.closed
            with pytest.raises(ValueError, match="closed"):
                poll.poll(10)

    def test_of_the_module_select_moves_the_clock(self, cloud: Cloud) -> None:
        """`select.select` with and without files."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            assert measure(cloud, lambda: select.select([ours], [], [], 10)) == 10
            assert measure(cloud, lambda: select.select([], [], [], 10)) == 10
            theirs.send(b"x")
            with cloud.sleeping():
                assert select.select([ours], [], [], 10) == ([ours], [], [])

    def test_sees_input_of_another_thread(self, cloud: Cloud) -> None:
        """Input ends a wait at the time at which it is sent."""
        ours, theirs = socket.socketpair()

        def send() -> None:
            time.sleep(3)
            theirs.send(b"x")

        def act() -> None:
            threading.Thread(target=send).start()
            assert select.select([ours], [], [], 10)[0]

        with ours, theirs:
            assert measure(cloud, act) == 3

    def test_sees_input_of_another_thread_after_outstanding_work(self, cloud: Cloud) -> None:
        """A wait that began beside a new connection, which may get an answer, ends like any other wait thereafter."""
        ours, theirs = socket.socketpair()

        def act() -> None:
            with socket.create_connection(listener.getsockname()) as client:
                threading.Timer(3, theirs.send, [b"x"]).start()
                assert select.select([client, ours], [], [])[0] == [ours]

        with socket.create_server(("127.0.0.1", 0)) as listener, ours, theirs:
            assert measure(cloud, act) == 3


class TestBlockingSocket:
    def test_times_out_in_virtual_time(self, cloud: Cloud) -> None:
        """A receive raises the usual error at its time limit, and the next one begins another."""
        ours, theirs = socket.socketpair()

        def act() -> None:
            for _ in range(2):
                with pytest.raises(TimeoutError, match="timed out"):
                    ours.recv_into(bytearray(1))

        with ours, theirs:
            ours.settimeout(10)
            assert measure(cloud, act) == 20

    @pytest.mark.parametrize("limit", [None, 10])
    def test_receives_what_another_thread_sends(self, cloud: Cloud, limit: float | None) -> None:
        """Input ends a receive at the time at which it is sent, with a time limit and without one."""
        ours, theirs = socket.socketpair()

        def send() -> None:
            time.sleep(3)
            theirs.send(b"x")

        def act() -> None:
            threading.Thread(target=send).start()
            assert ours.recv(1) == b"x"

        with ours, theirs:
            ours.settimeout(limit)
            assert measure(cloud, act) == 3

    def test_waits_for_a_server_that_speaks_first(self, cloud: Cloud) -> None:
        """While a server outside the test prepares its greeting or its answer, a time limit does not pass."""

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                work(0.05)
                connection.send(b"hello\n")
                connection.recv(100)
                work(0.05)
                connection.send(b"answer\n")
                finished.wait()

        def act() -> None:
            with socket.create_connection(listener.getsockname(), timeout=10) as client, client.makefile("rb") as lines:
                assert lines.readline() == b"hello\n"
                client.send(b"ask")
                assert lines.readline() == b"answer\n"
                with pytest.raises(TimeoutError):
                    client.recv(1)

        finished = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve)
            thread.start()
            assert measure(cloud, act) == 10
            finished.set()
            thread.join()

    def test_waits_for_a_handler_of_a_server_of_the_test(self, cloud: Cloud) -> None:
        """While a handler of `socketserver`, which takes no part, prepares its answer, a time limit does not pass."""

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.rfile.readline()
                work(0.05)
                self.wfile.write(b"answer\n")

        def act() -> None:
            with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
                thread = threading.Thread(target=lambda: server.serve_forever())  # noqa: PLW0108 - a thread of the test
                thread.start()
                with socket.create_connection(server.socket.getsockname(), timeout=10) as client:
                    client.send(b"ask\n")
                    assert client.recv(100) == b"answer\n"
                server.shutdown()
                thread.join()

        assert measure(cloud, act) < 10

    def test_waits_for_a_server_although_only_its_file_is_open(self, cloud: Cloud) -> None:
        """`urllib.request` closes the socket before it reads the answer, by the file that it has made of it."""

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                work(0.05)
                connection.send(b"answer\n")

        def act() -> None:
            with socket.create_connection(listener.getsockname(), timeout=10) as client:
                lines = client.makefile("rb")
                client.send(b"ask")
            with lines:
                assert lines.readline() == b"answer\n"

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve)
            thread.start()
            assert measure(cloud, act) == 0
            thread.join()

    def test_accepts_a_client_of_another_thread(self, cloud: Cloud) -> None:
        """A server of the test accepts at the time at which a client connects."""

        def connect(address: Any) -> None:
            time.sleep(3)
            socket.create_connection(address).close()

        def act() -> None:
            threading.Thread(target=connect, args=(listener.getsockname(),)).start()
            listener.accept()[0].close()

        with socket.create_server(("127.0.0.1", 0)) as listener:
            assert measure(cloud, act) == 3

    def test_that_does_not_block_is_left_alone(self, cloud: Cloud) -> None:
        """Without blocking, by the socket or by a flag, a receive raises at once; a closed socket raises too."""
        ours, theirs = socket.socketpair()
        with ours, theirs, cloud.sleeping():
            with pytest.raises(BlockingIOError):
                ours.recv(1, socket.MSG_DONTWAIT)
            ours.setblocking(False)
            with pytest.raises(BlockingIOError):
                ours.recv(1)
            ours.close()
            with pytest.raises(OSError, match="descriptor"):
                ours.recv(1)
