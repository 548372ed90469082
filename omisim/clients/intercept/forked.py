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


def send_to_server(
    url: str, method: str, host: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpResponse:
    """Return a server's response to a request under its own Host header, which its signature covers.

    Raises Dropped when a fault drops the connection.
    """
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=_TIMEOUT)
    try:
        connection.request(method, target, body, {**headers, "host": headers.get("host", host), "connection": "close"})
        answer = connection.getresponse()
        answer_headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
        return HttpResponse(answer.status, answer.read(), answer_headers)
    except RemoteDisconnected as error:
        raise Dropped(str(error)) from error
    finally:
        connection.close()
