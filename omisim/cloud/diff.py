"""Looking at a whole cloud: who may do what with an OMI, and in what two clouds differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from omisim.model import Account, Image, ImageState
from omisim.state.state import ROWS, State

__all__ = ["Difference", "differences", "who_can"]

OWNER = ("read", "launch", "copy", "export", "modify", "delete")
GRANTEE = ("read", "launch", "copy")
_NEEDS_AVAILABLE = frozenset({"launch", "copy", "export"})  # ST-OMI: legal per state


def who_can(state: State, image_id: str) -> dict[str, tuple[str, ...]]:
    """Return what each account may do with an OMI, by the accounts' names; accounts that may do nothing are left out.

    read, launch and copy for the owner and for whom it is shared with in its Region (SHR-002, SHR-005, SHR-010);
    export, modify and delete for the owner alone (SHR-006 to SHR-008). Raises ValueError for an unknown OMI.
    """
    image: Image | None = state.get("image", image_id)
    if image is None:
        raise ValueError(f"{image_id!r} is no OMI of this cloud")
    owner: Account = state.get("account", image.account_id)
    granted = image.permissions_to_launch
    able: dict[str, tuple[str, ...]] = {}
    for account in state.rows("account").values():
        rights: tuple[str, ...] = ()
        if account is owner:
            rights = OWNER
        elif account.region == owner.region and (
            granted.global_permission or account.account_id in granted.account_ids
        ):
            rights = GRANTEE
        if image.state is not ImageState.AVAILABLE:
            rights = tuple(right for right in rights if right not in _NEEDS_AVAILABLE)
        if rights:
            able[account.name] = rights
    return able


@dataclass(frozen=True, slots=True)
class Difference:
    """A row in which two clouds differ: `mine` in the one asked, `other` in the one compared with; None: not there."""

    kind: str
    id: str
    mine: Any
    other: Any

    def __str__(self) -> str:
        """Spell the difference: only on one side, or which fields differ and how."""
        if self.mine is None or self.other is None:
            return f"{self.kind} {self.id}: only in {'the other' if self.mine is None else 'this one'}"
        return f"{self.kind} {self.id}: {', '.join(self._fields()) or f'{self.mine} | {self.other}'}"

    def _fields(self) -> Iterator[str]:
        if is_dataclass(self.mine) and not isinstance(self.mine, type):
            for field in fields(self.mine):
                mine, other = getattr(self.mine, field.name), getattr(self.other, field.name)
                if mine != other:
                    yield f"{field.name} {mine} | {other}"


def differences(mine: State, other: State) -> Iterator[Difference]:
    """Yield the rows in which two States differ, kind by kind, in creation order."""
    for kind in ROWS:
        ours, theirs = mine.rows(kind), other.rows(kind)
        if ours is theirs:
            continue
        for row_id in {**ours, **theirs}:
            if ours.get(row_id) != theirs.get(row_id):
                yield Difference(kind, row_id, ours.get(row_id), theirs.get(row_id))
