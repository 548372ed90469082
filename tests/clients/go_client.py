"""A client that behaves like osc-sdk-go, for the call scripts of Packer and Terraform: AWS4, and strict decoding.

Like a Go program, it fails on a number instead of a string and on an invalid date. It also sends the values that Go
sends for unset parameters: null, "", {}.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import requests
from support.official import find_mismatches, get_schema
from support.sign import sign_request

from omisim import Account
from omisim.server import Running

__all__ = ["Go", "Refusal"]


class Refusal(Exception):
    """The API refused a call: status, Code and Type as the client reads them."""

    def __init__(self, action: str, status: int, error: dict[str, str]) -> None:
        super().__init__(f"{action}: {status} {error['Code']} {error['Type']}: {error['Details']}")
        self.status, self.code = status, error["Code"]


class Go:
    """Calls a server as an account. `sleep` waits between two polls."""

    def __init__(
        self,
        server: Running,
        account: Account,
        sleep: Callable[[float], None],
        *,
        service: str = "oapi",
        path: str = "/api/v1",
    ) -> None:
        self.account, self.sleep = account, sleep
        self._server, self._service, self._path = server, service, path
        self._session = requests.Session()

    def call(self, action: str, **parameters: Any) -> dict[str, Any]:
        """Ask for an action; return the answer, or raise Refused."""
        body = json.dumps(parameters, separators=(",", ":")).encode()
        request = sign_request(
            self.account,
            f"{self._path}/{action}",
            body,
            host=self._server.url.partition("//")[2],
            dialect="AWS",
            at=dt.datetime.now(dt.UTC),
            service=self._service,
            names="accept;content-type;host;x-{}-date",
        )
        answer = self._session.post(self._server.url + request.path, data=body, headers=request.headers, timeout=60)
        assert answer.headers["Content-Type"] == "application/json"
        body_data: dict[str, Any] = answer.json()
        schema = get_schema(f"{action}Response" if answer.ok else "ErrorResponse")
        assert find_mismatches(body_data, schema, action) == []
        if not answer.ok:
            raise Refusal(action, answer.status_code, body_data["Errors"][0])
        return body_data

    def poll(self, until: Callable[[], bool], seconds: float = 2) -> None:
        """Poll until the condition holds; raise AssertionError after a thousand polls."""
        for _ in range(1000):
            if until():
                return
            self.sleep(seconds)
        raise AssertionError("the condition never holds")
