"""The session of a cloud: what no rollback undoes: request numbers, the journal of calls, warnings."""

from __future__ import annotations

import datetime as dt
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from omisim.errors import ApiError
from omisim.faults import Faults

__all__ = ["CallRecord", "Session"]


@dataclass(slots=True)
class CallRecord:
    """One call as the cloud got it.

    `parameters` (a copy) carry the API's names, whatever the door; `error` is what it was refused with, or None;
    `account` is the caller's name, "" for a call that nobody signed.
    """

    action: str
    account: str
    given: dict[str, Any] = field(repr=False)
    at: dt.datetime
    request_id: str
    error: ApiError | None = None
    warnings: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the request, to keep and to change."""
        return deepcopy(self.given)


class Session:
    """Counters and journals of one cloud that are never undone."""

    def __init__(self) -> None:
        self.requests = 0
        self.calls: list[CallRecord] = []
        self.calls_trimmed = 0
        self.warnings: list[str] = []
        self.faults = Faults()

    @property
    def call_position(self) -> int:
        """The number of the next call."""
        return self.calls_trimmed + len(self.calls)

    def trim_calls(self, position: int) -> None:
        """Forget the calls before this position."""
        count = position - self.calls_trimmed
        if count > 0:
            del self.calls[:count]
            self.calls_trimmed = position
