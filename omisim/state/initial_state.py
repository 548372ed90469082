"""The initial State of every cloud: the platform's accounts, OMIs and snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from omisim.base.clock import EPOCH
from omisim.model import AccountRow
from omisim.spec.catalog import load_catalog
from omisim.state.state import State

__all__ = ["initial_state", "iter_users"]


@cache
def initial_state() -> State:
    """Return the State of the catalogue, built once per process. Fork it instead of writing to it."""
    state = State()
    for entity in load_catalog().entities():
        state.write(entity.kind, entity.id, entity, EPOCH, "catalogue")
    state.trim(state.position)
    return state


def iter_users(state: State) -> Iterator[AccountRow]:
    """Yield the accounts that users have created, oldest first: all but those of the platform."""
    platform = initial_state().rows("account")
    return (row for row_id, row in state.rows("account").items() if row_id not in platform)
