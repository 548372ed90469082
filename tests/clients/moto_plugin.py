"""A pytest plugin that gives moto's own tests a cloud of omisim: it replaces `mock_aws` before they are imported.

What OUTSCALE does not have is translated on the wire: the Region that a test signs for is eu-west-2, moto's account id
is that of our account, and a dry run has the status 412, without which a dozen tests would end at their first line.
"""

from __future__ import annotations

import datetime as dt
import os
import re
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

REGION = b"eu-west-2"
ACCOUNTS = (b"123456789012", Cloud().account("alice").account_id.encode())  # moto's, ours
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([\w-]+)/")
_handle = FrontDoor.handle


def _handle_translated(door: FrontDoor, service: str, request: HttpRequest, host_time: dt.datetime) -> HttpResponse:
    scope = _SCOPE.search(request.headers.get("authorization", ""))
    translations = (ACCOUNTS, (scope[1].encode() if scope else REGION, REGION))
    body = request.body
    for theirs, ours in translations:
        body = body.replace(theirs, ours)
    response = _handle(door, service, replace(request, body=body), host_time)
    for theirs, ours in translations:
        response.body = response.body.replace(ours, theirs)
    if b"<Code>DryRunOperation</Code>" in response.body:
        response.status = 412
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
