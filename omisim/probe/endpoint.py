"""An OAPI endpoint: signed requests by the standard library, repeated with back-off while the endpoint throttles."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult

from omisim.base.foreign import parse_base_url, parse_json
from omisim.base.hosts import DEFAULT_REGION, parse_host
from omisim.formats.sigv4 import DATE, DIALECTS, sign
from omisim.probe.connection import THROTTLED, Answer, Connection, Keys, Unreachable, repeat_throttled

__all__ = ["AWS4", "Endpoint", "parse_endpoint"]

OSC4, AWS4 = "OSC4-HMAC-SHA256", "AWS4-HMAC-SHA256"


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
        parts = parse_endpoint("ENDPOINT", url)
        self.url: str = url
        self.base: str = parts.path.rstrip("/").removesuffix("/api/v1").rstrip("/") + "/api/v1"
        self.parts: SplitResult = parts
        self.connection: Connection = Connection(parts, now=now, timeout=timeout)
        self.host: str = self.connection.host
        parsed = parse_host(self.host)
        self.region: str = region or (parsed.region if parsed else "") or DEFAULT_REGION
        self.keys = keys
        self.now: Callable[[], dt.datetime] = now
        self.sleep: Callable[[float], None] = sleep
        self.timeout = timeout

    def call(self, action: str, parameters: Mapping[str, Any], options: Mapping[str, str] | None = None) -> Answer:
        """Make a call, repeated with growing pauses while the endpoint throttles it.

        `options` change the request of an experiment about requests: `body`, `path`, `method`, `type` (of the content),
        `host` (its header), `key`, `secret`, `algorithm`, `hours` (by which the date is off), `scope` (its Region),
        `headers` (those to sign) and `sign` ("no", "bad" or an Authorization).
        Raises Unreachable if no JSON object comes back.
        """
        return repeat_throttled(lambda: self._send_once(action, parameters, options or {}), self.sleep)

    def shift_now(self, options: Mapping[str, str]) -> dt.datetime:
        """Return the date of a signature: now, or `hours` from now."""
        return self.now() + dt.timedelta(hours=float(options.get("hours", "0")))

    def _send_once(self, action: str, parameters: Mapping[str, Any], options: Mapping[str, str]) -> Answer:
        body = options.get("body", json.dumps(parameters)).encode()
        path = options.get("path", f"{self.base}/{action}")
        method = options.get("method", "POST")
        headers = {"Content-Type": options.get("type", "application/json"), "Host": options.get("host", self.host)}
        headers |= self._sign(method, path, body, headers, options)
        response = self.connection.send(action, method, path, body, headers, repeat=action.startswith("Read"))
        if HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:  # the API redirects no call
            target = response.headers.get("location", "another URL")
            raise Unreachable(f"{action}: the answer ({response.status}) redirects to {target}")
        return Answer(response.status, _decode(action, response.status, response.content), response.headers)

    def _sign(
        self, method: str, path: str, body: bytes, sent: Mapping[str, str], options: Mapping[str, str]
    ) -> dict[str, str]:
        scheme = options.get("sign", "")
        if scheme == "no":
            return {}
        at = self.shift_now(options).strftime(DATE)
        if scheme not in ("", "bad"):
            return {"X-Osc-Date": at, "Authorization": scheme}
        algorithm = options.get("algorithm", OSC4)
        date = "x-amz-date" if algorithm == AWS4 else "x-osc-date"
        scope = (at[:8], options.get("scope", self.region), "api")
        lines = f"content-type:{sent['Content-Type']}\nhost:{sent['Host']}\n{date}:{at}\n"
        names = options.get("headers", f"content-type;host;{date}")
        digest = hashlib.sha256(body).hexdigest()
        canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{digest}".encode()
        signature = sign(options.get("secret", self.keys.secret_key), algorithm, at, scope, canonical)
        credential = f"{options.get('key', self.keys.access_key)}/{'/'.join(scope)}/{DIALECTS[algorithm][1]}"
        if scheme == "bad":
            credential = self.keys.access_key
        text = f"{algorithm} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return {date: at, "Authorization": text}


def parse_endpoint(name: str, url: str) -> SplitResult:
    """Return the parts of a base URL; https is the default. Raises ValueError, with the name of the option."""
    return parse_base_url(url if "://" in url else f"https://{url}", name, "https://api.eu-west-2.outscale.com")


def _decode(action: str, status: int, content: bytes) -> Mapping[str, Any]:
    try:
        body = parse_json(content) if content.strip() else {}
    except ValueError:
        if status in THROTTLED:  # the answer of a proxy
            return {}
        kind = "HTML" if b"<html" in content[:500].lower() else "text"
        raise Unreachable(f"{action}: the answer ({status}) is {kind}, not JSON") from None
    if not isinstance(body, dict):
        kind = "null" if body is None else type(body).__name__
        raise Unreachable(f"{action}: the answer ({status}) is a JSON {kind}, not an object")
    return body
