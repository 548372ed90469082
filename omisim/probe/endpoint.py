"""An OAPI endpoint: signed requests by the standard library, repeated with back-off while the endpoint throttles."""

from __future__ import annotations

import datetime as dt
import hashlib
import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from omisim.base.hosts import DEFAULT_REGION, parse_host
from omisim.formats.sigv4 import DATE, DIALECTS, sign

__all__ = ["Answer", "Endpoint", "Keys", "Unreachable", "is_loopback"]

OSC4, AWS4 = "OSC4-HMAC-SHA256", "AWS4-HMAC-SHA256"
THROTTLED = (429, 503)
MAX_TRIES = 6  # of a throttled call: the waits add up to 31 seconds
REFUSED = 400
IDLE = dt.timedelta(seconds=5)  # servers close silent connections


class Unreachable(Exception):
    """The endpoint sent no answer, or one that is not JSON. The text fits on one line."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The access key and the secret key of an account."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one call: the HTTP status and the JSON body."""

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

    def __str__(self) -> str:
        """Return the answer in a few words."""
        if self.accepted:
            return f"success ({self.status})"
        try:
            details = str(self.body["Errors"][0]["Details"])[:120]
        except (KeyError, IndexError, TypeError):
            details = ""
        return f"{self.status}, code {self.code}{f' ({details})' if details else ''}"


class Endpoint:
    """The API under one base URL, as one caller. `sleep` waits between the tries of a throttled call."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        region: str,
        *,
        now: Callable[[], dt.datetime],
        sleep: Callable[[float], None],
        timeout: float = 60,
    ) -> None:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"ENDPOINT must be a URL such as https://api.eu-west-2.outscale.com, not {url!r}")
        self.host: str = parts.netloc.rpartition("@")[2]
        self.hostname: str = parts.hostname
        self.base: str = parts.path.rstrip("/").removesuffix("/api/v1").rstrip("/") + "/api/v1"
        parsed = parse_host(self.host)
        self.region: str = region or (parsed.region if parsed else "") or DEFAULT_REGION
        self.keys = keys
        self.calls: int = 0
        self._tls = parts.scheme == "https"
        self.now: Callable[[], dt.datetime] = now
        self._sleep, self._timeout = sleep, timeout
        self._connection: http.client.HTTPConnection | None = None
        self._used = now()  # when the connection was used last

    def call(self, action: str, parameters: Mapping[str, Any], options: Mapping[str, str] | None = None) -> Answer:
        """Make a call, repeated with growing pauses while the endpoint throttles it.

        `options` change the request of an experiment about requests: `body`, `path`, `method`, `type` (of the content),
        `key`, `secret`, `algorithm`, `hours` (by which the date is off) and `sign` ("no", "bad" or an Authorization).
        Raises Unreachable if no JSON object comes back.
        """
        for attempt in range(MAX_TRIES):
            answer = self._send_once(action, parameters, options or {})
            if answer.status not in THROTTLED or attempt == MAX_TRIES - 1:
                return answer
            self._sleep(_read_seconds(answer.headers.get("retry-after", "")) or float(2**attempt))
        raise AssertionError

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send_once(self, action: str, parameters: Mapping[str, Any], options: Mapping[str, str]) -> Answer:
        body = options.get("body", json.dumps(parameters)).encode()
        path = options.get("path", f"{self.base}/{action}")
        method = options.get("method", "POST")
        headers = {"Content-Type": options.get("type", "application/json"), "Host": self.host}
        headers |= self._sign(method, path, body, headers, options)
        self.calls += 1
        try:
            response, content = self._exchange(method, path, body, headers, repeat=action.startswith("Read"))
        except TimeoutError:
            self.close()
            raise Unreachable(f"{action}: no answer within {self._timeout:g} seconds") from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"{action}: {error or type(error).__name__}") from None
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, _decode(action, response.status, content), headers)

    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], *, repeat: bool
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request on the open connection, or on a new one if that has been silent for long.

        A read is repeated once if the server has closed the connection; another call may have had its effect.
        """
        now = self.now()
        if now - self._used > IDLE:
            self.close()
        self._used = now
        if self._connection is None:
            repeat = False
            kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
            self._connection = kind(self.host, timeout=self._timeout)
        try:
            self._connection.request(method, path, body, dict(headers))
            response = self._connection.getresponse()
            return response, response.read()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            self.close()
            if not repeat:
                raise
            return self._exchange(method, path, body, headers, repeat=False)

    def _sign(
        self, method: str, path: str, body: bytes, sent: Mapping[str, str], options: Mapping[str, str]
    ) -> dict[str, str]:
        scheme = options.get("sign", "")
        if scheme == "no":
            return {}
        at = (self.now() + dt.timedelta(hours=float(options.get("hours", "0")))).strftime(DATE)
        if scheme not in ("", "bad"):
            return {"X-Osc-Date": at, "Authorization": scheme}
        algorithm = options.get("algorithm", OSC4)
        date = "x-amz-date" if algorithm == AWS4 else "x-osc-date"
        scope = (at[:8], self.region, "api")
        lines = f"content-type:{sent['Content-Type']}\nhost:{self.host}\n{date}:{at}\n"
        names = f"content-type;host;{date}"
        digest = hashlib.sha256(body).hexdigest()
        canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{digest}".encode()
        signature = sign(options.get("secret", self.keys.secret_key), algorithm, at, scope, canonical)
        credential = f"{options.get('key', self.keys.access_key)}/{'/'.join(scope)}/{DIALECTS[algorithm][1]}"
        if scheme == "bad":
            credential = self.keys.access_key
        text = f"{algorithm} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return {date: at, "Authorization": text}


def is_loopback(hostname: str) -> bool:
    """Whether a host is this machine."""
    return hostname in ("localhost", "::1") or hostname.startswith("127.")


def _decode(action: str, status: int, content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content) if content.strip() else {}
    except (ValueError, RecursionError):
        kind = "HTML" if b"<html" in content[:500].lower() else "text"
        raise Unreachable(f"{action}: the answer ({status}) is {kind}, not JSON") from None
    if not isinstance(body, dict):
        raise Unreachable(f"{action}: the answer ({status}) is a JSON {type(body).__name__}, not an object")
    return body


def _read_seconds(text: str) -> float:
    return min(float(text), 60.0) if text.isdecimal() else 0.0
