"""`Law`, the table of all laws, the decorators that register them, and `Broken`."""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from omisim.base.frozen import frozen
from omisim.engine.engine import Engine
from omisim.model import AccountRow
from omisim.spec.rules import load_rules
from omisim.state.state import Change

__all__ = [
    "LAWS", "Broken", "Law", "Step", "law", "of_calls", "of_changes", "of_clouds", "of_creations", "of_rows",
    "on_call", "on_change", "on_cloud", "on_creation",
]  # fmt: skip

Check = Callable[..., str | None]


@frozen()
class Law:
    """One law: its name, the id of its rule ("" for an invariant of omisim itself), its statement and its check.

    `kinds`: the kinds of rows or changes that it checks; empty for a law about a whole cloud.
    """

    name: str
    rule: str
    says: str
    kinds: tuple[str, ...]
    check: Check

    def __str__(self) -> str:
        """Return the name, rule and statement of the law."""
        return f"{self.name} ({self.rule or 'of omisim itself'}): {self.says}"


class Broken(AssertionError):
    """A law that does not hold: `law` (its name), `rule` (a rule id, or "") and `what` (the finding)."""

    def __init__(self, broken: Law, what: str) -> None:
        super().__init__(f"{what}\n  breaks the law {broken}")
        self.law: str = broken.name
        self.rule: str = broken.rule
        self.what = what

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling, which a pool of processes needs, without the function of the law."""
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]  # typeshed lacks it

    def explain(self) -> str:
        """Return the law and its rule as `omisim explain` prints it; the law alone if it has no rule."""
        rule = load_rules().get(self.rule)
        return str(self) if rule is None else f"{self}\n{rule.explain()}"


@dataclass(slots=True)
class Step:
    """The changes of a cloud since a mark, in order."""

    engine: Engine
    changes: Sequence[Change]

    def get_latest(self, kind: str, row_id: str | None) -> Any:
        """Return the current row, or its last version if this step deleted it; else None."""
        row = self.engine.state.get(kind, row_id or "")
        if row is not None:
            return row
        deleted = (
            c.before for c in reversed(self.changes) if c.kind == kind and c.id == row_id and c.before is not None
        )
        return next(deleted, None)

    def get_before(self, kind: str, row_id: str | None) -> Any:
        """Return the row before the step, or None."""
        for change in self.changes:
            if change.kind == kind and change.id == row_id:
                return change.before
        return self.engine.state.get(kind, row_id or "")

    def get_at(self, change: Change, kind: str, row_id: str) -> Any:
        """Return the row at the time of a change, or None. A step may change a row again after that."""
        later = (c for c in self.changes if c.seq >= change.seq and c.kind == kind and c.id == row_id)
        next_change = next(later, None)
        return self.engine.state.get(kind, row_id) if next_change is None else next_change.before

    def account(self, account_id: str) -> AccountRow:
        """Return the row of an account."""
        row: AccountRow = self.engine.state.get("account", account_id)
        return row


LAWS: dict[str, Law] = {}
of_rows: dict[str, list[Law]] = {}
of_changes: dict[str, list[Law]] = {}
of_creations: dict[str, list[Law]] = {}
of_clouds: list[Law] = []
of_calls: list[Law] = []


def law(rule: str, *kinds: str) -> Callable[[Check], Check]:
    """Register a law about rows of these kinds: (engine, row) → the finding, or None."""
    return _register(rule, kinds, [of_rows.setdefault(kind, []) for kind in kinds])


def on_change(rule: str, *kinds: str) -> Callable[[Check], Check]:
    """Register a law about changes of rows of these kinds: (step, change) → the finding, or None."""
    return _register(rule, kinds, [of_changes.setdefault(kind, []) for kind in kinds])


def on_creation(rule: str, *kinds: str) -> Callable[[Check], Check]:
    """Register a law about rows of these kinds that calls create: (step, change) → the finding, or None."""
    return _register(rule, kinds, [of_creations.setdefault(kind, []) for kind in kinds])


def on_call(rule: str) -> Callable[[Check], Check]:
    """Register a law about calls: (call) → the finding, or None."""
    return _register(rule, ("call",), [of_calls])


def on_cloud(rule: str) -> Callable[[Check], Check]:
    """Register a law about a whole cloud: (cloud) → the finding, or None."""
    return _register(rule, (), [of_clouds])


def _register(rule: str, kinds: tuple[str, ...], tables: list[list[Law]]) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        new_law = Law(check.__name__, rule, (check.__doc__ or "").partition("\n")[0], kinds, check)
        assert new_law.name not in LAWS
        LAWS[new_law.name] = new_law
        for table in tables:
            table.append(new_law)
        return check

    return register
