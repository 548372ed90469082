"""VMs: launched, started, stopped, changed, deleted. [domain: 6.3 to 6.6]"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from omisim.testing.reference.call import EXISTENCE, Call
from omisim.testing.reference.disks import MOST_VOLUMES, link
from omisim.testing.reference.values import baseline, check_device, check_disk, check_said, vm_type
from omisim.testing.reference.world import ROOT, Row

__all__ = ["create_vms", "delete_vms", "reboot_vms", "start_vms", "stop_vms", "update_vm"]

BEHAVIOURS = ("stop", "restart", "terminate")


def create_vms(call: Call) -> Row:
    """Launch an OMI, as many times as fits between the least and the most. [VM-001 to VM-031]"""
    made = call.again("CreateVms", "Vm")
    if made:
        return {"Vms": [call.world.view("Vm", call.account, vm) for vm in made]}
    image = call.find("Image", call["ImageId"])
    call.may("Image", image, "use")
    least, most = call["MinVmsCount"] or 1, call["MaxVmsCount"] or 1
    call.check(1 <= least <= most and 0 not in (call["MinVmsCount"], call["MaxVmsCount"]), "4047")
    _check_behaviour(call)
    kind = vm_type(_given(call, "VmType", "t2.small"), _performance(call))
    call.check(kind, "5024")
    call.check(call["KeypairName"] is None, "5071")
    call.check(call["BsuOptimized"] is not True, "4017")
    placement = call["Placement"] or {}
    subregion = placement.get("SubregionName") or f"{call.account['region']}a"
    call.check(subregion in call.account["subregions"], "5009")
    tenancy = placement.get("Tenancy") or "default"
    call.check(tenancy in ("default", "dedicated") or tenancy.startswith("ded-"), "4007")
    call.check(not call["NestedVirtualization"] or tenancy != "default", "4045")
    disks = _disks(call, image)
    call.check(call["BootMode"] in (None, "legacy", "uefi"), "4047")
    if image:
        _check_boot(call, image)
    if call.codes or image is None or kind is None:
        call.decide()
    assert image
    assert kind
    number = _fitting(call, least, most, disks, kind, subregion)
    call.decide()
    vms = _launch(call, image, number, kind, disks, Placement={"SubregionName": subregion, "Tenancy": tenancy})
    call.remember("CreateVms", vms)
    return {"Vms": [call.world.view("Vm", call.account, vm) for vm in vms]}


def _given(call: Call, name: str, default: Any) -> Any:
    return default if call[name] is None else call[name]


def _performance(call: Call, default: str = "high") -> str:
    performance: str = _given(call, "Performance", default)
    known = performance in ("medium", "high", "highest")
    call.check(known, "4047")
    return performance if known else default


def _check_behaviour(call: Call) -> None:
    """Check what happens when the guest or the host goes down. [VM-024, VM-025], and UserData. [VM-019]"""
    call.check(call["VmInitiatedShutdownBehavior"] in (None, *BEHAVIOURS), "4047")
    config = call["ShutdownBehaviorConfiguration"] or {}
    call.check(config.get("GuestAction") in (None, "stop", "terminate"), "4047")
    call.check(config.get("HostAction") in (None, "restart", "stop"), "4047")
    try:
        base64.b64decode(call["UserData"] or "", validate=True)
    except (binascii.Error, ValueError):
        call.check(holds=False, code="4047")


def _check_boot(call: Call, image: Row) -> None:
    """Check the boot mode and the vTPM against the OMI. [VM-020, VM-021]"""
    call.check(call["BootMode"] is None or call["BootMode"] in image["BootModes"], "4045", after=EXISTENCE)
    call.check(not (image["TpmMandatory"] and call["TpmEnabled"] is False), "4045", after=EXISTENCE)


def _disks(call: Call, image: Row | None) -> list[Row]:
    """Return the disks of a new VM: the OMI's, as the request overrides them, and the request's own. [BDM]"""
    disks = {m["DeviceName"]: m["Bsu"] for m in image["BlockDeviceMappings"]} if image else {}
    given = call["BlockDeviceMappings"] or []
    names = [mapping.get("DeviceName") for mapping in given]
    call.check(len(set(names)) == len(names), "4011")
    for mapping in given:
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
            check_said(call, bsu.get("VolumeType"), bsu.get("VolumeSize"), bsu.get("Iops"))
            disks[name] = _overridden(disks.get(name, {}), bsu)
    call.check(len(disks) <= MOST_VOLUMES, "10018")
    given_names = [name for name in names if name in disks]
    ids = {m["Bsu"].get("SnapshotId") for m in image["BlockDeviceMappings"]} if image else set()
    return [_disk(call, name, bsu, checked=name in given_names, free=ids) for name, bsu in disks.items()]


def _overridden(old: Row, new: Row) -> Row:
    """Return a disk's mapping with what a request says instead. [BDM-001, BDM-007]"""
    bsu = {**old, **new}
    if bsu.get("VolumeType", "standard") != "io1" and "Iops" not in new:
        bsu.pop("Iops", None)
    return bsu


def _disk(call: Call, name: str, bsu: Row, *, checked: bool, free: set[str | None]) -> Row:
    """Return a disk with its defaults; one of the OMI's needs no share of its snapshot. [BDM-010, BDM-012, BDM-015]"""
    snapshot = None
    value = bsu.get("SnapshotId")
    if value in free and value:
        snapshot = call.world.rows["Snapshot"].get(value)
    elif value:
        snapshot = call.find("Snapshot", value)
        call.may("Snapshot", snapshot, "use")
    size = bsu.get("VolumeSize", snapshot["VolumeSize"] if snapshot else None)
    kind = bsu.get("VolumeType", "standard")
    if checked:
        call.check(size is not None or value, "7000", after=EXISTENCE)
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


def _fitting(
    call: Call, least: int, most: int, disks: list[Row], kind: tuple[str, str, int, int], subregion: str
) -> int:
    """Return how many VMs fit: in the quotas, and in the Subregion. [VM-004 to VM-006, QTA-019]"""
    for number in range(most, 0, -1):
        trial = Call(call.world, call.account, call.given)
        vms = [vm for vm in call.world.own("Vm", call.account) if vm["State"] != "terminated"]
        trial.room("vm_limit", len(vms), number, "10010")
        trial.room("core_limit", sum(vm["cores"] for vm in vms), number * kind[2], "10029")
        trial.room("memory_limit", sum(vm["memory"] for vm in vms), number * kind[3], "10042")
        trial.volumes(disks * number)
        here = [vm for vm in call.world.rows["Vm"].values() if vm["Placement"]["SubregionName"] == subregion]
        taken = sum(vm["State"] not in ("shutting-down", "terminated") for vm in here)
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
    """Add the VMs and their volumes. [VM-007, VM-023, VM-028, VM-029, OMI-067, BDM-011]"""
    carried = image.get("carries", {})
    reservation = f"r-{next(call.world.numbers):08x}"
    windows = {"0002", "0005"} & set(image["ProductCodes"])
    modes = image["BootModes"]
    behaviour = _behaviour(call, carried)
    vms = []
    for launch in range(number):
        vm = call.world.add(
            "Vm",
            call.account,
            **fields,
            **behaviour,
            Architecture=image["Architecture"],
            BootMode=call["BootMode"] or ("legacy" if "legacy" in modes else "uefi"),
            BsuOptimized=False,
            ClientToken=call["ClientToken"],
            DeletionProtection=_given(call, "DeletionProtection", carried.get("DeletionProtection", False)),
            ImageId=image["ImageId"],
            LaunchNumber=launch,
            NestedVirtualization=bool(call["NestedVirtualization"]),
            OsFamily="windows" if windows else "linux",
            Performance=kind[1],
            ProductCodes=list(image["ProductCodes"]),
            ReservationId=reservation,
            RootDeviceName=ROOT,
            State="pending",
            TpmEnabled=image["TpmMandatory"] or bool(call["TpmEnabled"]),
            UserData=call["UserData"] or "",
            VmType=kind[0],
            cores=kind[2],
            memory=kind[3],
            modes=modes,
            ran=False,
            stays=call["BootOnCreation"] is False,
        )
        for disk in disks:
            volume = call.world.add(
                "Volume",
                call.account,
                Iops=baseline(disk["VolumeType"], disk["VolumeSize"], disk["Iops"]),
                Size=disk["VolumeSize"],
                SnapshotId=disk["SnapshotId"],
                SubregionName=vm["Placement"]["SubregionName"],
                VolumeType=disk["VolumeType"],
                State="in-use",
            )
            link(call, vm, volume, disk["DeviceName"], delete=disk["DeleteOnVmDeletion"], state="attaching")
        vms.append(vm)
    return vms


def _behaviour(call: Call, old: Row) -> Row:
    """Return both fields of what happens at a shutdown; the new one wins. [VM-024, VM-025]"""
    config = call["ShutdownBehaviorConfiguration"] or {}
    legacy = call["VmInitiatedShutdownBehavior"]
    now = old.get("ShutdownBehaviorConfiguration", {"GuestAction": "stop", "HostAction": "restart"})
    if legacy in ("stop", "terminate"):
        now = {"GuestAction": legacy, "HostAction": "restart"}
    guest = config.get("GuestAction")
    return {
        "ShutdownBehaviorConfiguration": {**now, **config},
        "VmInitiatedShutdownBehavior": guest or legacy or old.get("VmInitiatedShutdownBehavior", "stop"),
    }


def _all(call: Call, action: str) -> list[Row]:
    """Find the VMs of a batch: one that is not there, or may not, refuses all. [VM-040, VM-041, REQ-016]"""
    rows = [call.find("Vm", one, own=True) for one in dict.fromkeys(call["VmIds"])]
    found = [row for row in rows if row]
    for vm in found:
        call.may("Vm", vm, action)
    return found


def _moved(vms: list[Row], to: dict[str, str]) -> Row:
    """Move VMs, and answer what they were and are. [VM-042]"""
    answer = []
    for vm in vms:
        before = vm["State"]
        vm["State"] = to.get(before, before)
        answer.append({"VmId": vm["VmId"], "PreviousState": before, "CurrentState": vm["State"]})
    return {"Vms": answer}


def start_vms(call: Call) -> Row:
    """Start VMs that are stopped and have a root. [ST-VM-3, LNK-011]"""
    vms = _all(call, "StartVms")
    for vm in vms:
        links = [one for one in call.world.links(vm) if one["State"] != "detaching"]
        call.check(any(one["DeviceName"] == ROOT for one in links), "6003")
    call.decide()
    for vm in vms:
        vm["restarts"] = False
    return _moved(vms, {"stopped": "pending"})


def stop_vms(call: Call) -> Row:
    """Stop VMs; one that is stopped stays so. [ST-VM-4]"""
    vms = _all(call, "StopVms")
    call.decide()
    for vm in vms:
        vm["restarts"] = False  # one that CreateImage takes down does not come up again
    return _moved(vms, {"running": "stopping"})


def reboot_vms(call: Call) -> Row:
    """Reboot VMs; they stay running. [ST-VM-8]"""
    _all(call, "RebootVms")
    call.decide()
    return {}


def delete_vms(call: Call) -> Row:
    """End VMs, unless one is protected; a terminated one stays so. [ST-VM-9, VM-045, VM-046, VM-048]"""
    vms = _all(call, "DeleteVms")
    for vm in vms:
        call.check(not vm["DeletionProtection"] or vm["State"] == "terminated", "8018")
    call.decide()
    ending = dict.fromkeys(("pending", "running", "stopping", "stopped"), "shutting-down")
    for vm in vms:
        vm["restarts"] = vm["stays"] = False
    return _moved(vms, ending)


STOP_ONLY = {"NestedVirtualization", "Performance", "UserData", "VmType"}
ANY_STATE = ("DeletionProtection", "UserData", "NestedVirtualization")


def update_vm(call: Call) -> Row:
    """Change a VM: some attributes in any state, some when it is stopped. [VM-070 to VM-080, VMT-011]"""
    call.check(set(call.given) - {"VmId", "DryRun"}, "7000")
    _check_behaviour(call)
    vm = call.find("Vm", call["VmId"], own=True)
    performance = _performance(call, vm["Performance"] if vm else "high")
    call.check(call["KeypairName"] is None, "5071")
    if vm:
        call.may("Vm", vm, "UpdateVm stopped" if STOP_ONLY & set(call.given) else "UpdateVm")
        if call["BsuOptimized"] is not None:
            stopped = vm["State"] == "stopped"
            call.check(stopped, "6003")
            call.check(not stopped or call["BsuOptimized"] is False, "4017", after=EXISTENCE)
        call.check(call["IsSourceDestChecked"] is None, "9062")
    shown = None
    if call["VmType"] is not None or (call["Performance"] is not None and vm):
        name = call["VmType"] if call["VmType"] is not None else vm["VmType"] if vm else ""
        shown = vm_type(name, performance)
        call.check(shown, "5024")
    links = _updated_links(call, vm)
    call.decide()
    assert vm
    vm |= {name: call[name] for name in ANY_STATE if call[name] is not None}
    vm |= _behaviour(call, vm)
    if shown:
        vm["VmType"], vm["Performance"], vm["cores"], vm["memory"] = shown
    for one, delete in links:
        one["DeleteOnVmDeletion"] = delete
    return {"Vm": call.world.view("Vm", call.account, vm)}


def _updated_links(call: Call, vm: Row | None) -> list[tuple[Row, bool]]:
    """Return which links change their flag. [VM-073, VM-076]"""
    changed = []
    for mapping in call["BlockDeviceMappings"] or []:
        bsu = mapping.get("Bsu", {})
        found = [
            one
            for one in (call.world.links(vm) if vm else [])
            if mapping.get("DeviceName") in (None, one["DeviceName"]) and bsu.get("VolumeId") in (None, one["VolumeId"])
        ]
        said = mapping.get("DeviceName") or bsu.get("VolumeId")
        call.check((found and said) or not vm, "4003" if "VolumeId" not in bsu else "4077", after=EXISTENCE)
        if found and "DeleteOnVmDeletion" in bsu:
            changed.append((found[0], bsu["DeleteOnVmDeletion"]))
    return changed
