"""The session of a cloud, which survives every rollback: request numbers, call log, faults, lock-outs, warnings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from omisim.base.clock import Clock
from omisim.base.redact import REDACTED, redact
from omisim.base.renamed import Renamed
from omisim.base.subset import shorten
from omisim.base.texts import escape_surrogates
from omisim.engine.faults import Dropped, Faults, Killed
from omisim.model.serialize import to_api_names
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse

__all__ = ["CallRecord", "Lockouts", "Session"]

FAILURES_PER_LOCK, MAX_MINUTES = 4, 10


@dataclass(slots=True)
class CallRecord:
    """One recorded call.

    Attributes:
        action: The API's name of the action.
        account: The name of the caller, "" for an unsigned call.
        arguments: The parameters by snake_case names. `parameters` has them by API names, whatever the protocol.
        at: The cloud's time of the call.
        request_id: The id of the request.
        headers: The headers of the request; empty for a call from Python.
        position: The number of changes before the call, -1 for a call that a door refused.
        serial: The number of the request among all of its cloud.
        api: The API that the client used: "oapi", "fcu" or "oos".
        error: The refusal, or None.
        warnings: The warnings about the call.
        dropped: Whether a fault dropped the connection or killed the client, so that there was no answer.
        status: The HTTP status of the answer, 0 until there is one.
        size: The bytes of the answer's body, None without a body.
        sent: The bytes of the request, without the object of an upload; 0 for a call from Python.
        took: The microseconds of the cloud's time that a fault delayed the call.
        results: The number of results of a read with pages.
        by_user: Whether `Cloud.answer` has answered the call.
    """

    action: str
    account: str
    arguments: Mapping[str, Any] = field(repr=False)
    at: dt.datetime
    request_id: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    position: int = -1
    serial: int = 0
    api: str = "oapi"
    error: ApiError | None = None
    warnings: tuple[str, ...] = ()
    dropped: bool = False
    status: int = 0
    size: int | None = None
    sent: int = 0
    took: int = 0
    results: int | None = None
    by_user: bool = False
    given: ClassVar[Renamed] = Renamed("arguments")

    def __post_init__(self) -> None:
        """Drop the password of a login from the headers. A signature names its access key only."""
        if self.headers and self.headers.get("authorization", "")[:6].lower() == "basic ":
            self.headers = {**self.headers, "authorization": f"Basic {REDACTED}"}

    def record_failure(self, error: ApiError | Dropped | Killed) -> None:
        """Store the failure in the record, and the request id in the refusal."""
        if isinstance(error, ApiError):
            error.request_id = self.request_id
            self.error, self.status = error.without_traceback(), error.status
        else:
            self.dropped, self.status = True, 0

    def __str__(self) -> str:
        """Format the call as one line: action, caller, parameters and failure."""
        parameters = "".join(f" {name}={shorten(value)}" for name, value in self.parameters.items())
        failure = " → dropped" if self.dropped else f" → {self.error}" if self.error else ""
        failure = failure or (" → answered by Cloud.answer" if self.by_user else "")
        return escape_surrogates(f"{self.action} by {self.account or 'no account'}{parameters}{failure}")

    @property
    def parameters(self) -> dict[str, Any]:
        """A new dict of the request's parameters by API names, without secret keys, passwords and signatures."""
        parameters: dict[str, Any] = redact(self.unredacted_parameters)
        return parameters

    @property
    def unredacted_parameters(self) -> dict[str, Any]:
        """A new dict of the request's parameters by API names as they were sent: to repeat or compare, not to show."""
        parameters: dict[str, Any] = to_api_names(self.arguments)
        return parameters


class Lockouts:
    """Failed authentications by account. Every fourth in a row locks it, each time a minute longer (AUTH-009).

    `failures` maps an account to the failures in a row and the end of the lock. It is replaced, never changed
    (`Checkpoint`).
    """

    def __init__(self) -> None:
        self.failures: Mapping[str, tuple[int, dt.datetime]] = {}

    def copy(self) -> Lockouts:
        """Return an independent copy."""
        twin = Lockouts()
        twin.failures = self.failures
        return twin

    def __len__(self) -> int:
        """Return the number of accounts with failed authentications."""
        return len(self.failures)

    def items(self) -> Iterable[tuple[str, tuple[int, dt.datetime]]]:
        """Return the accounts with failed authentications: their number in a row, and the end of the lock."""
        return self.failures.items()

    def load(self, account_id: str, count: int, until: dt.datetime) -> None:
        """Set the failed authentications of an account, as `items` returned them."""
        self.failures = {**self.failures, account_id: (count, until)}

    def locked_until(self, account_id: str, now: dt.datetime) -> dt.datetime | None:
        """Return the end of an account's lock, or None if it is not locked."""
        _, until = self.failures.get(account_id, (0, now))
        return until if until > now else None

    def record_failure(self, account_id: str, now: dt.datetime) -> None:
        """Count a failed authentication."""
        count = self.failures.get(account_id, (0, now))[0] + 1
        minutes = min(count // FAILURES_PER_LOCK, MAX_MINUTES) if count % FAILURES_PER_LOCK == 0 else 0
        self.load(account_id, count, now + dt.timedelta(minutes=minutes))

    def attempt(self, account_id: str, clock: Clock, proof: Callable[[], None]) -> None:
        """Run `proof`, which raises ApiError if it fails, and count the result.

        Raises ApiError without running it while the account is locked.
        """
        until = self.locked_until(account_id, clock.now()) if self.failures else None
        if until is not None:
            raise refuse("AUTH-009", account_id=account_id, until=until)
        try:
            proof()
        except ApiError:
            self.record_failure(account_id, clock.now())
            raise
        if account_id in self.failures:
            self.failures = {other: failed for other, failed in self.failures.items() if other != account_id}


class Session:
    """The parts of a cloud that no rollback undoes."""

    def __init__(self) -> None:
        self.requests = 0
        self.calls: list[CallRecord] = []
        self.calls_trimmed: int = 0
        self.sent: int = 0  # the sum of `sent` of the calls
        self.warnings: list[str] = []
        self.faults: Faults = Faults()
        self.lockouts: Lockouts = Lockouts()

    def copy(self) -> Session:
        """Return an independent copy. The records of the calls are shared."""
        twin = Session()
        twin.requests, twin.calls_trimmed, twin.sent = self.requests, self.calls_trimmed, self.sent
        twin.calls, twin.warnings = list(self.calls), list(self.warnings)
        twin.faults, twin.lockouts = self.faults.copy(), self.lockouts.copy()
        return twin

    @property
    def call_position(self) -> int:
        """The number of the next call."""
        return self.calls_trimmed + len(self.calls)

    def find_call(self, request_id: str) -> CallRecord | None:
        """Return the record of a recent call, or None."""
        for record in reversed(self.calls):  # without a generator, because each request over HTTP asks for the latest
            if record.request_id == request_id:
                return record
        return None

    def record_sizes(self, request_id: str, sent: int, size: int | None = None) -> None:
        """Record the size of a request and of the body of its answer, in bytes."""
        record = self.find_call(request_id)
        if record is not None:
            record.sent, record.size = sent, size
            self.sent += sent

    def trim_calls(self, position: int) -> None:
        """Drop the records of the calls before this position."""
        count = position - self.calls_trimmed
        if count > 0:
            self.sent -= sum(record.sent for record in self.calls[:count])
            del self.calls[:count]
            self.calls_trimmed = position

    def trim_sent(self, most: int, end: int) -> None:
        """Drop the oldest records, until the requests of the others have at most `most` bytes, but none from `end` on.

        `end` is a position.
        """
        excess, position = self.sent - most, self.calls_trimmed
        for record in self.calls[: max(0, end - position)]:
            if excess <= 0:
                break
            excess -= record.sent
            position += 1
        self.trim_calls(position)
