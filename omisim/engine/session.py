"""The session of a cloud: request numbers, call log, faults, failures, lock-outs, warnings. No rollback undoes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from omisim.base.clock import Clock
from omisim.base.redact import REDACTED, redact
from omisim.base.renamed import Renamed
from omisim.base.subset import shorten
from omisim.base.texts import escape_surrogates
from omisim.engine.failures import Failure
from omisim.engine.faults import Dropped, Fault, Killed
from omisim.engine.lockouts import NO_LOCKOUTS, Lockouts
from omisim.model.serialize import to_api_names
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse

__all__ = ["CallRecord", "Session"]


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


class Session:
    """The parts of a cloud that no rollback undoes.

    `failures` are the requested ones. They, `faults` and `lockouts` are replaced, never changed (`Checkpoint`). Only
    the counts of a fault change.
    """

    __slots__ = (
        "added_faults", "calls", "calls_trimmed", "failures", "faults", "lockouts", "requests", "sent", "warnings",
    )  # fmt: skip

    def __init__(self) -> None:
        self.requests = 0
        self.calls: list[CallRecord] = []
        self.calls_trimmed: int = 0
        self.sent: int = 0  # the sum of `sent` of the calls
        self.warnings: list[str] = []
        self.faults: tuple[Fault, ...] = ()
        self.added_faults: int = 0
        self.failures: tuple[Failure, ...] = ()
        self.lockouts: Lockouts = NO_LOCKOUTS

    def copy(self) -> Session:
        """Return an independent copy. The records of the calls are shared."""
        twin = Session()
        twin.requests, twin.calls_trimmed, twin.sent = self.requests, self.calls_trimmed, self.sent
        twin.calls, twin.warnings, twin.lockouts = list(self.calls), list(self.warnings), self.lockouts
        twin.copy_faults(self)
        return twin

    # --- authentications

    def attempt(self, account_id: str, clock: Clock, proof: Callable[[], None]) -> None:
        """Run `proof`, which raises ApiError if an authentication fails, and count the result.

        Raises ApiError without running it while the account is locked.
        """
        until = self.lockouts.locked_until(account_id, clock.now()) if self.lockouts.failures else None
        if until is not None:
            raise refuse("AUTH-009", account_id=account_id, until=until)
        try:
            proof()
        except ApiError:
            self.lockouts = self.lockouts.add_failure(account_id, clock.now())
            raise
        if account_id in self.lockouts.failures:
            self.lockouts = self.lockouts.forgive(account_id)

    # --- faults

    def copy_faults(self, other: Session) -> None:
        """Copy the faults and the requested failures of another session."""
        self.faults, self.added_faults = tuple(map(replace, other.faults)), other.added_faults
        self.failures = other.failures

    def list_fault_counts(self) -> list[tuple[Fault, int | None, int]]:
        """Return the faults with the counts that a call changes."""
        return [(fault, fault.times, fault.hits) for fault in self.faults]

    def take_fault(self, call: CallRecord, seed: str) -> Fault | None:
        """Return the first fault that hits this call, if any, and count it down."""
        for fault in self.faults:
            if fault.concerns(call.action) and fault.matches(seed, call):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self.faults = tuple(other for other in self.faults if other is not fault)
                if fault.kill and not fault.is_dead:
                    self.faults = (fault.make_endless(), *self.faults)
                return fault
        return None

    # --- calls

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
