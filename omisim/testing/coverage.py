"""What was exercised of the model: actions, rules, (state, action) cells, transitions; and what was not.

    with recording() as seen:
        ...  # whatever every cloud of this process does meanwhile, through any door
    print(seen.percent, seen.missing.cells)

The tables that enforce the model say what there is to exercise. `coverage_report.py` says it to a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Self

from omisim.actions.framework.registry import ACTIONS
from omisim.engine.engine import Engine
from omisim.spec.lifecycle import LIFECYCLES, Lifecycle
from omisim.spec.rules import get_rule, load_rules

__all__ = ["GROUPS", "Coverage", "everything", "needs", "recording"]


GROUPS: Mapping[str, str] = {
    "actions": "succeeded",
    "rules": "refused a call",
    "cells": "were tried: an action on a resource in a state",
    "transitions": "happened",
}
CLOCK = "timing clock or manual"
FAILURE = "cloud.fail or cloud.fail_next"


@dataclass
class Coverage:
    """What was exercised; merged, saved and compared as a value.

    `actions`: succeeded; `refused`: actions that were refused; `rules`: refused a call, by id; `cells`:
    "kind/Action/state", an action met a resource in that state; `transitions`: "kind/event/state", it left that state.
    """

    actions: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)
    cells: set[str] = field(default_factory=set)
    transitions: set[str] = field(default_factory=set)

    # --- recording: what an Observer is told

    def on_call(self, action: str, refused_by: str | None) -> None:
        """Note a call."""
        if refused_by is None:
            self.actions.add(action)
        else:
            self.refused.add(action)
            self.rules.add(refused_by)

    def on_attempt(self, kind: str, action: str, state: str) -> None:
        """Note that an action met a resource in a state."""
        self.cells.add(f"{kind}/{action}/{state}")

    def on_move(self, kind: str, state: str, event: str) -> None:
        """Note a transition."""
        self.transitions.add(f"{kind}/{event}/{state}")

    # --- what it comes to

    def merge(self, other: Coverage) -> None:
        """Add what another process, or another run, exercised."""
        for each in fields(self):
            getattr(self, each.name).update(getattr(other, each.name))

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """How much of each group was exercised, and how much there is."""
        whole = everything()
        return {name: (len(getattr(self, name) & getattr(whole, name)), len(getattr(whole, name))) for name in GROUPS}

    @property
    def percent(self) -> float:
        """How much of the model was exercised: actions, rules, cells and transitions count alike."""
        counts = self.counts.values()
        return 100 * sum(seen for seen, _ in counts) / sum(there for _, there in counts)

    @property
    def missing(self) -> Coverage:
        """What was not exercised. Its `refused` are the actions that were called and never succeeded."""
        return everything().without(self)

    def without(self, seen: Coverage) -> Coverage:
        """Return what of this was not seen. Its `refused` are the actions that were called and never succeeded."""
        missing = Coverage(**{name: getattr(self, name) - getattr(seen, name) for name in GROUPS})
        missing.refused = missing.actions & seen.refused
        return missing

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data: what was exercised, what is missing, and what that needs."""
        missing = self.missing
        counts = {name: {"seen": seen, "of": there} for name, (seen, there) in self.counts.items()}
        left = {name: {item: needs(name, item) for item in sorted(getattr(missing, name))} for name in GROUPS}
        seen = {each.name: sorted(getattr(self, each.name)) for each in fields(self)}
        return {"percent": round(self.percent, 1), "counts": counts, "seen": seen, "missing": left}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_json` made this of. Raises ValueError for anything else."""
        try:
            return cls(**{each.name: set(data["seen"][each.name]) for each in fields(cls)})
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no coverage of omisim: {error!r}") from error


@contextmanager
def recording() -> Iterator[Coverage]:
    """Note what every cloud of this process exercises meanwhile, in all threads; an outer recording gets it at the end.

    A server in another process is not heard.
    """
    seen, outer = Coverage(), Engine.observer
    Engine.observer = seen
    try:
        yield seen
    finally:
        Engine.observer = outer
        if isinstance(outer, Coverage):
            outer.merge(seen)


@cache
def everything() -> Coverage:
    """Return all that there is to exercise. Not to be changed."""
    return Coverage(
        actions=set(ACTIONS),
        rules={row.id for row in load_rules().values() if row.error},
        cells={
            f"{kind}/{action}/{state}"
            for kind, lifecycle in LIFECYCLES.items()
            for action in lifecycle.refused
            for state in _states(lifecycle)
        },
        transitions={
            f"{kind}/{event}/{state}"
            for kind, lifecycle in LIFECYCLES.items()
            for state, events in lifecycle.moves.items()
            for event in events
        },
    )


def _states(lifecycle: Lifecycle) -> list[str]:
    return [*lifecycle.moves, *(["restarting"] if lifecycle.kind == "vm" else [])]


# --- what it takes to get there, beyond calls on a fresh cloud

_RULES_NEED: Mapping[str, str] = {
    "AUTH": "a request over HTTP",
    "LIC-015": "quotas",
    "QTA": "quotas",
    "REG-007": "a request over HTTP",
    "REQ-003": "a request over HTTP",
    "REQ-004": "a request over HTTP",
    "SG-011": CLOCK,
    "THR": "cloud.faults",
    "VM-005": "cloud.set_capacity",
}


def needs(group: str, item: str) -> str:
    """Return what an item of a group needs beyond calls on a fresh cloud: "" for nothing."""
    if group == "actions":
        return ""
    if group == "rules":
        switch = get_rule(item).switch
        return f"switch {switch}" if switch else _RULES_NEED.get(item) or _RULES_NEED.get(item.partition("-")[0], "")
    kind, what, state = item.split("/", 2)
    if kind == "snapshot_export" and (what == "activate" or state == "active"):
        return "switch spec_version"
    return _cell_needs(kind, state) if group == "cells" else _move_needs(kind, what, state)


def _cell_needs(kind: str, state: str) -> str:
    """A state that lasts no time is met when time stands still, a failed one where something fails."""
    moves = LIFECYCLES[kind].moves
    if (kind, state) in (("vm", "restarting"), ("image", "pending")):
        return CLOCK
    if any(to.after is not None and not to.timer for to in moves[state].values()):
        return CLOCK
    entering = {event for events in moves.values() for event, to in events.items() if to.state == state}
    return FAILURE if entering == {"fail"} else ""


def _move_needs(kind: str, event: str, state: str) -> str:
    to = LIFECYCLES[kind].moves[state][event]
    if event == "fail":
        return FAILURE
    if to.timer:
        return "cloud.advance"
    by_itself = to.after is not None or event == "finish"
    return "" if by_itself else _cell_needs(kind, state)
