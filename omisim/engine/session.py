"""The session of a cloud: what no rollback undoes: request numbers, the journal of calls, warnings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omisim.base.clock import Clock
from omisim.base.subset import shorten
from omisim.engine.faults import Dropped, Faults
from omisim.model.serialize import to_api_names
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse

__all__ = ["CallRecord", "Lockouts", "Session"]

FAILURES, MOST_MINUTES = 4, 10


@dataclass(slots=True)
class CallRecord:
    """One call as the cloud got it.

    `given` are the parameters by our names, `parameters` by the API's, whatever the door. `error` is what it was
    refused with, or None; `account` is the caller's name, "" for a call that nobody signed. `status` is the HTTP status
    of the answer, 0 as long as there is none.
    """

    action: str
    account: str
    given: Mapping[str, Any] = field(repr=False)
    at: dt.datetime
    request_id: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # none for a call that Python made
    error: ApiError | None = None
    warnings: tuple[str, ...] = ()
    dropped: bool = False  # a fault dropped the connection: the client got no answer
    status: int = 0
    size: int | None = None  # bytes of the answer's body, where there was one
    took: int = 0  # microseconds of the cloud's time, which a fault may let pass

    def record_failure(self, error: ApiError | Dropped) -> None:
        """Note how it failed, and tell the refusal which request it answers."""
        if isinstance(error, ApiError):
            self.error, self.status = error, error.status
            error.request_id = self.request_id
        else:
            self.dropped, self.status = True, 0

    def __str__(self) -> str:
        """Spell the call on a line: what, by whom, with which parameters, and how it was refused."""
        given = "".join(f" {name}={shorten(value)}" for name, value in self.parameters.items())
        failure = " → dropped" if self.dropped else f" → {self.error}" if self.error else ""
        return f"{self.action} by {self.account or 'nobody'}{given}{failure}"

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the request by the API's names, to keep and to change."""
        parameters: dict[str, Any] = to_api_names(self.given)
        return parameters


class Lockouts:
    """Failed authentications by account: every fourth in a row locks it, each time a minute longer (AUTH-009)."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, dt.datetime]] = {}  # account → how many in a row, locked until when

    def locked_until(self, account_id: str, now: dt.datetime) -> dt.datetime | None:
        """Return until when an account is locked, or None."""
        _, until = self._failures.get(account_id, (0, now))
        return until if until > now else None

    def record_failure(self, account_id: str, now: dt.datetime) -> None:
        """Count a failure."""
        count = self._failures.get(account_id, (0, now))[0] + 1
        minutes = min(count // FAILURES, MOST_MINUTES) if count % FAILURES == 0 else 0
        self._failures[account_id] = count, now + dt.timedelta(minutes=minutes)

    def attempt(self, account_id: str, clock: Clock, proof: Callable[[], None]) -> None:
        """Let somebody prove to be an account that is not locked, and count how it goes."""
        until = self.locked_until(account_id, clock.now()) if self._failures else None
        if until is not None:
            raise refuse("AUTH-009", account_id=account_id, until=until)
        try:
            proof()
        except ApiError:
            self.record_failure(account_id, clock.now())
            raise
        if self._failures:
            self._failures.pop(account_id, None)


class Session:
    """Counters and journals of one cloud that are never undone."""

    def __init__(self) -> None:
        self.requests = 0
        self.calls: list[CallRecord] = []
        self.calls_trimmed: int = 0
        self.warnings: list[str] = []
        self.faults: Faults = Faults()
        self.lockouts: Lockouts = Lockouts()

    @property
    def call_position(self) -> int:
        """The number of the next call."""
        return self.calls_trimmed + len(self.calls)

    def record_size(self, request_id: str, size: int) -> None:
        """Note how long the answer to a request was."""
        for record in reversed(self.calls):
            if record.request_id == request_id:
                record.size = size
                return

    def trim_calls(self, position: int) -> None:
        """Forget the calls before this position."""
        count = position - self.calls_trimmed
        if count > 0:
            del self.calls[:count]
            self.calls_trimmed = position
