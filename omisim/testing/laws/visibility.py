"""Laws about sight: what an account reads is what its owner and the permissions allow, no more and no less."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from omisim.actions.framework.call import Call
from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.request import PYTHON, Request
from omisim.cloud.access_matrix import who_can
from omisim.cloud.cloud import Cloud
from omisim.engine.engine import Engine
from omisim.model import AccountRow, Image, PermissionsOnResource, Snapshot, Vm, Volume
from omisim.model.filters import FiltersImage, FiltersSnapshot, FiltersVm, FiltersVolume
from omisim.spec.catalog import load_catalog
from omisim.testing.laws.table import law, whole

__all__ = ["granted", "may_see", "read", "users"]

SHARED = (Image, Snapshot)
FEW = 4  # ids that are named


def granted(row: Image | Snapshot) -> PermissionsOnResource:
    """Return with whom an OMI or a snapshot is shared."""
    return row.permissions_to_launch if isinstance(row, Image) else row.permissions_to_create_volume


def may_see(account: AccountRow, row: Any, owner: AccountRow) -> bool:
    """Whether an account may read and use a row, by the definition: its own, or shared with it or all in its Region."""
    if row.account_id == account.account_id:
        return True
    if not isinstance(row, SHARED) or account.region != owner.region:
        return False
    shared = granted(row)
    return shared.global_permission or account.account_id in shared.account_ids


@cache
def _platform() -> frozenset[str]:
    return frozenset(row.account_id for row in load_catalog().entities() if isinstance(row, AccountRow))


def users(engine: Engine) -> Iterator[AccountRow]:
    """Yield the accounts that tests made; the platform's own read nothing."""
    platform = _platform()
    return (row for row_id, row in engine.state.rows("account").items() if row_id not in platform)


def read(engine: Engine, account: AccountRow, action: str, **parameters: Any) -> tuple[Any, ...]:
    """Return what an account would read, by the action itself: no call is noted, and nothing due is applied."""
    call = Call(action, account, account.region, engine.begin("law", observed=False))
    values = ACTIONS[action].shape.parse(Request(action, parameters, PYTHON), call.report)
    rows: tuple[Any, ...] = ACTIONS[action].function(call, **values)
    return rows


@lru_cache(maxsize=256)  # a row is asked about after each step that touches it
def _only(filters: Any, ids: str, row_id: str) -> Any:
    """Return the filters that let one row through."""
    return filters(**{ids: (row_id,)})


def _wrongly_read(engine: Engine, row: Any, action: str, of_kind: Any) -> str | None:
    owner: AccountRow = engine.state.get("account", row.account_id)
    filters = _only(of_kind, f"{row.key}s", row.id)
    for account in users(engine):
        seen = read(engine, account, action, filters=filters)
        if may_see(account, row, owner) != bool(seen):
            return f"{account.name} {'reads' if seen else 'does not read'} {row.id} of {owner.name}"
        if seen and isinstance(row, SHARED) and account is not owner:
            shown = set(granted(seen[0]).account_ids)
            if shown != set(granted(row).account_ids) & {account.account_id}:
                return f"{account.name} sees that {row.id} is shared with {', '.join(sorted(shown)) or 'nobody'}"
    return None


@law("OMI-080", "image")
def an_omi_is_read_by_whom_it_is_for(engine: Engine, image: Image) -> str | None:
    """An account reads an OMI that is its own, shared with it or public in its Region, and no other."""
    return _wrongly_read(engine, image, "ReadImages", FiltersImage)


@law("SNP-021", "snapshot")
def a_snapshot_is_read_by_whom_it_is_for(engine: Engine, snapshot: Snapshot) -> str | None:
    """An account reads a snapshot that is its own, shared with it or public in its Region, and no other."""
    return _wrongly_read(engine, snapshot, "ReadSnapshots", FiltersSnapshot)


@law("VOL-020", "volume")
def a_volume_is_read_by_its_owner(engine: Engine, volume: Volume) -> str | None:
    """An account reads its own volumes, and nobody else's."""
    return _wrongly_read(engine, volume, "ReadVolumes", FiltersVolume)


@law("VM-041", "vm")
def a_vm_is_read_by_its_owner(engine: Engine, vm: Vm) -> str | None:
    """An account reads its own VMs, and nobody else's."""
    return _wrongly_read(engine, vm, "ReadVms", FiltersVm)


@law("SHR-005", "image")
def who_can_tells_who_reads(engine: Engine, image: Image) -> str | None:
    """`cloud.who_can` lists exactly the accounts that may read an OMI."""
    owner: AccountRow = engine.state.get("account", image.account_id)
    able = who_can(engine, image.image_id)
    for account in users(engine):
        if (account.name in able) != may_see(account, image, owner):
            return f"who_can says of {image.image_id} of {owner.name}: {', '.join(able) or 'nobody'}"
    return None


_LISTS = (("image", "ReadImages"), ("snapshot", "ReadSnapshots"), ("volume", "ReadVolumes"), ("vm", "ReadVms"))


@whole("UNK-30")
def lists_are_whole_and_in_order(cloud: Cloud) -> str | None:
    """A read without filters lists everything that the account may see, in the order of creation, and nothing else."""
    owners = cloud.engine.state.rows("account")
    for account in users(cloud.engine):
        for kind, action in _LISTS:
            rows = cloud.engine.state.rows(kind).items()
            wanted = [row_id for row_id, row in rows if may_see(account, row, owners[row.account_id])]
            seen = [row.id for row in read(cloud.engine, account, action)]
            if seen != wanted:
                return f"{action} of {account.name} {_odd(seen, wanted)}"
    return None


def _odd(seen: list[str], wanted: list[str]) -> str:
    """Say how a list differs from the one that is wanted."""
    if more := [row_id for row_id in seen if row_id not in wanted]:
        return f"lists {_few(more)} besides"
    less = [row_id for row_id in wanted if row_id not in seen]
    return f"lacks {_few(less)}" if less else "has another order"


def _few(ids: list[str]) -> str:
    return ", ".join(ids[:FEW]) + (f" and {len(ids) - FEW} more" if len(ids) > FEW else "")
