"""Forgetting what outlives a resource: its origin and its ClientToken, once the history no longer reaches its end.

Without this, a cloud would grow with every resource that it has ever had, whatever its history. An origin stays for as
long as a resource that remains descends from it.
"""

from __future__ import annotations

from collections.abc import Sequence

from omisim.model import ClientToken, Origin
from omisim.state.lineage import KINDS
from omisim.state.state import Change, State

__all__ = ["forget_ended"]


def forget_ended(state: State, position: int) -> None:
    """Forget the origins and ClientTokens that only the changes before this position, which will be trimmed, rest on.

    What is forgotten is not a change: it cannot be undone, and a store loses it with the next commit. If an exception
    interrupts it, calling it again completes it.
    """
    count = position - state.trimmed
    if count <= 0:
        return
    waiting = [row_id for row_id in _list_named(state.journal[:count]) if not _exists(state, row_id)]
    if not waiting:
        return
    kept = _list_named(state.journal[count:])  # an undone change may bring these back
    while waiting:
        row_id = waiting.pop()
        if row_id in kept or _exists(state, row_id):
            continue
        for key in tuple(state.tables["token"].find_ids("ids", row_id)):
            token: ClientToken = state.get("token", key)
            if not any(other in kept or _exists(state, other) for other in token.ids):
                state.forget("token", key)
        origin: Origin | None = state.get("origin", row_id)
        if origin is not None and not _is_needed(state, row_id):
            state.forget("origin", row_id)
            waiting += [parent for _, parent in origin.parents]


def _list_named(changes: Sequence[Change]) -> dict[str, None]:
    """Return the ids of the resources that changes name, and of the parents in origins."""
    named: dict[str, None] = {}
    for change in changes:
        if change.kind in KINDS:
            named[change.id] = None
        elif change.kind == "origin":
            origins = [origin for origin in (change.before, change.after) if origin is not None]
            parents = [parent for origin in origins for _, parent in origin.parents]
            named |= dict.fromkeys([change.id, *parents])
    return named


def _exists(state: State, row_id: str) -> bool:
    return any(row_id in state.tables[kind].by_id for kind in KINDS)


def _is_needed(state: State, row_id: str) -> bool:
    """Whether another origin rests on this one, or an export task that keeps the OMI it has exported."""
    tables = state.tables
    return bool(tables["origin"].find_ids("parent", row_id) or tables["image_export"].find_ids("exported disk", row_id))
