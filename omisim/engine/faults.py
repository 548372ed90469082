"""Fault injection: make calls fail as the API would, to test how a client handles it (THR-001).

Faults belong to the session: a rollback does not restore them, a fork has none, and `why_not` ignores them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.actions.framework.schema import MISSING, Problems
from omisim.base.renamed import Renamed
from omisim.base.subset import find_mismatches
from omisim.base.suggest import suggest, suggest_action
from omisim.model.ids import derive_hex
from omisim.model.serialize import api_name, to_snake_names
from omisim.spec.errors import ERRORS, ApiError, ErrorKind, suggest_error
from omisim.spec.rules import get_rule
from omisim.spec.storage_operations import STORAGE_ERRORS, STORAGE_NUMBERS, STORAGE_OPERATIONS, STORAGE_PAGES
from omisim.state.settings import MAX_DURATION

if TYPE_CHECKING:
    from omisim.engine.engine import Engine

__all__ = ["ANY_ACTION", "Dropped", "Fault", "Faults", "Killed", "raise_failure"]

Result = TypeVar("Result")

ANY_ACTION = "*"

# HTTP status → the error that it selects; every other error is selected by its name
_BY_STATUS = {429: "call-throttled", 500: "internal-error", 503: "platform-throttled"}


class LoggedCall(Protocol):
    """A recorded call that a fault may match."""

    @property
    def action(self) -> str:
        """The API's name of the action."""

    @property
    def unredacted_parameters(self) -> dict[str, Any]:
        """The parameters, by the API's names."""


class Dropped(ConnectionError):
    """A fault dropped the connection. Each door raises the exception that its client library would raise."""


class Killed(BaseException):
    """A fault killed the process of the code under test: this call and every later one raises it.

    It is not an `Exception`, so that code that handles errors does not survive it.
    """


_FAILURES = (ApiError, Dropped, Killed)


def raise_failure(outcome: Result | ApiError | Dropped | Killed) -> Result:
    """Return the outcome of a call, or raise it if it is an exception.

    A frame that an exception has left must not hold it: the two would wait for the garbage collector, and with them
    the whole call, and the state of a cloud that has been replaced since.
    """
    if not isinstance(outcome, _FAILURES):
        return outcome
    try:
        raise outcome
    finally:
        del outcome


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
    page_size: int | None = None  # a page of the answer has at most this many results
    kill: bool = False  # the process of the code under test ends here
    meanwhile: Callable[[], object] | None = None  # runs just before the call
    number: int = 0  # number of the fault in its cloud, a seed of its probability
    hits: int = 0  # number of calls with its parameters so far
    met: ClassVar[Renamed] = Renamed("hits")

    def make_error(self, action: str) -> ApiError | Dropped | Killed | None:
        """Return the exception to raise in a call of this action, or None for a fault that causes no failure."""
        if self.kill:
            return Killed(f"a fault killed the process during {action}")
        if self.drop:
            return Dropped(f"a fault dropped the connection during {action}")
        if self.error is None:
            return None
        return ApiError(get_rule("THR-002"), {"action": action, "error": self.error.name}, self.error)

    @property
    def is_dead(self) -> bool:
        """Whether the process of the code under test has ended: every call raises `Killed`."""
        is_certain = self.times is None and self.every == 1 and self.probability == 1
        return self.kill and self.action == ANY_ACTION and is_certain and not self.after_effect

    def raise_before_effect(self, action: str) -> None:
        """Raise the exception of a fault that prevents the effect of a call."""
        raise_failure(None if self.after_effect else self.make_error(action))

    def concerns(self, action: str) -> bool:
        """Whether the fault may hit a call of this action. Object storage has only the errors 500 and 503."""
        if self.action != ANY_ACTION:
            return self.action == action
        return action not in STORAGE_OPERATIONS or self.error is None or self.error.status in STORAGE_ERRORS

    def matches(self, seed: str, call: LoggedCall) -> bool:
        """Whether the fault hits this call of its action. Counts the calls with its parameters."""
        if self.when is not None and next(find_mismatches(self.when, call.unredacted_parameters), None):
            return False
        self.hits += 1
        if self.hits % self.every:
            return False
        chance = int(derive_hex(f"{seed}:fault:{self.number}:{self.hits}")[:8], 16) / 2**32
        return chance < self.probability

    def make_endless(self) -> Fault:
        """Return the fault that hits every later call after this one has killed the process."""
        return Fault(ANY_ACTION, times=None, error=None, kill=True, number=self.number, hits=self.hits)


class Faults:
    """The faults of one cloud, in the order they were added."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __iter__(self) -> Iterator[Fault]:
        """Yield the pending faults."""
        return iter(self._engine.session.faults)

    def __len__(self) -> int:
        """Return the number of pending faults."""
        return len(self._engine.session.faults)

    def __repr__(self) -> str:
        """Show the pending faults."""
        return f"Faults({list(self)!r})"

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
        page_size: int | None = None,
        kill: bool = False,
        meanwhile: Callable[[], object] | None = None,
    ) -> Fault:
        """Make calls of an action fail, and return the fault.

        Args:
            action: API name of a served action, S3's name of an operation of object storage, for example "PutObject",
                or "*" for all of them.
            times: number of calls to hit. Default 1, or unlimited with `every` or `probability`.
            status: HTTP status of the error: 429 (throttled), 503 (platform throttled, the default) or 500. Object
                storage has 503 (`SlowDown`) and 500 (`InternalError`).
            error: name of an API error, for example "insufficient-capacity", in place of `status`.
            after_effect: commit the call, then fail, as if the answer were lost.
            every: hit only each n-th call.
            when: hit only calls with these parameters, by API names: `when={"VmIds": ["i-12345678"]}`.
            probability: hit a call with this probability, derived from the cloud's seed.
            drop: drop the connection without an answer, in place of an error.
            delay: seconds of the cloud's time that the call takes.
            page_size: cut the answer of a read after this many results; a `NextPageToken` leads to the rest. In FCU, it
                cuts only lists that have pages there.
            kill: end the process of the code under test: this call and every later one raises `Killed`, until `clear`.
            meanwhile: a function to run just before the call, such as a request of another client.

        `delay`, `page_size` and `meanwhile` cause no failure by themselves.

        Raises ValueError for an unknown value and for a fault that could never trigger.
        """
        _check_action(action, status, error)
        _check_numbers(times=times, every=every, probability=probability, delay=delay)
        _check_page_size(action, page_size)
        if meanwhile is not None and not callable(meanwhile):
            raise ValueError(f"meanwhile must be a function without arguments, not {meanwhile!r}")
        if not isinstance(when, Mapping | None):
            raise ValueError(f"when must be a mapping of parameters to values, not {when!r}")
        _check_parameters(action, when or {})
        has_error, has_answer = status is not None or error is not None, not (drop or kill)
        if page_size is not None and (has_error or not has_answer):
            raise ValueError("page_size cannot be combined with status, error, drop or kill: the client gets no page")
        if has_error and not has_answer:
            name = "drop" if drop else "kill"
            raise ValueError(f"{name} cannot be combined with status or error: the client gets no answer")
        is_harmless = has_answer and not has_error and bool(delay or page_size or meanwhile is not None)
        if after_effect and is_harmless:
            raise ValueError("after_effect needs status, error, drop or kill: this fault alone causes no failure")
        if times is None and every == 1 and probability == 1:
            times = 1
        kind = _choose_error(status, error) if has_answer and not is_harmless else None
        with self._engine.lock:
            session = self._engine.session
            number = session.added_faults + 1
            fault = Fault(
                action, times, kind, after_effect, every, deepcopy(when), probability, drop, delay, page_size,
                kill, meanwhile, number,
            )  # fmt: skip
            session.faults, session.added_faults = (*session.faults, fault), number
        return fault

    def clear(self) -> None:
        """Remove every fault."""
        with self._engine.lock:
            self._engine.session.faults = ()


def _check_action(action: Any, status: Any, error: Any) -> None:
    """Raise ValueError for an action that is not served, and for an error that object storage does not have."""
    if not isinstance(action, str):
        raise ValueError(f"action must be the name of one action, or '*' for all, not {action!r}")
    if action in STORAGE_OPERATIONS:
        if error is not None:
            raise ValueError(
                f"error must be left out for {action}, not {error!r}: object storage has status 500 and 503"
            )
        if status == 429:  # noqa: PLR2004 - an HTTP status
            raise ValueError(f"status must be 500 or 503 for {action}, not 429: object storage throttles with 503")
    elif action not in ACTIONS and action != ANY_ACTION:
        known = {*ACTIONS, *STORAGE_OPERATIONS}
        reason = f": {not_served()[action]}" if action in not_served() else suggest_action(action, known)
        raise ValueError(f"action must be a served action, not {action!r}{reason}")


def _check_numbers(*, times: Any, every: Any, probability: Any, delay: Any) -> None:
    """Raise ValueError for a number outside its range."""
    for name, value in {"times": times, "every": every}.items():
        if value is not None and (type(value) is not int or value < 1):
            raise ValueError(f"{name} must be a positive integer, not {value!r}")
    if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 < probability <= 1:
        raise ValueError(f"probability must be a number above 0 and at most 1, not {probability!r}")
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay <= MAX_DURATION:
        raise ValueError(f"delay must be a finite, non-negative number of seconds up to {MAX_DURATION}, not {delay!r}")


def _check_page_size(action: str, page_size: Any) -> None:
    """Raise ValueError for a page size that is not a positive integer, and for an action without pages."""
    if page_size is None:
        return
    if type(page_size) is not int or page_size < 1:
        raise ValueError(f"page_size must be a positive integer, not {page_size!r}")
    has_pages = action == ANY_ACTION or (
        action in STORAGE_PAGES if action in STORAGE_OPERATIONS else ACTIONS[action].paged
    )
    if not has_pages:
        raise ValueError(f"page_size needs an action with pages, and {action} has none")


def _check_parameters(action: str, when: Mapping[str, Any]) -> None:
    """Raise ValueError for parameters, at any depth, that no request of the action can have."""
    if action == ANY_ACTION:
        if when:
            raise ValueError("when cannot be combined with action '*': each action has parameters of its own")
        return
    if action in STORAGE_OPERATIONS:
        for name, value in when.items():
            if (mistake := _describe_mismatch(action, name, value)) is not None:
                raise ValueError(f"when could never match a {action} request: {mistake}")
        return
    problems: Problems = []
    shape = ACTIONS[action].shape
    shape.read(to_snake_names(when), "", problems, shape.all_fields)
    for problem in problems:
        if problem.rank != MISSING:
            refusal = problem.to_error(api_name)
            raise ValueError(f"when could never match a {action} call: {refusal.details}") from refusal


def _describe_mismatch(operation: str, name: Any, value: Any) -> str | None:
    """Return why no request of an operation of object storage has this value of a parameter, or None if one may."""
    known = {api_name(parameter): parameter for parameter in STORAGE_OPERATIONS[operation]}
    if name not in known:
        return f"unknown {name!r}{suggest(str(name), known)}"
    if known[name] in STORAGE_NUMBERS:
        return None if type(value) is int and value >= 0 else f"{name} must be a non-negative integer, not {value!r}"
    return None if isinstance(value, str) and value else f"{name} must be a non-empty string, not {value!r}"


def _choose_error(status: int | None, error: str | None) -> ErrorKind:
    if error is None:
        if status is not None and status not in _BY_STATUS:
            statuses = ", ".join(map(str, _BY_STATUS))
            raise ValueError(f"status must be one of {statuses}, not {status!r}; use error for another one")
        return ERRORS[_BY_STATUS[status or 503]]
    if error not in ERRORS:
        raise ValueError(f"error must be the name of an API error, not {error!r}{suggest_error(error)}")
    if status not in (None, ERRORS[error].status):
        raise ValueError(f"status must be {ERRORS[error].status} for the error {error}, not {status!r}")
    return ERRORS[error]
