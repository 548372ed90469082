"""The access matrix of an OMI, computed for every account with the same predicates as the actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from omisim.actions.framework.call import Call
from omisim.actions.sharing import is_visible
from omisim.engine.engine import Engine
from omisim.model import AccountRow, Image
from omisim.spec.lifecycle import get_cell_rule

__all__ = ["RIGHTS", "who_can"]

# right → the action that needs it, and the predicate of the action: the OMI is visible to the account (SHR-002,
# SHR-005, SHR-010), or the account owns it (SHR-006 to SHR-008)
RIGHTS: Mapping[str, tuple[str, Callable[[Call, Image], bool]]] = {
    "read": ("ReadImages", is_visible),
    "launch": ("CreateVms", is_visible),
    "copy": ("CreateImage", is_visible),
    "export": ("CreateImageExportTask", Call.owns),
    "modify": ("UpdateImage", Call.owns),
    "delete": ("DeleteImage", Call.owns),
}


def who_can(engine: Engine, image_id: str) -> dict[str, tuple[str, ...]]:
    """Return the rights of each account on an OMI, by account name; accounts without rights are left out.

    Raises ValueError for an unknown OMI.
    """
    image: Image | None = engine.state.get("image", image_id)
    if image is None:
        raise ValueError(f"{image_id!r} is not an OMI of this cloud")
    rights = {row.name: _list_rights(engine, row, image) for row in engine.state.rows("account").values()}
    return {name: allowed for name, allowed in rights.items() if allowed}


def _list_rights(engine: Engine, account: AccountRow, image: Image) -> tuple[str, ...]:
    call = Call("who_can", account, account.region, engine.begin("who_can", observed=False))
    return tuple(
        right
        for right, (action, allows) in RIGHTS.items()
        if allows(call, image) and (action == "ReadImages" or get_cell_rule("image", action, image.state) is None)
    )
