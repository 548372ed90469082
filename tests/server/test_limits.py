"""Clients that are slow, silent, too many, too large or ambiguous: the server keeps answering the others."""

from __future__ import annotations

import platform
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.sign import sign_request
from support.storing import BUCKET, create_bucket

from omisim import Account, Cloud
from omisim.server import Limits, Running, connection, host, limited_server

SMUGGLED = b"GET /_omisim/health HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST /api/v1/ReadVms HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(name="server")
def _server(cloud: Cloud, alice: Account) -> Iterator[Running]:
    with cloud.serve(limits=Limits(body=10_000, connections=40)) as running:
        yield running


def connect(server: Running) -> socket.socket:
    """Open a connection to the server."""
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=60)


def send(server: Running, data: bytes) -> bytes:
    """Send bytes on a connection of their own; return everything that the server sends until it closes it."""
    with connect(server) as line:
        line.sendall(data)
        return b"".join(iter(lambda: line.recv(65536), b""))


def is_answering(server: Running) -> bool:
    """Whether the server answers a request on a new connection."""
    return requests.get(f"{server.url}/_omisim/health", timeout=60).status_code == 200


class TestFirstLines:
    @given(
        method=st.sampled_from(["GET", "CONNECT", " GET", "\x0c GET", "GET ", "get", "OPTIONS", "\xff", ""]),
        target=st.lists(st.sampled_from([*"/[]:@%#?;=a1.\r\0\xff", "//", "http://"]), max_size=8).map("".join),
        version=st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.-1", "HTTP/ 1.1", "HTTP/\xb2.1", "x", ""]),
    )
    @example("GET", "http://[", "HTTP/1.1")
    @example("GET", "//[::1/x", "HTTP/1.1")
    @example(" GET", "http://[", "HTTP/1.1")
    @example("CONNECT", "[::1:80", "HTTP/1.1")
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_of_any_form_are_no_failure(self, server: Running, method: str, target: str, version: str) -> None:
        """A first line that cannot be parsed is the client's error."""
        head = f"{method} {target} {version}\r\nHost: x\r\nConnection: close\r\n\r\n"
        status = send(server, head.encode("latin-1"))[9:12]
        assert status.startswith((b"2", b"4")) or status in (b"501", b"505"), status

    def test_are_answered_without_a_host(self, server: Running) -> None:
        """A client of HTTP/1.0, which sends no Host header, may use the control plane."""
        head = f"GET /_omisim/accounts HTTP/1.0\r\nX-Omisim-Token: {server.token}\r\n\r\n"
        assert send(server, head.encode()).startswith(b"HTTP/1.1 200 ")


class TestClients:
    @pytest.mark.parametrize("sent", [b"", b"P", HEAD, HEAD + b"Content-Length: 9000\r\n\r\n{"])
    def test_that_are_slow_occupy_no_thread(self, server: Running, sent: bytes) -> None:
        """More clients than threads, each stuck in the same part of a request, leave all threads to the others."""
        with ExitStack() as stack:
            for _ in range(host.THREADS + 4):
                stack.enter_context(connect(server)).sendall(sent)
            assert is_answering(server)

    def test_that_are_too_many_lose_the_longest_silent(self, server: Running) -> None:
        """A connection over the limit closes the one that has been silent longest."""
        with ExitStack() as stack:
            lines = [stack.enter_context(connect(server)) for _ in range(60)]
            assert is_answering(server)
            assert lines[0].recv(1) == b""
            lines[-1].sendall(SMUGGLED)
            assert lines[-1].recv(12) == b"HTTP/1.1 200"

    def test_keep_their_connections_up_to_the_limit(self, server: Running) -> None:
        """Each of 30 clients sends its second request on the connection of the first."""
        with ExitStack() as stack:
            lines = [stack.enter_context(connect(server)) for _ in range(30)]
            for line in lines * 2:
                line.sendall(SMUGGLED)
                answer = HTTPResponse(line)
                answer.begin()
                assert (answer.status, answer.getheader("Connection"), answer.read()[:1]) == (200, None, b"{")

    def test_that_send_large_bodies_are_refused_at_once(self, server: Running) -> None:
        """The announced length decides, before a byte of the body and before authentication."""
        answer = send(server, HEAD + b"Content-Length: 300000000\r\n\r\n" + b"x" * 100_000)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"--limit body=" in answer

    def test_that_wait_for_an_answer_keep_others_from_large_requests(self, cloud: Cloud, alice: Account) -> None:
        """The requests that are being received or answered have a size together; answered ones are forgotten."""
        with cloud.serve(limits=Limits(memory=20_000, connections=4)) as server, ExitStack() as stack:
            lines = [stack.enter_context(connect(server)) for _ in range(2)]
            for _ in range(2):
                lines.append(stack.enter_context(connect(server)))
                with cloud.engine.lock:
                    for line in lines:
                        line.sendall(HEAD + b"Content-Length: 9000\r\n\r\n" + b" " * 9000)
                    (refused,) = select.select(lines, [], [], 60)[0]
                lines.remove(refused)
                assert refused.recv(12) == b"HTTP/1.1 503"
                for line in lines:
                    answer = HTTPResponse(line)
                    answer.begin()
                    assert (answer.status, answer.getheader("Connection"), answer.read()[:1]) == (401, None, b"{")

    def test_that_stop_in_a_handshake_leave_others_alone(self, cloud: Cloud, alice: Account) -> None:
        """A client that never continues its TLS handshake does not keep others from theirs."""
        with cloud.serve(tls=True) as server, ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(connect(server)).sendall(b"\x16\x03\x01")
            assert requests.get(f"{server.url}/_omisim/health", timeout=60, verify=server.ca).status_code == 200

    def test_that_speak_http_to_https_are_disconnected(self, cloud: Cloud, alice: Account) -> None:
        """Bytes that are not TLS end the connection, not the server."""
        with cloud.serve(tls=True) as server:
            with pytest.raises(OSError, match=r"reset|close|Connection"):
                requests.get(server.url.replace("https", "http"), timeout=60)
            assert requests.get(f"{server.url}/_omisim/health", timeout=60, verify=server.ca).status_code == 200

    def test_may_send_requests_ahead_and_in_chunks(self, server: Running) -> None:
        """Requests in one piece are answered one after the other, with a body in chunks or of any length."""
        chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        last = SMUGGLED.replace(b"x\r\n", b"x\r\nConnection: close\r\n")
        data = SMUGGLED + chunked + HEAD + b"Content-Length: 2\r\n\r\n{}" + last
        statuses = re.findall(rb"HTTP/1.1 (\d+)", send(server, data))
        assert statuses == [b"200", b"401", b"401", b"200"]

    def test_may_wait_for_permission_to_send_a_body(self, server: Running) -> None:
        """`Expect: 100-continue` is answered, then the request."""
        with connect(server) as line:
            line.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert line.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            line.sendall(b"{}")
            assert line.recv(12) == b"HTTP/1.1 401"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: 1\r\n\r\n",
        b"Transfer-Encoding: identity\r\n\r\n",
    ],
)
def test_bytes_after_an_ambiguous_request_are_not_a_request(server: Running, framing: bytes) -> None:
    """The connection is closed with 400: the requests after it are neither run nor answered."""
    answer = send(server, HEAD + framing + SMUGGLED)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.count(b"HTTP/1.1") == 1


def test_the_last_read_in_a_row_may_end_a_request(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is answered even if the server would turn to other connections after the read that completes it."""
    monkeypatch.setattr(connection, "READS_IN_A_ROW", 1)
    with connect(server) as line:
        line.sendall(SMUGGLED)
        assert line.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_idle_connection_keeps_no_request(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection forgets the bytes of a request with its answer: 30 idle ones kept 1.2 GB."""
    kept: Queue[object] = Queue()
    put_conn = limited_server.LimitedServer.put_conn

    def record(server: Any, conn: Any) -> None:
        kept.put(conn.received)
        put_conn(server, conn)

    monkeypatch.setattr(limited_server.LimitedServer, "put_conn", record)
    with connect(server) as line:
        line.sendall(HEAD + b"Content-Length: 9000\r\n\r\n" + b" " * 9000)
        assert kept.get(timeout=60) is None


def test_an_unchanged_object_has_no_body(server: Running, alice: Account) -> None:
    """Nothing follows the headers of 304: a client would take it for the beginning of the next answer. [OOS-007]"""
    etag = create_bucket(alice).put_object(Bucket=BUCKET, Key="a", Body=b"x", ACL="public-read")["ETag"]
    head = f"GET /oos/eu-west-2/{BUCKET}/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    answer = send(server, f"{head}If-None-Match: {etag}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert answer.endswith(b"\r\n\r\n")


def test_requests_of_every_size_arrive_whole(server: Running, alice: Account) -> None:
    """A signed request reaches the API as it was sent, up to the last byte of the limit."""
    name = urlsplit(server.url).netloc
    for size in (2, 9_000, 10_000):
        request = sign_request(alice, "/api/v1/ReadVms", b"{" + b" " * (size - 2) + b"}", host=name)
        headers: dict[str, Any] = dict(request.headers)
        assert (
            requests.post(f"{server.url}/api/v1/ReadVms", request.body, headers=headers, timeout=60).status_code == 200
        )


def test_a_signature_may_cover_what_the_server_answers_itself(server: Running, alice: Account) -> None:
    """A signature covers `Expect: 100-continue` too, as that of curl does if its user gives the header."""
    name = urlsplit(server.url).netloc
    names, more = "content-type;expect;host;x-{}-date", {"expect": "100-continue"}
    request = sign_request(alice, "/api/v1/ReadVms", host=name, names=names, more=more)
    headers: dict[str, Any] = dict(request.headers)
    assert requests.post(f"{server.url}/api/v1/ReadVms", request.body, headers=headers, timeout=60).status_code == 200


HEAPS = """
import ctypes, sys, threading

if "bound" in sys.argv:
    from omisim.tools.serve import bound_heap
    bound_heap()
end = threading.Event()

def allocate():
    kept = [bytes(5000) for _ in range(100)]
    end.wait()

largest = bytes(20_000_000)
del largest
block = bytes(1_000_000)
threads = [threading.Thread(target=allocate) for _ in range(3)]
for thread in threads:
    thread.start()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w")))
libc.fflush(None)
end.set()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have one heap")
@pytest.mark.parametrize(("arguments", "heaps"), [((), 4), (("bound",), 1)])
def test_the_command_has_one_heap_for_all_threads(arguments: tuple[str, ...], heaps: int) -> None:
    """The threads of `omisim serve` share a heap, so that none keeps its largest answer for ever."""
    run = subprocess.run([sys.executable, "-c", HEAPS, *arguments], capture_output=True, text=True, check=True)
    assert run.stdout.count("<heap") == heaps


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such threshold")
@pytest.mark.parametrize(("arguments", "is_mapped"), [((), False), (("bound",), True)])
def test_the_command_maps_large_blocks_also_after_a_larger_one(arguments: tuple[str, ...], is_mapped: bool) -> None:
    """A block of 1 MB does not come to lie in the heap of `omisim serve`, so it returns to the system when freed."""
    run = subprocess.run([sys.executable, "-c", HEAPS, *arguments], capture_output=True, text=True, check=True)
    mapped = re.search(r'<total type="mmap" count="\d+" size="(\d+)"', run.stdout)
    assert mapped is not None
    assert (int(mapped[1]) > 1_000_000) == is_mapped
