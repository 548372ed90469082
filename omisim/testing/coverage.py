"""Coverage of the model: the actions, rules, (state, action) cells and transitions that a run exercised or missed.

    with recording() as seen:
        ...  # all clouds of this process are recorded, through any door
    print(seen.percent, seen.missing.cells)

The tables that enforce the model define the items to exercise. `coverage_report` renders a coverage as text.
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

__all__ = ["CLOCK", "FAILURE", "GROUPS", "Coverage", "list_all_items", "needs", "recording"]


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
    """The exercised items of the model, as a value that can be merged, saved and compared.

    `actions`: actions that succeeded. `refused`: actions that were refused. `rules`: ids of the rules that refused a
    call. `cells`: "kind/Action/state", an action on a resource in a state. `transitions`: "kind/event/state", an event
    on a resource in a state.
    """

    actions: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)
    cells: set[str] = field(default_factory=set)
    transitions: set[str] = field(default_factory=set)

    # --- recording: the methods of an Observer

    def on_call(self, action: str, refused_by: str | None) -> None:
        """Record a call."""
        if refused_by is None:
            self.actions.add(action)
        else:
            self.refused.add(action)
            self.rules.add(refused_by)

    def on_attempt(self, kind: str, action: str, state: str) -> None:
        """Record an action on a resource in a state."""
        self.cells.add(f"{kind}/{action}/{state}")

    def on_move(self, kind: str, state: str, event: str) -> None:
        """Record a transition."""
        self.transitions.add(f"{kind}/{event}/{state}")

    # --- evaluation

    def merge(self, other: Coverage) -> None:
        """Add the coverage of another process or run."""
        for each in fields(self):
            getattr(self, each.name).update(getattr(other, each.name))

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """For each group: the number of exercised items, and the number of all items."""
        whole = list_all_items()
        return {name: (len(getattr(self, name) & getattr(whole, name)), len(getattr(whole, name))) for name in GROUPS}

    @property
    def percent(self) -> float:
        """The exercised share of the model in percent; actions, rules, cells and transitions have equal weight."""
        counts = self.counts.values()
        return 100 * sum(seen for seen, _ in counts) / sum(total for _, total in counts)

    @property
    def missing(self) -> Coverage:
        """The items that were not exercised; `refused` holds the actions that were called but never succeeded."""
        return list_all_items().without(self)

    def without(self, seen: Coverage) -> Coverage:
        """Return the items not in `seen`; `refused` holds the actions that were called but never succeeded."""
        missing = Coverage(**{name: getattr(self, name) - getattr(seen, name) for name in GROUPS})
        missing.refused = missing.actions & seen.refused
        return missing

    def to_json(self) -> dict[str, Any]:
        """Return the coverage as JSON data: the exercised items, the missing items, and what each of these needs."""
        missing = self.missing
        counts = {name: {"seen": seen, "of": total} for name, (seen, total) in self.counts.items()}
        needs_of_missing = {
            name: {item: needs(name, item) for item in sorted(getattr(missing, name))} for name in GROUPS
        }
        seen = {each.name: sorted(getattr(self, each.name)) for each in fields(self)}
        return {"percent": round(self.percent, 1), "counts": counts, "seen": seen, "missing": needs_of_missing}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the coverage from the data of `to_json`. Raises ValueError for other data."""
        try:
            return cls(**{each.name: set(data["seen"][each.name]) for each in fields(cls)})
        except (KeyError, TypeError) as error:
            raise ValueError(f"data must be the result of Coverage.to_json, not {data!r:.100}") from error


@contextmanager
def recording() -> Iterator[Coverage]:
    """Record the coverage of all clouds of this process, in all threads, inside the context.

    At the end the result is merged into an enclosing recording. Servers in other processes are not recorded.
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
def list_all_items() -> Coverage:
    """Return all items of the model. The value is cached: do not change it."""
    return Coverage(
        actions=set(ACTIONS),
        rules={row.id for row in load_rules().values() if row.error},
        cells={
            f"{kind}/{action}/{state}"
            for kind, lifecycle in LIFECYCLES.items()
            for action in lifecycle.refused
            for state in _list_states(lifecycle)
        },
        transitions={
            f"{kind}/{event}/{state}"
            for kind, lifecycle in LIFECYCLES.items()
            for state, events in lifecycle.moves.items()
            for event in events
        },
    )


def _list_states(lifecycle: Lifecycle) -> list[str]:
    return [*lifecycle.moves, *(["restarting"] if lifecycle.kind == "vm" else [])]


# --- what an item needs beyond calls on a new cloud

_RULE_NEEDS: Mapping[str, str] = {
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
    """Return what an item of a group needs beyond calls on a new cloud, "" for nothing."""
    if group == "actions":
        return ""
    if group == "rules":
        switch = get_rule(item).switch
        return f"switch {switch}" if switch else _RULE_NEEDS.get(item) or _RULE_NEEDS.get(item.partition("-")[0], "")
    kind, name, state = item.split("/", 2)
    if kind == "snapshot_export" and (name == "activate" or state == "active"):
        return "switch spec_version"
    return _get_cell_needs(kind, state) if group == "cells" else _get_transition_needs(kind, name, state)


def _get_cell_needs(kind: str, state: str) -> str:
    """Return what a cell needs: a clock for a state that ends by itself, a failure for a failed state."""
    moves = LIFECYCLES[kind].moves
    if (kind, state) in (("vm", "restarting"), ("image", "pending")):
        return CLOCK
    if any(to.after is not None and not to.timer for to in moves[state].values()):
        return CLOCK
    entering = {event for events in moves.values() for event, to in events.items() if to.state == state}
    return FAILURE if entering == {"fail"} else ""


def _get_transition_needs(kind: str, event: str, state: str) -> str:
    to = LIFECYCLES[kind].moves[state][event]
    if event == "fail":
        return FAILURE
    if to.timer:
        return "cloud.advance"
    is_automatic = to.after is not None or event == "finish"
    return "" if is_automatic else _get_cell_needs(kind, state)
