"""What a failing test says of its cloud: what happened since it began, the rules broken, what has become different."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import groupby
from typing import Final

import pytest

from omisim import Change, Cloud
from omisim.base.subset import shorten
from omisim.cloud.diff import Difference
from omisim.engine.session import CallRecord
from omisim.model import ENTITIES

__all__ = ["WatchedCloud", "explain", "explain_difference"]

TITLE: Final = "omisim"
OPENED: Final = "account"  # the cause of an account that a test opens
MOST: Final = 40  # lines of a timeline, and of a list of differences
_KINDS: Final = frozenset(entity.kind for entity in ENTITIES)


class WatchedCloud:
    """A cloud, and how it was when its test began."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.accounts: tuple[str, ...] = cloud.accounts
        self._start = cloud.fork()
        self._changes, self._calls = cloud.engine.state.position, cloud.engine.session.call_position

    def report(self) -> str:
        """Return the lines of a report's section."""
        happened = list(_timeline(self._new_calls(), self._new_changes()))
        parts = [
            ("What happened", happened[-MOST:]),
            ("Rules broken", list(_broken(self._new_calls()))),
            ("Since the test began", _cut([_spelled(row, *_LATER) for row in self._become()])),
        ]
        if (earlier := len(happened) - MOST) > 0:
            parts[0] = (
                "What happened, most recent first",
                [*happened[: -MOST - 1 : -1], f"… and {earlier} lines before"],
            )
        told = [f"{title}:\n{_indented(lines)}" for title, lines in parts if lines]
        return "\n".join(told) or "Nothing happened in this cloud."

    def _new_calls(self) -> list[CallRecord]:
        calls, now = list(self.cloud.calls()), self.cloud.engine.session.call_position
        count = now - self._calls if now >= self._calls else now  # a reset counts anew
        return calls[-count:] if count else []

    def _new_changes(self) -> list[Change]:
        """Return the changes since then; an account and its first key are no news."""
        first = self._changes if self.cloud.engine.state.position >= self._changes else 0
        return [change for change in self.cloud.events if change.seq >= first and change.cause != OPENED]

    def _become(self) -> list[Difference]:
        opened = {change.id for change in self.cloud.events if change.cause == OPENED}
        return [row for row in _differences(self._start, self.cloud) if row.id not in opened]


def explain(report: pytest.TestReport, watched: WatchedCloud | None, strays: list[str], *, always: bool) -> None:
    """Let a test fail that sent what nothing serves; add the section to the report of one that failed, or to all."""
    if strays and report.passed:
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} tried to leave this machine:\n" + _indented(dict.fromkeys(strays))
    if watched is not None and (report.failed or (always and report.when == "call")):
        report.sections.append((TITLE, watched.report()))


def explain_difference(left: Cloud, right: Cloud) -> list[str]:
    """Return the lines that say in what two clouds differ."""
    lines = _cut([_spelled(row, *_SIDES) for row in _differences(left, right)])
    if left.now != right.now:
        lines.append(f"the clocks show {left.now} | {right.now}")
    return ["the left cloud == the right cloud", *(lines or ["they hold the same; how they came to it differs"])]


# words for: only in the first, only in the second, between the two values of a field
_LATER: Final = ("is gone", "is new", "→")
_SIDES: Final = ("is only in the left one", "is only in the right one", "|")


def _differences(first: Cloud, second: Cloud) -> list[Difference]:
    return [row for row in first.diff(second) if row.kind in _KINDS]


def _spelled(row: Difference, only_first: str, only_second: str, between: str) -> str:
    shown = row.mine if row.mine is not None else row.other
    called = [str(value) for name in ("image_name", "name", "state") if (value := getattr(shown, name, None))]
    title = f"{row.kind} {row.id}"
    if row.mine is None or row.other is None:
        return f"{title} {only_second if row.mine is None else only_first} ({', '.join(called) or 'without a state'})"
    pairs = ((field.name, getattr(row.mine, field.name), getattr(row.other, field.name)) for field in fields(shown))
    changes = [f"{name} {shorten(mine)} {between} {shorten(other)}" for name, mine, other in pairs if mine != other]
    return f"{title}: {', '.join(changes)}"


def _timeline(calls: Iterable[CallRecord], changes: Iterable[Change]) -> Iterator[str]:
    """Yield a line for each call and change, in order; calls that are repeated share a line."""
    rows = [(change.at, 2 if "#" in change.cause else 0, "", str(change)) for change in _moves(changes)]
    rows += [(call.at, 1, str(call), "") for call in calls]
    rows.sort(key=lambda row: row[:2])  # what was due, the call, what it changed
    for (_, text), group in groupby(rows, key=lambda row: (row[1], row[2]) if row[2] else (row[3], "")):
        same = list(group)
        at = same[0][0].isoformat(timespec="milliseconds").replace("+00:00", "Z")
        again = f" ({len(same)} times, until {same[-1][0]:%H:%M:%S})" if len(same) > 1 else ""
        yield f"{at} {text}{again}" if text else same[0][3]


def _moves(changes: Iterable[Change]) -> Iterator[Change]:
    """Leave out what is written beside a change that is told already."""
    told: set[tuple[object, ...]] = set()
    for change in changes:
        same = (change.at, change.id, change.cause)
        states = [getattr(row, "state", None) for row in (change.before, change.after)]
        if same not in told or states[0] != states[1]:
            yield change
        told.add(same)


def _broken(calls: Iterable[CallRecord]) -> Iterator[str]:
    """Yield each rule that was broken, with what to do."""
    for error in {call.error.rule: call.error for call in calls if call.error is not None}.values():
        statement, *rest = error.explain().splitlines()
        yield statement
        yield from (line for line in rest if line.strip().startswith("Fix:"))


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - MOST
    return [*lines[:MOST], f"… and {more} more"] if more > 0 else lines


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
