"""The resources that are left in a cloud, and their descriptions in reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from omisim.base.suggest import describe_unknown
from omisim.cloud.cloud import Cloud
from omisim.engine.marks import Mark
from omisim.model import (
    ENDED_EXPORT_STATES,
    AccountRow,
    Entity,
    ImageExportTask,
    RouteTable,
    SecurityGroup,
    SnapshotExportTask,
    Volume,
)
from omisim.state.initial_state import iter_users
from omisim.state.state import State
from omisim.testing.vocabulary import DELETIONS, NOUNS

__all__ = ["ENDING", "describe", "get_name", "get_state", "iter_remnants", "iter_rows"]

ENDING: Final = ("terminated", "shutting-down", "deleting")


def iter_remnants(cloud: Cloud, account: str | None, since: Mark | None) -> Iterator[Any]:
    """Yield the resources that are left to delete, in an order in which they can be deleted."""
    first_keys = {cloud.account(row.name).access_key for row in iter_accounts(cloud, account)}
    rows = (row for kind in DELETIONS for row in iter_rows(cloud, kind, account, since))
    state = cloud.engine.state
    return (row for row in rows if not (row.id in first_keys or _is_exempt(row) or _goes_with_its_vm(state, row)))


def iter_accounts(cloud: Cloud, name: str | None) -> Iterator[AccountRow]:
    """Yield the accounts that tests have created, or only the one with this name.

    Raises ValueError for an unknown name.
    """
    if name is not None and name not in cloud.accounts:
        raise ValueError(describe_unknown("account", name, cloud.accounts))
    return (row for row in iter_users(cloud.engine.state) if name in (None, row.name))


def iter_rows(cloud: Cloud, kind: str, account: str | None, since: Mark | None) -> Iterator[Any]:
    """Yield the rows of a kind that are not being deleted."""
    if since is not None:
        cloud.engine.check_mark(since)
    owners = {row.account_id for row in iter_accounts(cloud, account)}
    for row_id, row in cloud.engine.state.rows(kind).items():
        is_new = since is None or cloud.engine.state.order(kind, row_id) >= since.position
        if is_new and row.account_id in owners and get_state(row) not in ENDING:
            yield row


def get_state(row: Any) -> str | None:
    """Return the state of a resource, None if it no longer exists, "" if its kind has no states."""
    return None if row is None else getattr(row, "state", "")


def _is_exempt(row: Any) -> bool:
    """Whether a resource is a finished export, or is created and deleted together with a Net."""
    if isinstance(row, ImageExportTask | SnapshotExportTask):
        return row.state in ENDED_EXPORT_STATES
    if isinstance(row, RouteTable):
        return any(link.main for link in row.link_route_tables)
    return isinstance(row, SecurityGroup) and row.security_group_name == "default"


def _goes_with_its_vm(state: State, row: Any) -> bool:
    """Whether a volume or NIC is deleted, as DeleteOnVmDeletion says, when its VM has shut down."""
    link = state.get("volume_link", row.id) if isinstance(row, Volume) else getattr(row, "link_nic", None)
    if link is None or not link.delete_on_vm_deletion or link.state == "detaching":
        return False
    return get_state(state.get("vm", link.vm_id)) in ENDING


def get_name(row: Entity) -> str:
    """Return the name of a resource, "" for a kind without one: `keypair_name` of a VM is not its own."""
    return getattr(row, f"{row.kind}_name", "")


def describe(cloud: Cloud, row: Entity) -> str:
    """Return one resource as a phrase: its kind, name, id, owner and state."""
    owner: AccountRow = cloud.engine.state.get("account", row.account_id)  # type: ignore[attr-defined]  # each listed kind has this field
    name = get_name(row)
    state = f", {row.state}" if hasattr(row, "state") else ""
    return f"{NOUNS[row.kind]}{name and f' {name}'} {row.id} of {owner.name}{state}"
