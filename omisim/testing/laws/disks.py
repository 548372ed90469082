"""Laws about volumes, volume links, VMs and quotas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omisim.engine.engine import Engine
from omisim.formats.user_data import parse_section
from omisim.model import (
    ENDED_EXPORT_STATES,
    AccountRow,
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
from omisim.spec.vm_types import get_vm_shape
from omisim.testing.laws.images import MAX_SIZE, ROOT
from omisim.testing.laws.table import law

MAX_VOLUMES = 40
ACTIVE = (VmState.PENDING, VmState.RUNNING, VmState.STOPPING)


@law("ST-VOL-4", "volume")
def a_volume_is_in_use_when_linked(engine: Engine, volume: Volume) -> str | None:
    """A volume is in-use exactly when it is linked."""
    link: VolumeLink | None = engine.state.get("volume_link", volume.volume_id)
    if (volume.state is VolumeState.IN_USE) != (link is not None):
        return f"{volume.volume_id} is {volume.state}, but {f'linked to {link.vm_id}' if link else 'not linked'}"
    return None


@law("VM-047", "volume_link")
def a_link_joins_an_existing_volume_and_vm(engine: Engine, link: VolumeLink) -> str | None:
    """A link joins a volume and a VM of the same account and Subregion, and the VM is not terminated."""
    volume: Volume | None = engine.state.get("volume", link.volume_id)
    vm: Vm | None = engine.state.get("vm", link.vm_id)
    if volume is None or vm is None or vm.state is VmState.TERMINATED:
        return f"the link of {link.volume_id} to {link.vm_id} exists without one of them"
    if volume.account_id != vm.account_id or volume.subregion_name != vm.placement.subregion_name:
        return f"{link.volume_id} is linked to {link.vm_id} of another account or Subregion"
    return None


@law("LNK-005", "volume_link")
def device_names_are_unique_on_a_vm(engine: Engine, link: VolumeLink) -> str | None:
    """Each device name is used once on a VM, and a VM has at most 40 volumes."""
    links: list[VolumeLink] = engine.state.find_by("volume_link", "vm_id", link.vm_id)
    same = [other.volume_id for other in links if other.device_name == link.device_name]
    if len(same) != 1 or len(links) > MAX_VOLUMES:
        return f"{link.vm_id} has {', '.join(same)} at {link.device_name}, and {len(links)} volumes in all"
    return None


@law("VOL-013", "volume")
def a_volume_is_as_large_as_its_snapshot(engine: Engine, volume: Volume) -> str | None:
    """A volume has 1 to 14901 GiB and is at least as large as its source snapshot."""
    snapshot: Snapshot | None = engine.state.get("snapshot", volume.snapshot_id or "")
    minimum = 1 if snapshot is None else snapshot.volume_size
    if not minimum <= volume.size <= MAX_SIZE:
        return f"{volume.volume_id} has {volume.size} GiB, not {minimum} to {MAX_SIZE}"
    return None


@law("REG-008", "volume", "vm")
def volumes_and_vms_are_in_their_region(engine: Engine, row: Volume | Vm) -> str | None:
    """A volume and a VM are in a Subregion of their account's Region."""
    name = row.subregion_name if isinstance(row, Volume) else row.placement.subregion_name
    owner: AccountRow = engine.state.get("account", row.account_id)
    subregions = load_catalog().regions[owner.region].subregions
    if name not in subregions:
        return f"{row.id} of {owner.name} is in {name}, but {owner.region} has {', '.join(subregions)}"
    return None


@law("VOL-012", "volume")
def iops_match_the_volume_type(_engine: Engine, volume: Volume) -> str | None:
    """A volume has IOPS exactly if its type is not standard."""
    if (volume.iops is None) != (volume.volume_type == "standard"):
        return f"{volume.volume_id} is {volume.volume_type}, with {volume.iops} IOPS"
    return None


@law("VOL-048", "volume", "volume_update")
def a_volume_names_its_running_update(engine: Engine, row: Volume | VolumeUpdateTask) -> str | None:
    """A volume names its update task exactly while the task runs, which ends before the volume fails or is deleted."""
    volume: Volume | None = row if isinstance(row, Volume) else engine.state.get("volume", row.volume_id)
    if volume is None:
        return None
    if volume.task_id is None:
        running = isinstance(row, VolumeUpdateTask) and row.state in ("pending", "active")
        return f"{row.id} runs, but {volume.volume_id} does not name it" if running else None
    task: VolumeUpdateTask | None = engine.state.get("volume_update", volume.task_id)
    if task is None or task.state not in ("pending", "active"):
        return f"{volume.volume_id} names {volume.task_id}, which is {task.state if task else 'missing'}"
    is_ending = volume.state in (VolumeState.ERROR, VolumeState.DELETING)
    return f"{volume.volume_id} is {volume.state}, but {volume.task_id} updates it" if is_ending else None


@law("FLD-005", "vm")
def a_terminated_vm_holds_no_resources(engine: Engine, vm: Vm) -> str | None:
    """A terminated VM has no volumes, addresses, NICs or security groups."""
    if vm.state is VmState.TERMINATED:
        links = engine.state.find_by("volume_link", "vm_id", vm.vm_id)
        nics = engine.state.find_by("nic", "link_nic.vm_id", vm.vm_id)
        if links or nics or vm.private_ip or vm.public_ip or vm.security_groups or vm.net_id:
            resources = [link.volume_id for link in links] or [
                vm.private_ip,
                vm.public_ip,
                vm.net_id,
                vm.security_groups,
            ]
            return f"{vm.vm_id} is terminated but holds {', '.join(map(str, resources))}"
    return None


@law("VM-030", "vm")
def vm_addresses_match_its_state(engine: Engine, vm: Vm) -> str | None:
    """Outside Nets, a running VM has a private IP, and a public one if its user data does not prevent it.

    A stopped VM has at most a linked public IP.
    """
    if vm.net_id is not None:
        return None
    is_private = parse_section(vm.user_data).get("private_only") == "true"
    if vm.state is VmState.RUNNING and not (vm.private_ip and (vm.public_ip or is_private)):
        return f"{vm.vm_id} is running without its addresses"
    linked = [ip.public_ip for ip in engine.state.find_by("public_ip", "holder", vm.vm_id)]
    if vm.state is VmState.STOPPED and (vm.private_ip or vm.public_ip not in (None, *linked)):
        return f"{vm.vm_id} is stopped but has {vm.public_ip or vm.private_ip}"
    return None


@law("LNK-022", "vm")
def an_active_vm_has_a_root_volume(engine: Engine, vm: Vm) -> str | None:
    """A pending, running or stopping VM has a root volume."""
    if vm.state in ACTIVE:
        links = engine.state.find_by("volume_link", "vm_id", vm.vm_id)
        if not any(link.device_name == ROOT and link.state is not LinkState.DETACHING for link in links):
            return f"{vm.vm_id} is {vm.state} without a volume at {ROOT}"
    return None


@law("VM-029", "vm")
def os_family_matches_product_codes(_engine: Engine, vm: Vm) -> str | None:
    """A VM that shows an OS family shows windows if it has a Windows product code, and linux otherwise (LIC-006)."""
    if vm.os_family not in (None, "windows" if vm.is_windows else "linux"):
        return f"{vm.vm_id} with the codes {', '.join(vm.product_codes)} has the OS family {vm.os_family}"
    return None


@law("QTA-019", "account")
def usage_stays_within_quotas(engine: Engine, account: AccountRow) -> str | None:
    """No account uses more than its quotas allow."""
    for name, limit in account.quotas:
        usage = _count_usage(engine, account.account_id, name) if limit else 0
        if limit and usage > limit:
            return f"the account {account.name} uses {usage} of {name}, but the limit is {limit}"
    return None


def _exclude_terminated(vms: list[Any]) -> list[Any]:
    return [vm for vm in vms if vm.state is not VmState.TERMINATED]


def _count_running(tasks: list[Any]) -> int:
    return sum(task.state not in ENDED_EXPORT_STATES for task in tasks)


# quota → the kind of rows that it counts, and the usage by the rows of an account
USAGE: Mapping[str, tuple[str, Callable[[list[Any]], int]]] = {
    "concurrent_snapshot_limit": ("snapshot", lambda rows: sum(s.state in ("in-queue", "pending") for s in rows)),
    "core_limit": ("vm", lambda rows: sum(get_vm_shape(vm.vm_type).vcores for vm in _exclude_terminated(rows))),
    "image_export_limit": ("image_export", _count_running),
    "iops_limit": ("volume", lambda rows: sum(v.iops or 0 for v in rows if v.volume_type == "io1")),
    "memory_limit": ("vm", lambda rows: int(sum(get_vm_shape(vm.vm_type).memory for vm in _exclude_terminated(rows)))),
    "snapshot_export_limit": ("snapshot_export", _count_running),
    "snapshot_limit": ("snapshot", len),
    "vm_limit": ("vm", lambda rows: len(_exclude_terminated(rows))),
    "volume_limit": ("volume", len),
    "volume_size_limit": ("volume", lambda rows: sum(v.size for v in rows)),
}


def _count_usage(engine: Engine, account_id: str, quota: str) -> int:
    """Return the usage of a quota by an account, computed from the rows; 0 for a quota not in USAGE."""
    kind, count = USAGE.get(quota, ("", len))
    return count([row for row in engine.state.rows(kind).values() if row.account_id == account_id]) if kind else 0
