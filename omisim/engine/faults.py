"""Faults: calls that are to be refused on order, in the API's own dialect, to test how a client bears it (THR-001).

They belong to the session: no rollback brings one back, a fork has none, `why_not` knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, Protocol

from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.actions.framework.request import copy_containers
from omisim.actions.framework.schema import MISSING, Problems
from omisim.base.subset import find_mismatches
from omisim.base.suggest import suggest
from omisim.model.ids import derive_hex
from omisim.model.serialize import api_name, to_snake_names
from omisim.spec.errors import ERRORS, ApiError, ErrorKind
from omisim.spec.rules import get_rule

__all__ = ["Dropped", "Fault", "Faults"]

# what a status alone stands for; every other error is ordered by its name
_BY_STATUS = {429: "call-throttled", 500: "internal-error", 503: "platform-throttled"}


class LoggedCall(Protocol):
    """A call that a fault may befall, as the call log has it."""

    @property
    def action(self) -> str:
        """The API's name of the action."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, by the API's names."""


class Dropped(ConnectionError):
    """The connection was dropped on order: the client gets no answer. A door tells it as its library would."""


@dataclass(slots=True)
class Fault:
    """An order for calls of an action to fail: how many more, which of them, how, and when."""

    action: str
    times: int | None  # None: without end
    error: ErrorKind | None  # None: nothing is refused, it only takes longer
    after_effect: bool = False
    every: int = 1
    when: Mapping[str, Any] | None = None
    probability: float = 1.0
    drop: bool = False
    delay: float = 0.0
    number: int = 0  # of the fault, for its chances
    hits: int = 0  # how many calls it has met

    def make_error(self) -> ApiError | Dropped | None:
        """Return what was ordered."""
        if self.drop:
            return Dropped(f"the connection was dropped during {self.action}, as ordered")
        if self.error is None:
            return None
        return ApiError(get_rule("THR-002"), {"action": self.action, "error": self.error.name}, self.error)

    def matches(self, seed: str, call: LoggedCall) -> bool:
        """Whether it befalls this call, which is one of its action. Counts it."""
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
        """Yield the faults that wait for a call."""
        return iter(tuple(self._faults))

    def __len__(self) -> int:
        """Return how many wait for a call."""
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
        """Let calls of an action fail.

        Args:
            action: the API's name of an action that is served.
            times: how many of them; one unless told, or without end with `every` or `probability`.
            status: 429 (throttled), 503 (the platform throttles, the default) or 500; or instead
            error: the name of any error of the API, for example "insufficient-capacity"; or instead
            drop: drop the connection: the client gets no answer; or nothing but
            delay: seconds of the cloud's time that the call takes; alone it refuses nothing.
            after_effect: do what was asked and only then fail, as when an answer is lost on its way.
            every: only each so many-th call.
            when: only calls with these parameters, by the API's names: `when={"VmIds": ["i-12345678"]}`.
            probability: only so often, from the cloud's seed.

        Raises ValueError for what is not known, and for a fault that could never happen.
        """
        if action not in ACTIONS:
            why = f": {not_served()[action]}" if action in not_served() else suggest(action, ACTIONS)
            raise ValueError(f"{action!r} is no action that is served{why}")
        _check_numbers(times=times, every=every, probability=probability, delay=delay)
        if not isinstance(when, Mapping | None):
            raise ValueError(f"when is a mapping of parameters to values, not {when!r}")  # noqa: TRY004 - as every wrong argument
        _check_parameters(action, when or {})
        if drop and (status is not None or error is not None):
            raise ValueError("a dropped connection has no status and no error")
        silent = drop or (delay > 0 and status is None and error is None)
        if after_effect and silent and not drop:
            raise ValueError("a delay alone refuses nothing, so there is no effect for it to come after")
        if times is None and every == 1 and probability == 1:
            times = 1
        kind = None if silent else _kind(status, error)
        self._added += 1
        fault = Fault(
            action, times, kind, after_effect, every, copy_containers(when), probability, drop, delay, self._added
        )
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Call all of them off."""
        self._faults.clear()

    def take(self, call: LoggedCall, seed: str) -> Fault | None:
        """Return the fault that is to befall this call, if one is, and count it down."""
        for fault in self._faults:
            if fault.action == call.action and fault.matches(seed, call):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                return fault
        return None


def _check_numbers(*, times: Any, every: Any, probability: Any, delay: Any) -> None:
    """Refuse numbers by which a fault would never happen, or that are none."""
    for name, value in {"times": times, "every": every}.items():
        if value is not None and (type(value) is not int or value < 1):
            raise ValueError(f"{name} is a number of calls from 1 up, not {value!r}")
    if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 < probability <= 1:
        raise ValueError(f"it would never happen: a probability is above 0 and at most 1, not {probability!r}")
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay < inf:
        raise ValueError(f"it would never happen: a delay is a number of seconds from 0 up, not {delay!r}")


def _check_parameters(action: str, when: Mapping[str, Any]) -> None:
    """Refuse parameters that no request of this action can have, at any depth."""
    problems: Problems = []
    shape = ACTIONS[action].shape
    shape.read(to_snake_names(when), "", problems, shape.all_fields)
    for problem in problems:
        if problem.rank != MISSING:
            refusal = problem.to_error(api_name)
            raise ValueError(f"it would never happen: {refusal.details}") from refusal


def _kind(status: int | None, error: str | None) -> ErrorKind:
    if error is None:
        if status is not None and status not in _BY_STATUS:
            raise ValueError(f"status is one of {', '.join(map(str, _BY_STATUS))}; not {status!r}: name the error")
        return ERRORS[_BY_STATUS[status or 503]]
    if error not in ERRORS:
        raise ValueError(
            f"{error!r} is no error of the API{suggest(error, ERRORS) or '; omisim.errors.ERRORS names all'}"
        )
    if status not in (None, ERRORS[error].status):
        raise ValueError(f"{error} has the status {ERRORS[error].status}, not {status}")
    return ERRORS[error]
