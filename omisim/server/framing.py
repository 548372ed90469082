"""Where one HTTP request ends and the next begins, strictly: bytes in, whole requests out, without I/O.

A server and a proxy that disagree about the length of a body let a client hide a second request in the first. So a
request whose length is stated twice, or not exactly, is rejected and its connection closed (RFC 9112, 6.3 and 11.2).
"""

from __future__ import annotations

import re
from http import HTTPStatus

from omisim.base.foreign import parse_target
from omisim.base.frozen import frozen
from omisim.server.http_error import HttpError

__all__ = ["MAX_CLOUDS", "Limits", "RequestBuffer"]

MIB = 2**20
MAX_CLOUDS = 4096
MAX_CHUNK_LINE = 256  # bytes of the line with the size of a chunk
MAX_OVERHEAD = MIB  # bytes of all such lines of a request: a body in chunks of one byte is rejected early
END = b"\r\n\r\n"
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00-\x08\x0a-\x1f\x7f]*)")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,12})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ ]+) HTTP/([0-9]\.[0-9])")
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"expect"})  # replaced by the length of the whole body
# option of the header Connection → the line that cheroot understands, which compares whole values
_CONNECTION = {b"close": b"Connection: close", b"keep-alive": b"Connection: Keep-Alive"}
_SINGLE = _FRAMING | {b"host", b"authorization", b"x-omisim-token", b"x-omisim-cloud", b"cookie", b"origin"}


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
        memory: the size of all requests that are being received or answered.
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


def _parse_request_line(line: bytes) -> bytes:
    """Return the version of HTTP. Raises HttpError for what cheroot would read differently, or fail to answer."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise HttpError(HTTPStatus.BAD_REQUEST, "the first line of a request must be METHOD URL HTTP/1.1")
    method, target, version = match.groups()
    if method == b"CONNECT":
        raise HttpError(HTTPStatus.NOT_IMPLEMENTED, "the server opens no tunnels to others")
    try:
        parse_target(target.decode("latin-1"))
    except ValueError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"the URL of the request is malformed: {error}") from None
    return bytes(version)


class RequestBuffer:
    """The bytes of one connection that belong to no answered request yet."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = bytearray()
        self._begin()

    def _begin(self) -> None:
        self._head: bytes | None = None  # once it is complete, without the headers of `_FRAMING`
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

    def take(self) -> bytes | None:
        """Return the next whole request with a Content-Length, or None until its last byte has come.

        Raises HttpError, after which the connection has to be closed.
        """
        if self._head is None and not self._read_head():
            return None
        assert self._head is not None
        if self._length is None:
            if not self._read_chunks():
                return None
            body = bytes(self._body)
        else:
            if len(self._bytes) < self._length:
                return None
            body = bytes(memoryview(self._bytes)[: self._length])
            del self._bytes[: self._length]
        request = b"%s\r\nContent-Length: %d\r\n\r\n%s" % (self._head, len(body), body)
        self._begin()
        return request

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
        first, *lines = head.split(b"\r\n")
        version = _parse_request_line(first)
        kept, framing = [first], {}
        seen: set[bytes] = set()
        options: set[bytes] = set()
        for line in lines:
            match = _FIELD.fullmatch(line)
            if match is None:
                raise HttpError(HTTPStatus.BAD_REQUEST, "a header must be one line of a name, a colon and a value")
            name = match[1].lower()
            if b"_" in name:  # WSGI shows it as the header with hyphens, which a proxy may have checked
                if name.replace(b"_", b"-") in _SINGLE:
                    raise HttpError(HTTPStatus.BAD_REQUEST, f"{name.decode()} must be spelled with a hyphen")
                continue
            if name in _SINGLE and name in seen:
                raise HttpError(HTTPStatus.BAD_REQUEST, f"the header {name.decode()} must be sent once")
            seen.add(name)
            if name in _FRAMING:
                framing[name] = match[2].strip(b" \t")
            elif name == b"connection":
                options |= {option.strip(b" \t") for option in match[2].lower().split(b",")}
            else:
                kept.append(line)
        kept += [line for option, line in _CONNECTION.items() if option in options][:1]
        self._head = b"\r\n".join(kept)
        self._set_length(framing, is_1_0=version == b"1.0")

    def _set_length(self, framing: dict[bytes, bytes], *, is_1_0: bool) -> None:
        length, coding = framing.get(b"content-length"), framing.get(b"transfer-encoding")
        if coding is not None:
            if length is not None or is_1_0 or coding.lower() != b"chunked":
                raise HttpError(HTTPStatus.BAD_REQUEST, "Transfer-Encoding must be chunked, without Content-Length")
            self._length = None
        elif length is not None and not _LENGTH.fullmatch(length):
            raise HttpError(HTTPStatus.BAD_REQUEST, "Content-Length must be one number")
        else:
            self._length = int(length or b"0")
            self._check_size(self._length)
        expectation = framing.get(b"expect", b"").lower()
        if expectation not in (b"", b"100-continue"):
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
