"""The timeline of resources: their changes in virtual time, with the call that caused each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from html import escape
from textwrap import wrap
from typing import Self

from omisim.base.suggest import describe_unknown
from omisim.engine.engine import Engine
from omisim.engine.session import CallRecord
from omisim.model import ENTITIES, AccountRow
from omisim.model.ids import check_id
from omisim.model.serialize import format_date
from omisim.state.state import Change

__all__ = ["LISTED", "Timeline", "trace_timeline"]

LISTED = frozenset(entity.kind for entity in ENTITIES)  # the kinds whose changes are events


class Timeline(tuple[Change, ...]):  # noqa: SLOT001 - a tuple cannot have slots of its own
    """Changes, oldest first. `str` shows a line for each, with the call and the account that caused it."""

    _calls: Sequence[CallRecord]

    def __new__(cls, changes: Iterable[Change], calls: Sequence[CallRecord] = ()) -> Self:
        """Create a timeline of changes; `calls` is the call log, in which the callers are looked up."""
        timeline = super().__new__(cls, changes)
        timeline._calls = calls
        return timeline

    def __str__(self) -> str:
        """Show a line for each change."""
        return self.text()

    def text(self, width: int | None = None) -> str:
        """Return a line for each change, wrapped at `width` columns: time, resource, states, cause.

        A change that happened by itself shows how long after the resource's previous change it did.
        """
        lines = [line for row in self._rows() for line in _wrap(row, width)]
        return "\n".join(lines) or "no changes"

    def _repr_html_(self) -> str:
        """Show the text in a notebook."""
        return f"<pre>{escape(self.text())}</pre>"

    def _rows(self) -> Iterator[str]:
        callers = _Callers(self._calls)
        before: dict[tuple[str, str], Change] = {}
        for change in self:
            previous = before.get((change.kind, change.id))
            before[change.kind, change.id] = change
            if previous is not None and _continues(previous, change):
                continue
            cause = callers.explain(change)
            if change.cause == "due" and previous is not None:
                seconds = round((change.at - previous.at).total_seconds(), 3)
                cause = f"by itself, {seconds:.13g} s later"
            yield f"{format_date(change.at)}  {change.kind} {change.id}  {_describe(change)}  ({cause})"


class _Callers:
    """The callers of the calls in a call log, by the position of their changes in the journal."""

    def __init__(self, calls: Sequence[CallRecord]) -> None:
        self._calls: list[CallRecord] = []
        for record in calls:
            if record.position >= 0:
                while self._calls and self._calls[-1].position > record.position:  # a rollback has undone its changes
                    self._calls.pop()
                self._calls.append(record)
        self._positions = [record.position for record in self._calls]

    def explain(self, change: Change) -> str:
        """Return the cause of a change, with the account that called."""
        action, number, _ = change.cause.partition("#")
        place = bisect_right(self._positions, change.seq)
        record = self._calls[place - 1] if place else None
        has_caller = number and record is not None and record.action == action and record.account
        return f"{change.cause} by {record.account}" if has_caller and record is not None else change.cause


def trace_timeline(
    engine: Engine, changes: Iterable[Change], resource_id: str | None, account: str | None, accounts: Iterable[str]
) -> Timeline:
    """Select the changes of one resource and of the resources of one account; None selects all.

    `accounts` are the names of all accounts. Raises ValueError for a resource or an account that is unknown.
    """
    changes, state = tuple(changes), engine.state
    if resource_id is not None:
        check_id("resource_id", resource_id)
        known = any(state.get(kind, resource_id) is not None for kind in (*LISTED, "origin"))
        if not known and not any(change.id == resource_id for change in changes):
            raise ValueError(f"no resource {resource_id} exists in this cloud or in its history")
        changes = tuple(change for change in changes if change.id == resource_id)
    if account is not None:
        rows: list[AccountRow] = state.find_by("account", "name", account) if isinstance(account, str) else []
        if not rows:
            raise ValueError(describe_unknown("account", account, accounts))
        owner = rows[0].account_id
        changes = tuple(c for c in changes if getattr(c.before or c.after, "account_id", None) == owner)
    return Timeline(changes, engine.session.calls)


def _continues(previous: Change, change: Change) -> bool:
    """Whether a change of other fields belongs to the move just before it."""
    return change.describe() == "changed" and (previous.at, previous.cause) == (change.at, change.cause)


def _describe(change: Change) -> str:
    """Return what happened, with the names of the fields where the state is the same."""
    what = change.describe()
    if what != "changed" or not is_dataclass(change.after):
        return what
    names = [f.name for f in fields(change.after) if getattr(change.before, f.name) != getattr(change.after, f.name)]
    return f"changed {', '.join(names)}"


def _wrap(row: str, width: int | None) -> list[str]:
    if width is None:
        return [row]
    return wrap(row, max(width, 40), subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)
