"""The access matrix of an OMI, computed for every account with the same predicates as the actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from omisim.actions.framework.call import Call
from omisim.actions.sharing import is_visible
from omisim.engine.engine import Engine
from omisim.model import AccountRow, Image
from omisim.spec.lifecycle import get_cell_rule
from omisim.state.image_origins import find_origin

__all__ = ["RIGHTS", "Access", "who_can"]

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


class Access(dict[str, tuple[str, ...]]):
    """The rights of each account on an OMI, by account name.

    `origins` maps each account to the origin of the OMI as it sees it: "official", "Marketplace", "own", "shared" or
    "imported". `supported_by` is who supports the OMI: "OUTSCALE", the vendor, or the account that created it.
    """

    def __init__(
        self, rights: Mapping[str, tuple[str, ...]], origins: Mapping[str, str] | None = None, supported_by: str = ""
    ) -> None:
        super().__init__(rights)
        self.origins: dict[str, str] = dict(origins or {})
        self.supported_by = supported_by

    def __str__(self) -> str:
        """Return a line for each account, and who supports the OMI."""
        lines = [f"{name} ({self.origins.get(name, '')}): {', '.join(rights)}" for name, rights in self.items()]
        return "\n".join([*lines, f"supported by {self.supported_by}"])


def who_can(engine: Engine, image_id: str) -> Access:
    """Return the rights of each account on an OMI, by account name; accounts without rights are left out.

    Raises ValueError for an unknown OMI.
    """
    image: Image | None = engine.state.get("image", image_id)
    if image is None:
        raise ValueError(f"{image_id!r} is not an OMI of this cloud")
    rights = {row: _list_rights(engine, row, image) for row in engine.state.rows("account").values()}
    allowed = {row: row_rights for row, row_rights in rights.items() if row_rights}
    origins = {row.name: find_origin(engine.state, image, row.account_id)[0] for row in allowed}
    support = find_origin(engine.state, image)[1]
    return Access({row.name: row_rights for row, row_rights in allowed.items()}, origins, support)


def _list_rights(engine: Engine, account: AccountRow, image: Image) -> tuple[str, ...]:
    call = Call("who_can", account, account.region, engine.begin("who_can", observed=False))
    return tuple(
        right
        for right, (action, allows) in RIGHTS.items()
        if allows(call, image) and (action == "ReadImages" or get_cell_rule("image", action, image.state) is None)
    )
