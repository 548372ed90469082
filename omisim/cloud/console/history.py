"""The history of a cloud as steps: each call, and each change that no call made, with the cards that it changed.

Cards before the first step and the changes of each step are all that a page needs to show the cloud after any of them.
The journal and the call log are bounded by `history`, and so are the steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from omisim.base.redact import redact_text
from omisim.base.subset import shorten
from omisim.cloud.console.cards import KINDS, ROW_KINDS, Card, make_card
from omisim.cloud.console.refusals import describe_refusal
from omisim.engine.engine import Engine
from omisim.engine.session import CallRecord, Session
from omisim.model.serialize import format_date
from omisim.state.initial_state import initial_state
from omisim.state.state import Change, State

__all__ = ["History", "list_positions"]

Step = dict[str, Any]
MAX_EXPLAINED: Final = 500  # refusals with their explanation; older ones have their error only
BEFORE_CALL: Final = ("adopt",)  # causes of changes that belong to the call after them


@dataclass(slots=True)
class _Run:
    """A call, or None, and the changes that belong together: those of one cause at one time."""

    record: CallRecord | None
    changes: list[Change] = field(default_factory=list)


class History:
    """The cards of a cloud at the start of its journal (`base`), and `steps` from there until now.

    The lock of the engine is held while rows and lists are copied; cards are made after that, from frozen values.
    """

    def __init__(self, engine: Engine) -> None:
        with engine.lock:
            self._state, self._session = engine.state, engine.session
            self._rows: dict[str, dict[str, Any]] = {kind: dict(engine.state.rows(kind)) for kind in ROW_KINDS}
            journal, records = list(engine.state.journal), list(engine.session.calls)
            self._position, self._call_position = engine.state.trimmed, engine.session.calls_trimmed
        self.is_complete: bool = self._position == initial_state().position and not self._call_position
        self._kinds: dict[str, str] = {}
        self._cards: dict[str, Card] = {}
        self._last: Change | None = None
        self._go_back(journal)
        self._show_all()
        self.base: dict[str, Card] = dict(self._cards)
        self.steps: list[Step] = self._read(journal, records)

    def _go_back(self, journal: Sequence[Change]) -> None:
        """Undo the journal in the copied rows."""
        for change in reversed(journal):
            rows = self._rows.get(change.kind)
            if rows is not None:
                _set(rows, change.id, change.before)
                if change.kind in KINDS:
                    self._kinds[change.id] = change.kind

    def _show_all(self) -> None:
        """Make the cards of every resource but those of the platform's that nothing refers to."""
        first = initial_state()
        for kind in KINDS:
            known = first.rows(kind)
            self._kinds.update(dict.fromkeys(self._rows[kind], kind))
            for row_id in self._rows[kind]:
                if row_id not in known:
                    self._update(row_id)
        for row_id, origin in self._rows["origin"].items():
            if origin.kind in KINDS:
                self._kinds.setdefault(row_id, origin.kind)
                self._update(row_id)

    def _update(self, row_id: str) -> list[list[Any]]:
        """Make the card of a resource anew; return what changed, as [id, values], also of parents shown from now on.

        A value of None is gone; values of None: there is no card any more.
        """
        kind = self._kinds.get(row_id)
        card = make_card(self._rows, kind, row_id) if kind else None
        before = self._cards.get(row_id)
        if card is None:
            self._cards.pop(row_id, None)
            return [[row_id, None]] if before else []
        self._cards[row_id] = card
        parents = [parent for _, parent in card.get("parents", ()) if parent not in self._cards]
        changes = [change for parent in parents for change in self._update(parent)]
        if before is None:
            return [*changes, [row_id, card]]
        values = {name: value for name, value in card.items() if before.get(name) != value}
        values |= {name: None for name in before if name not in card}
        return [*changes, [row_id, values]] if values else changes

    def read_new(self, engine: Engine) -> list[Step] | None:
        """Return the steps since the last one; None if this history does not continue.

        Then something was undone, replaced or trimmed, and a new History is needed.
        """
        with engine.lock:
            state, session = engine.state, engine.session
            if not self._continues(state, session):
                return None
            changes = state.journal[self._position - state.trimmed :]
            records = session.calls[self._call_position - session.calls_trimmed :]
        return self._read(changes, records) if changes or records else []

    def _continues(self, state: State, session: Session) -> bool:
        if state is not self._state or session is not self._session:
            return False
        if not state.trimmed <= self._position <= state.position:
            return False
        if not session.calls_trimmed <= self._call_position <= session.call_position:
            return False
        at = self._position - state.trimmed - 1
        return at < 0 or self._last is None or state.journal[at] is self._last

    def _read(self, changes: Sequence[Change], records: Sequence[CallRecord]) -> list[Step]:
        refused = [record.request_id for record in records if record.error is not None]
        explained = set(refused[-MAX_EXPLAINED:])
        steps = []
        for run in _group(changes, records, self._position):
            step = self._apply(run)
            if run.record is not None:
                step |= _describe_call(run.record, explain=run.record.request_id in explained)
            if run.record is not None or step["changes"]:
                steps.append(step)
        if changes:
            self._last = changes[-1]
            self._position = changes[-1].seq + 1
        self._call_position += len(records)
        return steps

    def _apply(self, run: _Run) -> Step:
        """Apply changes to the rows, and return their step."""
        touched: dict[str, None] = {}
        for change in run.changes:
            rows = self._rows.get(change.kind)
            if rows is not None:
                _set(rows, change.id, change.after)
                touched[change.id] = None
                if change.kind in KINDS:
                    self._kinds[change.id] = change.kind
        changes = [change for row_id in touched for change in self._update(row_id)]
        if not run.changes:
            return {"changes": changes}
        first = run.changes[0]
        return {"at": format_date(first.at), "cause": first.cause.partition("#")[0], "changes": changes}


def _set(rows: dict[str, Any], row_id: str, row: Any) -> None:
    if row is None:
        rows.pop(row_id, None)
    else:
        rows[row_id] = row


def _group(changes: Sequence[Change], records: Sequence[CallRecord], position: int) -> Iterator[_Run]:
    """Yield the calls, in order, each with its changes, and the changes between them.

    `position` is the number of changes before these. A call that a rollback has undone comes without its changes.
    """
    waiting = deque(zip(list_positions(records, position + len(changes)), records, strict=True))
    run: _Run | None = None
    for change in changes:
        while waiting and waiting[0][0] <= change.seq:
            if run is not None:
                yield run
            run = _Run(waiting.popleft()[1])
        if run is None or not _belongs(run, change):
            if run is not None:
                yield run
            run = _Run(None)
        run.changes.append(change)
    if run is not None:
        yield run
    for _, record in waiting:
        yield _Run(record)


def list_positions(records: Sequence[CallRecord], end: int) -> list[int]:
    """Return the number of changes before each call, as it is now: at the most that of the next call, or `end`."""
    positions: list[int] = []
    latest = end
    for record in reversed(records):
        if record.position >= 0:  # otherwise a door has refused it
            latest = min(latest, record.position)
        positions.append(latest)
    return positions[::-1]


def _belongs(run: _Run, change: Change) -> bool:
    """Whether a change belongs to a run: to its call, or to the changes before it."""
    if run.changes and run.record is None:
        last = run.changes[-1]
        return (last.cause, last.at) == (change.cause, change.at)
    record, action = run.record, change.cause.partition("#")[0]
    own = "oos" if record is not None and record.api == "oos" else record and record.action
    return record is not None and record.error is None and action in (own, *BEFORE_CALL)


def _describe_call(record: CallRecord, *, explain: bool) -> Step:
    step: Step = {
        "at": format_date(record.at),
        "action": record.action,
        "by": record.account,
        "parameters": [[name, redact_text(shorten(value))] for name, value in record.parameters.items()],
    }
    if record.error is not None:
        step["refusal"] = (
            describe_refusal(record.error)
            if explain
            else {"rule": record.error.rule, "error": redact_text(str(record.error))}
        )
    if record.dropped:
        step["dropped"] = True
    if record.warnings:
        step["warnings"] = [redact_text(warning) for warning in record.warnings]
    return step
