"""A pytest plugin that gives moto's own tests a cloud of omisim: it replaces `mock_aws` before they are imported.

moto's tests use us-east-1, which OUTSCALE does not have. On the wire, it is eu-west-2.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import moto
import moto.core.models

from omisim import Cloud
from omisim.clients.mock import Mock
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest, HttpResponse

THEIRS, OURS = b"us-east-1", b"eu-west-2"
_handle = FrontDoor.handle


def _handle_translated(door: FrontDoor, service: str, request: HttpRequest, host_time: dt.datetime) -> HttpResponse:
    response = _handle(door, service, replace(request, body=request.body.replace(THEIRS, OURS)), host_time)
    response.body = response.body.replace(OURS, THEIRS)
    return response


class _MotosMock(Mock):
    """moto's account: any image id is an image, as in moto by default."""

    def __enter__(self) -> Cloud:
        cloud = super().__enter__()
        cloud.allow_unknown_images()
        return cloud


def _mock_aws(function: Callable[..., Any] | None = None, config: object = None) -> Any:
    mock = _MotosMock(None, "alice", {})
    return mock if function is None else mock(function)


FrontDoor.handle = _handle_translated  # type: ignore[method-assign, assignment]
moto.mock_aws = moto.core.models.mock_aws = _mock_aws


def pytest_runtest_logreport(report: Any) -> None:
    """Write a line for each failed test: its id and the first line of its error."""
    if report.failed:
        message = report.longrepr.reprcrash.message if hasattr(report.longrepr, "reprcrash") else str(report.longrepr)
        with Path(os.environ["OMISIM_FAILURES"]).open("a") as failures:
            failures.write(f"{report.nodeid}\t{' '.join(message.split())}\n")
