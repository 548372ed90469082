"""Count how often the rules of a machine read from an account that owned nothing of what they read."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final

from hypothesis.stateful import RULE_MARKER

from omisim.testing.history import History
from omisim.testing.strategies.request_builder import READ_KINDS, list_rows
from omisim.testing.vocabulary import NOUNS

__all__ = ["EmptyAccountWarning", "EmptyAccounts", "count_rules"]

MIN_RUNS: Final = 10  # fewer runs of a rule say little
MOSTLY: Final = 0.9  # the share of runs from which a rule was hardly tested


class EmptyAccountWarning(UserWarning):
    """A rule of a `CloudMachine` has almost always read from an account that owned nothing of what the rule reads."""


@dataclass(slots=True)
class _Count:
    """Of one rule: its runs, those in which it read nothing but kinds its accounts did not own, and these kinds."""

    runs: int = 0
    empty: int = 0
    kinds: set[str] = field(default_factory=set)


class EmptyAccounts:
    """The counts of the rules of one run of a machine, until its first failure."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}
        self.has_failed = False

    def run(self, machine: History, name: str, function: Callable[[], Any]) -> Any:
        """Run a rule and count it."""
        if self.has_failed:  # from here on Hypothesis repeats histories to shrink the failure
            return function()
        owned = {(row.account_id, kind) for kind in READ_KINDS.values() for row in list_rows(machine.cloud, kind)}
        session = machine.cloud.engine.session
        start = session.call_position
        result = function()
        new = session.call_position - start
        calls = [call for call in (session.calls[-new:] if new > 0 else ()) if call.action in READ_KINDS]
        ids = {row.name: row.account_id for row in machine.cloud.engine.state.rows("account").values()}
        reads = {(ids.get(call.account), READ_KINDS[call.action]) for call in calls}
        count = self._counts.setdefault(name, _Count())
        count.runs += 1
        if reads and not reads & owned:
            count.empty += 1
            count.kinds |= {kind for _, kind in reads}
        return result

    def report(self, machine_name: str) -> None:
        """Print the counts, and warn of each rule that was hardly tested."""
        for name, count in self._counts.items():
            nouns = " or ".join(NOUNS[kind] for kind in sorted(count.kinds))
            text = f"{machine_name}.{name} ran {count.runs} times"
            text += f", {count.empty} of them for an account without {nouns}" if count.empty else ""
            print(f"omisim: {text}")  # noqa: T201 - unittest and pytest show or capture it
            if count.runs >= MIN_RUNS and count.empty >= MOSTLY * count.runs:
                remedy = f"add {min(count.kinds)!r}: 3 to starts_with, or create resources in prepare()"
                warnings.warn(f"{text}, so it was hardly tested: {remedy}", EmptyAccountWarning, stacklevel=2)


def count_rules(machine: type[History]) -> None:
    """Count the runs of each rule that is defined outside omisim; inherited rules may be counted already."""
    for part in machine.__mro__:
        for attribute in vars(part).values():
            rule = getattr(attribute, RULE_MARKER, None)
            if rule is not None and not attribute.__module__.startswith("omisim.") and not _is_counted(rule.function):
                rule.function = _count(rule.function)


def _is_counted(function: Any) -> bool:
    return hasattr(function, "omisim_counted")


def _count(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def count_call(self: Any, **arguments: Any) -> Any:
        counts = getattr(self, "empty_accounts", None)
        if counts is None or not hasattr(self, "cloud"):  # a rule of a mixin, in another machine
            return function(self, **arguments)
        self.comment(f"{function.__name__}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})")
        return counts.run(self, function.__name__, lambda: function(self, **arguments))

    count_call.omisim_counted = True  # type: ignore[attr-defined]
    return count_call
