"""The calls of illegal lifecycle cells: `{ cells = "vm", state = "pending" }` in an experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omisim.base.data_files import load_toml
from omisim.probe.experiments import Call
from omisim.spec.cell_rules import get_cell_rule
from omisim.spec.errors import ERRORS
from omisim.spec.lifecycle import get_automatic_event

__all__ = ["expand_cells"]

_SHOWN = {"restarting": "pending", "detaching": "in-use"}  # phase of the table → the state that the API shows


def expand_cells(kind: str, state: str, *, only: str = "", skip: str = "") -> Iterator[Call]:
    """Yield a call for each action that the lifecycle table refuses in a state, on the resource `{it}`."""
    calls: Mapping[str, Mapping[str, Any]] = load_toml("omisim.probe", "cells.toml")[kind]
    transient = state == "restarting" or get_automatic_event(kind, state) is not None
    for action, give in calls.items():
        rule = get_cell_rule(kind, action, state)
        if rule is None or action == skip or only not in ("", action):
            continue
        yield Call(
            action.partition(" ")[0],
            dict(give),
            rules=(rule.id,),
            code=ERRORS[rule.error].code,
            of="{it}" if transient or (kind, state) == ("image", "pending") else "",
            state=_SHOWN.get(state, state),
        )
