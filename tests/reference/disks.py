"""Snapshots and volumes. [domain: 6.1, 6.2]"""

from __future__ import annotations

from reference.call import EXISTENCE, Call
from reference.files import fetch
from reference.values import (
    apply_permission_changes,
    check_device,
    check_disk,
    check_partial_disk,
    check_permission_changes,
    compute_iops,
)
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
MAX_VOLUMES = 40  # of a VM, its root included [LNK-008]
SOURCES = {
    "volume": {"VolumeId"},
    "copy": {"SourceSnapshotId", "SourceRegionName"},
    "file": {"FileLocation", "SnapshotSize"},
}


def create_snapshot(call: Call) -> Row:
    """Create a snapshot from a volume, a snapshot or a file. [SNP-001 to SNP-014]"""
    sources = [source for source, names in SOURCES.items() if names & set(call.parameters)]
    call.check(sources, "7000")
    call.check(len(sources) <= 1, "3002")
    call.check(len(sources) != 1 or set(call.parameters) >= SOURCES[sources[0]], "7000")
    if call.codes:
        call.raise_if_refused()
    repeated = call.find_repeated("CreateSnapshot", "Snapshot")
    if repeated:
        return {"Snapshot": call.world.view("Snapshot", call.account, repeated[0])}
    fields = {"volume": _from_volume, "copy": _from_copy, "file": _from_file}[sources[0]](call)
    call.raise_if_refused()
    description = {} if call["Description"] is None else {"Description": call["Description"]}
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
            **description,
        },
    )
    call.record_token("CreateSnapshot", [row])
    return {"Snapshot": call.world.view("Snapshot", call.account, row)}


def _from_volume(call: Call) -> Row:
    volume = call.find("Volume", call["VolumeId"], own=True)
    call.check_state("Volume", volume, "CreateSnapshot")
    call.check(not volume or not volume.get("TaskId"), "6007")  # [SNP-024]
    call.check_snapshot_quotas(1, running=1)
    return {"VolumeId": volume["VolumeId"], "VolumeSize": volume["Size"]} if volume else {}


def _from_copy(call: Call) -> Row:
    call.check(call["SourceRegionName"] == call.account["region"], "8019")
    source = call.find("Snapshot", call["SourceSnapshotId"])
    call.check_state("Snapshot", source, "use")
    call.check_snapshot_quotas(1, running=0)
    if source is None:
        return {}
    return {
        "Description": source.get("Description"),
        "Progress": 100,
        "State": "completed",
        "VolumeSize": source["VolumeSize"],
    }


def _from_file(call: Call) -> Row:
    file = fetch(call, call["FileLocation"])
    call.check(0 < call["SnapshotSize"] <= 14_901 * GIB, "4203")
    call.check_snapshot_quotas(1, running=1)
    flaw = file is None or "disk" not in file or file["disk"] * GIB > call["SnapshotSize"]  # [SNP-012, ST-SNP-6]
    return {"VolumeSize": -(-call["SnapshotSize"] // GIB), "flaw": flaw}


def update_snapshot(call: Call) -> Row:
    """Change the permissions of a snapshot. [SHR-003, SHR-019 to SHR-021]"""
    check_permission_changes(call, call["PermissionsToCreateVolume"])
    snapshot = call.find("Snapshot", call["SnapshotId"], own=True)
    call.raise_if_refused()
    assert snapshot
    key = "PermissionsToCreateVolume"
    snapshot[key] = apply_permission_changes(snapshot[key], call[key])
    return {"Snapshot": call.world.view("Snapshot", call.account, snapshot)}


def delete_snapshot(call: Call) -> Row:
    """Delete a snapshot that no OMI maps and no export reads. [SNP-015, SNP-016, EXP-017]"""
    snapshot = call.find("Snapshot", call["SnapshotId"], own=True)
    if snapshot:
        call.check_state("Snapshot", snapshot, "DeleteSnapshot")
        call.check(not call.world.is_used(snapshot), "9029")
        tasks = [*call.world.rows["ImageExport"].values(), *call.world.rows["SnapshotExport"].values()]
        reading = [t for t in tasks if t["State"] not in ("completed", "failed", "cancelled")]
        call.check(all(snapshot["SnapshotId"] not in task["snapshots"] for task in reading), "9029")
    call.raise_if_refused()
    assert snapshot
    snapshot["State"] = "deleting"
    return {}


def create_volume(call: Call) -> Row:
    """Create a volume, empty or from a snapshot. [VOL-001 to VOL-018]"""
    size, kind = call["Size"], call["VolumeType"] or "standard"
    call.check(size is not None or call["SnapshotId"] is not None, "7000")
    repeated = call.find_repeated("CreateVolume", "Volume")
    if repeated:
        return {"Volume": call.world.view("Volume", call.account, repeated[0])}
    snapshot = call.find("Snapshot", call["SnapshotId"]) if call["SnapshotId"] is not None else None
    if snapshot:
        size = snapshot["VolumeSize"] if size is None else size
        call.check_state("Snapshot", snapshot, "use")
        call.check(size >= snapshot["VolumeSize"], "4125", after=EXISTENCE)
    check_disk(call, kind, call["Size"], call["Iops"])
    check_disk(call, kind, size, call["Iops"], after=EXISTENCE)
    call.check(call["SubregionName"] in call.account["subregions"], "5009")
    if not call.codes:
        call.check_volume_quotas([{"VolumeType": kind, "VolumeSize": size, "Iops": call["Iops"]}])
    call.raise_if_refused()
    row = call.world.add(
        "Volume",
        call.account,
        ClientToken=call["ClientToken"],
        Iops=compute_iops(kind, size, call["Iops"]),
        Size=size,
        SnapshotId=call["SnapshotId"],
        State="creating",
        SubregionName=call["SubregionName"],
        VolumeType=kind,
    )
    call.record_token("CreateVolume", [row])
    return {"Volume": call.world.view("Volume", call.account, row)}


def update_volume(call: Call) -> Row:
    """Change a volume: at once if it is unlinked or its VM is stopped, otherwise by a task. [VOL-040 to VOL-049]"""
    call.check({"Size", "VolumeType", "Iops"} & set(call.parameters), "7000")
    call.check(call["Size"] != 0, "4047")
    call.check(call["Iops"] != 0, "4047")
    check_partial_disk(call, call["VolumeType"], call["Size"] or None, call["Iops"] or None)
    volume = call.find("Volume", call["VolumeId"], own=True)
    if volume:
        call.check(call["Size"] is None or call["Size"] >= volume["Size"], "4078", after=EXISTENCE)
        call.check_state("Volume", volume, "UpdateVolume")
        call.check(not volume.get("TaskId"), "6003")  # [VOL-048]
    if not volume:
        call.raise_if_refused()
    assert volume
    kind, size = call["VolumeType"] or volume["VolumeType"], call["Size"] or volume["Size"]
    iops = call["Iops"]
    if iops is None and kind == volume["VolumeType"] == "io1":
        iops = volume["Iops"]
    check_disk(call, kind, size, iops, after=EXISTENCE)
    _check_growth(call, volume, kind, size, iops)
    call.raise_if_refused()
    target = {"Size": size, "VolumeType": kind, "Iops": compute_iops(kind, size, iops)}
    link = call.world.rows["Link"].get(volume["VolumeId"])
    busy = link and call.world.rows["Vm"][link["VmId"]]["State"] != "stopped"
    if busy or volume["State"] == "creating":
        task = call.world.add(
            "VolumeUpdate",
            call.account,
            State="pending",
            Progress=0,
            VolumeId=volume["VolumeId"],
            gib=size,
            target=target,
            VolumeUpdate={"Origin": _get_parameters(volume), "Target": _get_parameters(target)},
        )
        volume["TaskId"] = task["TaskId"]
    else:
        volume |= target
    return {"Volume": call.world.view("Volume", call.account, volume)}


def _get_parameters(row: Row) -> Row:
    return {"Iops": row["Iops"] or 0, "Size": row["Size"], "VolumeType": row["VolumeType"]}


def _check_growth(call: Call, volume: Row, kind: str, size: int, iops: int | None) -> None:
    """Check the quotas with the changed volume. [VOL-018]"""
    rest = [row for row in call.world.list_own("Volume", call.account) if row is not volume]
    if size > volume["Size"] or kind != volume["VolumeType"]:
        call.check_size_quotas([(row["VolumeType"], row["Size"]) for row in rest], [(kind, size)])
    call.check_iops_quota(rest, (iops or 0) if iops != volume["Iops"] else 0)


def delete_volume(call: Call) -> Row:
    """Delete a volume that is not linked. [VOL-020 to VOL-022]"""
    volume = call.find("Volume", call["VolumeId"], own=True)
    if not (volume and volume["State"] == "creating" and volume.get("TaskId")):  # [VOL-021]
        call.check_state("Volume", volume, "DeleteVolume")
    call.raise_if_refused()
    assert volume
    call.world.set_state("Volume", volume, "deleting")
    return {}


def link_volume(call: Call) -> Row:
    """Link a volume to a VM; the VM is looked up first. [LNK-001 to LNK-010]"""
    check_device(call, call["DeviceName"])
    vm = call.find("Vm", call["VmId"], own=True)
    if vm is None:
        call.check_id(call["VolumeId"], "vol")
        call.raise_if_refused()
    volume = call.find("Volume", call["VolumeId"], own=True)
    if vm and volume:
        links = call.world.list_links(vm)
        call.check_state("Vm", vm, "LinkVolume")
        call.check_state("Volume", volume, "LinkVolume")
        call.check(vm["Placement"]["SubregionName"] == volume["SubregionName"], "9071")
        call.check(call["DeviceName"] not in [link["DeviceName"] for link in links], "9004")
        call.check(len(links) < MAX_VOLUMES, "10018")
    call.raise_if_refused()
    assert vm
    assert volume
    add_link(call, vm, volume, call["DeviceName"], delete=False, state="attaching")
    return {}


def add_link(call: Call, vm: Row, volume: Row, device: str, *, delete: bool, state: str) -> None:
    """Add the link of a volume to a VM."""
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
    """Unlink a volume; the root volume can only be unlinked from a stopped VM. [LNK-020 to LNK-024]"""
    volume = call.find("Volume", call["VolumeId"], own=True)
    call.check_state("Volume", volume, "UnlinkVolume")
    link = call.world.rows["Link"].get(volume["VolumeId"]) if volume else None
    if link:
        call.check(link["State"] != "detaching", "6003")
        vm = call.world.rows["Vm"][link["VmId"]]
        stopped = vm["State"] == "stopped" and not vm.get("restarts")
        call.check(link["DeviceName"] != ROOT or stopped, "8003")
    call.raise_if_refused()
    assert link
    link["State"] = "detaching"
    return {}
