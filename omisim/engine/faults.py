"""Fault injection: make calls fail as the API would, to test how a client handles it (THR-001).

Faults belong to the session: a rollback does not restore them, a fork has none, and `why_not` ignores them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Literal, Protocol

from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.actions.framework.request import copy_containers
from omisim.actions.framework.schema import MISSING, Problems
from omisim.base.renamed import Renamed
from omisim.base.subset import find_mismatches
from omisim.base.suggest import suggest
from omisim.model.ids import derive_hex
from omisim.model.serialize import api_name, to_snake_names
from omisim.spec.errors import ERRORS, ApiError, ErrorKind
from omisim.spec.rules import get_rule

__all__ = ["Dropped", "Fault", "Faults"]

# HTTP status → the error that it selects; every other error is selected by its name
_BY_STATUS = {429: "call-throttled", 500: "internal-error", 503: "platform-throttled"}


class LoggedCall(Protocol):
    """A recorded call that a fault may match."""

    @property
    def action(self) -> str:
        """The API's name of the action."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, by the API's names."""


class Dropped(ConnectionError):
    """A fault dropped the connection. Each door raises the exception that its client library would raise."""


@dataclass(slots=True)
class Fault:
    """A fault to inject into calls of an action: into how many more, into which of them, and with what result."""

    action: str
    times: int | None  # None: unlimited
    error: ErrorKind | None  # None: the call succeeds, after the delay
    after_effect: bool = False
    every: int = 1
    when: Mapping[str, Any] | None = None
    probability: float = 1.0
    drop: bool = False
    delay: float = 0.0
    number: int = 0  # number of the fault in its cloud, a seed of its probability
    hits: int = 0  # number of calls with its parameters so far
    met: ClassVar[Renamed] = Renamed("hits")

    def make_error(self) -> ApiError | Dropped | None:
        """Return the exception to raise, or None for a fault that only delays."""
        if self.drop:
            return Dropped(f"a fault dropped the connection during {self.action}")
        if self.error is None:
            return None
        return ApiError(get_rule("THR-002"), {"action": self.action, "error": self.error.name}, self.error)

    def matches(self, seed: str, call: LoggedCall) -> bool:
        """Whether the fault hits this call of its action. Counts the calls with its parameters."""
        if self.when is not None and next(find_mismatches(self.when, call.parameters), None):
            return False
        self.hits += 1
        if self.hits % self.every:
            return False
        chance = int(derive_hex(seed, "fault", self.number, self.hits)[:8], 16) / 2**32
        return chance < self.probability


class Faults:
    """The faults of one cloud, in the order they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._added = 0

    def __iter__(self) -> Iterator[Fault]:
        """Yield the pending faults."""
        return iter(tuple(self._faults))

    def __len__(self) -> int:
        """Return the number of pending faults."""
        return len(self._faults)

    def add(
        self,
        action: str,
        *,
        times: int | None = None,
        status: Literal[429, 500, 503] | None = None,
        error: str | None = None,
        after_effect: bool = False,
        every: int = 1,
        when: Mapping[str, Any] | None = None,
        probability: float = 1.0,
        drop: bool = False,
        delay: float = 0.0,
    ) -> Fault:
        """Make calls of an action fail, and return the fault.

        Args:
            action: API name of a served action.
            times: number of calls to hit. Default 1, or unlimited with `every` or `probability`.
            status: HTTP status of the error: 429 (throttled), 503 (platform throttled, the default) or 500.
            error: name of an API error, for example "insufficient-capacity", in place of `status`.
            after_effect: commit the call, then fail, as if the answer were lost.
            every: hit only each n-th call.
            when: hit only calls with these parameters, by API names: `when={"VmIds": ["i-12345678"]}`.
            probability: hit a call with this probability, derived from the cloud's seed.
            drop: drop the connection without an answer, in place of an error.
            delay: seconds of the cloud's time that the call takes. Alone, it causes no error.

        Raises ValueError for an unknown value and for a fault that could never trigger.
        """
        if action not in ACTIONS:
            reason = f": {not_served()[action]}" if action in not_served() else suggest(action, ACTIONS)
            raise ValueError(f"action must be a served action, not {action!r}{reason}")
        _check_numbers(times=times, every=every, probability=probability, delay=delay)
        if not isinstance(when, Mapping | None):
            raise ValueError(f"when must be a mapping of parameters to values, not {when!r}")  # noqa: TRY004 - as every wrong argument
        _check_parameters(action, when or {})
        if drop and (status is not None or error is not None):
            raise ValueError("drop cannot be combined with status or error: a dropped connection has no answer")
        silent = drop or (delay > 0 and status is None and error is None)
        if after_effect and silent and not drop:
            raise ValueError("after_effect needs status, error or drop: a delay alone causes no failure")
        if times is None and every == 1 and probability == 1:
            times = 1
        kind = None if silent else _choose_error(status, error)
        self._added += 1
        fault = Fault(
            action, times, kind, after_effect, every, copy_containers(when), probability, drop, delay, self._added
        )
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove every fault."""
        self._faults.clear()

    def take(self, call: LoggedCall, seed: str) -> Fault | None:
        """Return the first fault that hits this call, if any, and count it down."""
        for fault in self._faults:
            if fault.action == call.action and fault.matches(seed, call):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                return fault
        return None


def _check_numbers(*, times: Any, every: Any, probability: Any, delay: Any) -> None:
    """Raise ValueError for a number with which the fault could never trigger."""
    for name, value in {"times": times, "every": every}.items():
        if value is not None and (type(value) is not int or value < 1):
            raise ValueError(f"{name} must be a positive integer, not {value!r}")
    if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 < probability <= 1:
        raise ValueError(f"probability must be a number above 0 and at most 1, not {probability!r}")
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay < inf:
        raise ValueError(f"delay must be a finite, non-negative number of seconds, not {delay!r}")


def _check_parameters(action: str, when: Mapping[str, Any]) -> None:
    """Raise ValueError for parameters, at any depth, that no request of the action can have."""
    problems: Problems = []
    shape = ACTIONS[action].shape
    shape.read(to_snake_names(when), "", problems, shape.all_fields)
    for problem in problems:
        if problem.rank != MISSING:
            refusal = problem.to_error(api_name)
            raise ValueError(f"when could never match a {action} call: {refusal.details}") from refusal


def _choose_error(status: int | None, error: str | None) -> ErrorKind:
    if error is None:
        if status is not None and status not in _BY_STATUS:
            statuses = ", ".join(map(str, _BY_STATUS))
            raise ValueError(f"status must be one of {statuses}, not {status!r}; use error for another one")
        return ERRORS[_BY_STATUS[status or 503]]
    if error not in ERRORS:
        suggestion = suggest(error, ERRORS) or "; see omisim.errors.ERRORS"
        raise ValueError(f"error must be the name of an API error, not {error!r}{suggestion}")
    if status not in (None, ERRORS[error].status):
        raise ValueError(f"status must be {ERRORS[error].status} for the error {error}, not {status!r}")
    return ERRORS[error]
