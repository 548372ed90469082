"""Snapshots and volumes. [domain: 6.1, 6.2]"""

from __future__ import annotations

from reference.call import EXISTENCE, Call
from reference.files import fetch
from reference.values import baseline, changed, changes, check_device, check_disk, check_said
from reference.world import ROOT, Row

__all__ = [
    "create_snapshot",
    "create_volume",
    "delete_snapshot",
    "delete_volume",
    "link_volume",
    "unlink_volume",
    "update_snapshot",
    "update_volume",
]

GIB = 2**30
MOST_VOLUMES = 40  # of a VM, its root included [LNK-008]
WAYS = {
    "volume": {"VolumeId"},
    "copy": {"SourceSnapshotId", "SourceRegionName"},
    "file": {"FileLocation", "SnapshotSize"},
}


def create_snapshot(call: Call) -> Row:
    """Make a snapshot of a volume, by copy, or from a file. [SNP-001 to SNP-014]"""
    ways = [way for way, names in WAYS.items() if names & set(call.given)]
    call.check(ways, "7000")
    call.check(len(ways) <= 1, "3002")
    call.check(len(ways) != 1 or set(call.given) >= WAYS[ways[0]], "7000")
    if call.codes:
        call.decide()
    again = call.again("CreateSnapshot", "Snapshot")
    if again:
        return {"Snapshot": call.world.view("Snapshot", call.account, again[0])}
    fields = {"volume": _of_volume, "copy": _by_copy, "file": _of_file}[ways[0]](call)
    call.decide()
    given = {} if call["Description"] is None else {"Description": call["Description"]}
    permissions = {"AccountIds": [], "GlobalPermission": False}
    row = call.world.add(
        "Snapshot",
        call.account,
        **{
            "ClientToken": call["ClientToken"],
            "Description": "",
            "PermissionsToCreateVolume": permissions,
            "Progress": 0,
            "State": "in-queue",
            **fields,
            **given,
        },
    )
    call.remember("CreateSnapshot", [row])
    return {"Snapshot": call.world.view("Snapshot", call.account, row)}


def _of_volume(call: Call) -> Row:
    volume = call.find("Volume", call["VolumeId"], own=True)
    call.may("Volume", volume, "CreateSnapshot")
    call.check(not volume or not volume.get("TaskId"), "6007")  # [SNP-024]
    call.snapshots(1, running=1)
    return {"VolumeId": volume["VolumeId"], "VolumeSize": volume["Size"]} if volume else {}


def _by_copy(call: Call) -> Row:
    call.check(call["SourceRegionName"] == call.account["region"], "8019")
    source = call.find("Snapshot", call["SourceSnapshotId"])
    call.may("Snapshot", source, "use")
    call.snapshots(1, running=0)
    if source is None:
        return {}
    return {
        "Description": source.get("Description"),
        "Progress": 100,
        "State": "completed",
        "VolumeSize": source["VolumeSize"],
    }


def _of_file(call: Call) -> Row:
    found = fetch(call, call["FileLocation"])
    call.check(0 < call["SnapshotSize"] <= 14_901 * GIB, "4078")
    call.snapshots(1, running=1)
    flaw = found is None or "disk" not in found or found["disk"] * GIB > call["SnapshotSize"]  # [SNP-012, ST-SNP-6]
    return {"VolumeSize": -(-call["SnapshotSize"] // GIB), "flaw": flaw}


def update_snapshot(call: Call) -> Row:
    """Change who may use a snapshot. [SHR-003, SHR-019 to SHR-021]"""
    changes(call, call["PermissionsToCreateVolume"])
    snapshot = call.find("Snapshot", call["SnapshotId"], own=True)
    call.decide()
    assert snapshot
    key = "PermissionsToCreateVolume"
    snapshot[key] = changed(snapshot[key], call[key])
    return {"Snapshot": call.world.view("Snapshot", call.account, snapshot)}


def delete_snapshot(call: Call) -> Row:
    """Delete a snapshot that no OMI maps and no export reads. [SNP-015, SNP-016, EXP-017]"""
    snapshot = call.find("Snapshot", call["SnapshotId"], own=True)
    if snapshot:
        call.may("Snapshot", snapshot, "DeleteSnapshot")
        call.check(not call.world.used(snapshot), "9029")
        tasks = [*call.world.rows["ImageExport"].values(), *call.world.rows["SnapshotExport"].values()]
        reading = [t for t in tasks if t["State"] not in ("completed", "failed", "cancelled")]
        call.check(all(snapshot["SnapshotId"] not in task["snapshots"] for task in reading), "9029")
    call.decide()
    assert snapshot
    snapshot["State"] = "deleting"
    return {}


def create_volume(call: Call) -> Row:
    """Make a volume, blank or from a snapshot. [VOL-001 to VOL-018]"""
    size, kind = call["Size"], call["VolumeType"] or "standard"
    call.check(size is not None or call["SnapshotId"] is not None, "7000")
    again = call.again("CreateVolume", "Volume")
    if again:
        return {"Volume": call.world.view("Volume", call.account, again[0])}
    snapshot = call.find("Snapshot", call["SnapshotId"]) if call["SnapshotId"] is not None else None
    if snapshot:
        size = snapshot["VolumeSize"] if size is None else size
        call.may("Snapshot", snapshot, "use")
        call.check(size >= snapshot["VolumeSize"], "4125", after=EXISTENCE)
    check_disk(call, kind, call["Size"], call["Iops"])
    check_disk(call, kind, size, call["Iops"], after=EXISTENCE)
    call.check(call["SubregionName"] in call.account["subregions"], "5009")
    if not call.codes:
        call.volumes([{"VolumeType": kind, "VolumeSize": size, "Iops": call["Iops"]}])
    call.decide()
    row = call.world.add(
        "Volume",
        call.account,
        ClientToken=call["ClientToken"],
        Iops=baseline(kind, size, call["Iops"]),
        Size=size,
        SnapshotId=call["SnapshotId"],
        State="creating",
        SubregionName=call["SubregionName"],
        VolumeType=kind,
    )
    call.remember("CreateVolume", [row])
    return {"Volume": call.world.view("Volume", call.account, row)}


def update_volume(call: Call) -> Row:
    """Change a volume: at once where it is free or its VM is stopped, else by a task. [VOL-040 to VOL-049]"""
    call.check({"Size", "VolumeType", "Iops"} & set(call.given), "7000")
    call.check(call["Size"] != 0, "4047")
    call.check(call["Iops"] != 0, "4047")
    check_said(call, call["VolumeType"], call["Size"] or None, call["Iops"] or None)
    volume = call.find("Volume", call["VolumeId"], own=True)
    if volume:
        call.check(call["Size"] is None or call["Size"] >= volume["Size"], "4078", after=EXISTENCE)
        call.may("Volume", volume, "UpdateVolume")
        call.check(not volume.get("TaskId"), "6003")  # [VOL-048]
    if not volume:
        call.decide()
    assert volume
    kind, size = call["VolumeType"] or volume["VolumeType"], call["Size"] or volume["Size"]
    iops = call["Iops"]
    if iops is None and kind == volume["VolumeType"] == "io1":
        iops = volume["Iops"]
    check_disk(call, kind, size, iops, after=EXISTENCE)
    _check_growth(call, volume, kind, size, iops)
    call.decide()
    target = {"Size": size, "VolumeType": kind, "Iops": baseline(kind, size, iops)}
    link = call.world.rows["Link"].get(volume["VolumeId"])
    if link and call.world.rows["Vm"][link["VmId"]]["State"] != "stopped":
        task = call.world.add(
            "VolumeUpdate",
            call.account,
            State="pending",
            Progress=0,
            VolumeId=volume["VolumeId"],
            gib=size,
            target=target,
            VolumeUpdate={"Origin": _parameters(volume), "Target": _parameters(target)},
        )
        volume["TaskId"] = task["TaskId"]
    else:
        volume |= target
    return {"Volume": call.world.view("Volume", call.account, volume)}


def _parameters(row: Row) -> Row:
    return {"Iops": row["Iops"] or 0, "Size": row["Size"], "VolumeType": row["VolumeType"]}


def _check_growth(call: Call, volume: Row, kind: str, size: int, iops: int | None) -> None:
    """Check the quotas with the volume as it will be. [VOL-018]"""
    rest = [row for row in call.world.own("Volume", call.account) if row is not volume]
    if size > volume["Size"] or kind != volume["VolumeType"]:
        call.sizes([(row["VolumeType"], row["Size"]) for row in rest], [(kind, size)])
    used = sum(row["Iops"] for row in rest if row["VolumeType"] == "io1")
    call.room("iops_limit", used, (iops or 0) if iops != volume["Iops"] else 0, "10025")


def delete_volume(call: Call) -> Row:
    """Delete a volume that is not linked. [VOL-020 to VOL-022]"""
    volume = call.find("Volume", call["VolumeId"], own=True)
    call.may("Volume", volume, "DeleteVolume")
    call.decide()
    assert volume
    volume["State"] = "deleting"
    return {}


def link_volume(call: Call) -> Row:
    """Link a volume to a VM; the VM is looked up first. [LNK-001 to LNK-010]"""
    check_device(call, call["DeviceName"])
    vm = call.find("Vm", call["VmId"], own=True)
    if vm is None:
        call.shaped(call["VolumeId"], "vol")
        call.decide()
    volume = call.find("Volume", call["VolumeId"], own=True)
    if vm and volume:
        links = call.world.links(vm)
        call.may("Vm", vm, "LinkVolume")
        call.may("Volume", volume, "LinkVolume")
        call.check(vm["Placement"]["SubregionName"] == volume["SubregionName"], "9071")
        call.check(call["DeviceName"] not in [link["DeviceName"] for link in links], "9004")
        call.check(len(links) < MOST_VOLUMES, "10018")
    call.decide()
    assert vm
    assert volume
    link(call, vm, volume, call["DeviceName"], delete=False, state="attaching")
    return {}


def link(call: Call, vm: Row, volume: Row, device: str, *, delete: bool, state: str) -> None:
    """Put a volume on a VM."""
    volume["State"] = "in-use"
    call.world.add(
        "Link",
        call.account,
        DeleteOnVmDeletion=delete,
        DeviceName=device,
        State=state,
        VmId=vm["VmId"],
        VolumeId=volume["VolumeId"],
    )


def unlink_volume(call: Call) -> Row:
    """Take a volume off its VM; the root only off one that is stopped. [LNK-020 to LNK-024]"""
    volume = call.find("Volume", call["VolumeId"], own=True)
    call.may("Volume", volume, "UnlinkVolume")
    found = call.world.rows["Link"].get(volume["VolumeId"]) if volume else None
    if found:
        call.check(found["State"] != "detaching", "6003")
        stopped = call.world.rows["Vm"][found["VmId"]]["State"] == "stopped"
        call.check(found["DeviceName"] != ROOT or stopped, "8003")
    call.decide()
    assert found
    found["State"] = "detaching"
    return {}
