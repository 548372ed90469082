"""Laws about volumes, their links, VMs, and the quotas of accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omisim.actions.vm_types import get_vm_shape
from omisim.engine.engine import Engine
from omisim.model import (
    AccountRow,
    ExportState,
    LinkState,
    Snapshot,
    Vm,
    VmState,
    Volume,
    VolumeLink,
    VolumeState,
    VolumeUpdateTask,
)
from omisim.spec.catalog import load_catalog
from omisim.testing.laws.images import ENDED, MAX_SIZE, ROOT
from omisim.testing.laws.table import law

__all__ = ["used"]

MOST_VOLUMES = 40
UP = (VmState.PENDING, VmState.RUNNING, VmState.STOPPING)


@law("ST-VOL-4", "volume")
def a_volume_is_in_use_when_linked(engine: Engine, volume: Volume) -> str | None:
    """A volume is in use exactly when it is linked."""
    link: VolumeLink | None = engine.state.get("volume_link", volume.volume_id)
    if (volume.state is VolumeState.IN_USE) != (link is not None):
        return f"{volume.volume_id} is {volume.state}, and {f'linked to {link.vm_id}' if link else 'not linked'}"
    return None


@law("VM-047", "volume_link")
def a_link_has_both_its_ends(engine: Engine, link: VolumeLink) -> str | None:
    """A link is between a volume and a VM of one account and one Subregion, and the VM is not terminated."""
    volume: Volume | None = engine.state.get("volume", link.volume_id)
    vm: Vm | None = engine.state.get("vm", link.vm_id)
    if volume is None or vm is None or vm.state is VmState.TERMINATED:
        return f"the link of {link.volume_id} to {link.vm_id} has survived one of them"
    if volume.account_id != vm.account_id or volume.subregion_name != vm.placement.subregion_name:
        return f"{link.volume_id} is linked to {link.vm_id} of another account or Subregion"
    return None


@law("LNK-005", "volume_link")
def a_device_is_used_once(engine: Engine, link: VolumeLink) -> str | None:
    """A device name is used once on a VM, which has at most 40 volumes."""
    links: list[VolumeLink] = engine.state.find_by("volume_link", "vm", link.vm_id)
    same = [other.volume_id for other in links if other.device_name == link.device_name]
    if len(same) != 1 or len(links) > MOST_VOLUMES:
        return f"{link.vm_id} has {', '.join(same)} at {link.device_name}, and {len(links)} volumes in all"
    return None


@law("VOL-013", "volume")
def a_volume_holds_its_snapshot(engine: Engine, volume: Volume) -> str | None:
    """A volume is at least as large as the snapshot that it was made from, and has 1 to 14901 GiB."""
    snapshot: Snapshot | None = engine.state.get("snapshot", volume.snapshot_id or "")
    least = 1 if snapshot is None else snapshot.volume_size
    if not least <= volume.size <= MAX_SIZE:
        return f"{volume.volume_id} has {volume.size} GiB, and {volume.snapshot_id} has {least}"
    return None


@law("REG-008", "volume", "vm")
def a_disk_is_in_its_region(engine: Engine, row: Volume | Vm) -> str | None:
    """A volume and a VM are in a Subregion of their account's Region."""
    name = row.subregion_name if isinstance(row, Volume) else row.placement.subregion_name
    owner: AccountRow = engine.state.get("account", row.account_id)
    known = load_catalog().regions[owner.region].subregions
    return (
        None if name in known else f"{row.id} of {owner.name} is in {name}, and {owner.region} has {', '.join(known)}"
    )


@law("VOL-012", "volume")
def iops_fit_the_type(_engine: Engine, volume: Volume) -> str | None:
    """A volume has IOPS unless it is of the type standard."""
    if (volume.iops is None) != (volume.volume_type == "standard"):
        return f"{volume.volume_id} is {volume.volume_type}, with {volume.iops} IOPS"
    return None


@law("VOL-048", "volume", "volume_update")
def a_volume_knows_its_update(engine: Engine, row: Volume | VolumeUpdateTask) -> str | None:
    """A volume names the task that updates it, exactly as long as the task runs."""
    volume: Volume | None = row if isinstance(row, Volume) else engine.state.get("volume", row.volume_id)
    if volume is None:
        return None
    if volume.task_id is None:
        running = isinstance(row, VolumeUpdateTask) and row.state in ("pending", "active")
        return f"{row.id} runs, and {volume.volume_id} knows nothing of it" if running else None
    task: VolumeUpdateTask | None = engine.state.get("volume_update", volume.task_id)
    if task is None or task.state not in ("pending", "active"):
        return f"{volume.volume_id} names {volume.task_id}, which is {task.state if task else 'not there'}"
    return None


@law("FLD-005", "vm")
def a_terminated_vm_has_let_go(engine: Engine, vm: Vm) -> str | None:
    """A terminated VM has no volumes, no addresses, no NICs and no groups."""
    if vm.state is VmState.TERMINATED:
        links = engine.state.find_by("volume_link", "vm", vm.vm_id)
        nics = engine.state.find_by("nic", "vm", vm.vm_id)
        if links or nics or vm.private_ip or vm.public_ip or vm.security_groups or vm.net_id:
            held = [link.volume_id for link in links] or [vm.private_ip, vm.public_ip, vm.net_id, vm.security_groups]
            return f"{vm.vm_id} is terminated and holds {', '.join(map(str, held))}"
    return None


@law("VM-030", "vm")
def a_vm_has_an_address_as_long_as_it_runs(engine: Engine, vm: Vm) -> str | None:
    """Outside Nets a running VM has both addresses, a stopped one at most a public IP that is linked."""
    if vm.net_id is not None:
        return None
    if vm.state is VmState.RUNNING and not (vm.public_ip and vm.private_ip):
        return f"{vm.vm_id} runs without an address"
    linked = [ip.public_ip for ip in engine.state.find_by("public_ip", "holder", vm.vm_id)]
    if vm.state is VmState.STOPPED and (vm.private_ip or vm.public_ip not in (None, *linked)):
        return f"{vm.vm_id} is stopped at {vm.public_ip or vm.private_ip}"
    return None


@law("LNK-022", "vm")
def a_vm_that_is_up_has_its_root(engine: Engine, vm: Vm) -> str | None:
    """A VM that boots, runs or stops has a root volume."""
    if vm.state in UP:
        links = engine.state.find_by("volume_link", "vm", vm.vm_id)
        if not any(link.device_name == ROOT and link.state is not LinkState.DETACHING for link in links):
            return f"{vm.vm_id} is {vm.state} without a volume at {ROOT}"
    return None


@law("VM-029", "vm")
def a_vm_is_of_a_known_kind(_engine: Engine, vm: Vm) -> str | None:
    """A VM with a code of Windows is of the family windows, any other linux (LIC-006)."""
    if (vm.os_family == "windows") != bool({"0002", "0005"} & set(vm.product_codes)):
        return f"{vm.vm_id} with the codes {', '.join(vm.product_codes)} is of the family {vm.os_family}"
    return None


@law("QTA-019", "account")
def an_account_keeps_to_its_quotas(engine: Engine, account: AccountRow) -> str | None:
    """No account has more of anything than its quotas allow."""
    for name, limit in account.quotas:
        much = used(engine, account.account_id, name) if limit else 0
        if limit and much > limit:
            return f"the account {account.name} has {much} of {name}, which is {limit}"
    return None


def _living(vms: list[Any]) -> list[Any]:
    return [vm for vm in vms if vm.state is not VmState.TERMINATED]


def _running(tasks: list[Any]) -> int:
    ended: tuple[ExportState, ...] = ENDED
    return sum(task.state not in ended for task in tasks)


# quota → the kind of rows that count on it, and how much the rows of an account come to
USES: Mapping[str, tuple[str, Callable[[list[Any]], int]]] = {
    "concurrent_snapshot_limit": ("snapshot", lambda rows: sum(s.state in ("in-queue", "pending") for s in rows)),
    "core_limit": ("vm", lambda rows: sum(get_vm_shape(vm.vm_type).vcores for vm in _living(rows))),
    "image_export_limit": ("image_export", _running),
    "iops_limit": ("volume", lambda rows: sum(v.iops or 0 for v in rows if v.volume_type == "io1")),
    "memory_limit": ("vm", lambda rows: int(sum(get_vm_shape(vm.vm_type).memory for vm in _living(rows)))),
    "snapshot_export_limit": ("snapshot_export", _running),
    "snapshot_limit": ("snapshot", len),
    "vm_limit": ("vm", lambda rows: len(_living(rows))),
    "volume_limit": ("volume", len),
    "volume_size_limit": ("volume", lambda rows: sum(v.size for v in rows)),
}


def used(engine: Engine, account_id: str, quota: str) -> int:
    """Count what an account has of a quota's subject, from the rows alone; 0 for a quota that is not counted here."""
    kind, count = USES.get(quota, ("", len))
    return count([row for row in engine.state.rows(kind).values() if row.account_id == account_id]) if kind else 0
