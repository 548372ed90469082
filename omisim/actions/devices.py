"""Checks of requested disks and block device mappings, for OMIs and VMs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from omisim.actions.framework.call import Call
from omisim.base.frozen import frozen
from omisim.model import BlockDeviceMappingImage, BlockDeviceMappingVmCreation, BsuToCreate
from omisim.spec import limits

__all__ = [
    "IMAGE_DEVICE_RULES", "VM_DEVICE_RULES", "VOLUME_RULES", "DiskRules", "check_device", "check_device_names",
    "check_disk", "check_duplicates", "check_pair", "check_shapes", "check_size", "check_values", "compute_gp2_iops",
    "merge_disks",
]  # fmt: skip


@frozen(kw_only=True)
class DiskRules:
    """The ids of the rules on a disk. Several chapters of the documentation state the same facts."""

    type: str
    size: str
    io1_size: str
    io1_needs_iops: str
    iops_range: str
    iops_ratio: str
    only_io1: str
    shrinks: str


VOLUME_RULES = DiskRules(
    type="VOL-006", size="VOL-004", io1_size="VOL-005", io1_needs_iops="VOL-007",
    iops_range="VOL-008", iops_ratio="VOL-009", only_io1="VOL-010", shrinks="VOL-013",
)  # fmt: skip
IMAGE_DEVICE_RULES = DiskRules(
    type="OMI-056", size="OMI-060", io1_size="OMI-060", io1_needs_iops="OMI-057",
    iops_range="VOL-008", iops_ratio="VOL-009", only_io1="OMI-057", shrinks="OMI-055",
)  # fmt: skip
VM_DEVICE_RULES = DiskRules(
    type="BDM-006", size="OMI-060", io1_size="OMI-060", io1_needs_iops="VOL-007",
    iops_range="VOL-008", iops_ratio="VOL-009", only_io1="VOL-010", shrinks="BDM-004",
)  # fmt: skip


def check_disk(call: Call, rules: DiskRules, volume_type: str, size: int | None, iops: int | None) -> None:
    """Check the type, size (GiB) and IOPS of a new disk. A size of None is not checked."""
    check_values(call, rules, volume_type, size, iops)
    check_pair(call, rules, volume_type, iops)
    if size is not None:
        check_size(call, rules, volume_type, size, iops)


def check_values(call: Call, rules: DiskRules, volume_type: str | None, size: int | None, iops: int | None) -> None:
    """Check the range of each value separately. The size is in GiB."""
    volume_types = limits.VOLUME_TYPES
    call.check(volume_type in (None, *volume_types), rules.type, volume_type=volume_type, known=volume_types)
    call.check(size is None or limits.MIN_SIZE <= size <= limits.MAX_SIZE, rules.size, size=size)
    call.check(iops is None or limits.MIN_IOPS <= iops <= limits.MAX_IOPS, rules.iops_range, iops=iops)


def check_pair(call: Call, rules: DiskRules, volume_type: str, iops: int | None) -> None:
    """Check that IOPS are given for io1 and for no other type."""
    if volume_type == "io1":
        call.check(iops is not None, rules.io1_needs_iops, volume_type=volume_type)
    else:
        call.check(iops is None, rules.only_io1, volume_type=volume_type, iops=iops)


def check_size(call: Call, rules: DiskRules, volume_type: str, size: int, iops: int | None) -> None:
    """Check a size (GiB) against the type and the IOPS."""
    if volume_type == "io1":
        call.check(not limits.MIN_SIZE <= size < limits.MIN_IO1_SIZE, rules.io1_size, size=size)
        if iops is not None and iops <= limits.MAX_IOPS:
            max_iops = limits.IOPS_PER_GIB * size
            call.check(iops <= max_iops, rules.iops_ratio, iops=iops, size=size, most=max_iops)


def compute_gp2_iops(size: int) -> int:
    """Return the baseline IOPS of a gp2 volume of this size in GiB (VOL-011)."""
    return min(max(limits.MIN_IOPS, 3 * size), 10_000)


def check_device(call: Call, name: str) -> None:
    """Check that a name is that of the root device or of a data device (OMI-053)."""
    call.check(name == limits.ROOT or limits.DATA_DEVICE.fullmatch(name), "OMI-053", device_name=name)


Mappings = Sequence[BlockDeviceMappingImage | BlockDeviceMappingVmCreation]


def check_device_names(call: Call, mappings: Mappings) -> None:
    """Check that every mapping has a device name (OMI-051)."""
    for mapping in mappings:
        call.check(mapping.device_name is not None, "OMI-051")


def check_shapes(call: Call, mappings: Mappings, rules: DiskRules) -> None:
    """Check each mapping separately."""
    for mapping in mappings:
        name = mapping.device_name
        if name is not None:
            check_device(call, name)
        both = mapping.bsu is not None and mapping.virtual_device_name is not None
        call.check(not both, "OMI-050" if call.action == "CreateImage" else "BDM-008", device_name=name)
        if isinstance(mapping, BlockDeviceMappingVmCreation) and mapping.no_device is not None:
            call.check(name != limits.ROOT, "BDM-003", device_name=name)
        if mapping.bsu is not None:
            check_values(call, rules, mapping.bsu.volume_type, mapping.bsu.volume_size, mapping.bsu.iops)


def check_duplicates(call: Call, mappings: Mappings, rule: str) -> None:
    """Check that no two mappings have the same device name."""
    for name, times in Counter(mapping.device_name for mapping in mappings).items():
        call.check(times == 1, rule, device_name=name)


def merge_disks(over: BsuToCreate, under: BsuToCreate) -> BsuToCreate:
    """Merge two disks field by field; `over` takes precedence (BDM-001). A changed type drops the IOPS (BDM-007)."""
    volume_type = over.volume_type or under.volume_type
    inherited = under.iops if volume_type == under.volume_type else None
    keep = under.delete_on_vm_deletion if over.delete_on_vm_deletion is None else over.delete_on_vm_deletion
    return BsuToCreate(
        delete_on_vm_deletion=True if keep is None else keep,
        iops=inherited if over.iops is None else over.iops,
        snapshot_id=over.snapshot_id or under.snapshot_id,
        volume_size=under.volume_size if over.volume_size is None else over.volume_size,
        volume_type=volume_type or "standard",
    )
