"""What a server answers: every service and the control plane on one port, selected by host name or path."""

from __future__ import annotations

import datetime as dt
import errno
import json
import re
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from threading import Lock
from typing import TextIO

from omisim.base.hosts import parse_host
from omisim.clients.real_time import read_real_time
from omisim.cloud.cloud import Cloud
from omisim.doors.fcu.query import is_query
from omisim.doors.front import SERVICES
from omisim.doors.http import WITHOUT_BODY, HttpRequest, HttpResponse, clean_header
from omisim.doors.identity import find_claimed_account
from omisim.engine.faults import Dropped, Killed
from omisim.formats import recording
from omisim.server.access import Access
from omisim.server.clouds import FIRST_CLOUD, Clouds, HostedCloud
from omisim.server.console import read_cloud_name
from omisim.server.control import Control, Shared
from omisim.server.framing import CLOUD_HEADER, MAX_CLOUDS
from omisim.server.host_time import find_host_time
from omisim.server.http_error import HttpError

__all__ = ["App"]

_OOS_PATH = re.compile(r"/+oos(?:/|$)")
_FCU_PATH = re.compile(r"/+(?:[a-z]+(?:-[a-z0-9]+)+/+)?fcu/*")
_CONTROL_PATH = re.compile(r"/+_omisim(?:/|$)")


class App:
    """The answers of a cloud and of the others that clients make.

    `log` gets a line of JSON per request, `record` each exchange of the API with the first cloud, for `omisim replay`.
    `fresh` creates the cloud that a reset returns to. `most_clouds` is how many other clouds there may be.
    """

    def __init__(
        self,
        cloud: Cloud,
        token: str,
        log: TextIO | None = None,
        record: TextIO | None = None,
        fresh: Callable[[], Cloud] | None = None,
        access: Access | None = None,
        most_clouds: int = MAX_CLOUDS,
    ) -> None:
        self.clouds: Clouds = Clouds(cloud, fresh, most_clouds)
        self.shared: Shared = Shared(access or Access(token), self.clouds)
        self._log = log
        self._record = record
        self._writing = Lock()
        self._failed: set[str] = set()  # the options whose files could not be written

    @property
    def cloud(self) -> Cloud:
        """The cloud that the server began with."""
        return self.clouds.first.cloud

    @property
    def control(self) -> Control:
        """The control plane of that cloud."""
        return Control(self.clouds.first, self.shared)

    def answer(self, request: HttpRequest, *, is_for_proxy: bool = False) -> HttpResponse | Generator[bytes]:
        """Answer one request, whole or by a stream of events. `is_for_proxy` is whether its URL was absolute."""
        start = read_real_time()
        if _CONTROL_PATH.match(request.path):
            response = self._call_control(request, is_for_proxy=is_for_proxy)
        elif _is_of_browser(request):
            response = HttpResponse(303, b"", {"Location": "/_omisim/"})
        else:
            response = self._find_and_call(request)
        if isinstance(response, HttpResponse):
            headers = {name: clean_header(value) for name, value in response.headers.items()}
            if response.status not in WITHOUT_BODY and "content-length" not in map(str.lower, headers):
                headers["Content-Length"] = str(len(response.body))
            response = HttpResponse(response.status, b"" if request.method == "HEAD" else response.body, headers)
        if self._log is not None:
            self._log_request(self._log, request, response, read_real_time() - start)
        return response

    def _call_control(self, request: HttpRequest, *, is_for_proxy: bool) -> HttpResponse | Generator[bytes]:
        if is_for_proxy:  # for another server, through this one
            return HttpResponse(
                400, b'{"error": "the control plane takes no absolute URL"}', {"Content-Type": "application/json"}
            )
        try:
            name = request.headers.get(CLOUD_HEADER)
            hosted = self.clouds.get((read_cloud_name(request) or FIRST_CLOUD) if name is None else name)
        except HttpError as problem:
            return self.control.handle(request, problem)
        return Control(hosted, self.shared).handle(request)

    def _find_and_call(self, request: HttpRequest) -> HttpResponse:
        try:
            hosted = self.clouds.find(request)
            if hosted.cloud.engine.settings.auth == "off":
                self.shared.access.check_site(request)  # no signature keeps out what a browser sends for a foreign page
        except HttpError as error:
            return HttpResponse(error.status, f"{error}\n".encode(), {"Content-Type": "text/plain"})
        return self._call_service(hosted, _find_service(request), request)

    def _call_service(self, hosted: HostedCloud, service: str, request: HttpRequest) -> HttpResponse:
        engine, at = hosted.cloud.engine, hosted.cloud.now
        try:
            response = hosted.front.handle(service, request, find_host_time(request))
        except (Dropped, Killed) as error:  # cheroot closes the connection without an answer
            raise ConnectionResetError(errno.ECONNRESET, str(error)) from error
        except ImportError:
            missing = f"<Error><Code>NotImplemented</Code><Message>pip install 'omisim[{service}]'</Message></Error>"
            text = missing if service == "oos" else f"<Response><Errors>{missing}</Errors></Response>"
            return HttpResponse(501, text.encode(), {"Content-Type": "application/xml"})
        is_recorded = hosted is self.clouds.first and service == "api" and request.method == "POST"
        if self._record is not None and is_recorded:
            with engine.lock:
                caller = find_claimed_account(engine, request)
            account = f"{caller.name}@{caller.region}" if caller else ""
            exchange = (at, account, request.path, request.body, response.status, response.body)
            self._write("--record", lambda record: recording.write(record, *exchange), self._record)
        return response

    def _write(self, option: str, write: Callable[[TextIO], object], file: TextIO) -> None:
        """Write to a file of the user's. A failure, for example of a full disk, never decides an answer."""
        with self._writing:
            try:
                write(file)
                file.flush()
            except (OSError, ValueError) as error:
                if option not in self._failed:
                    self._failed.add(option)
                    with suppress(OSError, ValueError):
                        sys.stderr.write(f"omisim serve: {option}: {error}; lines may be missing from now on\n")

    def _log_request(
        self, log: TextIO, request: HttpRequest, response: HttpResponse | Generator[bytes], seconds: float
    ) -> None:
        head = response if isinstance(response, HttpResponse) else HttpResponse(200)
        line = {
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "method": request.method,
            "host": request.host,
            "path": request.path,
            "status": head.status,
            "rule": head.headers.get("X-Omisim-Rule", ""),
            "milliseconds": round(seconds * 1e3, 3),
        }
        self._write("--log", lambda log: log.write(json.dumps(line) + "\n"), log)


def _find_service(request: HttpRequest) -> str:
    """Return the service of a request: that of its host name or its path, or FCU for an EC2 query without either."""
    host = parse_host(request.host)
    if host is not None and host.service in SERVICES:
        return host.service
    if _OOS_PATH.match(request.path):
        return "oos"
    is_root = not request.path.strip("/") and host is None
    return "fcu" if _FCU_PATH.fullmatch(request.path) or (is_root and is_query(request)) else "api"


def _is_of_browser(request: HttpRequest) -> bool:
    """Whether a browser opens the address of the server, at which no service has a page."""
    is_root = (request.method, request.path, request.query) == ("GET", "/", "") and parse_host(request.host) is None
    return is_root and "text/html" in request.headers.get("accept", "") and "authorization" not in request.headers
