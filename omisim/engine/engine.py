"""`Engine`: the parts of one cloud, and the execution of a call, independent of the protocol."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from threading import RLock
from typing import Any, ClassVar, TypeVar
from weakref import WeakSet

from omisim.actions.effects import EFFECTS
from omisim.actions.framework.request import Request
from omisim.actions.imports import Decoded, decode_ahead
from omisim.base.clock import Clock
from omisim.base.process import ForkedCloud, watch_forks
from omisim.engine.checkpoint import Checkpoint
from omisim.engine.dispatch import Answer, collect_refusals, dispatch, find_action
from omisim.engine.faults import Dropped, Fault, Killed, raise_failure
from omisim.engine.keeper import Keeper
from omisim.engine.marks import Mark, Saved
from omisim.engine.scheduler import Scheduler
from omisim.engine.session import CallRecord, Session
from omisim.engine.session_data import describe_session, read_session
from omisim.engine.unserved import find_unserved
from omisim.model import AccountRow
from omisim.model.ids import make_request_id
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse
from omisim.state.dump import from_dict, to_dict
from omisim.state.forgetting import forget_ended
from omisim.state.initial_state import initial_state
from omisim.state.journal_store import JournalStore, StoreError
from omisim.state.observer import Observer
from omisim.state.official_images import adopt, find_unknown_images
from omisim.state.settings import Settings
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = ["Engine", "MakeCall"]

MAX_ADOPTED = 1000  # unknown OMIs in one request
IMPORTS = frozenset({"CreateImage", "CreateSnapshot"})  # the actions that may read a disk image
Result = TypeVar("Result")
Failed = TypeVar("Failed", bound=ApiError | Dropped | Killed)
MakeCall = Callable[[Request, str | None, str, Mapping[str, str]], Answer]  # as `Engine.call`
_NO_HEADERS: Mapping[str, str] = {}


class NotDecoded(Exception):
    """Ends the unit of a client's import, whose disk images are to be decoded first. `location` is their URL."""

    def __init__(self, location: object) -> None:
        super().__init__(location)
        self.location = location


class Engine:
    """The parts of one cloud, for doors and tools: `cloud.engine`.

    Attributes:
        state: everything that a rollback undoes. `reset` replaces it.
        session: everything that survives a rollback: call log, faults, failed logins, warnings. `reset` replaces it.
        settings: the configuration of the cloud.
        clock: the source of the cloud's time.
        scheduler: the due transitions.
        history: the number of changes and calls to keep.
        lock: a reentrant lock, held by every reader and writer of state and session.
        observer: receives the calls and transitions of every cloud in the process. `omisim.testing.coverage` sets it on
            the class.
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
        self.settings: Settings = settings
        self.clock: Clock = clock
        self.history: int = history
        self.lock: RLock = RLock()
        self._start = start or clock.now()  # the time that `reset` restores
        self._is_copy = False
        self._depth = 0  # of nested units
        self._keeper: Keeper | None = None
        self._begin(initial_state().fork() if state is None else state)
        watch_forks(self)

    def after_fork(self) -> None:
        """Note that this process was forked, and that its calls would be lost. A thread of the other held the lock."""
        self._is_copy = True
        self.lock = RLock()
        self._take_session(self.session)

    def _begin(self, state: State) -> None:
        self.state: State = state
        self._take_session(Session())
        self.scheduler: Scheduler = Scheduler(state, self.settings, self.clock, _begin)
        self.marks: WeakSet[Mark] = WeakSet()

    def _take_session(self, session: Session) -> None:
        self.session: Session = session
        session.faults.lock = self.lock

    # --- one call

    def call(
        self, request: Request, account_id: str | None, region: str, headers: Mapping[str, str] = _NO_HEADERS
    ) -> Answer:
        """Run a call of an account in a Region and record it in the call log.

        `account_id` is None for an unsigned call. Raises ApiError if the call is refused, Dropped if a fault drops the
        connection, Killed if it kills the client, and ValueError for an account that does not exist.
        """
        if location := _find_import(request):
            request.decoded = decode_ahead(self.state, self.clock.now(), self.lock, location)
        try:
            with self.atomic():
                outcome = self.answer(request, account_id, region, headers)
        except StoreError as error:
            raise self.refuse_unsaved(error, request.action, account_id, headers) from error
        try:
            return raise_failure(outcome)
        finally:
            del outcome  # the traceback of a refusal holds this frame

    def answer(
        self, request: Request, account_id: str | None, region: str, headers: Mapping[str, str]
    ) -> Answer | ApiError | Dropped | Killed:
        """Run a call inside the caller's atomic block and record it. Return its answer, or the exception that ends it.

        The caller raises the exception after the block, which keeps the record.
        """
        number = self.next_request_id()
        now = self.scheduler.apply_due()
        account = self._get_account(account_id)
        record = CallRecord(request.action, account.name if account else "", request.parameters, now, number, headers)
        record.api, record.serial = request.dialect.api, self.session.requests
        self.session.calls.append(record)
        position = record.position = self.state.position
        try:
            unserved = find_unserved(self.settings, request.action)
            record.by_user = unserved is not None and unserved.own is not None
            own = request.dialect.own.get(request.action)
            action = own or (unserved.action if unserved else find_action(request.action))
            fault = self._take_fault(record) if len(self.session.faults) else None
            position = self.state.position
            if fault is not None:
                fault.raise_before_effect(request.action)
            self._adopt_unknown(request, region)
            page_size = fault.page_size if fault else None
            tx, log = self.begin(action.name), self.session.calls
            if unserved is None:
                answer = dispatch(tx, self.clock, action, request, account, region, log, page_size)
            else:
                answer = unserved.answer(request, record)
        except (ApiError, Dropped, Killed) as error:
            self.state.undo_to(position)
            if isinstance(error, ApiError) and self.settings.timing == "reads" and record.headers:
                self.scheduler.count_refusal(error)
            return self._record_failure(record, error)
        record.warnings, record.status = answer.warnings, 200
        if action.paged:
            record.results = len(answer.value)
        if answer.warnings:
            self.session.warnings.extend(answer.warnings)
        if self.state.position != position and self.settings.timing == "eager":
            self.scheduler.run_transients()
        if fault is not None and fault.after_effect and (failure := fault.make_error(request.action)):
            return self._record_failure(record, failure)
        answer.request_id = number
        if not answer.dry and unserved is None:
            self.count_read(record, answer.value if request.dialect.pages else ())
            self._observe(record)
        return answer

    def call_storage(
        self, record: CallRecord, answer: Callable[[Transaction, Fault | None], Result]
    ) -> Result | ApiError | Dropped | Killed:
        """Run a request to object storage inside the caller's atomic block, and record it.

        Faults are injected as into a call. Returns the result of `answer`, or the exception of a fault: the caller
        raises it after the block, which keeps the record. Raises what `answer` raises, after undoing its changes.
        """
        record.serial, record.position = self.session.requests, self.state.position
        self.session.storage_calls.append(record)
        fault = self._take_fault(record) if len(self.session.faults) else None
        failure = fault.make_error(record.action) if fault is not None else None
        if fault is None or failure is None or fault.after_effect:
            with self.transaction("oos") as tx:
                before = tx.state.position
                result = answer(tx, fault)
                if tx.state.position != before:
                    self.clock.tick()
            if failure is None:
                return result
        record.record_failure(failure)
        return failure

    def why_not(self, request: Request, account_id: str, region: str) -> list[ApiError]:
        """Return the refusals that a call would get, in check order, without making it.

        Due transitions are applied for the check and rolled back afterwards. Faults are ignored.
        """
        with self.lock:
            position = self.state.position
            try:
                with self.scheduler.suspend_failures():
                    self.scheduler.apply_due()
                account, unserved = self._get_account(account_id), find_unserved(self.settings, request.action)
                if unserved is not None:
                    return unserved.list_refusals(request)
                action = find_action(request.action)
                self._adopt_unknown(request, region)
                return collect_refusals(self.begin("why_not", observed=False), action, request, account, region)
            except ApiError as error:
                return [error]
            finally:
                self.state.undo_to(position)

    def note_refused(
        self, action: str, account_id: str | None, error: ApiError, headers: Mapping[str, str], api: str = "oapi"
    ) -> None:
        """Record a call that the door of an API refused before it parsed the parameters."""
        try:
            with self.atomic():
                self._log_refused(action, account_id, error, headers, api)
        except StoreError:  # it is refused in any case, and has changed nothing but its request id
            with self.lock:
                self._log_refused(action, account_id, error, headers, api)

    def refuse_unsaved(
        self,
        error: StoreError,
        action: str,
        account_id: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        api: str = "oapi",
    ) -> ApiError:
        """Return the refusal of a call that the store could not keep, after recording it for as long as possible."""
        refusal = refuse("THR-004", reason=str(error))
        with self.lock:
            self._log_refused(action, account_id, refusal, headers, api)
        return refusal

    def _log_refused(
        self, action: str, account_id: str | None, error: ApiError, headers: Mapping[str, str], api: str = "oapi"
    ) -> None:
        account = self._get_account(account_id)
        name, number = account.name if account else "", self.next_request_id()
        record = CallRecord(action, name, {}, self.clock.now(), number, headers, serial=self.session.requests, api=api)
        self.session.calls.append(record)
        self._record_failure(record, error)

    def check_action(self, name: str) -> None:
        """Raise ApiError for an action that this cloud does not answer."""
        if find_unserved(self.settings, name) is None:
            find_action(name)

    def next_request_id(self) -> str:
        """Count a request and return its id."""
        self.session.requests += 1
        return make_request_id(self.settings.seed, self.session.requests)

    def _get_account(self, account_id: str | None) -> AccountRow | None:
        if account_id is None:
            return None
        row: AccountRow | None = self.state.get("account", account_id)
        if row is None:
            raise ValueError(f"account {account_id} does not exist: call cloud.account(name) to create it again")
        return row

    def _take_fault(self, record: CallRecord) -> Fault | None:
        """Return the fault to inject, if any, after advancing the clock by its delay and running its `meanwhile`."""
        fault = self.session.faults.take(record, self.settings.seed)
        if fault is not None and fault.delay:
            record.took = int(fault.delay * 1e6)
            self.scheduler.advance(fault.delay)
        if fault is not None and fault.meanwhile is not None:
            fault.meanwhile()
        return fault

    def _adopt_unknown(self, request: Request, region: str) -> None:
        if self.settings.unknown_images and request.action in ("CreateVms", "CreateImage", "ReadImages"):
            for image_id in tuple(islice(find_unknown_images(self.state, request.parameters), MAX_ADOPTED)):
                adopt(self.begin("adopt"), image_id, region, "Ubuntu")

    def _record_failure(self, record: CallRecord, error: Failed) -> Failed:
        record.record_failure(error)
        self._observe(record)
        return error

    def count_read(self, record: CallRecord, value: object) -> None:
        """Count a client's read of the resources in `value` (timing "reads").

        A call from Python has no headers and never counts. A door that selects among the results of a call, and pages
        them itself (`Dialect.pages`), calls this with those that it returns.
        """
        if self.settings.timing == "reads" and record.headers and record.action.startswith("Read"):
            self.scheduler.count_reads(value)

    def _observe(self, record: CallRecord) -> None:
        if self.observer is not None and not record.by_user:
            self.observer.on_call(record.action, record.error.rule if record.error else None)

    # --- writing

    def begin(self, cause: str, at: dt.datetime | None = None, *, observed: bool = True) -> Transaction:
        """Return a Transaction with this cause, at a time (default: now).

        The caller must undo its writes if it fails; `transaction` does so. Raises ForkedCloud in a forked process.
        """
        if self._is_copy:
            raise ForkedCloud
        return _begin(self.state, self.settings, cause, at or self.clock.now(), observed=observed)

    @contextmanager
    def transaction(self, cause: str) -> Iterator[Transaction]:
        """Write from Python as a call would: an atomic block that begins with what is due."""
        with self.atomic():
            self.scheduler.apply_due()
            yield self.begin(cause)
            if self.settings.timing == "eager":
                self.scheduler.run_transients()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Run the block as one unit, under the lock: if it raises, nothing in state and session has changed.

        Its changes are in the store, if there is one, when the outermost unit ends. Raises StoreError if the store
        cannot keep them; then nothing has changed either.
        """
        with self.lock:
            before = Checkpoint(self, self._depth)
            try:
                try:
                    self._depth = before.depth + 1
                    yield
                    self._commit(before)
                except BaseException:
                    self._revert(before)
                    raise
            except BaseException:
                self._revert(before)  # an interruption may have cut the first one short
                raise
            if not before.depth:
                self._trim()

    def run_request(self, work: Callable[[MakeCall], Result]) -> Result:
        """Run a function that answers a client's request as one unit (`atomic`). It gets a `call` for use in the unit.

        The disk images of an import are decoded without the lock. For this, such a call ends a first run, which has
        identified its caller and is undone, and finds the images in a second one.
        """
        decoded: Decoded | None = None
        while True:
            try:
                with self.atomic():
                    return work(partial(self._call_within, decoded))
            except NotDecoded as error:
                decoded = decode_ahead(self.state, self.clock.now(), self.lock, error.location)

    def _call_within(
        self, decoded: Decoded | None, request: Request, account_id: str | None, region: str, headers: Mapping[str, str]
    ) -> Answer:
        """Run a call inside the unit of its request."""
        location = _find_import(request)
        if location and decoded is None:
            raise NotDecoded(location)
        if location and decoded is not None:
            request.decoded = decoded
        return raise_failure(self.answer(request, account_id, region, headers))

    def _commit(self, before: Checkpoint) -> None:
        if before.depth == 0 and self._keeper is not None:
            self._keeper.save(self)
        self._depth = before.depth

    def _revert(self, before: Checkpoint) -> None:
        before.revert(self)
        self._depth = before.depth
        if before.depth == 0 and self._keeper is not None:
            self._keeper.resolve(self)

    # --- durability

    def keep_in(self, store: JournalStore) -> None:
        """Keep everything that this engine commits from now on in a store that holds its state."""
        with self.lock:
            self._keeper = Keeper(store, self.state)

    def become(self, other: Engine) -> None:
        """Take the state, the clock, the settings and the session of another Engine, which must not be used any more.

        Accounts, clients, doors and the store of this one stay with it.
        """
        with self.atomic():
            self.settings, self.clock, self.history = other.settings, other.clock, other.history
            self.state, self.scheduler = other.state, other.scheduler
            self._take_session(other.session)
            self.marks = WeakSet()

    # --- undoing, forking, saving

    def mark(self) -> Mark:
        """Return a point to roll back to. Later changes and calls are kept for as long as it is referenced."""
        with self.lock:
            mark = Mark(self.state.position, self.clock.now(), self.session.call_position)
            self.marks.add(mark)
            return mark

    def rollback(self, mark: Mark) -> None:
        """Undo every change since a mark. Raises ValueError as `check_mark` does."""
        with self.lock:
            self.check_mark(mark)
            try:
                self._roll_back(mark)
            except BaseException:
                self._roll_back(mark)  # an interruption completes it
                raise

    def _roll_back(self, mark: Mark) -> None:
        self.state.undo_to(mark.position)
        self.clock.restore(mark.at)
        for other in list(self.marks):
            if other.position > mark.position:
                self.marks.discard(other)
        if self._depth == 0 and self._keeper is not None:
            self._keeper.save(self)

    def check_mark(self, mark: Mark) -> None:
        """Raise ValueError for a mark of another cloud and for one that an earlier rollback has undone."""
        if mark not in self.marks:
            raise ValueError("mark must be a live mark of this cloud, not one of another cloud or one already undone")

    def fork(self) -> Engine:
        """Return an independent Engine in the same state, with a clock of its own and an empty session."""
        with self.lock:
            return Engine(self.settings.copy(), self.clock.copy(), self.state.fork(), self.history, self._start)

    def save(self) -> Saved:
        """Return the state, the time, the settings and the session, for `restore`."""
        with self.lock:
            return Saved(
                self.state.fork(),
                self.clock.now(),
                self.settings.copy(),
                self.session.copy(),
                tuple(self.scheduler.failures),
                WeakSet(self.marks),
            )

    def restore(self, saved: Saved) -> None:
        """Return to what `save` returned, any number of times. Unlike a rollback, this restores the session too.

        Accounts, clients, doors and contexts of this cloud keep working. A `SystemClock` is not turned back.
        """
        with self.atomic():
            self.settings = saved.settings.copy()
            self._begin(saved.state.fork())
            self._take_session(saved.session.copy())
            self.scheduler.failures = list(saved.failures)
            self.clock.restore(saved.at)
            self.marks = WeakSet(saved.marks)

    def copy_faults(self, other: Engine) -> None:
        """Copy the faults and ordered failures of another Engine."""
        self.session.faults = other.session.faults.copy()
        self._take_session(self.session)
        self.scheduler.failures = list(other.scheduler.failures)

    def reset(self) -> None:
        """Restore the initial state: no accounts, no calls, the clock at its start."""
        with self.atomic():
            self.clock.restore(self._start)
            self.settings = self.settings.copy()
            self.settings.durations.clear()
            self.settings.capacity.clear()
            self._begin(initial_state().fork())

    def dump(self) -> dict[str, Any]:
        """Return state, settings and clock as JSON data for `Engine.load`. The session is not included."""
        with self.lock:
            return to_dict(self.state, self.settings, self.clock, self.history, initial_state())

    def describe(self) -> dict[str, Any]:
        """Return `dump` with the part of the session that a store keeps, for `Engine.load`."""
        with self.lock:
            session = describe_session(self.session, self.scheduler.failures)
            return self.dump() | {"session": session}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Engine:
        """Return the Engine that `dump` or `describe` serialized. Raises ValueError for other data."""
        loaded = from_dict(data, initial_state().fork())
        engine = cls(loaded.settings, loaded.clock, loaded.state, loaded.history)
        if loaded.session is not None:
            session, engine.scheduler.failures = read_session(loaded.session)
            engine._take_session(session)
        return engine

    # --- how much is kept

    def kept_changes(self) -> int:
        """Return the number of changes to list: the history, or all since the oldest live mark."""
        return self._count_kept(self.state.position, "position")

    def kept_calls(self) -> int:
        """Return the number of calls to list: the history, or all since the oldest live mark."""
        return self._count_kept(self.session.call_position, "call_position")

    def _count_kept(self, position: int, attribute: str) -> int:
        oldest: int = min((getattr(mark, attribute) for mark in self.marks), default=position)
        return max(self.history, position - oldest)

    def _trim(self) -> None:
        """Drop what is not listed any more, when it has grown to as much as what is."""
        session = self.session
        calls = max(len(session.calls), len(session.storage_calls))
        longest = max(len(self.state.journal), calls, len(session.warnings))
        if longest < 2 * self.history:
            return
        start = self.state.position - self.kept_changes()
        forget_ended(self.state, start)
        self.state.trim(start)
        self.session.trim_calls(self.session.call_position - self.kept_calls())
        del self.session.storage_calls[: -self.history]
        del self.session.warnings[: -self.history]


def _find_import(request: Request) -> object:
    """Return the URL that an import reads, or None for any other call."""
    return request.parameters.get("file_location") if request.action in IMPORTS else None


def _begin(state: State, settings: Settings, cause: str, at: dt.datetime, *, observed: bool = True) -> Transaction:
    """Return a Transaction. A module function, so that an Engine holds no reference cycle and is freed when unused."""
    return Transaction(state, settings, EFFECTS, at, cause, Engine.observer if observed else None)
