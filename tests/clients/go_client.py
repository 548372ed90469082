"""A client as osc-sdk-go makes them, for the call scripts of Packer and Terraform: AWS4, and strict decoding.

A Go program fails on a number where a string is expected, and on a date that is none: so does this one. It sends what
Go sends for unset values, too: null, "", {}.
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

__all__ = ["Go", "Refused"]


class Refused(Exception):
    """The API refused a call: status, Code and Type as the client reads them."""

    def __init__(self, action: str, status: int, error: dict[str, str]) -> None:
        super().__init__(f"{action}: {status} {error['Code']} {error['Type']}: {error['Details']}")
        self.status, self.code = status, error["Code"]


class Go:
    """Speaks to a server as an account. `sleep` lets time pass between two looks at a state."""

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

    def ask(self, action: str, **given: Any) -> dict[str, Any]:
        """Ask for an action; return the answer, or raise Refused."""
        body = json.dumps(given, separators=(",", ":")).encode()
        asked = sign_request(
            self.account,
            f"{self._path}/{action}",
            body,
            host=self._server.url.partition("//")[2],
            dialect="AWS",
            at=dt.datetime.now(dt.UTC),
            service=self._service,
            names="accept;content-type;host;x-{}-date",
        )
        answer = self._session.post(self._server.url + asked.path, data=body, headers=asked.headers, timeout=20)
        assert answer.headers["Content-Type"] == "application/json"
        decoded: dict[str, Any] = answer.json()
        wanted = get_schema(f"{action}Response" if answer.ok else "ErrorResponse")
        assert find_mismatches(decoded, wanted, action) == []
        if not answer.ok:
            raise Refused(action, answer.status_code, decoded["Errors"][0])
        return decoded

    def poll(self, until: Callable[[], bool], seconds: float = 2) -> None:
        """Look again and again until it is so; give up after a thousand times."""
        for _ in range(1000):
            if until():
                return
            self.sleep(seconds)
        raise AssertionError("it never comes to that")
