"""The time of the host, of which a test's process and its child processes may have different views."""

from __future__ import annotations

import datetime as dt
import re
import sys
from typing import Any

from omisim.doors.http import HttpRequest
from omisim.formats.sigv4 import parse_stamp

__all__ = ["find_host_time"]

_DATE = re.compile("(?:^|&)X-Amz-Date=([^&]*)")


def find_host_time(request: HttpRequest) -> dt.datetime:
    """Return the time that `datetime.now` shows, or the real one if the signature of a request is closer to it.

    Where freezegun or time-machine control the time of this process, a client in another process signs with the real
    time.
    """
    shown = dt.datetime.now(dt.UTC)
    freezegun: Any = sys.modules.get("freezegun.api")
    machine: Any = sys.modules.get("time_machine")
    if machine is not None and machine.escape_hatch.is_travelling():
        seconds = machine.escape_hatch.time.time()
    elif freezegun is not None:
        seconds = freezegun.real_time()
    else:
        return shown
    real, signed = dt.datetime.fromtimestamp(seconds, dt.UTC), _find_date(request)
    return real if signed is not None and abs(signed - real) < abs(signed - shown) else shown


def _find_date(request: HttpRequest) -> dt.datetime | None:
    """Return the date of a request's signature, if it has a valid one."""
    headers, in_query = request.headers, _DATE.search(request.query)
    return parse_stamp(
        headers.get("x-osc-date") or headers.get("x-amz-date") or (in_query[1] if in_query is not None else "")
    )
