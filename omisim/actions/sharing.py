"""Sharing: the permissions on OMIs and snapshots, and their changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

from omisim.actions.framework.call import Call, as_parsed
from omisim.model import Image, PermissionsOnResource, PermissionsOnResourceCreation, Snapshot
from omisim.model.filters import Filters
from omisim.spec.rules import refuse

__all__ = [
    "apply_change", "check_permission_change", "find_shareable", "find_visible", "get_permissions", "get_usable",
    "is_visible", "visible_permissions",
]  # fmt: skip

Shared = TypeVar("Shared", Image, Snapshot)
_FIELDS: Mapping[type, str] = {Image: "permissions_to_launch", Snapshot: "permissions_to_create_volume"}


def get_permissions(entity: Image | Snapshot) -> PermissionsOnResource:
    """Return the permissions of other accounts on an OMI or a snapshot."""
    permissions: PermissionsOnResource = getattr(entity, _FIELDS[entity.__class__])
    return permissions


def is_visible(call: Call, entity: Any) -> bool:
    """Whether the entity is the caller's; or an OMI or a snapshot shared with it or public (SHR-002, SHR-010)."""
    return call.owns(entity) or (
        entity.__class__ in _FIELDS
        and _includes(get_permissions(entity), call.account.account_id)
        and _is_in_region(call, entity.account_id)
    )


def _includes(granted: PermissionsOnResource, account_id: str) -> bool:
    return granted.global_permission or account_id in granted.account_ids


def _is_in_region(call: Call, account_id: str) -> bool:
    return call.get_region(account_id) == call.account.region


def find_visible(call: Call, cls: type[Shared], filters: Filters[Shared]) -> Iterator[Shared]:
    """Yield the visible entities of a class in creation order, at least those that match the filters."""
    me, is_public = call.account.account_id, attrgetter(f"{_FIELDS[cls]}.global_permission")
    rows = find_shareable(call, cls, filters)
    for owner, group in groupby(rows, key=attrgetter("account_id")):  # the platform has many in a row in each Region
        if owner == me:
            yield from group
        elif _is_in_region(call, owner):
            # most are public, and the first test is quicker
            yield from (row for row in group if is_public(row) or _includes(get_permissions(row), me))


def find_shareable(call: Call, cls: type[Shared], filters: Filters[Shared]) -> Iterator[Shared]:
    """Yield the entities of a class in creation order that are visible and match the filters, and perhaps others."""
    me = call.account.account_id
    return call.find_rows(cls, [("account_id", me), (f"{_FIELDS[cls]}.account_ids", me), ("public", True)], filters)


def get_usable(call: Call, cls: type[Shared], row_id: str, rule: str) -> Shared:
    """Return an OMI or a snapshot that is visible to the caller, or refuse (SHR-015)."""
    row: Shared | None = call.state.get(cls.kind, row_id)
    if row is None or not is_visible(call, row):
        raise refuse(rule, **{cls.key: row_id})
    return row


def visible_permissions(call: Call, granted: PermissionsOnResource, *, owner: bool) -> PermissionsOnResource:
    """Return the permissions of a private resource that the caller may see: all for the owner, else only its own."""
    if owner or not granted.account_ids:
        return granted
    me = call.account.account_id
    own = (me,) if me in granted.account_ids else ()
    return PermissionsOnResource(account_ids=own, global_permission=granted.global_permission)


def check_permission_change(call: Call, parameter: str, parameters: Mapping[str, Any]) -> None:
    """Refuse a change that is empty (OMI-103), and one with both additions and removals (OMI-102, SHR-020).

    Beside another change, an empty one means absent, like any other empty value (REQ-018).
    """
    change = as_parsed(parameters.get(parameter))
    if change is None:
        return
    assert isinstance(change, PermissionsOnResourceCreation)
    branches = [branch for branch in (change.additions, change.removals) if branch is not None]
    other_parameters = parameters.keys() - {parameter, "image_id", "snapshot_id"}
    call.check(branches or other_parameters, "OMI-103", parameter=call.spell(parameter))
    call.check(
        len(branches) <= 1, "OMI-102" if call.action == "UpdateImage" else "SHR-020", parameter=call.spell(parameter)
    )


def apply_change(granted: PermissionsOnResource, change: PermissionsOnResourceCreation | None) -> PermissionsOnResource:
    """Return the permissions after a change, in order of insertion. Idempotent (OMI-108 to OMI-111, SHR-023)."""
    if change is None:
        return granted
    add, remove = change.additions, change.removals
    ids = dict.fromkeys(granted.account_ids)
    public = granted.global_permission
    if add is not None:
        ids |= dict.fromkeys(add.account_ids or ())
        public = public or add.global_permission is True
    if remove is not None:
        removed_ids = frozenset(remove.account_ids or ())
        ids = {account: None for account in ids if account not in removed_ids}
        public = public and remove.global_permission is not True
    return PermissionsOnResource(account_ids=tuple(ids), global_permission=public)
