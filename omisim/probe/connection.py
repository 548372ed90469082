"""HTTP by the standard library: one connection to a host, kept open, with one reason in one line for each failure."""

from __future__ import annotations

import datetime as dt
import http.client
import ssl
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, NamedTuple
from urllib.parse import SplitResult

from omisim.base.frozen import frozen

__all__ = [
    "NO_PERMISSION", "THROTTLED", "Absent", "Answer", "Connection", "Keys", "Response", "Unreachable",
    "repeat_throttled",
]  # fmt: skip

NO_PERMISSION = (401, 403)
THROTTLED = (429, 503)
MAX_TRIES = 6  # of a throttled call: the waits add up to 31 seconds
MAX_PAUSE = 60.0  # seconds, whatever the endpoint asks for
REFUSED = 400
IDLE = dt.timedelta(seconds=5)  # servers close silent connections


class Unreachable(Exception):
    """The endpoint sent no answer, or one of another format. The text fits on one line."""


class Absent(Unreachable):
    """The endpoint does not have the service."""


@frozen()
class Keys:
    """The access key and the secret key of an account."""

    access_key: str
    secret_key: str = field(repr=False)


@frozen()
class Answer:
    """The answer to one call: the HTTP status and the body, whose errors have the form of the OUTSCALE API."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the call succeeded."""
        return self.status < REFUSED

    @property
    def code(self) -> str:
        """The error code of a refusal, "" for a success, "none" for a refusal without a code."""
        if self.accepted:
            return ""
        try:
            return str(self.body["Errors"][0]["Code"])
        except (KeyError, IndexError, TypeError):
            return "none"

    @property
    def whole(self) -> dict[str, Any]:
        """The body, with the HTTP status and the headers as `_status` and `_headers`."""
        return {**self.body, "_status": self.status, "_headers": self.headers}

    def __str__(self) -> str:
        """Return the answer in a few words."""
        if self.accepted:
            return f"success ({self.status})"
        try:
            details = str(self.body["Errors"][0]["Details"])[:120]
        except (KeyError, IndexError, TypeError):
            details = ""
        return f"{self.status}, code {self.code}{f' ({details})' if details else ''}"


class Response(NamedTuple):
    """An HTTP response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Connection:
    """A connection to the host of a URL. `now` tells how long it has been silent."""

    def __init__(self, parts: SplitResult, *, now: Callable[[], dt.datetime], timeout: float) -> None:
        self.host: str = parts.netloc
        self.calls: int = 0
        self._tls = parts.scheme == "https"
        self._now, self._timeout = now, timeout
        self._connection: http.client.HTTPConnection | None = None
        self._used = now()  # when the connection was used last

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(
        self, action: str, method: str, target: str, body: bytes, headers: Mapping[str, str], *, repeat: bool
    ) -> Response:
        """Send a request. `repeat` says whether it may be sent again after a lost connection.

        Raises Unreachable, with the name of the action.
        """
        self.calls += 1
        try:
            response, content = self._exchange(method, target, body, headers, repeat=repeat)
        except TimeoutError:
            self.close()
            raise Unreachable(f"{action}: no answer within {self._timeout:g} seconds") from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            reason = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
                reason = "the host does not speak TLS: should its URL begin with http://?"
            raise Unreachable(f"{action}: {reason}") from None
        return Response(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def _exchange(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str], *, repeat: bool
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request on the open connection, or on a new one if that has been silent for long.

        A read is repeated once if the server has closed the connection; another call may have had its effect.
        """
        now = self._now()
        if now - self._used > IDLE:
            self.close()
        self._used = now
        if self._connection is None:
            repeat = False
            kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
            self._connection = kind(self.host, timeout=self._timeout)
        try:
            self._connection.request(method, target, body, dict(headers))
            response = self._connection.getresponse()
            return response, response.read()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            self.close()
            if not repeat:
                raise
            return self._exchange(method, target, body, headers, repeat=False)


def repeat_throttled(send: Callable[[], Answer], sleep: Callable[[float], None]) -> Answer:
    """Return the answer to a call, which is repeated with growing pauses while the endpoint throttles it."""
    for attempt in range(MAX_TRIES - 1):
        answer = send()
        if answer.status not in THROTTLED:
            return answer
        sleep(_read_seconds(answer.headers.get("retry-after", "")) or float(2**attempt))
    return send()


def _read_seconds(text: str) -> float:
    return min(float(text), MAX_PAUSE) if text.isascii() and text.isdecimal() else 0.0
