"""Due transitions: apply them by the clock, or complete and fail them on request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from omisim.actions.effects import find_waiting_image
from omisim.base.clock import Clock
from omisim.base.frozen import frozen, replace
from omisim.base.suggest import suggest
from omisim.base.texts import check_encodable
from omisim.model import Due, Entity, Image, ImageState, SnapshotState, Vm, VmStates, Volume
from omisim.model.ids import PREFIXES, Id
from omisim.spec.errors import ApiError
from omisim.spec.lifecycle import LIFECYCLES
from omisim.state.settings import Settings
from omisim.state.state import State
from omisim.state.transaction import Transaction
from omisim.state.transients import Transients

__all__ = ["Failure", "Scheduler"]


@frozen()
class Failure:
    """A request that the next transition of a kind, or of one resource, ends in its failure state."""

    kind: str
    id: str | None
    comment: str


class Scheduler:
    """The due transitions of one cloud.

    `failures` are the requested failures that no transition has met yet. They belong to the session: no rollback
    restores them. They are replaced, never changed (`Checkpoint`). `begin` returns a Transaction on a State, with a
    cause and a time.
    """

    __slots__ = ("_begin", "_clock", "_settings", "_state", "failures")

    def __init__(
        self,
        state: State,
        settings: Settings,
        clock: Clock,
        begin: Callable[[State, Settings, str, dt.datetime], Transaction],
        failures: tuple[Failure, ...] = (),
    ) -> None:
        self._state = state
        self._settings = settings
        self._clock = clock
        self._begin = begin
        self.failures: tuple[Failure, ...] = failures

    # --- by the clock

    def apply_due(self) -> dt.datetime:
        """Apply every transition that is due by now, in order of due time, then of scheduling. Returns the time.

        Transitions whose reads have been counted follow.
        """
        now = self._apply_timed()
        if self._settings.timing == "reads":
            while due := self._find_counted([False]):
                self._apply(due, now)
        return now

    def _apply_timed(self) -> dt.datetime:
        now = self._clock.now()
        while due := self._state.next_due(now):
            self._apply(due, due.at or now)
        return now

    def run_transients(self, transients: Transients | None) -> None:
        """Run the transient states of a unit of work to their ends without moving the clock (timing "eager")."""
        if transients is None:
            return
        tx = self._begin(self._state, self._settings, "due", self._clock.now())
        tx.transients = transients  # those that follow join them
        while due := transients.pop():
            row = self._state.get(due.kind, due.id)
            if row is not None and due.event in LIFECYCLES[due.kind].moves[row.state]:  # no call inside it ended this
                self._move(due, tx)

    def advance(self, seconds: float) -> None:
        """Move the clock forward and apply each transition that becomes due, at its own time."""
        self._clock.advance(seconds)
        self._apply_timed()

    def settle(self) -> None:
        """Jump from one due transient to the next until none is left. Timers that are passed fire too.

        Transitions that count reads happen now, in the order in which they were scheduled.
        """
        while due := self._state.next_transient():
            if due.at is not None and due.at > self._clock.now():
                self._clock.advance((due.at - self._clock.now()).total_seconds())
            self._apply_timed()
        while due := self._find_counted([False, True]):
            self._apply(due, self._clock.now())

    def restart_transients(self, tx: Transaction) -> None:
        """Schedule the ends of all transient states again, from now on and in the present timing."""
        for due in tuple(self._state.rows("due").values()):
            if not due.timer:
                row = self._state.get(due.kind, due.id)
                tx.write("due", f"{due.kind}:{due.id}", None)
                tx.schedule(row, due.event, self._settings.seconds_for(row, row.state, due.event))

    # --- by reads

    def count_reads(self, answer: object) -> None:
        """Count one read of each resource in the answer of a client's read (timing "reads").

        A volume and a VM show the states of links, a volume its update task, and a pending OMI waits for its snapshots:
        they are counted too.
        """
        rows = answer if isinstance(answer, tuple) else (answer,)
        self._count(key for row in rows for key in self._list_shown(row))

    def count_refusal(self, error: ApiError) -> None:
        """Count the refusal of a client's call as a read of the holds that it names (timing "reads").

        No read shows that a security group is still held for a deleted VM (SG-011).
        """
        self._count(f"group_hold:{vm_id}" for vm_id in error.facts.get("held_by", ()))

    def _count(self, keys: Iterable[str]) -> None:
        due_keys = dict.fromkeys(keys)
        transitions: list[Due] = [
            due for key in due_keys if (due := self._state.get("due", key)) is not None and due.reads
        ]
        tx = self._begin(self._state, self._settings, "read", self._clock.now())
        for due in transitions:
            tx.write("due", f"{due.kind}:{due.id}", replace(due, reads=(due.reads or 1) - 1))

    def _list_shown(self, row: Any) -> Iterator[str]:
        """Yield the keys of the due transitions of the resources whose states a row of an answer shows."""
        match row:
            case VmStates():
                yield f"vm:{row.vm_id}"
            case Vm():
                yield f"vm:{row.vm_id}"
                for link in self._state.find_by("volume_link", "vm_id", row.vm_id):
                    yield f"volume_link:{link.volume_id}"
            case Volume():
                yield from (f"volume:{row.volume_id}", f"volume_link:{row.volume_id}", f"volume_update:{row.task_id}")
            case Image(state=ImageState.PENDING):
                yield from (f"snapshot:{snapshot_id}" for snapshot_id in self._find_unfinished_snapshots(row))
            case Entity():
                yield f"{row.kind}:{row.id}"

    def _find_counted(self, has_reads_left: list[bool]) -> Due | None:
        """Return the first scheduled of the transitions that count reads, of those that still wait for some or not."""
        rows: list[Due] = [due for key in has_reads_left for due in self._state.find_by("due", "counted", key)]
        return min(rows, key=lambda due: due.order, default=None)

    def _apply(self, due: Due, at: dt.datetime) -> None:
        tx = self._begin(self._state, self._settings, "due", at)
        self._move(due, tx)
        self.run_transients(tx.transients)

    def _move(self, due: Due, tx: Transaction) -> None:
        """Let a transition happen, or fail if that was requested."""
        failure = self._find_failure(due) if self.failures else None
        if failure is None:
            tx.cause = "due"
            tx.move(self._state.get(due.kind, due.id), due.event)
        else:
            self.failures = tuple(other for other in self.failures if other is not failure)
            tx.cause = "fault"
            self._fail(due.kind, due.id, failure.comment, tx)

    def _fail(self, kind: str, row_id: str, comment: str, tx: Transaction) -> None:
        tx.move(self._state.get(kind, row_id), "fail", comment or ("Server.InternalError" if kind == "vm" else ""))

    def _find_failure(self, due: Due) -> Failure | None:
        state = self._state.get(due.kind, due.id).state
        if "fail" not in LIFECYCLES[due.kind].moves[state]:
            return None
        image = find_waiting_image(self._state, due.id) if due.kind == "snapshot" else None
        targets = [(due.kind, due.id), *([("image", image.image_id)] if image else [])]
        hits = (f for f in self.failures if any(f.kind == kind and f.id in (None, row_id) for kind, row_id in targets))
        return next(hits, None)

    @contextmanager
    def suspend_failures(self) -> Iterator[None]:
        """Ignore requested failures inside the block, for a dry run that is rolled back."""
        suspended, self.failures = self.failures, ()
        try:
            yield
        finally:
            self.failures = suspended

    # --- on request

    def fail_next(self, kind: str, row_id: str | None, comment: str) -> None:
        """Make the next transition of a kind fail, or that of one resource of the kind.

        Raises ValueError for a kind that cannot fail and for an id of another kind.
        """
        _check_comment(comment)
        kinds = [name for name, lifecycle in LIFECYCLES.items() if lifecycle.failures]
        if kind not in kinds:
            raise ValueError(f"kind must be one that can fail ({', '.join(kinds)}), not {kind!r}{suggest(kind, kinds)}")
        prefix = PREFIXES[kind][0]
        if row_id is not None and not (row_id.startswith(prefix) and Id(kind).is_well_formed(row_id)):
            raise ValueError(
                f"{row_id!r} is not a {kind} id (expected {prefix} and 8 hex digits), "
                "so this failure could never trigger"
            )
        self.failures = (*self.failures, Failure(kind, row_id, comment))

    def complete(self, row_id: str) -> None:
        """Complete one transition in progress. Raises ValueError if there is none."""
        image: Image | None = self._state.get("image", row_id)
        if image is not None and image.state is ImageState.PENDING:
            for snapshot_id in self._find_unfinished_snapshots(image):
                while due := self._find_due(snapshot_id):
                    self._complete(due)
            return
        due = self._find_due(row_id)
        if due is None:
            raise ValueError(f"cannot complete {row_id!r}: {self._describe(row_id)}; no transition is in progress")
        self._complete(due)

    def _complete(self, due: Due) -> None:
        tx = self._begin(self._state, self._settings, "complete", self._clock.now())
        tx.move(self._state.get(due.kind, due.id), due.event)
        self.run_transients(tx.transients)

    def fail(self, row_id: str, comment: str) -> None:
        """Apply the failure event of the resource's state. Raises ValueError if the state has none."""
        _check_comment(comment)
        image: Image | None = self._state.get("image", row_id)
        if image is not None and image.state is ImageState.PENDING:
            row_id = self._find_unfinished_snapshots(image)[0]
        for kind, lifecycle in LIFECYCLES.items():
            row = self._state.get(kind, row_id)
            if kind != "image" and row is not None and "fail" in lifecycle.moves[row.state]:
                tx = self._begin(self._state, self._settings, "fail", self._clock.now())
                self._fail(kind, row_id, comment, tx)
                self.run_transients(tx.transients)
                return
        can_fail = [f"{kind} {state}" for kind, lifecycle in LIFECYCLES.items() for state in lifecycle.failures]
        raise ValueError(f"cannot fail {row_id!r}: {self._describe(row_id)}; can fail: {', '.join(can_fail)}")

    def _find_unfinished_snapshots(self, image: Image) -> list[str]:
        return [i for i in image.snapshot_ids if self._state.get("snapshot", i).state is not SnapshotState.COMPLETED]

    def _find_due(self, row_id: str) -> Due | None:
        rows = (self._state.get("due", f"{kind}:{row_id}") for kind in LIFECYCLES)
        due: Due | None = next((row for row in rows if row is not None and not row.timer), None)
        return due

    def _describe(self, row_id: str) -> str:
        rows: list[Any] = [row for kind in LIFECYCLES if (row := self._state.get(kind, row_id)) is not None]
        return f"the {rows[0].kind} is {rows[0].state}" if rows else "no such resource exists in this cloud"


def _check_comment(comment: str) -> None:
    if not isinstance(comment, str):
        raise ValueError(f"comment must be a str, not {comment!r}")
    check_encodable("comment", comment)
