"""The WSGI application: every service and the control plane on one port, selected by host name or path."""

from __future__ import annotations

import datetime as dt
import errno
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from threading import Lock
from typing import Any, TextIO

from omisim.base.hosts import parse_host
from omisim.cloud.cloud import Cloud
from omisim.doors.fcu.query import is_query
from omisim.doors.front import SERVICES, FrontDoor
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.doors.identity import find_claimed_account
from omisim.engine.faults import Dropped, Killed
from omisim.formats import recording
from omisim.server.control import Control

__all__ = ["App"]

_OOS_PATH = re.compile(r"/+oos(?:/|$)")
_FCU_PATH = re.compile(r"/+(?:[a-z]+(?:-[a-z0-9]+)+/+)?fcu/*")
_CONTROL_PATH = re.compile(r"/+_omisim(?:/|$)")


class App:
    """The WSGI application of one cloud.

    `log` gets a line of JSON per request, `record` each exchange of the API, for `omisim replay`. `fresh` creates the
    cloud that a reset returns to.
    """

    def __init__(
        self,
        cloud: Cloud,
        token: str,
        log: TextIO | None = None,
        record: TextIO | None = None,
        fresh: Callable[[], Cloud] | None = None,
    ) -> None:
        self.control: Control = Control(cloud, token, fresh)
        self._front = FrontDoor(cloud.engine)
        self._log = log
        self._record = record
        self._writing = Lock()

    @property
    def cloud(self) -> Cloud:
        """The served cloud. Loading a dump replaces it."""
        return self.control.cloud

    @property
    def front(self) -> FrontDoor:
        """The services of the served cloud."""
        if self._front.engine is not self.cloud.engine:
            self._front = FrontDoor(self.cloud.engine)
        return self._front

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request: the WSGI entry point."""
        start = time.perf_counter()
        request = _parse_request(environ)
        if _CONTROL_PATH.match(request.path):
            response = self.control.handle(request)
        else:
            response = self._call_service(_service(request), request)
        if isinstance(response, HttpResponse):
            headers, status = list(response.headers.items()), response.status
            if not any(name.lower() == "content-length" for name in response.headers):
                headers.append(("Content-Length", str(len(response.body))))
            body: Iterable[bytes] = [b"" if request.method == "HEAD" else response.body]
        else:  # a stream of events
            headers, body, status = (
                [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")],
                response,
                200,
            )
        start_response(_status_line(status), headers)
        if self._log is not None:
            self._log_request(self._log, request, status, dict(headers), time.perf_counter() - start)
        return body

    def _call_service(self, service: str, request: HttpRequest) -> HttpResponse:
        at = self.cloud.now
        try:
            response = self.front.handle(service, request, dt.datetime.now(dt.UTC))
        except (Dropped, Killed) as error:  # cheroot closes the connection without an answer
            raise ConnectionResetError(errno.ECONNRESET, str(error)) from error
        except ImportError:
            missing = f"<Error><Code>NotImplemented</Code><Message>pip install 'omisim[{service}]'</Message></Error>"
            text = missing if service == "oos" else f"<Response><Errors>{missing}</Errors></Response>"
            return HttpResponse(501, text.encode(), {"Content-Type": "application/xml"})
        if self._record is not None and service == "api" and request.method == "POST":
            with self._writing:
                with self.cloud.engine.lock:
                    caller = find_claimed_account(self.cloud.engine, request)
                account = f"{caller.name}@{caller.region}" if caller else ""
                recording.write(self._record, at, account, request.path, request.body, response.status, response.body)
        return response

    def _log_request(
        self, log: TextIO, request: HttpRequest, status: int, headers: Mapping[str, str], seconds: float
    ) -> None:
        line = {
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "method": request.method,
            "host": request.host,
            "path": request.path,
            "status": status,
            "rule": headers.get("X-Omisim-Rule", ""),
            "milliseconds": round(seconds * 1e3, 3),
        }
        with self._writing:
            log.write(json.dumps(line) + "\n")
            log.flush()


def _service(request: HttpRequest) -> str:
    """Return the service of a request: that of its host name or its path, or FCU for an EC2 query without either."""
    host = parse_host(request.host)
    if host is not None and host.service in SERVICES:
        return host.service
    if _OOS_PATH.match(request.path):
        return "oos"
    is_root = not request.path.strip("/") and host is None
    return "fcu" if _FCU_PATH.fullmatch(request.path) or (is_root and is_query(request)) else "api"


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


@lru_cache(maxsize=256)
def _header_name(key: str) -> str:
    """Return the lower-case header name of a WSGI environment key, or "" if the key is not a header."""
    name = key.removeprefix("HTTP_")
    return name.replace("_", "-").lower() if name != key or key in ("CONTENT_TYPE", "CONTENT_LENGTH") else ""


def _parse_request(environ: Mapping[str, Any]) -> HttpRequest:
    headers = {name: value for key, value in environ.items() if (name := _header_name(key)) and value}
    target = str(environ.get("REQUEST_URI") or environ.get("PATH_INFO", "/"))
    if "://" in target.partition("?")[0]:  # the client treats the server as a proxy
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    host = headers.get("host", str(environ.get("SERVER_NAME", "")))
    return HttpRequest(environ["REQUEST_METHOD"], host, path, headers, _read_body(environ, headers), query)


def _read_body(environ: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    stream = environ["wsgi.input"]
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return b"".join(_read_chunks(stream))
    length = headers.get("content-length", "0")
    return bytes(stream.read(int(length))) if length.isdigit() else b""


def _read_chunks(stream: Any) -> Iterator[bytes]:
    while chunk := stream.read(65536):
        yield bytes(chunk)
