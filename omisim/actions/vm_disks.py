"""The disks of a new VM: those of its OMI, overridden by the request (domain 6.4)."""

from __future__ import annotations

from collections.abc import Sequence

from omisim.actions.devices import VM_DEVICE, check_pair, check_size, merge_disks
from omisim.actions.framework.call import Call
from omisim.actions.sharing import get_usable
from omisim.actions.volumes import MOST_VOLUMES_PER_VM
from omisim.base.frozen import frozen, replace
from omisim.model import BlockDeviceMappingVmCreation, BsuToCreate, Image, Snapshot
from omisim.model.serialize import snake_name
from omisim.spec.limits import ROOT

__all__ = ["PlannedDisk", "plan_disks"]


@frozen()
class PlannedDisk:
    """A volume to create for a new VM. `size` is in GiB. `values` tell the source of each value (`Origin`)."""

    device_name: str
    bsu: BsuToCreate
    size: int
    values: tuple[tuple[str, str, str], ...] = ()


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
            other = name == ROOT and mapping.bsu.snapshot_id not in (None, root)
            call.check(not other, "BDM-005", snapshot_id=mapping.bsu.snapshot_id)
            if mapping.bsu.snapshot_id is not None and name != ROOT:
                requested_snapshots.append(get_usable(call, Snapshot, mapping.bsu.snapshot_id, "OMI-012"))
            requested[name] = mapping.bsu
            devices[name] = merge_disks(mapping.bsu, devices.get(name) or BsuToCreate())
    call.check(len(devices) <= MOST_VOLUMES_PER_VM, "BDM-013", count=len(devices), most=MOST_VOLUMES_PER_VM)
    disks = [
        _trace_values(_plan_disk(call, name, bsu), requested.get(name), of_image.get(name))
        for name, bsu in devices.items()
    ]
    for snapshot in requested_snapshots:
        call.check_state(snapshot)
    return disks


def _plan_disk(call: Call, name: str, bsu: BsuToCreate) -> PlannedDisk:
    snapshot: Snapshot | None = call.state.get("snapshot", bsu.snapshot_id or "")
    smallest = snapshot.volume_size if snapshot else 1
    size = bsu.volume_size
    if size is None and snapshot is not None:
        size = smallest
    call.check(size is not None, "OMI-059", device_name=name)
    volume_type = bsu.volume_type or "standard"
    check_pair(call, VM_DEVICE, volume_type, bsu.iops)
    if size is not None:
        check_size(call, VM_DEVICE, volume_type, size, bsu.iops)
    call.check(size is None or size >= smallest, "BDM-004", device_name=name, size=size, smallest=smallest)
    return PlannedDisk(name, bsu, size or smallest)


def _trace_values(disk: PlannedDisk, requested: BsuToCreate | None, of_image: BsuToCreate | None) -> PlannedDisk:
    """Return the disk with the source of each value: the request, the OMI, the snapshot or the default (BDM-001)."""
    sources = [(name, bsu) for name, bsu in (("request", requested), ("OMI", of_image)) if bsu is not None]
    values = [("DeviceName", disk.device_name, "request" if of_image is None else "OMI")]
    shown = {
        "SnapshotId": disk.bsu.snapshot_id or "none",
        "VolumeSize": f"{disk.size} GiB",
        "VolumeType": disk.bsu.volume_type or "standard",
        "Iops": disk.bsu.iops,
        "DeleteOnVmDeletion": str(disk.bsu.delete_on_vm_deletion is not False),
    }
    for name, value in shown.items():
        if value is not None:
            field = snake_name(name)
            fallback = "snapshot" if name == "VolumeSize" else "default"
            source = next((source for source, bsu in sources if getattr(bsu, field) is not None), fallback)
            values.append((name, str(value), source))
    return replace(disk, values=tuple(values))
