"""The rule of each illegal cell of a lifecycle, like the rows of `rules.toml`. Its id is `kind/Action/state`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from omisim.base.texts import join_alternatives
from omisim.spec.lifecycle import LIFECYCLES, Lifecycle, get_automatic_event
from omisim.spec.rules import Rule, get_action_page, load_rules

__all__ = ["get_cell_rule", "get_noun", "get_statement", "list_cell_rules", "load_every_rule"]

_NOUNS = {"image": "OMI", "image_export": "export task", "snapshot_export": "export task", "vm": "VM"}


def get_cell_rule(kind: str, action: str, state: str) -> Rule | None:
    """Return the rule that refuses this action in this state, or None if it is allowed."""
    lifecycle = LIFECYCLES[kind]
    no = lifecycle.refused[action].get(state)
    if no is None:
        return None
    states = (*lifecycle.moves, "restarting") if kind == "vm" else tuple(lifecycle.moves)
    allowed = [*dict.fromkeys(_show_state(s) for s in states if s not in lifecycle.refused[action])]
    noun, shown = get_noun(kind), _show_state(state)
    name = action.partition(" ")[0]  # without a condition, such as (stopped only)
    call = f"{{{name}}} with these parameters" if action != name else f"{{{name}}}"
    return Rule(
        id=f"{kind}/{action}/{state}",
        says=f"{action} is refused while the {noun} is {_describe_state(state)}.",
        error=no.error,
        details=f"The {noun} {{id}} is in the state {shown}; {call} requires {join_alternatives(allowed)}.",
        fix=_describe_fix(lifecycle, noun, shown, allowed),
        evidence=no.evidence,
        source=get_action_page(name),
    )


def get_noun(kind: str) -> str:
    """Return what texts call a resource of a kind."""
    return _NOUNS.get(kind, kind.replace("_", " "))


def _show_state(state: str) -> str:
    """Return the state that the API shows."""
    return "pending" if state == "restarting" else state


def _describe_state(state: str) -> str:
    return "in the state pending after its first boot" if state == "restarting" else f"in the state {state}"


def _describe_fix(lifecycle: Lifecycle, noun: str, state: str, allowed: list[str]) -> str:
    """Return how to get from a state to an allowed one: by waiting, by other calls, or not at all."""
    moves, after = lifecycle.moves, state
    while event := get_automatic_event(lifecycle.kind, after) or ("finish" if "finish" in moves[after] else None):
        after = moves[after][event].state or ""
        if not after:
            break
        if after in allowed:
            return f"Wait until the {noun} is in the state {after}."
    reachable = [state]
    for before in reachable:
        reachable += [to.state for to in moves[before].values() if to.state and to.state not in reachable]
    if targets := [target for target in allowed if target in reachable]:
        return f"Bring the {noun} into the state {join_alternatives(targets)} first."
    return f"Use another {noun}, in the state {join_alternatives(allowed)}."


def list_cell_rules() -> tuple[Rule, ...]:
    """Return the rule of every illegal cell."""
    rules = (
        get_cell_rule(kind, action, state)
        for kind, lifecycle in LIFECYCLES.items()
        for action, states in lifecycle.refused.items()
        for state in states
    )
    return tuple(rule for rule in rules if rule)


@cache
def load_every_rule() -> Mapping[str, Rule]:
    """Return every rule by its id: the rows of rules.toml, then the illegal cells of the lifecycles."""
    return {**load_rules(), **{cell.id: cell for cell in list_cell_rules()}}


def get_statement(rule_id: str) -> str:
    """Return the statement of a rule, or of an illegal cell. Raises KeyError for an unknown id."""
    return load_every_rule()[rule_id].says
