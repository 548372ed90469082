"""Launches of VMs: their OMI, disks and number. [domain: 6.3, 6.4]"""

from __future__ import annotations

from typing import Any

from reference.call import EXISTENCE, Call
from reference.disks import MAX_VOLUMES, add_link
from reference.values import check_device, check_disk, check_partial_disk, compute_iops, parse_vm_type
from reference.vms import check_behaviour, check_performance, find_tags, merge_behaviour
from reference.world import ROOT, Row

__all__ = ["create_vms"]

MOST_PER_LAUNCH = 1000  # VMs


def create_vms(call: Call) -> Row:
    """Launch as many VMs as fit, between the minimum and the maximum. [VM-001 to VM-031]"""
    repeated = call.find_repeated("CreateVms", "Vm")
    if repeated:
        return {"Vms": [call.world.view("Vm", call.account, vm) for vm in repeated]}
    image = call.find("Image", call["ImageId"])
    call.check_state("Image", image, "use")
    least, most = call["MinVmsCount"] or 1, call["MaxVmsCount"] or 1
    call.check(1 <= least <= most and 0 not in (call["MinVmsCount"], call["MaxVmsCount"]), "4018")
    check_behaviour(call)
    kind = parse_vm_type(call.get("VmType", "t2.small"), check_performance(call))
    call.check(kind, "5024")
    call.check(call["KeypairName"] is None, "5071")
    placement = call["Placement"] or {}
    subregion = placement.get("SubregionName") or f"{call.account['region']}a"
    call.check(subregion in call.account["subregions"], "5009")
    tenancy = placement.get("Tenancy") or "default"
    call.check(tenancy in ("default", "dedicated") or tenancy.startswith("ded-"), "4007")
    call.check(not call["NestedVirtualization"] or tenancy != "default", "4045")
    disks = _build_disks(call, image)
    call.check(call["BootMode"] in (None, "legacy", "uefi"), "4047")
    if image:
        _check_boot(call, image)
    if call.codes or image is None or kind is None:
        call.raise_if_refused()
    assert image
    assert kind
    number = _count_fitting(call, least, most, disks, kind, subregion)
    call.raise_if_refused()
    vms = _launch(call, image, number, kind, disks, Placement={"SubregionName": subregion, "Tenancy": tenancy})
    call.record_token("CreateVms", vms)
    return {"Vms": [call.world.view("Vm", call.account, vm) for vm in vms]}


def _check_boot(call: Call, image: Row) -> None:
    """Check the boot mode and the vTPM against the OMI. [VM-020, VM-021]"""
    call.check(call["BootMode"] is None or call["BootMode"] in image["BootModes"], "4045", after=EXISTENCE)
    call.check(not (image["TpmMandatory"] and call["TpmEnabled"] is False), "4045", after=EXISTENCE)
    mode = call["BootMode"] or ("uefi" if "uefi" in image["BootModes"] else "legacy")
    call.check(mode != "legacy" or not (image["TpmMandatory"] or call["TpmEnabled"]), "4045", after=EXISTENCE)


def _build_disks(call: Call, image: Row | None) -> list[Row]:
    """Return the disks of a new VM: those of the OMI with the overrides of the request, and additional ones. [BDM]"""
    disks = {m["DeviceName"]: m["Bsu"] for m in image["BlockDeviceMappings"]} if image else {}
    requested = call["BlockDeviceMappings"] or []
    names = [mapping.get("DeviceName") for mapping in requested]
    call.check(len(set(names)) == len(names), "4011")
    for mapping in requested:
        name = mapping.get("DeviceName")
        call.check(name, "7000")
        check_device(call, name or ROOT)
        call.check(not ("Bsu" in mapping and "VirtualDeviceName" in mapping), "4076")
        if "NoDevice" in mapping:
            call.check(name != ROOT, "4057")
            disks.pop(name, None)
        elif "Bsu" in mapping:
            other = name == ROOT and mapping["Bsu"].get("SnapshotId", "") not in (
                "",
                disks.get(ROOT, {}).get("SnapshotId"),
            )
            call.check(not other or not image, "4011", after=EXISTENCE)
            bsu = mapping["Bsu"]
            check_partial_disk(call, bsu.get("VolumeType"), bsu.get("VolumeSize"), bsu.get("Iops"))
            disks[name] = _override(disks.get(name, {}), bsu)
        elif "VirtualDeviceName" not in mapping and name:
            disks.setdefault(name, {})  # refused unless the OMI has the device [OMI-059]
    call.check(len(disks) <= MAX_VOLUMES, "10018")
    given_names = [name for name in names if name in disks]
    own = {m["DeviceName"]: m["Bsu"].get("SnapshotId") for m in image["BlockDeviceMappings"]} if image else {}
    return [
        _build_disk(call, name, bsu, checked=name in given_names, free=own.get(name)) for name, bsu in disks.items()
    ]


def _override(old: Row, new: Row) -> Row:
    """Return a mapping with the overrides of the request. [BDM-001, BDM-007]"""
    bsu = {**old, **new}
    if bsu.get("VolumeType", "standard") != "io1" and "Iops" not in new:
        bsu.pop("Iops", None)
    return bsu


def _build_disk(call: Call, name: str, bsu: Row, *, checked: bool, free: str | None) -> Row:
    """Return a disk with defaults; the caller need not see `free`, the OMI's snapshot. [BDM-010, BDM-012, BDM-015]"""
    snapshot = None
    value = bsu.get("SnapshotId")
    if value is not None and value == free:
        snapshot = call.world.rows["Snapshot"].get(value)
        if checked:
            call.check_state("Snapshot", snapshot, "use")
    elif value is not None:
        snapshot = call.find("Snapshot", value)
        call.check_state("Snapshot", snapshot, "use")
    size = bsu.get("VolumeSize", snapshot["VolumeSize"] if snapshot else None)
    kind = bsu.get("VolumeType", "standard")
    if checked:
        call.check(size is not None or value is not None, "7000", after=EXISTENCE)
        check_disk(call, kind, size, bsu.get("Iops"), after=EXISTENCE)
        call.check(not snapshot or size is None or size >= snapshot["VolumeSize"], "4125", after=EXISTENCE)
    return {
        "DeviceName": name,
        "DeleteOnVmDeletion": bsu.get("DeleteOnVmDeletion", True),
        "Iops": bsu.get("Iops"),
        "SnapshotId": value,
        "VolumeSize": size,
        "VolumeType": kind,
    }


def _count_fitting(
    call: Call, least: int, most: int, disks: list[Row], kind: tuple[str, str, int, int], subregion: str
) -> int:
    """Return how many VMs fit into the quotas and the Subregion. [VM-004 to VM-006, QTA-019]"""
    for number in range(most, 0, -1):
        trial = Call(call.world, call.account, call.parameters)
        vms = [vm for vm in call.world.list_own("Vm", call.account) if vm["State"] != "terminated"]
        trial.check_quota("vm_limit", len(vms), number, "10010")
        trial.check_quota("core_limit", sum(vm["cores"] for vm in vms), number * kind[2], "10029")
        trial.check_quota("memory_limit", sum(vm["memory"] for vm in vms), number * kind[3], "10042")
        trial.check_volume_quotas(disks * number)
        here = [vm for vm in call.world.rows["Vm"].values() if vm["Placement"]["SubregionName"] == subregion]
        taken = sum(vm["State"] not in ("shutting-down", "terminated") for vm in here)
        trial.check(number <= MOST_PER_LAUNCH, "10001")
        trial.check(taken + number <= call.world.capacity.get(subregion, taken + number), "10001")
        if not trial.codes:
            return number
        if number == least:
            call.codes |= trial.codes
            break
    return 0


def _launch(
    call: Call, image: Row, number: int, kind: tuple[str, str, int, int], disks: list[Row], **fields: Any
) -> list[Row]:
    """Add the VMs with their volumes. [VM-007, VM-020, VM-023, VM-028, VM-029, OMI-067, FLD-006, FLD-012]"""
    carried = image.get("carries", {})
    reservation = f"r-{next(call.world.numbers):08x}"
    shutdown = merge_behaviour(call, carried)
    vms = []
    for launch in range(number):
        vm = call.world.add(
            "Vm",
            call.account,
            **fields,
            **shutdown,
            Architecture=image["Architecture"],
            BootMode=call["BootMode"] or ("uefi" if "uefi" in image["BootModes"] else "legacy"),
            BsuOptimized=False,
            ClientToken=call["ClientToken"],
            DeletionProtection=call.get("DeletionProtection", carried.get("DeletionProtection", False)),
            ImageId=image["ImageId"],
            IsSourceDestChecked=False,
            LaunchNumber=launch,
            NestedVirtualization=bool(call["NestedVirtualization"]),
            Performance=kind[1],
            ProductCodes=list(image["ProductCodes"]),
            ReservationId=reservation,
            RootDeviceName=ROOT,
            RootDeviceType="ebs",
            State="pending",
            Tags=find_tags(call["UserData"]),
            TpmEnabled=image["TpmMandatory"] or bool(call["TpmEnabled"]),
            UserData=call["UserData"] or "",
            VmType=kind[0],
            flagged=kind[0] == call.get("VmType", "t2.small"),
            cores=kind[2],
            memory=kind[3],
            ran=False,
            stays=call["BootOnCreation"] is False,
        )
        _attach(call, vm, disks)
        vms.append(vm)
    return vms


def _attach(call: Call, vm: Row, disks: list[Row]) -> None:
    """Add the volumes of a VM, and link them. [BDM-011]"""
    for disk in disks:
        volume = call.world.add(
            "Volume",
            call.account,
            Iops=compute_iops(disk["VolumeType"], disk["VolumeSize"], disk["Iops"]),
            Size=disk["VolumeSize"],
            SnapshotId=disk["SnapshotId"],
            SubregionName=vm["Placement"]["SubregionName"],
            VolumeType=disk["VolumeType"],
            State="in-use",
        )
        add_link(call, vm, volume, disk["DeviceName"], delete=disk["DeleteOnVmDeletion"], state="attaching")
