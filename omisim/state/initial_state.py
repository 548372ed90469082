"""The initial State of every cloud: the platform's accounts, OMIs and snapshots."""

from __future__ import annotations

from functools import cache

from omisim.base.clock import EPOCH
from omisim.spec.catalog import load_catalog
from omisim.state.state import State

__all__ = ["initial_state"]


@cache
def initial_state() -> State:
    """Return the State of the catalogue, built once per process. Fork it instead of writing to it."""
    state = State()
    for entity in load_catalog().entities():
        state.write(entity.kind, entity.id, entity, EPOCH, "catalogue")
    state.trim(state.position)
    return state
