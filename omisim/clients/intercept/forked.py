"""Requests of a forked process: its cloud is a copy, so they go to the server of the original, or are refused."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPConnection, RemoteDisconnected
from urllib.parse import urlsplit

from omisim.doors.http import HttpResponse
from omisim.engine.faults import Dropped

__all__ = ["send_to_server"]

_TIMEOUT = 60  # seconds
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "server"})
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})  # http.client adds the length of the body


def send_to_server(
    url: str, method: str, host: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpResponse:
    """Return a server's response to a request under its own Host header, which its signature covers.

    Raises Dropped when a fault drops the connection.
    """
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=_TIMEOUT)
    kept = {name: value for name, value in headers.items() if name not in _FRAMING}
    try:
        connection.request(method, target, body, {"host": host, **kept, "connection": "close"})
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}  # in the case of the doors' headers
        answer_headers = {name: value for name, value in named.items() if name not in _HOP_BY_HOP}
        return HttpResponse(answer.status, answer.read(), answer_headers)
    except RemoteDisconnected as error:
        raise Dropped(str(error)) from error
    finally:
        connection.close()
