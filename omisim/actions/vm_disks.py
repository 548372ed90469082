"""The disks of a new VM: those of its OMI, overridden by the request."""

from __future__ import annotations

from collections.abc import Sequence

from omisim.actions.devices import VM_DEVICE_RULES, check_pair, check_size, merge_disks
from omisim.actions.framework.call import Call
from omisim.actions.sharing import get_usable
from omisim.actions.volumes import MAX_VOLUMES_PER_VM
from omisim.base.frozen import frozen
from omisim.model import BlockDeviceMappingVmCreation, BsuToCreate, Image, Snapshot
from omisim.spec.limits import ROOT

__all__ = ["PlannedDisk", "plan_disks"]


@frozen()
class PlannedDisk:
    """A volume to create for a new VM. `size` is in GiB. `values` tell the source of each value (`Origin`)."""

    device_name: str
    bsu: BsuToCreate
    size: int
    values: tuple[tuple[str, str, str], ...]


def plan_disks(call: Call, image: Image, mappings: Sequence[BlockDeviceMappingVmCreation]) -> list[PlannedDisk]:
    """Return the disks of a new VM: those of its OMI, overridden by the request (BDM-001 to BDM-005)."""
    devices = {m.device_name: m.bsu for m in image.block_device_mappings if m.device_name and m.bsu}
    root = devices[ROOT].snapshot_id
    of_image = dict(devices)
    requested: dict[str, BsuToCreate] = {}
    requested_snapshots: list[Snapshot] = []
    for mapping in mappings:
        name = mapping.device_name or ""  # a mapping without a name was refused before (OMI-051)
        if mapping.no_device is not None:
            devices.pop(name, None)
        elif mapping.bsu is not None:
            snapshot_id = mapping.bsu.snapshot_id
            own = of_image.get(name)  # its snapshot may be named by an account that cannot see it (SHR-001)
            if snapshot_id is not None and (own is None or snapshot_id != own.snapshot_id):
                requested_snapshots.append(get_usable(call, Snapshot, snapshot_id, "OMI-012"))
            requested[name] = mapping.bsu
            devices[name] = merge_disks(mapping.bsu, devices.get(name) or BsuToCreate())
        elif mapping.virtual_device_name is None:  # changes nothing of a device of the OMI
            devices.setdefault(name, BsuToCreate())  # refused below: a new device needs a size (OMI-059)
    of_root = requested[ROOT].snapshot_id if ROOT in requested else None
    call.check(of_root in (None, root), "BDM-005", snapshot_id=of_root)
    call.check(len(devices) <= MAX_VOLUMES_PER_VM, "BDM-013", count=len(devices), most=MAX_VOLUMES_PER_VM)
    disks = [_plan_disk(call, name, bsu, requested.get(name), of_image.get(name)) for name, bsu in devices.items()]
    for snapshot in requested_snapshots:
        call.check_state(snapshot)
    return disks


def _plan_disk(
    call: Call, name: str, bsu: BsuToCreate, requested: BsuToCreate | None, of_image: BsuToCreate | None
) -> PlannedDisk:
    snapshot: Snapshot | None = call.state.get("snapshot", bsu.snapshot_id or "")
    smallest = snapshot.volume_size if snapshot else 1
    size = bsu.volume_size
    if size is None and snapshot is not None:
        size = smallest
    call.check(size is not None, "OMI-059", device_name=name)
    volume_type = bsu.volume_type or "standard"
    check_pair(call, VM_DEVICE_RULES, volume_type, bsu.iops)
    if size is not None:
        check_size(call, VM_DEVICE_RULES, volume_type, size, bsu.iops)
    call.check(size is None or size >= smallest, "BDM-004", device_name=name, size=size, smallest=smallest)
    size = size or smallest
    return PlannedDisk(name, bsu, size, _trace_values(name, bsu, size, requested, of_image))


def _trace_values(
    name: str, bsu: BsuToCreate, size: int, requested: BsuToCreate | None, of_image: BsuToCreate | None
) -> tuple[tuple[str, str, str], ...]:
    """Return the values of a disk with their sources: the request, the OMI, the snapshot or the default (BDM-001)."""

    def find_source(field: str, fallback: str = "default") -> str:
        if requested is not None and getattr(requested, field) is not None:
            return "request"
        return "OMI" if of_image is not None and getattr(of_image, field) is not None else fallback

    iops = [("Iops", str(bsu.iops), find_source("iops"))] if bsu.iops is not None else []
    return (
        ("DeviceName", name, "request" if of_image is None else "OMI"),
        ("SnapshotId", bsu.snapshot_id or "none", find_source("snapshot_id")),
        ("VolumeSize", f"{size} GiB", find_source("volume_size", "snapshot")),
        ("VolumeType", bsu.volume_type or "standard", find_source("volume_type")),
        *iops,
        ("DeleteOnVmDeletion", str(bsu.delete_on_vm_deletion is not False), find_source("delete_on_vm_deletion")),
    )
