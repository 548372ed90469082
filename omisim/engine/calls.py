"""Run a call on an `Engine`, from its parameters to its result, and record it. Independent of the protocol."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from typing import TypeVar, TypeVarTuple

from omisim.actions.framework.registry import ACTIONS, Action
from omisim.actions.framework.request import Dialect, Request
from omisim.actions.imports import Decoded, decode_ahead
from omisim.engine import scheduler
from omisim.engine.dispatch import Answer, collect_refusals, dispatch, refuse_action
from omisim.engine.engine import Engine
from omisim.engine.faults import Dropped, Fault, Killed, raise_failure
from omisim.engine.session import CallRecord
from omisim.engine.unserved import UnservedAction, find_unserved
from omisim.model import AccountRow
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse
from omisim.state.journal_store import StoreError
from omisim.state.official_images import adopt, find_unknown_images
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = [
    "MakeCall", "answer_call", "call_storage", "check_action", "count_read", "note_refused", "refuse_unsaved",
    "run_call", "run_request", "why_not",
]  # fmt: skip

MAX_ADOPTED = 1000  # unknown OMIs in one request
IMPORTS = frozenset({"CreateImage", "CreateSnapshot"})  # the actions that may read a disk image
Parameters = TypeVarTuple("Parameters")
Result = TypeVar("Result")
Failed = TypeVar("Failed", bound=ApiError | Dropped | Killed)
# makes a call of an engine, as `run_call` does, but within the unit of its caller
MakeCall = Callable[[Request, str | None, str, Mapping[str, str]], Answer]
_NO_HEADERS: Mapping[str, str] = {}


class NotDecoded(Exception):
    """Ends the unit of a client's import, whose disk images are to be decoded first. `location` is their URL."""

    def __init__(self, location: object) -> None:
        super().__init__(location)
        self.location = location


def run_call(engine: Engine, request: Request, account_id: str | None, region: str) -> Answer:
    """Run a call from Python of an account in a Region and record it in the call log.

    `account_id` is None for an unsigned call. Raises ApiError if the call is refused, Dropped if a fault drops the
    connection, Killed if it kills the client, and ValueError for an account that does not exist.
    """
    if request.action in IMPORTS and (location := request.parameters.get("file_location")):
        request.decoded = decode_ahead(engine.state, engine.clock.now(), engine.lock, location)
    try:
        outcome = engine.run(answer_call, engine, request, account_id, region, _NO_HEADERS)
    except StoreError as error:
        raise refuse_unsaved(engine, error, request.action, account_id) from error
    try:
        return raise_failure(outcome)
    finally:
        del outcome  # the traceback of a refusal holds this frame


def answer_call(
    engine: Engine, request: Request, account_id: str | None, region: str, headers: Mapping[str, str]
) -> Answer | ApiError | Dropped | Killed:
    """Run a call inside the caller's atomic block and record it. Return its answer, or the exception that ends it.

    The caller raises the exception after the block, which keeps the record.
    """
    state, session, dialect = engine.state, engine.session, request.dialect
    number = engine.next_request_id()
    now = scheduler.apply_due(engine)
    account = _get_account(engine, account_id)
    position = state.position
    record = CallRecord(
        request.action, account.name if account else "", request.parameters, now, number, headers, position,
        session.requests, dialect.api,
    )  # fmt: skip
    session.calls.append(record)
    fault = unserved = tx = None
    try:
        action = dialect.own.get(request.action) or ACTIONS.get(request.action)
        if action is None:
            unserved = _find_unserved(engine, record)
            action = unserved.action
        if session.faults and (fault := _take_fault(engine, record)):
            now = scheduler.apply_due(engine)  # its `meanwhile` may have moved the clock
            state, session = engine.state, engine.session  # or have reset the cloud
            position = state.position
            fault.raise_before_effect(request.action)
            account = _find_caller(state, account, action)
        _adopt_unknown(engine, request, region, now)
        if unserved is None:
            page_size = fault.page_size if fault else None
            tx = engine.begin(action.name, now)
            answer = dispatch(tx, engine.clock, action, request, account, region, session.calls, page_size)
            if answer.dry:
                state.undo_to(position)  # with the OMIs that were adopted for it
        else:
            answer = unserved.answer(request, record)
    except (ApiError, Dropped, Killed) as error:
        state.undo_to(position)
        return _record_failure(engine, record, error, dialect)
    record.warnings, record.status = answer.warnings, 200
    record.results = len(answer.value) if action.paged else None
    session.warnings += answer.warnings
    if tx is not None and tx.transients is not None and not answer.dry:
        scheduler.run_transients(engine, tx.transients)
    if fault is not None:
        answer.page_size = fault.page_size
        if fault.after_effect and (failure := fault.make_error(request.action)):
            return _record_failure(engine, record, failure, dialect)
    answer.request_id = number
    if (engine.settings.timing == "reads" or engine.observer is not None) and not answer.dry and unserved is None:
        count_read(engine, record, answer.value if dialect.pages else ())
        _observe(engine, record)
    return answer


def call_storage(
    engine: Engine, record: CallRecord, answer: Callable[[Transaction, Fault | None], Result]
) -> Result | ApiError | Dropped | Killed:
    """Run a request to object storage, which the caller has recorded, inside the caller's atomic block.

    Faults are injected as into a call. Returns the result of `answer`, or the exception of a fault: the caller
    raises it after the block, which keeps the record. Raises what `answer` raises, after undoing its changes.
    """
    record.position = engine.state.position
    fault = _take_fault(engine, record) if engine.session.faults else None
    failure = fault.make_error(record.action) if fault is not None else None
    if fault is None or failure is None or fault.after_effect:
        with engine.transaction("oos") as tx:
            before = tx.state.position
            result = answer(tx, fault)
            if tx.state.position != before:
                engine.clock.tick()
        if failure is None:
            return result
    record.record_failure(failure)
    return failure


def why_not(engine: Engine, request: Request, account_id: str, region: str) -> list[ApiError]:
    """Return the refusals that a call would get, in check order, without making it.

    Due transitions are applied for the check and rolled back afterwards. Faults are ignored.
    """
    refusals = _collect_refusals(engine, request, account_id, region)
    for error in refusals:
        error.spell_names(request.dialect.spell)
    return refusals


def _collect_refusals(engine: Engine, request: Request, account_id: str, region: str) -> list[ApiError]:
    with engine.lock, scheduler.preview(engine) as now:
        account, unserved = _get_account(engine, account_id), find_unserved(engine.settings, request.action)
        if unserved is not None:
            return unserved.list_refusals(request)
        action = ACTIONS.get(request.action)
        if action is None:
            return [refuse_action(request.action)]
        try:
            _adopt_unknown(engine, request, region, now)
            return collect_refusals(engine.begin("why_not", now, observed=False), action, request, account, region)
        except ApiError as error:
            return [error]


def note_refused(
    engine: Engine, action: str, account_id: str | None, error: ApiError, headers: Mapping[str, str], api: str = "oapi"
) -> None:
    """Record a call that the door of an API refused before it parsed the parameters."""
    try:
        with engine.atomic():
            _log_refused(engine, action, account_id, error, headers, api)
    except StoreError:  # it is refused in any case, and has changed nothing but its request id
        with engine.lock:
            _log_refused(engine, action, account_id, error, headers, api)


def refuse_unsaved(
    engine: Engine,
    error: StoreError,
    action: str,
    account_id: str | None = None,
    headers: Mapping[str, str] = _NO_HEADERS,
    api: str = "oapi",
) -> ApiError:
    """Return the refusal of a call that the store could not keep, after recording it for as long as possible."""
    refusal = refuse("THR-004", reason=str(error))
    with engine.lock:
        _log_refused(engine, action, account_id, refusal, headers, api)
    return refusal


def _log_refused(
    engine: Engine, action: str, account_id: str | None, error: ApiError, headers: Mapping[str, str], api: str
) -> None:
    account = _get_account(engine, account_id)
    name, number = account.name if account else "", engine.next_request_id()
    record = CallRecord(action, name, {}, engine.clock.now(), number, headers, serial=engine.session.requests, api=api)
    engine.session.calls.append(record)
    _record_failure(engine, record, error)


def check_action(engine: Engine, name: str) -> None:
    """Raise ApiError for an action that this cloud does not answer."""
    if name not in ACTIONS and find_unserved(engine.settings, name) is None:
        raise refuse_action(name)


def _find_unserved(engine: Engine, record: CallRecord) -> UnservedAction:
    """Return the action of a call that omisim does not serve and yet answers. Raises ApiError for any other."""
    unserved = find_unserved(engine.settings, record.action)
    if unserved is None:
        raise refuse_action(record.action)
    record.by_user = unserved.own is not None
    return unserved


def _get_account(engine: Engine, account_id: str | None) -> AccountRow | None:
    if account_id is None:
        return None
    row: AccountRow | None = engine.state.get("account", account_id)
    if row is None:
        raise ValueError(f"account {account_id} does not exist: call cloud.account(name) to create it again")
    return row


def _find_caller(state: State, account: AccountRow | None, action: Action) -> AccountRow | None:
    """Return the account of a call as the `meanwhile` of a fault has left it, or refuse the call if it is gone."""
    current: AccountRow | None = account and state.get("account", account.account_id)
    if current is None and not action.open:
        raise refuse("AUTH-005", reason="the account of the caller no longer exists")
    return current


def _take_fault(engine: Engine, record: CallRecord) -> Fault | None:
    """Return the fault to inject, if any, after advancing the clock by its delay and running its `meanwhile`."""
    fault = engine.session.take_fault(record, engine.settings.seed)
    if fault is not None and fault.delay:
        record.took = int(fault.delay * 1e6)
        scheduler.advance(engine, fault.delay)
    if fault is not None and fault.meanwhile is not None:
        fault.meanwhile()
    return fault


def _adopt_unknown(engine: Engine, request: Request, region: str, now: dt.datetime) -> None:
    if engine.settings.unknown_images and request.action in ("CreateVms", "CreateImage", "ReadImages"):
        for image_id in tuple(islice(find_unknown_images(engine.state, request.parameters), MAX_ADOPTED)):
            adopt(engine.begin("adopt", now), image_id, region, "Ubuntu")


def _record_failure(engine: Engine, record: CallRecord, error: Failed, dialect: Dialect | None = None) -> Failed:
    if dialect is not None and isinstance(error, ApiError):
        error.spell_names(dialect.spell)
        if engine.settings.timing == "reads" and record.headers:
            scheduler.count_refusal(engine, error)
    record.record_failure(error)
    _observe(engine, record)
    return error


def count_read(engine: Engine, record: CallRecord, value: object) -> None:
    """Count a client's read of the resources in `value` (timing "reads").

    A call from Python has no headers and never counts. A door that selects among the results of a call, and pages
    them itself (`Dialect.pages`), calls this with those that it returns.
    """
    if engine.settings.timing == "reads" and record.headers and record.action.startswith("Read"):
        scheduler.count_reads(engine, value)


def _observe(engine: Engine, record: CallRecord) -> None:
    if engine.observer is not None and not record.by_user:
        engine.observer.on_call(record.action, record.error.rule if record.error else None)


def run_request(engine: Engine, work: Callable[[*Parameters, MakeCall], Result], *args: *Parameters) -> Result:
    """Run a function that answers a client's request as one unit (`atomic`). It also gets a `call` for use in the unit.

    The disk images of an import are decoded without the lock. For this, such a call ends a first run, which has
    identified its caller and is undone, and finds the images in a second one.
    """
    decoded: Decoded | None = None
    while True:
        try:
            return engine.run(work, *args, partial(_call_within, engine, decoded))
        except NotDecoded as error:
            decoded = decode_ahead(engine.state, engine.clock.now(), engine.lock, error.location)


def _call_within(
    engine: Engine,
    decoded: Decoded | None,
    request: Request,
    account_id: str | None,
    region: str,
    headers: Mapping[str, str],
) -> Answer:
    """Run a call inside the unit of its request."""
    if request.action in IMPORTS and (location := request.parameters.get("file_location")):
        if decoded is None:
            raise NotDecoded(location)
        request.decoded = decoded
    return raise_failure(answer_call(engine, request, account_id, region, headers))
