"""What a law is, the table of all of them, and how a broken one is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from omisim.engine.engine import Engine
from omisim.model import AccountRow
from omisim.spec.rules import load_rules
from omisim.state.state import Change

__all__ = [
    "LAWS", "Broken", "Law", "Step", "law", "of_calls", "of_changes", "of_rows", "of_wholes", "on_call",
    "on_change", "on_creation", "whole",
]  # fmt: skip

Check = Callable[..., str | None]


@dataclass(frozen=True, slots=True)
class Law:
    """One law: its name, the rule that it follows from ("" for omisim's own), and what it says.

    `kinds`: the kinds of rows, or of changes, that it is asked about; none for a law about a whole cloud.
    """

    name: str
    rule: str
    says: str
    kinds: tuple[str, ...]
    check: Check

    def __str__(self) -> str:
        """Name the law, its rule and what it says."""
        return f"{self.name} ({self.rule or 'of omisim itself'}): {self.says}"


class Broken(AssertionError):
    """A law does not hold: `law`, `rule` (its id, "" for omisim's own) and `what` is wrong with what."""

    def __init__(self, broken: Law, what: str) -> None:
        super().__init__(f"{what}\n  breaks the law {broken}")
        self.law: str = broken.name
        self.rule: str = broken.rule
        self.what = what

    def explain(self) -> str:
        """Return the rule behind the law as `omisim explain` prints it, or the law alone."""
        rule = load_rules().get(self.rule)
        return str(self) if rule is None else f"{self}\n{rule.explain()}"


@dataclass(slots=True)
class Step:
    """What happened since a moment: the changes of a cloud, in order."""

    engine: Engine
    changes: Sequence[Change]

    def now(self, kind: str, row_id: str | None) -> Any:
        """Return a row as it is, or as it last was when it went in this step; else None."""
        row = self.engine.state.get(kind, row_id or "")
        if row is not None:
            return row
        gone = (c.before for c in reversed(self.changes) if c.kind == kind and c.id == row_id and c.before is not None)
        return next(gone, None)

    def was(self, kind: str, row_id: str | None) -> Any:
        """Return a row as it was before the step, or None."""
        for change in self.changes:
            if change.kind == kind and change.id == row_id:
                return change.before
        return self.engine.state.get(kind, row_id or "")

    def then(self, change: Change, kind: str, row_id: str) -> Any:
        """Return a row as it was when a change was written, or None: a call may have been answered late."""
        later = (c for c in self.changes if c.seq >= change.seq and c.kind == kind and c.id == row_id)
        found = next(later, None)
        return self.engine.state.get(kind, row_id) if found is None else found.before

    def account(self, account_id: str) -> AccountRow:
        """Return the row of an account."""
        row: AccountRow = self.engine.state.get("account", account_id)
        return row


LAWS: dict[str, Law] = {}
of_rows: dict[str, list[Law]] = {}
of_changes: dict[str, list[Law]] = {}
of_wholes: list[Law] = []
of_calls: list[Law] = []


def law(rule: str, *kinds: str) -> Callable[[Check], Check]:
    """Register a law about rows of these kinds: (engine, row) → what is wrong, or None."""
    return _registered(rule, kinds, of_rows)


def on_change(rule: str, *kinds: str) -> Callable[[Check], Check]:
    """Register a law about changes of rows of these kinds: (step, change) → what is wrong, or None."""
    return _registered(rule, kinds, of_changes)


def on_creation(rule: str, *kinds: str) -> Callable[[Check], Check]:
    """Register a law about what calls, and not the platform, create of these kinds: (step, change) → what is wrong."""

    def register(check: Check) -> Check:
        @wraps(check)
        def check_new(step: Step, change: Change) -> str | None:
            return check(step, change) if change.before is None and "#" in change.cause else None

        return on_change(rule, *kinds)(check_new)

    return register


def on_call(rule: str) -> Callable[[Check], Check]:
    """Register a law about calls: (the call made) → what is wrong, or None."""

    def register(check: Check) -> Check:
        of_calls.append(_new(rule, ("call",), check))
        return check

    return register


def whole(rule: str) -> Callable[[Check], Check]:
    """Register a law about a whole cloud: (cloud) → what is wrong, or None."""

    def register(check: Check) -> Check:
        of_wholes.append(_new(rule, (), check))
        return check

    return register


def _registered(rule: str, kinds: tuple[str, ...], table: dict[str, list[Law]]) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        found = _new(rule, kinds, check)
        for kind in kinds:
            table.setdefault(kind, []).append(found)
        return check

    return register


def _new(rule: str, kinds: tuple[str, ...], check: Check) -> Law:
    found = Law(check.__name__, rule, (check.__doc__ or "").partition("\n")[0], kinds, check)
    assert found.name not in LAWS
    LAWS[found.name] = found
    return found
