"""`Engine`: the parts of one cloud, and one call through them, whatever the door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from threading import RLock
from typing import Any, ClassVar
from weakref import WeakSet

from omisim.actions.effects import EFFECTS
from omisim.actions.framework.request import Request
from omisim.base.clock import Clock
from omisim.engine.dispatch import Answer, collect_refusals, dispatch, find_action
from omisim.engine.faults import Dropped, Fault
from omisim.engine.scheduler import Scheduler
from omisim.engine.session import CallRecord, Session
from omisim.model import AccountRow
from omisim.model.ids import make_request_id
from omisim.spec.errors import ApiError
from omisim.state.dump import from_dict, to_dict
from omisim.state.initial_state import initial_state
from omisim.state.observer import Observer
from omisim.state.official_images import adopt, find_unknown_images
from omisim.state.settings import Settings
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = ["Engine", "Mark"]

_NO_HEADERS: Mapping[str, str] = {}


class Mark:
    """A point of a cloud's history to roll back to, as often as wanted."""

    __slots__ = ("__weakref__", "at", "call_position", "position")

    def __init__(self, position: int, at: dt.datetime, call_position: int) -> None:
        self.position: int = position
        self.at: dt.datetime = at
        self.call_position: int = call_position


class Engine:
    """What a cloud consists of, for doors and tools: `cloud.engine`.

    Attributes:
        state: everything that a rollback undoes; replaced by `reset`.
        session: what no rollback undoes: the call log, faults, failed logins, warnings; replaced by `reset`.
        settings: how the cloud behaves.
        clock: where it takes its time from.
        scheduler: its due transitions.
        history: how many changes and calls are kept.
        lock: held by everything that reads or writes state or session; it may be taken again by its thread.
        observer: is told what all clouds of the process exercise; omisim.testing.coverage sets it on the class.
    """

    observer: ClassVar[Observer | None] = None

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        state: State | None = None,
        history: int = 10_000,
        start: dt.datetime | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.history = history
        self.lock: RLock = RLock()
        self._start = start or clock.now()  # where a reset goes back to
        self._begin(initial_state().fork() if state is None else state)

    def _begin(self, state: State) -> None:
        self.state = state
        self.session: Session = Session()
        self.scheduler: Scheduler = Scheduler(state, self.settings, self.clock, _begin)
        self._marks: WeakSet[Mark] = WeakSet()

    # --- one call

    def call(
        self, request: Request, account_id: str | None, region: str, headers: Mapping[str, str] = _NO_HEADERS
    ) -> Answer:
        """Make a call of an account (None: nobody signed it) in a Region, and note it in the call log.

        Raises ApiError when it is refused, Dropped when a fault drops the connection.
        """
        with self.lock:
            number = self.next_request_id()
            now = self.scheduler.apply_due()
            account = self._account(account_id)
            record = CallRecord(
                request.action, account.name if account else "", request.parameters, now, number, headers
            )
            self.session.calls.append(record)
            position = self.state.position
            try:
                action = find_action(request.action)
                fault = self._take_fault(record) if len(self.session.faults) else None
                if fault is not None and not fault.after_effect and (failure := fault.make_error()):
                    raise failure
                if self.settings.unknown_images:
                    self._adopt_unknown(request, region)
                answer = dispatch(
                    self.begin(action.name), self.clock, action, request, account, region, self.session.calls
                )
            except (ApiError, Dropped) as error:
                self.state.undo_to(position)
                self._failed(record, error)
                raise
            record.warnings, record.status = answer.warnings, 200
            if answer.warnings:
                self.session.warnings.extend(answer.warnings)
            if self.state.position != position and self.settings.timing == "eager":
                self.scheduler.run_transients()
            if self.session.requests % self.history == 0:
                self._trim()
            if fault is not None and fault.after_effect and (failure := fault.make_error()):
                self._failed(record, failure)
                raise failure
            answer.request_id = number
            if not answer.dry:
                self._observe(record)
            return answer

    def why_not(self, request: Request, account_id: str, region: str) -> list[ApiError]:
        """Return the refusals of a call that is not made, in check order; what is due is applied for it, and undone."""
        with self.lock:
            position = self.state.position
            try:
                with self.scheduler.suspend_failures():
                    self.scheduler.apply_due()
                account, action = self._account(account_id), find_action(request.action)
                if self.settings.unknown_images:
                    self._adopt_unknown(request, region)
                return collect_refusals(self.begin("why_not", observed=False), action, request, account, region)
            except ApiError as error:
                return [error]
            finally:
                self.state.undo_to(position)

    def note_refused(self, action: str, account_id: str | None, error: ApiError, headers: Mapping[str, str]) -> None:
        """Note a call that a door refused before it came to its parameters."""
        with self.lock:
            account = self._account(account_id)
            name, number = account.name if account else "", self.next_request_id()
            record = CallRecord(action, name, {}, self.clock.now(), number, headers)
            self.session.calls.append(record)
            self._failed(record, error)

    def next_request_id(self) -> str:
        """Count a request, and return its id."""
        self.session.requests += 1
        return make_request_id(self.settings.seed, self.session.requests)

    def _account(self, account_id: str | None) -> AccountRow | None:
        if account_id is None:
            return None
        row: AccountRow | None = self.state.get("account", account_id)
        if row is None:
            raise ValueError(f"the account {account_id} does not exist (any more): call cloud.account(name) again")
        return row

    def _take_fault(self, record: CallRecord) -> Fault | None:
        """Return the fault to inject, if any, and advance the clock by its delay."""
        fault = self.session.faults.take(record, self.settings.seed)
        if fault is not None and fault.delay:
            record.took = int(fault.delay * 1e6)
            self.scheduler.advance(fault.delay)
        return fault

    def _adopt_unknown(self, request: Request, region: str) -> None:
        if request.action in ("CreateVms", "CreateImage", "ReadImages"):
            for image_id in tuple(find_unknown_images(self.state, request.parameters)):
                adopt(self.begin("adopt"), image_id, region, "Ubuntu")

    def _failed(self, record: CallRecord, error: ApiError | Dropped) -> None:
        record.record_failure(error)
        self._observe(record)

    def _observe(self, record: CallRecord) -> None:
        if self.observer is not None:
            self.observer.on_call(record.action, record.error.rule if record.error else None)

    # --- writing

    def begin(self, cause: str, at: dt.datetime | None = None, *, observed: bool = True) -> Transaction:
        """Begin to write, for a cause, at a time (now, unless told). What is written is undone by nobody else."""
        return _begin(self.state, self.settings, cause, at or self.clock.now(), observed=observed)

    @contextmanager
    def transaction(self, cause: str) -> Iterator[Transaction]:
        """Write from Python, as a call would: all of it or nothing."""
        with self.lock:
            self.scheduler.apply_due()
            position = self.state.position
            try:
                yield self.begin(cause)
            except BaseException:
                self.state.undo_to(position)
                raise
            if self.settings.timing == "eager":
                self.scheduler.run_transients()

    # --- undoing, forking, saving

    def mark(self) -> Mark:
        """Return a point to roll back to. While it lives, everything since it is kept."""
        with self.lock:
            mark = Mark(self.state.position, self.clock.now(), self.session.call_position)
            self._marks.add(mark)
            return mark

    def rollback(self, mark: Mark) -> None:
        """Undo everything since a mark, whoever did it. Raises ValueError when the mark itself has been undone."""
        with self.lock:
            self.check_mark(mark)
            self.state.undo_to(mark.position)
            self.clock.restore(mark.at)
            for other in list(self._marks):
                if other.position > mark.position:
                    self._marks.discard(other)

    def check_mark(self, mark: Mark) -> None:
        """Raise ValueError for a mark of another cloud, and for one that has been undone."""
        if mark not in self._marks:
            raise ValueError("this mark is not of this cloud, or what it marks was undone by another rollback")

    def fork(self) -> Engine:
        """Return an independent Engine in the same state, with a clock of its own and an empty session."""
        with self.lock:
            return Engine(self.settings.copy(), self.clock.copy(), self.state.fork(), self.history, self._start)

    def copy_faults(self, other: Engine) -> None:
        """Take over the faults and failures that are ordered in another Engine, which keeps its own."""
        self.session.faults = deepcopy(other.session.faults)
        self.scheduler.failures = list(other.scheduler.failures)

    def reset(self) -> None:
        """Go back to the beginning: no accounts, no calls, the clock at its start."""
        with self.lock:
            self.clock.restore(self._start)
            self.settings.durations.clear()
            self.settings.capacity.clear()
            self._begin(initial_state().fork())

    def dump(self) -> dict[str, Any]:
        """Return state, settings and clock as plain JSON data, for `Engine.load`. The session is left out."""
        with self.lock:
            return to_dict(self.state, self.settings, self.clock, self.history, initial_state())

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Engine:
        """Return the Engine that `dump` made this of. Raises ValueError for anything else."""
        settings, clock, state, history = from_dict(data, initial_state().fork())
        return cls(settings, clock, state, history)

    # --- how much is kept

    def kept_changes(self) -> int:
        """Return how many changes are listed: the history, or all since the oldest live mark."""
        return self._kept(self.state.position, "position")

    def kept_calls(self) -> int:
        """Return how many calls are listed: the history, or all since the oldest live mark."""
        return self._kept(self.session.call_position, "call_position")

    def _kept(self, position: int, of: str) -> int:
        oldest: int = min((getattr(mark, of) for mark in self._marks), default=position)
        return max(self.history, position - oldest)

    def _trim(self) -> None:
        self.state.trim(self.state.position - self.kept_changes())
        self.session.trim_calls(self.session.call_position - self.kept_calls())
        del self.session.warnings[: -self.history]


def _begin(state: State, settings: Settings, cause: str, at: dt.datetime, *, observed: bool = True) -> Transaction:
    """Begin to write. It belongs to no Engine, so that an Engine holds no circle of references and goes when unused."""
    return Transaction(state, settings, EFFECTS, at, cause, Engine.observer if observed else None)
