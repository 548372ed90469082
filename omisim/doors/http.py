"""An HTTP request and an HTTP response, independent of the transport."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "MAX_CACHED", "MAX_PARSED", "WITHOUT_BODY", "HttpRequest", "HttpResponse", "clean_header", "is_header_value",
    "is_latin_1",
]  # fmt: skip

MAX_CACHED = 4096  # bytes of a body, or of a query string; what a longer request makes is not cached
MAX_PARSED = 2**22  # bytes of JSON, XML or a form: it is parsed under the lock of the cloud, some of it unsigned
WITHOUT_BODY = (204, 304)  # the statuses after whose headers a client expects the next answer (RFC 9110, 6.4.1)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(slots=True)
class HttpRequest:
    """One HTTP request.

    The keys of `headers` are lower case. `host` is the client's Host header, which may include a port.
    """

    method: str
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    query: str = ""

    @property
    def head_size(self) -> int:
        """The length of the path, the query and the values of the headers."""
        return len(self.path) + len(self.query) + sum(map(len, self.headers.values()))


@dataclass(slots=True)
class HttpResponse:
    """One HTTP response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def is_header_value(text: str) -> bool:
    """Whether a text can be the value of a header: a line feed would begin another header."""
    return _CONTROL.search(text) is None


def is_latin_1(text: str) -> bool:
    """Whether each character of a text is one byte in a header."""
    return all(character <= "\xff" for character in text)


def clean_header(text: str) -> str:
    """Return the value of a header as HTTP transmits it: on one line, a byte in each character (Latin-1).

    A text with other characters becomes the bytes of UTF-8.
    """
    if text.isascii() and is_header_value(text):
        return text
    line = _CONTROL.sub(" ", text)
    return line if is_latin_1(line) else line.encode(errors="replace").decode("latin-1")
