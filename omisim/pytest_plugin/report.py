"""The report section of a failing test: the timeline of its cloud, the rules broken, the differences since it began."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import groupby
from typing import Final

from omisim import Change, Cloud
from omisim.base.clock import show_same_time
from omisim.base.subset import shorten
from omisim.cloud.console.history import list_positions
from omisim.cloud.diff import Difference
from omisim.cloud.timeline import LISTED
from omisim.engine.marks import Saved
from omisim.engine.session import CallRecord
from omisim.model.serialize import format_date

__all__ = ["WatchedCloud", "explain_difference"]

ACCOUNT_CAUSE: Final = "account"  # the cause of the changes that open an account
MAX_LINES: Final = 40  # of a timeline, and of a list of differences


class WatchedCloud:
    """A cloud, with a fork that keeps its state at the start of the test, and the accounts that the plugin made."""

    def __init__(self, cloud: Cloud, accounts: tuple[str, ...] = ()) -> None:
        self.cloud = cloud
        self.accounts = accounts
        self._start = cloud.fork()
        self._changes, self._calls = cloud.engine.state.position, cloud.engine.session.call_position
        self._end: Saved | None = None

    def keep(self) -> None:
        """Keep the state at the end of the test, for the report of a cloud that others change before it."""
        self._end = self.cloud.engine.save()

    @contextmanager
    def at_end(self) -> Iterator[None]:
        """Show the state at the end of the test inside the block, if it was kept."""
        if self._end is None:
            yield
            return
        now = self.cloud.engine.save()
        self.cloud.engine.restore(self._end)
        try:
            yield
        finally:
            self.cloud.engine.restore(now)

    def report(self) -> str:
        """Return the text of the report section."""
        timeline = list(_format_timeline(self._list_new_calls(), self._list_new_changes()))
        parts = [
            ("What happened", timeline[-MAX_LINES:]),
            ("Rules broken", list(_list_rule_lines(self._list_new_calls()))),
            (
                "Since the test began",
                _truncate([_format_difference(row, *_SINCE) for row in self._list_new_differences()]),
            ),
        ]
        if (earlier := len(timeline) - MAX_LINES) > 0:
            parts[0] = (
                "What happened, most recent first",
                [*timeline[: -MAX_LINES - 1 : -1], f"… and {earlier} lines before"],
            )
        sections = [f"{title}:\n{_indent(lines)}" for title, lines in parts if lines]
        return "\n".join(sections) or "Nothing happened in this cloud."

    def _list_new_calls(self) -> list[CallRecord]:
        """Return the calls since the test began, requests to object storage included."""
        calls, now = self.cloud.engine.session.calls, self.cloud.engine.session.call_position
        count = now - self._calls if now >= self._calls else now  # a reset restarts the count
        return calls[-count:] if count else []

    def _list_new_changes(self) -> list[Change]:
        """Return the changes since the test began, without those that open an account."""
        first = self._changes if self.cloud.engine.state.position >= self._changes else 0
        return [change for change in self.cloud.events if change.seq >= first and change.cause != ACCOUNT_CAUSE]

    def _list_new_differences(self) -> list[Difference]:
        opened = {change.id for change in self.cloud.events if change.cause == ACCOUNT_CAUSE}
        return [row for row in _list_differences(self._start, self.cloud) if row.id not in opened]


def explain_difference(left: Cloud, right: Cloud) -> list[str]:
    """Return lines that explain why two clouds are not equal."""
    lines = _truncate([_format_difference(row, *_SIDES) for row in _list_differences(left, right)])
    if not show_same_time(left.engine.clock, right.engine.clock):
        lines.append(f"the clocks show {left.now} | {right.now}")
    return [
        "the left cloud == the right cloud",
        *(lines or ["the resources are equal; the histories differ"]),
    ]


# words for: only in the first, only in the second, between the two values of a field
_SINCE: Final = ("is gone", "is new", "→")
_SIDES: Final = ("is only in the left cloud", "is only in the right cloud", "|")


def _list_differences(first: Cloud, second: Cloud) -> list[Difference]:
    return [row for row in first.diff(second) if row.kind in LISTED]


def _format_difference(row: Difference, only_first: str, only_second: str, between: str) -> str:
    present = row.mine if row.mine is not None else row.other
    labels = [str(value) for name in ("image_name", "name", "state") if (value := getattr(present, name, None))]
    title = f"{row.kind} {row.id}"
    if row.mine is None or row.other is None:
        return f"{title} {only_second if row.mine is None else only_first} ({', '.join(labels) or 'without a state'})"
    pairs = ((field.name, getattr(row.mine, field.name), getattr(row.other, field.name)) for field in fields(present))
    changes = [f"{name} {shorten(mine)} {between} {shorten(other)}" for name, mine, other in pairs if mine != other]
    return f"{title}: {', '.join(changes)}"


def _format_timeline(calls: Sequence[CallRecord], changes: Sequence[Change]) -> Iterator[str]:
    """Yield one line per call and change, in order; consecutive equal calls share a line."""
    positions = list_positions(calls, changes[-1].seq + 1 if changes else 0)
    rows = [(call.at, position, str(call), "") for call, position in zip(calls, positions, strict=True)]
    rows += [(change.at, change.seq, "", str(change)) for change in _list_main_changes(changes)]
    rows.sort(key=lambda row: row[:2])  # stable: a call stays before its first change
    for _, group in groupby(rows, key=lambda row: row[2:]):
        equal_rows = list(group)
        (at, _, text, change), last = equal_rows[0], equal_rows[-1][0]
        repeats = f" ({len(equal_rows)} times, until {last:%H:%M:%S})" if len(equal_rows) > 1 else ""
        yield f"{format_date(at)} {text}{repeats}" if text else change


def _list_main_changes(changes: Iterable[Change]) -> Iterator[Change]:
    """Yield the changes, without further writes to a resource for the same cause that keep its state."""
    seen: set[tuple[object, ...]] = set()
    for change in changes:
        key = (change.at, change.id, change.cause)
        states = [getattr(row, "state", None) for row in (change.before, change.after)]
        if key not in seen or states[0] != states[1]:
            yield change
        seen.add(key)


def _list_rule_lines(calls: Iterable[CallRecord]) -> Iterator[str]:
    """Yield the statement of each broken rule, followed by its fix."""
    for error in {call.error.rule: call.error for call in calls if call.error is not None}.values():
        statement, *rest = error.explain().splitlines()
        yield statement
        yield from (line for line in rest if line.strip().startswith("Fix:"))


def _truncate(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_LINES
    return [*lines[:MAX_LINES], f"… and {more} more"] if more > 0 else lines


def _indent(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
