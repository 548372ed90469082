"""Due transitions: apply them by the clock, or complete and fail them on request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from omisim.base.frozen import replace
from omisim.engine.failures import check_comment, find_failure
from omisim.model import Due, Entity, Image, ImageState, SnapshotState, Vm, VmStates, Volume
from omisim.spec.errors import ApiError
from omisim.spec.lifecycle import LIFECYCLES
from omisim.state.transaction import Transaction
from omisim.state.transients import Transients

if TYPE_CHECKING:
    from omisim.engine.engine import Engine

__all__ = [
    "advance", "apply_due", "complete", "count_reads", "count_refusal", "fail", "preview", "restart_transients",
    "run_transients", "settle",
]  # fmt: skip


# --- by the clock


def apply_due(engine: Engine) -> dt.datetime:
    """Apply every transition that is due by now, in order of due time, then of scheduling. Returns the time.

    Transitions whose reads have been counted follow.
    """
    now = _apply_timed(engine)
    if engine.settings.timing == "reads":
        while due := _find_counted(engine, [False]):
            _apply(engine, due, now)
    return now


def _apply_timed(engine: Engine) -> dt.datetime:
    now = engine.clock.now()
    while due := engine.state.next_due(now):
        _apply(engine, due, due.at or now)
    return now


def run_transients(engine: Engine, transients: Transients | None) -> None:
    """Run the transient states of a unit of work to their ends without moving the clock (timing "eager")."""
    if transients is None:
        return
    tx = engine.begin("due", _apply_timed(engine))
    tx.transients = transients  # those that follow join them
    while due := transients.pop():
        row = engine.state.get(due.kind, due.id)
        if row is not None and due.event in LIFECYCLES[due.kind].moves[row.state]:  # no call inside it ended this
            _move(engine, due, tx)


def advance(engine: Engine, seconds: float) -> None:
    """Move the clock forward and apply each transition that becomes due, at its own time."""
    engine.clock.advance(seconds)
    _apply_timed(engine)


def settle(engine: Engine) -> None:
    """Jump from one due transient to the next until none is left. Timers that are passed fire too.

    Transitions that count reads happen now, in the order in which they were scheduled.
    """
    now = _apply_timed(engine)
    while due := engine.state.next_transient():
        if due.at is not None:
            engine.clock.advance((due.at - now).total_seconds())
        now = _apply_timed(engine)
    while due := _find_counted(engine, [False, True]):
        _apply(engine, due, now)


def restart_transients(engine: Engine, tx: Transaction) -> None:
    """Schedule the ends of all transient states again, from now on and in the present timing."""
    for due in tuple(engine.state.rows("due").values()):
        if not due.timer:
            row = engine.state.get(due.kind, due.id)
            tx.write("due", f"{due.kind}:{due.id}", None)
            tx.schedule(row, due.event, engine.settings.seconds_for(row, row.state, due.event))


# --- by reads


def count_reads(engine: Engine, answer: object) -> None:
    """Count one read of each resource in the answer of a client's read (timing "reads").

    A volume and a VM show the states of links, a volume its update task, and a pending OMI waits for its snapshots:
    they are counted too.
    """
    rows = answer if isinstance(answer, tuple) else (answer,)
    _count(engine, (key for row in rows for key in _list_shown(engine, row)))


def count_refusal(engine: Engine, error: ApiError) -> None:
    """Count the refusal of a client's call as a read of the holds that it names (timing "reads").

    No read shows that a security group is still held for a deleted VM (SG-011).
    """
    _count(engine, (f"group_hold:{vm_id}" for vm_id in error.facts.get("held_by", ())))


def _count(engine: Engine, keys: Iterable[str]) -> None:
    tx = engine.begin("read", _apply_timed(engine))
    for key in dict.fromkeys(keys):
        due: Due | None = engine.state.get("due", key)
        if due is not None and due.reads:
            tx.write("due", key, replace(due, reads=due.reads - 1))


def _list_shown(engine: Engine, row: Any) -> Iterator[str]:
    """Yield the keys of the due transitions of the resources whose states a row of an answer shows."""
    match row:
        case VmStates():
            yield f"vm:{row.vm_id}"
        case Vm():
            yield f"vm:{row.vm_id}"
            for link in engine.state.find_by("volume_link", "vm_id", row.vm_id):
                yield f"volume_link:{link.volume_id}"
        case Volume():
            yield from (f"volume:{row.volume_id}", f"volume_link:{row.volume_id}", f"volume_update:{row.task_id}")
        case Image(state=ImageState.PENDING):
            yield from (f"snapshot:{snapshot_id}" for snapshot_id in _find_unfinished_snapshots(engine, row))
        case Entity():
            yield f"{row.kind}:{row.id}"


def _find_counted(engine: Engine, has_reads_left: list[bool]) -> Due | None:
    """Return the first scheduled of the transitions that count reads, of those that still wait for some or not."""
    rows: list[Due] = [due for key in has_reads_left for due in engine.state.find_by("due", "counted", key)]
    return min(rows, key=lambda due: due.order, default=None)


def _apply(engine: Engine, due: Due, at: dt.datetime) -> None:
    tx = engine.begin("due", at)
    _move(engine, due, tx)
    run_transients(engine, tx.transients)


def _move(engine: Engine, due: Due, tx: Transaction) -> None:
    """Let a transition happen, or fail if that was requested."""
    session = engine.session
    failure = find_failure(session.failures, engine.state, due) if session.failures else None
    if failure is None:
        tx.cause = "due"
        tx.move(engine.state.get(due.kind, due.id), due.event)
    else:
        session.failures = tuple(other for other in session.failures if other is not failure)
        tx.cause = "fault"
        _fail(engine, due.kind, due.id, failure.comment, tx)


def _fail(engine: Engine, kind: str, row_id: str, comment: str, tx: Transaction) -> None:
    tx.move(engine.state.get(kind, row_id), "fail", comment or ("Server.InternalError" if kind == "vm" else ""))


@contextmanager
def preview(engine: Engine) -> Iterator[dt.datetime]:
    """Show the block the state that a call would find now, and its time. Afterwards, nothing has changed.

    Requested failures are ignored. The caller holds the lock.
    """
    session, position = engine.session, engine.state.position
    failures, session.failures = session.failures, ()
    try:
        yield apply_due(engine)
    finally:
        session.failures = failures
        engine.state.undo_to(position)


# --- on request


def complete(engine: Engine, row_id: str) -> None:
    """Complete one transition in progress. Raises ValueError if there is none.

    A transition that is due already is the one to complete, and happens at its own time. Raises ValueError, too, if it
    meets a requested failure then.
    """
    was_pending, begun = _find_pending_image(engine, row_id) is not None, _find_due(engine, row_id)
    position = engine.state.position
    now = apply_due(engine)
    image = _find_pending_image(engine, row_id)
    if image is not None:
        for snapshot_id in _find_unfinished_snapshots(engine, image):
            while due := _find_due(engine, snapshot_id):
                _complete(engine, due, now)
        return
    due = _find_due(engine, row_id)
    if due is not None and begun in (None, due):
        _complete(engine, due, now)
    elif not (was_pending or begun) or _has_failed(engine, row_id, position):
        raise ValueError(f"cannot complete {row_id!r}: {_describe(engine, row_id)}; no transition is in progress")


def _find_pending_image(engine: Engine, row_id: str) -> Image | None:
    image: Image | None = engine.state.get("image", row_id)
    return image if image is not None and image.state is ImageState.PENDING else None


def _has_failed(engine: Engine, row_id: str, position: int) -> bool:
    """Whether a resource has met a requested failure since a position of the state."""
    return any(change.id == row_id and change.cause == "fault" for change in engine.state.changes_since(position))


def _complete(engine: Engine, due: Due, now: dt.datetime) -> None:
    tx = engine.begin("complete", now)
    tx.move(engine.state.get(due.kind, due.id), due.event)
    run_transients(engine, tx.transients)


def fail(engine: Engine, row_id: str, comment: str) -> None:
    """Apply the failure event of the resource's state, after what is due. Raises ValueError if the state has none."""
    check_comment(comment)
    now = apply_due(engine)
    image = _find_pending_image(engine, row_id)
    if image is not None:
        row_id = _find_unfinished_snapshots(engine, image)[0]
    for kind, lifecycle in LIFECYCLES.items():
        row = engine.state.get(kind, row_id)
        if kind != "image" and row is not None and "fail" in lifecycle.moves[row.state]:
            tx = engine.begin("fail", now)
            _fail(engine, kind, row_id, comment, tx)
            run_transients(engine, tx.transients)
            return
    can_fail = [f"{kind} {state}" for kind, lifecycle in LIFECYCLES.items() for state in lifecycle.failures]
    raise ValueError(f"cannot fail {row_id!r}: {_describe(engine, row_id)}; can fail: {', '.join(can_fail)}")


def _find_unfinished_snapshots(engine: Engine, image: Image) -> list[str]:
    return [i for i in image.snapshot_ids if engine.state.get("snapshot", i).state is not SnapshotState.COMPLETED]


def _find_due(engine: Engine, row_id: str) -> Due | None:
    rows = (engine.state.get("due", f"{kind}:{row_id}") for kind in LIFECYCLES)
    due: Due | None = next((row for row in rows if row is not None and not row.timer), None)
    return due


def _describe(engine: Engine, row_id: str) -> str:
    rows: list[Any] = [row for kind in LIFECYCLES if (row := engine.state.get(kind, row_id)) is not None]
    return f"the {rows[0].kind} is {rows[0].state}" if rows else "no such resource exists in this cloud"
