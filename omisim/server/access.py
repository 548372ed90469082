"""Who may use the control plane, and which web pages may send requests to the server.

A browser sends a page's requests to any address. Three checks keep foreign pages out: the Host header names the server
(a page that rebinds its own name to this address does not), the Origin header, if there is one, is the server's, and
the control plane needs its token.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from collections.abc import Collection
from http import HTTPStatus

from omisim.base.hosts import DOMAIN
from omisim.doors.http import HttpRequest
from omisim.server.http_error import HttpError

__all__ = ["Access"]

MAX_SESSIONS = 64  # the oldest one ends when another begins
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)


class Access:
    """The checks of one server. `hosts` are names of the server besides addresses, localhost and OUTSCALE's names."""

    def __init__(self, token: str, scheme: str = "http", hosts: Collection[str] = ()) -> None:
        self._token = token.encode()
        self._scheme = scheme
        self._hosts = {host.lower() for host in hosts}
        self._sessions: dict[str, None] = {}  # the cookies, oldest first

    def check_site(self, request: HttpRequest) -> None:
        """Raise HttpError for a request to a foreign name, and for one that a foreign page sends."""
        if not self._is_own_host(request.host):
            reason = f"the Host header names {request.host[:200]!r}, which is not a name of this server (--allow-host)"
            raise HttpError(HTTPStatus.FORBIDDEN, reason)
        origin = request.headers.get("origin")
        if origin and not self._is_own_origin(origin, request):
            raise HttpError(HTTPStatus.FORBIDDEN, f"the page {origin[:200]!r} must not send requests to this server")

    def _is_own_host(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return host == ""  # HTTP/1.0, which no browser sends
        name = match[1].lower().rstrip(".")
        if name in self._hosts or name == "localhost" or name.endswith((".localhost", f".{DOMAIN}")):
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _is_own_origin(self, origin: str, request: HttpRequest) -> bool:
        return origin.lower() == f"{self._scheme}://{request.host}".lower()

    def check_token(self, request: HttpRequest) -> None:
        """Raise HttpError for a request to the control plane without the token, or a cookie that stands for it."""
        if not self.has_token(request):
            reason = (
                "the control plane requires its token: OMISIM_TOKEN, --token, or the header Authorization: Bearer TOKEN"
            )
            raise HttpError(HTTPStatus.UNAUTHORIZED, reason)

    def has_token(self, request: HttpRequest) -> bool:
        """Whether a request has the token in each of the headers that it uses, or a valid cookie."""
        token, authorization = request.headers.get("x-omisim-token"), request.headers.get("authorization")
        tokens = [token] if token else []
        if authorization:
            scheme, _, value = authorization.partition(" ")
            tokens.append(value if scheme.lower() == "bearer" else "")
        if tokens:
            return all(hmac.compare_digest(token.encode(errors="replace"), self._token) for token in tokens)
        return self._has_cookie(request)

    def _has_cookie(self, request: HttpRequest) -> bool:
        """Whether a page of this server sends a cookie of `open_session`: a browser says so in headers of its own."""
        origin, method = request.headers.get("origin"), request.method
        is_read = method in ("GET", "HEAD") and not origin  # a page's own reads have no Origin
        if is_read and request.headers.get("sec-fetch-site") != "same-origin":
            return False
        if not is_read and not (origin and self._is_own_origin(origin, request)):
            return False
        return self._read_cookie(request) in self._sessions

    @staticmethod
    def _name_cookie(request: HttpRequest) -> str:
        """Return the name of the server's cookie. It has the port, because a browser sends a cookie to every port."""
        match = _HOST.fullmatch(request.host)
        return f"omisim_session_{match[2]}" if match and match[2] else "omisim_session"

    def _read_cookie(self, request: HttpRequest) -> str:
        """Return the value of the server's cookie, or "". SimpleCookie would read none beside a malformed one."""
        own_name = self._name_cookie(request)
        pairs = (text.strip().partition("=") for text in request.headers.get("cookie", "").split(";"))
        return next((value for name, _, value in pairs if name == own_name), "")

    def open_session(self, request: HttpRequest) -> str:
        """Return the Set-Cookie header of a new session for a page of this server. Raises HttpError without Origin."""
        if not request.headers.get("origin"):
            raise HttpError(HTTPStatus.FORBIDDEN, "only a page of this server may exchange the token for a cookie")
        session = secrets.token_urlsafe(32)
        self._sessions[session] = None
        if len(self._sessions) > MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        secure = "; Secure" if self._scheme == "https" else ""
        return f"{self._name_cookie(request)}={session}; HttpOnly; SameSite=Strict; Path=/_omisim{secure}"

    def close_session(self, request: HttpRequest) -> str:
        """End the session of a request; return the Set-Cookie header that removes it."""
        self._sessions.pop(self._read_cookie(request), None)
        return f"{self._name_cookie(request)}=; HttpOnly; SameSite=Strict; Path=/_omisim; Max-Age=0"
