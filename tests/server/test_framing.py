"""Requests of a connection: whole in any pieces, and every framing that two programs read differently."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omisim.doors.http import HttpRequest
from omisim.server.framing import Limits, Received, RequestBuffer
from omisim.server.http_error import HttpError

HEAD = b"POST /api/v1/ReadVms HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LIMITS = Limits(body=1000, head=500)


def make_request(body: bytes = b"", headers: Mapping[str, str] | None = None) -> HttpRequest:
    """Return the request of `HEAD` with a body and with further headers."""
    own = {"host": "x", "content-length": str(len(body))}
    return HttpRequest("POST", "x", "/api/v1/ReadVms", {**own, **(headers or {})}, body)


def feed(*pieces: bytes, limits: Limits = LIMITS) -> list[Received]:
    """Return the requests that come of bytes in these pieces."""
    buffer, requests = RequestBuffer(limits), []
    for piece in pieces:
        buffer.feed(piece)
        while (request := buffer.take()) is not None:
            requests.append(request)
    return requests


class TestRequests:
    @given(st.lists(st.integers(1, 200), max_size=9), st.lists(st.binary(max_size=40), min_size=1, max_size=3))
    def test_are_whole_however_they_arrive(self, cuts: list[int], bodies: list[bytes]) -> None:
        """Requests in chunks and with a length come out alike, whatever the pieces, one after the other."""
        stream = b""
        for number, body in enumerate(bodies):
            chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (1, body[at : at + 1]) for at in range(len(body)))
            plain = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            stream += plain if number % 2 else CHUNKED + chunks + b"0\r\n\r\n"
        pieces, at = [], 0
        for cut in cuts:
            pieces.append(stream[at : at + cut])
            at += cut
        assert [received.request for received in feed(*pieces, stream[at:])] == list(map(make_request, bodies))

    @given(st.binary(max_size=300), st.sampled_from([b"", HEAD, CHUNKED, HEAD + b"Content-Length: 5\r\n\r\n"]))
    def test_of_any_bytes_are_taken_or_rejected(self, data: bytes, before: bytes) -> None:
        """Any bytes are requests, the beginning of one, or rejected: no other error."""
        with suppress(HttpError):
            for received in feed(before + data):
                assert received.request.headers["content-length"] == str(len(received.request.body))

    @pytest.mark.parametrize(
        ("version", "values", "keeps_open"),
        [
            (b"1.1", [], True),
            (b"1.1", [b"Close"], False),
            (b"1.1", [b"TE, close"], False),
            (b"1.1", [b"TE", b"keep-alive", b"close"], False),
            (b"1.1", [b"Upgrade", b"closed"], True),
            (b"1.0", [], False),
            (b"1.0", [b"Keep-Alive"], True),
            (b"1.0", [b"keep-alive, close"], False),
        ],
    )
    def test_say_whether_their_connection_ends(self, version: bytes, values: list[bytes], keeps_open: bool) -> None:
        """The options of Connection come in any capitals, with others, and on several lines."""
        lines = b"".join(b"Connection: %s\r\n" % value for value in values)
        (received,) = feed(HEAD.replace(b"1.1", version) + lines + b"\r\n")
        assert (received.request, received.keeps_open) == (make_request(), keeps_open)

    @pytest.mark.parametrize(
        ("target", "path", "query", "is_for_proxy"),
        [
            ("//api/v1/ReadVms", "//api/v1/ReadVms", "", False),
            ("/a%2Fb?c=/d?", "/a%2Fb", "c=/d?", False),
            ("http://x:80/a?b", "/a", "b", True),
            ("https://x", "/", "", True),
            ("/http://x/a", "/http://x/a", "", False),
        ],
    )
    def test_have_their_path_as_it_was_sent(self, target: str, path: str, query: str, is_for_proxy: bool) -> None:
        """The path is neither decoded nor cleaned, because a signature covers it. That of a proxy's URL has no host."""
        (received,) = feed(f"GET {target} HTTP/1.1\r\n\r\n".encode())
        request = received.request
        assert (request.path, request.query, received.is_for_proxy) == (path, query, is_for_proxy)

    def test_join_the_values_of_a_header(self) -> None:
        """The lines of one header are a list, whatever their capitals (RFC 9110, 5.3)."""
        (received,) = feed(HEAD + b"X-A: 1\r\nx-b:2 \r\nx-a: \xe9\r\n\r\n")
        assert received.request == make_request(headers={"x-a": "1, \xe9", "x-b": "2"})

    def test_have_a_header_without_a_value(self) -> None:
        """What an empty value means is for the application: metadata of an object may be empty (RFC 9110, 5.5)."""
        (received,) = feed(HEAD + b"X-A:\r\nX-B: \r\n\r\n")
        assert received.request == make_request(headers={"x-a": "", "x-b": ""})

    def test_wait_for_permission_to_send_a_body(self) -> None:
        """`Expect: 100-continue` is answered where a body is to come, and not shown to the application."""
        buffer = RequestBuffer(LIMITS)
        buffer.feed(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (buffer.take(), buffer.expects_continue) == (None, True)
        buffer.feed(b"{}")
        received = buffer.take()
        assert received is not None
        assert received.request == make_request(b"{}")


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: +1\r\n\r\n",
        HEAD + b"Content-Length: 0x1\r\n\r\n",
        HEAD + b"Content-Length: 1, 1\r\n\r\n",
        HEAD + b"Content-Length: \xb2\r\n\r\n",
        HEAD + b"Content-Length: " + b"9" * 100 + b"\r\n\r\n",
        HEAD + b"Content-Length: 0\r\nContent-Length: 36\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length : 36\r\n\r\n",
        HEAD + b"Content-Length: 0\r\n Content-Length: 36\r\n\r\n",
        HEAD + b"X: a\nContent-Length: 36\r\n\r\n",
        HEAD + b"X: a\0b\r\n\r\n",
        HEAD + b"X: a\rb\r\n\r\n",
        HEAD + b"Host: y\r\n\r\n",
        HEAD + b"Authorization: a\r\nAuthorization: b\r\n\r\n",
        HEAD + b"Transfer-Encoding: identity\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"0x5\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"5\n",
        CHUNKED + b"2\r\nabc\r\n",
        CHUNKED + b"2;" + b"a" * 300,
        CHUNKED + b"0\r\nX-Trailer: 1\r\n\r\n",
        CHUNKED + b"0\r\nContent-Length: 36\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b": no name\r\n\r\n",
    ],
)
def test_ambiguous_framing_is_rejected(data: bytes) -> None:
    """A request whose end is not stated exactly, and once, is answered by 400; the bytes after it are never read."""
    with pytest.raises(HttpError) as caught:
        feed(data + SMUGGLED)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (HEAD + b"Content-Length: 1001\r\n\r\n", 413),
        (HEAD + b"Content-Length: 999999999999999\r\n\r\n", 413),
        (CHUNKED + b"3e9\r\n", 413),
        (CHUNKED + b"1f4\r\n" + b"x" * 500 + b"\r\n1f5\r\n", 413),
        (HEAD + b"X: " + b"a" * 500 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 500, 431),
        (HEAD + b"Expect: magic\r\n\r\n", 417),
        (HEAD.replace(b"1.1", b"2.0") + b"\r\n", 505),
    ],
)
def test_large_requests_are_rejected_before_their_body(data: bytes, status: int) -> None:
    """The length that a client announces decides, not the bytes that it has sent."""
    with pytest.raises(HttpError) as caught:
        feed(data)
    assert caught.value.status == status


def test_many_small_chunks_are_rejected() -> None:
    """A body in chunks of one byte costs more to read than it holds, so the lines of all chunks have 1 MiB at most."""
    with pytest.raises(HttpError, match="too many"):
        feed(CHUNKED, *[b"1;%s\r\nx\r\n" % (b"a" * 200) * 100] * 100, limits=Limits())


def test_blanks_in_a_header_take_linear_time() -> None:
    """60,000 blanks before a control character are rejected at once; trying each way to split them took days."""
    with pytest.raises(HttpError, match="a name, a colon and a value"):
        feed(HEAD + b"X:" + b" " * 60_000 + b"\x01\r\n\r\n", limits=Limits())
