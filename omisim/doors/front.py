"""`FrontDoor`: route a request to the door of its service."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING

from omisim.doors.http import HttpRequest, HttpResponse
from omisim.doors.oapi import OapiDoor
from omisim.engine.engine import Engine

if TYPE_CHECKING:
    from omisim.doors.fcu.door import FcuDoor

__all__ = ["SERVICES", "FrontDoor"]

SERVICES = ("api", "fcu", "oos")  # as they appear in host names


class FrontDoor:
    """All services of one cloud."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.oapi: OapiDoor = OapiDoor(engine)

    @cached_property
    def fcu(self) -> FcuDoor:
        """The FCU API. Raises ImportError without the extra `fcu`."""
        try:
            from omisim.doors.fcu.door import FcuDoor  # noqa: PLC0415 - imported on first use; needs botocore
        except ImportError as error:
            raise ImportError("FCU needs botocore: pip install 'omisim[fcu]'") from error
        return FcuDoor(self.engine)

    def handle(self, service: str, request: HttpRequest, host_time: dt.datetime) -> HttpResponse:
        """Answer a request to a service of `SERVICES`.

        Raises Dropped when a fault drops the connection, and ImportError when the service needs a missing extra.
        """
        if service == "oos":
            try:
                from omisim.doors import oos  # noqa: PLC0415 - imported on first use; needs moto
            except ImportError as error:
                raise ImportError("object storage needs moto: pip install 'omisim[oos]'") from error
            return oos.handle(self.engine, request, host_time)
        if service == "fcu":
            return self.fcu.handle(request, host_time)
        return self.oapi.handle(request, host_time)
