"""Faults: calls that are to be refused on order, in the API's own dialect, to test how a client bears it (THR-001).

They belong to the session: no rollback brings one back, a fork has none, `why_not` knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from omisim.actions.registry import ACTIONS
from omisim.errors import ERRORS, ApiError, ErrorKind
from omisim.rules import rule

__all__ = ["Fault", "Faults"]

# what a status alone stands for; every other error is ordered by its name
_BY_STATUS = {429: "call-throttled", 500: "internal-error", 503: "platform-throttled"}


@dataclass(slots=True)
class Fault:
    """An order to refuse the next calls of an action: how many more, with which error, and when."""

    action: str
    times: int
    error: ErrorKind
    after_effect: bool

    def refusal(self) -> ApiError:
        """Return the refusal that was ordered."""
        facts = {"action": self.action, "error": self.error.name}
        return ApiError(rule("THR-002"), facts, self.error)


class Faults:
    """The faults of one cloud, in the order they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

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
        times: int = 1,
        status: int | None = None,
        error: str | None = None,
        after_effect: bool = False,
    ) -> Fault:
        """Refuse the next `times` calls of an action.

        Args:
            action: the API's name of an action that is served.
            times: how many calls.
            status: 429 (throttled), 503 (the platform throttles, the default) or 500; or instead
            error: the name of any error of the API, for example "insufficient-capacity".
            after_effect: do what was asked and only then refuse, as when an answer is lost on its way.

        Raises ValueError for an action, a status or an error that is not known.
        """
        if action not in ACTIONS:
            raise ValueError(f"{action!r} is no action that is served{_near(action, ACTIONS)}")
        if times < 1:
            raise ValueError(f"times is a number of calls from 1 up, not {times!r}")
        if error is None:
            if status is not None and status not in _BY_STATUS:
                raise ValueError(f"status is one of {', '.join(map(str, _BY_STATUS))}; not {status!r}: name the error")
            error = _BY_STATUS[status or 503]
        elif error not in ERRORS:
            raise ValueError(f"{error!r} is no error of the API{_near(error, ERRORS)}")
        elif status not in (None, ERRORS[error].status):
            raise ValueError(f"{error} has the status {ERRORS[error].status}, not {status}")
        fault = Fault(action, times, ERRORS[error], after_effect)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Call all of them off."""
        self._faults.clear()

    def take(self, action: str) -> Fault | None:
        """Return the fault that is to befall this call, if one is, and count it down."""
        if not self._faults:
            return None
        fault = next((fault for fault in self._faults if fault.action == action), None)
        if fault is not None:
            fault.times -= 1
            if not fault.times:
                self._faults.remove(fault)
        return fault


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
