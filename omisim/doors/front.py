"""`FrontDoor`: all services of one cloud; each request goes to the door of the service that it names."""

from __future__ import annotations

import datetime as dt

from omisim.doors.http import HttpRequest, HttpResponse
from omisim.doors.oapi import OapiDoor
from omisim.engine.engine import Engine

__all__ = ["SERVICES", "FrontDoor"]

SERVICES = ("api", "oos")  # by their names in host names


class FrontDoor:
    """The services of one cloud, by their names in host names."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.oapi: OapiDoor = OapiDoor(engine)

    def handle(self, service: str, request: HttpRequest, host_time: dt.datetime) -> HttpResponse:
        """Answer a request to a service. Raises Dropped when a fault drops the connection, ImportError for an extra."""
        if service == "oos":
            from omisim.doors import oos  # noqa: PLC0415 - needs the extra, which a test without object storage may lack

            return oos.handle(self.engine, request, host_time)
        return self.oapi.handle(request, host_time)
