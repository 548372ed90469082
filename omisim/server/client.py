"""A small client of the control plane, in the standard library alone."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

__all__ = ["Client", "render_exports"]

TIMEOUT = 60  # seconds for an answer; events have none


def render_exports(variables: Mapping[str, str]) -> str:
    """Spell environment variables as lines for a shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


class Client:
    """Speaks to the control plane of a server: `Client(url, token).post("advance", seconds=60)`."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._opener = build_opener(ProxyHandler({}))  # it is this machine's: no proxy

    def get(self, name: str, /, **query: str) -> Any:
        """Ask an endpoint. Raises ValueError with what the server says."""
        return self._send("GET", name + (f"?{urlencode(query)}" if query else ""), None)

    def post(self, name: str, /, **body: Any) -> Any:
        """Tell an endpoint. Raises ValueError with what the server says."""
        return self._send("POST", name, body)

    def delete(self, name: str, /) -> Any:
        """Call something off. Raises ValueError with what the server says."""
        return self._send("DELETE", name, None)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield each change of the cloud as it happens, for as long as the server runs."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "text/event-stream"}
        with self._opener.open(Request(f"{self._url}/_omisim/events", headers=headers)) as stream:  # noqa: S310 - its own URL
            for line in stream:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))

    def _send(self, method: str, name: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._url}/_omisim/{name}", data, headers, method=method)  # noqa: S310 - its own URL
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                return json.loads(answer.read())
        except HTTPError as error:
            with error:
                raise ValueError(_why(error.read()) or f"{error}: this is no server of omisim") from None
        except (HTTPException, json.JSONDecodeError) as error:
            raise ValueError(f"this is no server of omisim: {error!r}") from None


def _why(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return ""
