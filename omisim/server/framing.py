"""Read HTTP requests strictly: bytes in, whole requests out, without I/O.

A server and a proxy that disagree about the length of a body let a client hide a second request in the first. So a
request whose length is stated twice, or not exactly, is rejected and its connection closed (RFC 9112, 6.3 and 11.2).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

from omisim.base.foreign import parse_target
from omisim.base.frozen import frozen
from omisim.doors.http import HttpRequest
from omisim.server.http_error import HttpError

__all__ = ["CLOUD_HEADER", "MAX_CLOUDS", "Limits", "Received", "RequestBuffer"]

MIB = 2**20
MAX_CLOUDS = 4096
CLOUD_HEADER = "x-omisim-cloud"
MAX_CHUNK_LINE = 256  # bytes of the line with the size of a chunk
MAX_OVERHEAD = MIB  # bytes of all such lines of a request: a body in chunks of one byte is rejected early
END = b"\r\n\r\n"
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00-\x08\x0a-\x1f\x7f]*)")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,12})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Z-]+) ([^ ]+) HTTP/([0-9]\.[0-9])")
_FRAMING = frozenset({"content-length", "transfer-encoding", "expect"})  # replaced by the length of the whole body
_HIDDEN = _FRAMING | {"connection"}
_SINGLE = _FRAMING | {"host", "authorization", "x-omisim-token", CLOUD_HEADER, "cookie", "origin"}


@frozen()
class Limits:
    """What a client may use of a server. Sizes are in bytes, times in seconds.

    Attributes:
        body: the size of the body of a request.
        head: the size of its first line and headers.
        request_seconds: the time from the first byte of a request to its last.
        idle_seconds: the time for which a connection may be silent between requests.
        send_seconds: the time for which a client may refuse to read an answer.
        connections: the number of connections; the one that has been silent longest makes room for a new one.
        memory: the size of all requests that are being received or answered, and of all answers that were not read.
        clouds: the number of clouds that clients make besides the first.
    """

    body: int = 64 * MIB
    head: int = 64 * 1024
    request_seconds: float = 30
    idle_seconds: float = 60
    send_seconds: float = 10
    connections: int = 512
    memory: int = 256 * MIB
    clouds: int = MAX_CLOUDS


class Received(NamedTuple):
    """A whole request, and what its connection has to know.

    Attributes:
        request: the request. Its headers have its length, however it was sent, and not how its end was marked.
        version: that of HTTP, 1.0 or 1.1.
        is_for_proxy: whether its URL is absolute: the client takes the server for a proxy.
        keeps_open: whether the client may send another request.
    """

    request: HttpRequest
    version: str
    is_for_proxy: bool
    keeps_open: bool


def _parse_request_line(line: str) -> tuple[str, str, str]:
    """Return the method, the target and the version of HTTP."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise HttpError(HTTPStatus.BAD_REQUEST, "the first line of a request must be METHOD URL HTTP/1.1")
    method, target, version = match.groups()
    if version not in ("1.0", "1.1"):
        raise HttpError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "the version of HTTP must be 1.0 or 1.1")
    if method == "CONNECT":
        raise HttpError(HTTPStatus.NOT_IMPLEMENTED, "the server opens no tunnels to others")
    try:
        fragment = parse_target(target).fragment
    except ValueError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"the URL of the request is malformed: {error}") from None
    if fragment or not (target.startswith("/") or "://" in target or (method, target) == ("OPTIONS", "*")):
        reason = "the URL of a request must begin with a slash or http://, and have no fragment"
        raise HttpError(HTTPStatus.BAD_REQUEST, reason)
    return method, target, version


class RequestBuffer:
    """The bytes of one connection that belong to no answered request yet."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = bytearray()
        self._begin()

    def _begin(self) -> None:
        self._head: Received | None = None  # the request without its body, once the headers are complete
        self._headers: dict[str, str] = {}  # of this request
        self._length: int | None = None  # of the body; None if it comes in chunks
        self._body = bytearray()  # decoded chunks
        self._scanned = 0
        self._overhead = 0
        self.expects_continue: bool = False

    def __len__(self) -> int:
        """Return the number of bytes held."""
        return len(self._bytes) + len(self._body)

    @property
    def has_head(self) -> bool:
        """Whether the first line and the headers of the next request have come."""
        return self._head is not None

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._bytes += data

    def take(self) -> Received | None:
        """Return the next whole request, or None until its last byte has come.

        Raises HttpError, after which the connection has to be closed.
        """
        if self._head is None and not self._read_head():
            return None
        received = self._head
        assert received is not None
        if self._length is None:
            if not self._read_chunks():
                return None
            body = bytes(self._body)
        else:
            if len(self._bytes) < self._length:
                return None
            body = bytes(memoryview(self._bytes)[: self._length])
            del self._bytes[: self._length]
        self._headers["content-length"], received.request.body = str(len(body)), body
        self._begin()
        return received

    def _read_head(self) -> bool:
        while self._bytes.startswith(b"\r\n"):  # a client may send an empty line after a body (RFC 9112, 2.2)
            del self._bytes[:2]
        end = self._bytes.find(END, max(self._scanned - len(END), 0))
        known = end if end >= 0 else len(self._bytes)
        if _BARE_LINE_FEED.search(self._bytes, self._scanned, known):
            raise HttpError(HTTPStatus.BAD_REQUEST, "lines must end with CR and LF")
        if known > self._limits.head:
            raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the head exceeds {self._limits.head} bytes")
        self._scanned = known
        if end < 0:
            return False
        head = bytes(memoryview(self._bytes)[:end])
        del self._bytes[: end + len(END)]
        self._parse_head(head)
        return True

    def _parse_head(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = _parse_request_line(first)
        values: dict[str, list[str]] = {}
        for line in lines:
            match = _FIELD.fullmatch(line)
            if match is None:
                raise HttpError(HTTPStatus.BAD_REQUEST, "a header must be one line of a name, a colon and a value")
            name = match[1].lower()
            if name in _SINGLE and name in values:
                raise HttpError(HTTPStatus.BAD_REQUEST, f"the header {name} must be sent once")
            values.setdefault(name, []).append(match[2].strip(" \t"))
        headers = {name: ", ".join(filter(None, parts)) for name, parts in values.items()}
        self._set_length(headers, is_1_0=version == "1.0")
        options = [option.strip(" \t") for option in headers.get("connection", "").lower().split(",")]
        self._headers = {name: value for name, value in headers.items() if name not in _HIDDEN}
        is_for_proxy = not target.startswith("/") and target != "*"
        path, _, query = (f"/{_cut_host(target)}" if is_for_proxy else target).partition("?")
        request = HttpRequest(method, self._headers.get("host", ""), path, self._headers, query=query)
        keeps_open = "close" not in options and (version == "1.1" or "keep-alive" in options)
        self._head = Received(request, version, is_for_proxy, keeps_open)

    def _set_length(self, headers: dict[str, str], *, is_1_0: bool) -> None:
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if coding is not None:
            if length is not None or is_1_0 or coding.lower() != "chunked":
                raise HttpError(HTTPStatus.BAD_REQUEST, "Transfer-Encoding must be chunked, without Content-Length")
            self._length = None
        elif length is not None and not _LENGTH.fullmatch(length):
            raise HttpError(HTTPStatus.BAD_REQUEST, "Content-Length must be one number")
        else:
            self._length = int(length or "0")
            self._check_size(self._length)
        expectation = headers.get("expect", "").lower()
        if expectation not in ("", "100-continue"):
            raise HttpError(HTTPStatus.EXPECTATION_FAILED, "Expect must be 100-continue")
        self.expects_continue = bool(expectation) and self._length != 0 and not is_1_0

    def _check_size(self, size: int) -> None:
        if size > self._limits.body:
            reason = f"the body has more than {self._limits.body} bytes, the limit of this server (--limit body=…)"
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)

    def _read_chunks(self) -> bool:
        """Decode the chunks that have come; return whether the last one is among them."""
        at = 0
        try:
            while True:
                end = self._bytes.find(b"\r\n", at, at + MAX_CHUNK_LINE)
                if end < 0:
                    if len(self._bytes) - at >= MAX_CHUNK_LINE or b"\n" in self._bytes[at:]:
                        raise HttpError(HTTPStatus.BAD_REQUEST, "the line with the size of a chunk is malformed")
                    return False
                size = self._parse_chunk_size(bytes(self._bytes[at:end]))
                after = end + 2 + size  # where the CR and LF after the data begin
                last = bytes(self._bytes[after : after + 2])
                if not b"\r\n".startswith(last):
                    raise HttpError(HTTPStatus.BAD_REQUEST, "a chunk must end where its size says, without trailers")
                if len(last) < 2:  # noqa: PLR2004 - CR and LF
                    return False
                self._overhead += end - at + 4
                self._body += memoryview(self._bytes)[end + 2 : after]
                at = after + 2
                if size == 0:
                    return True
        finally:
            del self._bytes[:at]

    def _parse_chunk_size(self, line: bytes) -> int:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None or self._overhead > MAX_OVERHEAD:
            raise HttpError(HTTPStatus.BAD_REQUEST, "the size of a chunk is malformed, or there are too many")
        size = int(match[1], 16)
        self._check_size(len(self._body) + size)
        return size


def _cut_host(url: str) -> str:
    """Return the path of an absolute URL, without its first slash, and the query."""
    return url.partition("://")[2].partition("/")[2]
