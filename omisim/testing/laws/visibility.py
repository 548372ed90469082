"""Laws about visibility: an account reads exactly the resources that ownership and permissions allow."""

from __future__ import annotations

from functools import lru_cache
from operator import is_
from typing import Any

from omisim.actions.framework.call import Call
from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.request import PYTHON, Request
from omisim.cloud.access_matrix import who_can
from omisim.cloud.cloud import Cloud
from omisim.engine.engine import Engine
from omisim.model import AccountRow, Image, PermissionsOnResource, Snapshot, Vm, Volume
from omisim.model.filters import FiltersImage, FiltersSnapshot, FiltersVm, FiltersVolume
from omisim.state.initial_state import initial_state, iter_users
from omisim.state.transaction import Transaction
from omisim.testing.laws.table import law, on_cloud

__all__ = ["get_permissions", "may_see", "read"]

SHARED = (Image, Snapshot)
MAX_IDS = 4  # ids listed in a finding


def get_permissions(row: Image | Snapshot) -> PermissionsOnResource:
    """Return the permissions of an OMI or a snapshot."""
    return row.permissions_to_launch if isinstance(row, Image) else row.permissions_to_create_volume


def may_see(account: AccountRow, row: Any, owner: AccountRow) -> bool:
    """Whether an account may read and use a row: its own, one shared with it, or a public one in its Region."""
    return _may_see(account.account_id, account.region, row, owner)


def _may_see(account_id: str, region: str, row: Any, owner: AccountRow) -> bool:
    if row.account_id == account_id:
        return True
    if not isinstance(row, SHARED) or region != owner.region:
        return False
    shared = get_permissions(row)
    return shared.global_permission or account_id in shared.account_ids


def read(engine: Engine, account: AccountRow, action: str, **parameters: Any) -> tuple[Any, ...]:
    """Run a read action for an account without a log entry and without applying due transitions."""
    return _answer(engine.begin("law", observed=False), account, Request(action, parameters, PYTHON))


def _answer(tx: Transaction, account: AccountRow, request: Request) -> tuple[Any, ...]:
    action = ACTIONS[request.action]
    call = Call(request.action, account, account.region, tx)
    rows: tuple[Any, ...] = action.function(call, **action.shape.parse(request, call.report))
    return rows


@lru_cache(maxsize=1024)  # the same row is read after each step that affects it, by each account
def _make_read(action: str, filters: Any, ids: str, row_id: str) -> Request:
    """Return the request that reads one row."""
    return Request(action, {"filters": filters(**{ids: (row_id,)})}, PYTHON)


def _find_wrong_reader(engine: Engine, row: Any, action: str, filters_class: Any) -> str | None:
    owner: AccountRow = engine.state.get("account", row.account_id)
    request, tx = _make_read(action, filters_class, f"{row.key}s", row.id), engine.begin("law", observed=False)
    for account in iter_users(engine.state):
        seen = _answer(tx, account, request)
        if may_see(account, row, owner) != bool(seen):
            return f"{account.name} {'reads' if seen else 'does not read'} {row.id} of {owner.name}"
        if seen and isinstance(row, SHARED) and account is not owner:
            grantees = set(get_permissions(seen[0]).account_ids)
            public = isinstance(row, Image) and row.permissions_to_launch.global_permission
            if grantees != set(get_permissions(row).account_ids) & (grantees if public else {account.account_id}):
                return f"{account.name} sees that {row.id} is shared with {', '.join(sorted(grantees)) or 'no account'}"
    return None


@law("OMI-080", "image")
def omi_reads_follow_permissions(engine: Engine, image: Image) -> str | None:
    """An account reads an OMI that is its own, shared with it or public in its Region, and no other."""
    return _find_wrong_reader(engine, image, "ReadImages", FiltersImage)


@law("SNP-021", "snapshot")
def snapshot_reads_follow_permissions(engine: Engine, snapshot: Snapshot) -> str | None:
    """An account reads a snapshot that is its own, shared with it or public in its Region, and no other."""
    return _find_wrong_reader(engine, snapshot, "ReadSnapshots", FiltersSnapshot)


@law("VOL-020", "volume")
def only_its_owner_reads_a_volume(engine: Engine, volume: Volume) -> str | None:
    """An account reads its own volumes, and no others."""
    return _find_wrong_reader(engine, volume, "ReadVolumes", FiltersVolume)


@law("VM-041", "vm")
def only_its_owner_reads_a_vm(engine: Engine, vm: Vm) -> str | None:
    """An account reads its own VMs, and no others."""
    return _find_wrong_reader(engine, vm, "ReadVms", FiltersVm)


@law("SHR-005", "image")
def who_can_matches_permissions(engine: Engine, image: Image) -> str | None:
    """`cloud.who_can` lists exactly the accounts that may read an OMI."""
    owner: AccountRow = engine.state.get("account", image.account_id)
    allowed = who_can(engine, image.image_id)
    for account in iter_users(engine.state):
        if (account.name in allowed) != may_see(account, image, owner):
            return f"who_can lists for {image.image_id} of {owner.name}: {', '.join(allowed) or 'no account'}"
    return None


_LISTS = (("image", "ReadImages"), ("snapshot", "ReadSnapshots"), ("volume", "ReadVolumes"), ("vm", "ReadVms"))


@on_cloud("UNK-30")
def unfiltered_reads_are_complete_and_ordered(cloud: Cloud) -> str | None:
    """A read without filters lists exactly the resources that the account may see, in creation order."""
    owners, tx = cloud.engine.state.rows("account"), cloud.engine.begin("law", observed=False)
    for kind, action in _LISTS:
        rows, request = cloud.engine.state.rows(kind), Request(action, {}, PYTHON)
        catalogue = initial_state().rows(kind)
        # if the rows of the catalogue are as they were, they also come first
        is_unchanged = len(rows) >= len(catalogue) and all(map(is_, catalogue.values(), rows.values()))
        new_rows = list(rows.values())[len(catalogue) :] if is_unchanged else list(rows.values())
        for account in iter_users(cloud.engine.state):
            public = _list_catalogue_ids(kind, account.region, account.account_id) if is_unchanged else ()
            expected = [*public, *(row.id for row in new_rows if may_see(account, row, owners[row.account_id]))]
            seen = [row.id for row in _answer(tx, account, request)]
            if seen != expected:
                return f"{action} of {account.name} {_describe_difference(seen, expected)}"
    return None


@lru_cache(maxsize=256)
def _list_catalogue_ids(kind: str, region: str, account_id: str) -> tuple[str, ...]:
    """Return the ids of the catalogue's rows that an account may see."""
    owners = initial_state().rows("account")
    rows = initial_state().rows(kind).values()
    return tuple(row.id for row in rows if _may_see(account_id, region, row, owners[row.account_id]))


def _describe_difference(seen: list[str], expected: list[str]) -> str:
    if extra := [row_id for row_id in seen if row_id not in expected]:
        return f"also lists {_join_ids(extra)}"
    missing = [row_id for row_id in expected if row_id not in seen]
    return f"lacks {_join_ids(missing)}" if missing else "has another order"


def _join_ids(ids: list[str]) -> str:
    return ", ".join(ids[:MAX_IDS]) + (f" and {len(ids) - MAX_IDS} more" if len(ids) > MAX_IDS else "")
