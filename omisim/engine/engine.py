"""The engine of a cloud: its state, clock and session, and one call through them, whatever the door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from threading import RLock
from types import FunctionType
from typing import Any
from weakref import WeakSet

from omisim.actions.effects import EFFECTS
from omisim.base.clock import EPOCH, Clock
from omisim.cloud.account import Account
from omisim.cloud.official import adopt, named_images
from omisim.engine.dispatch import Answer, action_named, dispatch, refusals
from omisim.engine.faults import Dropped, Fault
from omisim.engine.scheduler import Transitions
from omisim.engine.session import CallRecord, Session
from omisim.model import Account as AccountRow
from omisim.model import ids
from omisim.model.serialize import api_names
from omisim.spec.catalog import catalog
from omisim.spec.errors import ApiError
from omisim.state.settings import Settings
from omisim.state.state import State, Tx

__all__ = ["Engine", "Mark", "first_state"]

_NO_HEADERS: Mapping[str, str] = {}


class Mark:
    """A point of a cloud's history to roll back to, as often as wanted."""

    __slots__ = ("__weakref__", "at", "call_position", "position")

    def __init__(self, position: int, at: dt.datetime, call_position: int) -> None:
        self.position = position
        self.at = at
        self.call_position = call_position


class Engine:
    """What `Cloud` is built on: the parts that every method and every door share."""

    def __init_subclass__(cls) -> None:
        """Let the methods of a part of `Cloud` go by its name, which Python's errors about wrong arguments quote."""
        if cls.__base__ is Engine:
            for name, method in vars(cls).items():
                if isinstance(method, FunctionType):
                    method.__qualname__ = f"Cloud.{name}"

    def _begin(self, settings: Settings, clock: Clock, state: State, history: int) -> None:
        self._settings = settings
        self._clock = clock
        self._state = state
        self._history = history
        self._lock = RLock()
        self._session = Session()
        self._transitions = Transitions(state, settings, clock)
        self._marks: WeakSet[Mark] = WeakSet()
        self._accounts: dict[str, Account] = {}
        self._start = EPOCH

    # --- one call

    def _perform(
        self,
        name: str,
        account_id: str | None,
        region: str,
        given: dict[str, Any],
        *,
        wire: bool,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Answer:
        """Run one call from any door, and note it in the journal of calls."""
        with self._lock:
            request_id = self._next_request_id()
            now = self._transitions.apply_due()
            account = self._row_of(account_id)
            parameters = given if wire else api_names(given)
            record = CallRecord(name, account.name if account else "", parameters, now, request_id, headers)
            self._session.calls.append(record)
            position = self._state.position
            try:
                action = action_named(name)
                fault = self._befalling(name, parameters, record) if len(self._session.faults) else None
                if fault is not None and not fault.after_effect and (failure := fault.failure()):
                    raise failure
                if self._settings.unknown_images:
                    self._adopt_named(action.name, region, given)
                log = self._session.calls
                answer = dispatch(
                    self._state, self._settings, self._clock, action, account, region, given, wire=wire, log=log
                )
            except (ApiError, Dropped) as error:
                self._state.undo_to(position)
                record.failed(error)
                _tell(record)
                raise
            record.warnings, record.status = answer.warnings, 200
            if answer.warnings:
                self._session.warnings.extend(answer.warnings)
            if self._state.position != position and self._settings.timing == "eager":
                self._transitions.run_transients()
            if self._session.requests % self._history == 0:
                self._trim()
            if fault is not None and fault.after_effect and (failure := fault.failure()):
                record.failed(failure)
                _tell(record)
                raise failure
            answer.request_id = request_id
            if not answer.dry:
                _tell(record)
            return answer

    def _befalling(self, action: str, parameters: Mapping[str, Any], record: CallRecord) -> Fault | None:
        """Return the fault that befalls a call, if one does; let pass the time that it takes."""
        fault = self._session.faults.take(action, self._settings.seed, parameters)
        if fault is not None and fault.delay:
            record.took = int(fault.delay * 1e6)
            self._transitions.advance(fault.delay)
        return fault

    def _refusals(self, name: str, account_id: str, region: str, given: Mapping[str, Any]) -> list[ApiError]:
        """Return the refusals of a call that is not made; what is due is applied for it, and undone with it."""
        with self._lock:
            position = self._state.position
            try:
                with self._transitions.without_failures():
                    self._transitions.apply_due()
                account = self._row_of(account_id)
                action = action_named(name)
                if self._settings.unknown_images:
                    self._adopt_named(action.name, region, given)
                return refusals(self._state, self._settings, self._clock, action, account, region, given, wire=True)
            except ApiError as error:
                return [error]
            finally:
                self._state.undo_to(position)

    def _note_refused(self, name: str, account_id: str | None, error: ApiError, headers: Mapping[str, str]) -> None:
        """Note a call that a door refused before it came to its parameters."""
        with self._lock:
            row = self._row_of(account_id)
            request_id = self._next_request_id()
            record = CallRecord(name, row.name if row else "", {}, self._clock.now(), request_id, headers)
            record.failed(error)
            self._session.calls.append(record)
            _tell(record)

    def _next_request_id(self) -> str:
        self._session.requests += 1
        return ids.request_id(self._settings.seed, self._session.requests)

    def _row_of(self, account_id: str | None) -> AccountRow | None:
        if account_id is None:
            return None
        row: AccountRow | None = self._state.get("account", account_id)
        if row is None:
            raise ValueError(f"the account {account_id} does not exist (any more): call cloud.account(name) again")
        return row

    # --- writing

    @contextmanager
    def _writing(self, cause: str) -> Iterator[Tx]:
        """Write from Python, as a call would: all of it or nothing."""
        with self._lock:
            self._transitions.apply_due()
            position = self._state.position
            try:
                yield self._tx(cause)
            except BaseException:
                self._state.undo_to(position)
                raise
            if self._settings.timing == "eager":
                self._transitions.run_transients()

    def _adopt_named(self, action: str, region: str, given: Mapping[str, Any]) -> None:
        if action in ("CreateVms", "CreateImage", "ReadImages"):
            for image_id in tuple(named_images(self._state, given)):
                adopt(self._tx("adopt"), image_id, region, "Ubuntu")

    def _tx(self, cause: str) -> Tx:
        return Tx(self._state, self._settings, EFFECTS, self._clock.now(), cause)

    def _check_mark(self, mark: Mark) -> None:
        if mark not in self._marks:
            raise ValueError("this mark is not of this cloud, or what it marks was undone by another rollback")

    def _kept(self, position: int, of: str) -> int:
        """Return how many entries of a journal are listed: the history, or all since the oldest live mark."""
        oldest = min((getattr(mark, of) for mark in self._marks), default=position)
        return max(self._history, position - int(oldest))

    def _trim(self) -> None:
        state, session = self._state, self._session
        state.trim(state.position - self._kept(state.position, "position"))
        session.trim_calls(session.call_position - self._kept(session.call_position, "call_position"))
        del session.warnings[: -self._history]


def _tell(record: CallRecord) -> None:
    if Tx.observer is not None:
        Tx.observer.called(record.action, record.error.rule if record.error else None)


@cache
def first_state() -> State:
    """Return the State every cloud begins with, a fork of this one: built once a process, never written to again."""
    state = State()
    for entity in catalog().entities():
        state.write(entity.kind, entity.id, entity, EPOCH, "catalogue")
    state.trim(state.position)
    return state
