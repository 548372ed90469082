"""A client of the control plane that needs only the standard library."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse, RemoteDisconnected
from ssl import SSLError
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from omisim.base.foreign import parse_base_url, parse_json

__all__ = ["Client", "render_exports"]

_VARIABLE = re.compile(r"(?:AWS|OMISIM|OSC|REQUESTS|SSL)_[A-Z0-9_]+|NO_PROXY|no_proxy")
TIMEOUT = 60  # seconds to wait for an answer; the stream of events has no timeout


def render_exports(variables: Mapping[str, str]) -> str:
    """Return variables for clients as `export` lines for a shell. Raises ValueError for others, such as LD_PRELOAD."""
    wrong = [name for name in variables if not _VARIABLE.fullmatch(name)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not a variable for clients: not an omisim server")
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


class Client:
    """A client of a server's control plane: `Client(url, token).post("advance", seconds=60)`.

    `url` is the address of the server, or of its console. `cloud` names the cloud that the requests are for; the
    default is the first one of the server. Methods raise ValueError with the server's error text, and OSError if the
    server does not answer.
    """

    def __init__(self, url: str, token: str, cloud: str | None = None) -> None:
        parse_base_url(url, "url", "http://127.0.0.1:8333")
        self.url: str = url.partition("/_omisim")[0].rstrip("/")  # the address of the console is one of the server, too
        self._headers = {"Authorization": f"Bearer {token}"} | ({} if cloud is None else {"X-Omisim-Cloud": cloud})
        self._opener = build_opener(ProxyHandler({}))  # ignore proxies: the server is local

    def get(self, name: str, /, **query: str) -> Any:
        """GET an endpoint and return its JSON answer."""
        return self._send("GET", name, query, None)

    def post(self, name: str, /, **body: Any) -> Any:
        """POST to an endpoint and return its JSON answer."""
        return self._send("POST", name, {}, body)

    def delete(self, name: str, /, **query: str) -> Any:
        """DELETE an endpoint and return its JSON answer."""
        return self._send("DELETE", name, query, None)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield each change of the cloud as it happens, until the server stops."""
        with self._open("GET", "events", {"Accept": "text/event-stream"}) as stream:
            for line in stream:
                if line.startswith(b"data: "):
                    yield parse_json(line.removeprefix(b"data: "))

    def _send(self, method: str, name: str, query: Mapping[str, str], body: Any) -> Any:
        name += f"?{urlencode(query)}" if query else ""
        data = None if body is None else json.dumps(body).encode()
        with self._open(method, name, {"Content-Type": "application/json"}, data, TIMEOUT) as answer:
            return parse_json(answer.read())

    @contextmanager
    def _open(
        self, method: str, name: str, headers: dict[str, str], data: bytes | None = None, timeout: float | None = None
    ) -> Iterator[HTTPResponse]:
        """Send a request and yield its answer. What cannot be read of it is an error of the server, too."""
        request = Request(f"{self.url}/_omisim/{name}", data, self._headers | headers, method=method)  # noqa: S310 - its own URL
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                yield answer
        except HTTPError as error:
            with error:
                raise ValueError(_read_error(error.read()) or f"{self.url} is not an omisim server: {error}") from None
        except URLError as error:
            raise ConnectionError(_explain_failure(self.url, error.reason)) from None
        except RemoteDisconnected:
            text = f"{self.url} closes the connection without an answer: write https:// for a server with --tls"
            raise ConnectionError(text) from None
        except (HTTPException, ValueError) as error:
            raise ValueError(f"{self.url} is not an omisim server: {error!r}") from None


def _explain_failure(url: str, reason: Any) -> str:
    if problem := getattr(reason, "verify_message", ""):  # of an SSLCertVerificationError
        cure = "export SSL_CERT_FILE as `omisim serve` prints it"
        if "mismatch" in problem:
            cure = "--tls-cert and --tls-key of `omisim serve` take one for this address"
        return f"the certificate of {url} is not trusted ({problem}): {cure}"
    if isinstance(reason, SSLError):
        return f"{url} does not answer with TLS ({reason.reason}): write http:// for a server without --tls"
    return f"no server answers at {url}: {getattr(reason, 'strerror', None) or reason}; `omisim serve` starts one"


def _read_error(body: bytes) -> str:
    try:
        return str(parse_json(body)["error"])
    except (ValueError, KeyError, TypeError):
        return ""
