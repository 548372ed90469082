"""OMIs: made in four ways, shared, deleted. [domain: 2, 3, 4]"""

from __future__ import annotations

from itertools import count
from typing import Any

from reference.call import EXISTENCE, STATE, Call
from reference.files import fetch_manifest
from reference.values import changed, changes, check_codes, check_device, check_disk, check_name
from reference.world import ROOT, Row

__all__ = ["create_image", "delete_image", "update_image"]

# way → what selects it, what it requires, what it takes besides [OMI-001 to OMI-006]
WAYS = {
    "vm": ({"VmId"}, {"VmId"}, {"NoReboot", "ProductCodes"}),
    "copy": (
        {"SourceImageId", "SourceRegionName"},
        {"SourceImageId", "SourceRegionName"},
        {"ProductCodes"},
    ),
    "snapshot": (
        {"RootDeviceName", "BlockDeviceMappings"},
        {"RootDeviceName", "BlockDeviceMappings", "ImageName"},
        {"Architecture", "ProductCodes"},
    ),
    "manifest": ({"FileLocation"}, {"FileLocation", "ImageName"}, {"ProductCodes"}),
}
ANYWAY = {"ImageName", "Description", "BootModes", "TpmMandatory", "DryRun"}
PRIVATE = {"AccountIds": [], "GlobalPermission": False}


def create_image(call: Call) -> Row:
    """Make an OMI from a VM, another OMI, snapshots or a manifest."""
    ways = [way for way, (selects, _, _) in WAYS.items() if selects & set(call.given)]
    call.check(ways, "7000")
    call.check(len(ways) <= 1, "3002")
    if len(ways) == 1:
        _, required, taken = WAYS[ways[0]]
        call.check(required <= set(call.given), "7000")
        call.check(set(call.given) <= required | taken | ANYWAY, "3002")
        call.check(ways != ["vm"] or call["ImageName"] is not None, "3002")
    if call.codes:
        call.decide()
    if call["ImageName"] is not None:
        check_name(call, call["ImageName"], copy=ways == ["copy"])
    for mode in call["BootModes"] or []:
        call.check(mode in ("legacy", "uefi"), "4047")
    check_codes(call, call["ProductCodes"] or [])
    image = {"vm": _from_vm, "copy": _copy, "snapshot": _from_snapshots, "manifest": _from_manifest}[ways[0]](call)
    return {"Image": call.world.view("Image", call.account, image)}


def _numbered(name: str, number: int) -> str:
    """Name a copy without a name, no longer than a name may be. [OMI-020, OMI-024]"""
    tail = f"-copy{number}"
    return name[: 128 - len(tail)] + tail


def _add(call: Call, **inherited: Any) -> Row:
    """Add an OMI: what the request says, else what it inherits. [OMI-026, OMI-031, OMI-035 to OMI-037]"""
    name = call["ImageName"] or inherited["ImageName"]
    return call.world.add(
        "Image",
        call.account,
        **{
            "Architecture": "x86_64",
            "FileLocation": f"{call.account['id']}/{name}",
            "ImageType": "machine",
            "PermissionsToLaunch": PRIVATE,
            "RootDeviceName": ROOT,
            "RootDeviceType": "bsu",
            "SecureBoot": False,
            "State": "available",
            **inherited,
            "ImageName": name,
            "BootModes": list(dict.fromkeys(call["BootModes"] or inherited.get("BootModes", ["legacy"]))),
            "Description": call["Description"] if call["Description"] is not None else inherited.get("Description", ""),
            "ProductCodes": list(dict.fromkeys([*inherited["ProductCodes"], *(call["ProductCodes"] or [])])),
            "TpmMandatory": _first(call["TpmMandatory"], inherited.get("TpmMandatory"), False),
        },
    )


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _check_tpm(call: Call, modes: list[str], *, inherited: bool = False, after: int = EXISTENCE) -> None:
    """A vTPM needs UEFI. [OMI-034]"""
    required = _first(call["TpmMandatory"], inherited)
    call.check(not required or "uefi" in (call["BootModes"] or modes), "4045", after=after)


def _snapshot(call: Call, size: int, **fields: Any) -> Row:
    return call.world.add(
        "Snapshot",
        call.account,
        **{
            "PermissionsToCreateVolume": PRIVATE,
            "State": "in-queue",
            "Progress": 0,
            "VolumeSize": size,
        }
        | fields,
    )


def _mapping(device: str, snapshot: Row | None, **bsu: Any) -> Row:
    kept = {
        key: value for key, value in bsu.items() if value is not None and (key != "Iops" or bsu["VolumeType"] == "io1")
    }
    return {"DeviceName": device, "Bsu": kept | ({"SnapshotId": snapshot["SnapshotId"]} if snapshot else {})}


def _from_vm(call: Call) -> Row:
    """From a VM: a new snapshot of each of its volumes. [OMI-015 to OMI-018, OMI-061, OMI-062, OMI-067]"""
    vm = call.find("Vm", call["VmId"], own=True)
    if vm:
        links = [link for link in call.world.links(vm) if link["State"] != "detaching"]
        legal = call.may("Vm", vm, "CreateImage")
        call.check(not legal or any(link["DeviceName"] == ROOT for link in links), "4057", after=STATE)
        call.snapshots(len(links), running=len(links))
        _check_tpm(call, vm["modes"])
    call.decide()
    assert vm
    mappings = []
    for link in links:
        volume = call.world.rows["Volume"][link["VolumeId"]]
        snapshot = _snapshot(call, volume["Size"], VolumeId=volume["VolumeId"])
        facts = {"VolumeSize": volume["Size"], "VolumeType": volume["VolumeType"], "Iops": volume["Iops"]}
        mappings.append(_mapping(link["DeviceName"], snapshot, DeleteOnVmDeletion=link["DeleteOnVmDeletion"], **facts))
    if vm["State"] == "running" and not call["NoReboot"]:
        vm["State"], vm["restarts"] = "stopping", True
    return _add(
        call,
        Architecture=vm["Architecture"],
        BlockDeviceMappings=mappings,
        BootModes=vm["modes"],
        ProductCodes=vm["ProductCodes"],
        State="pending",
        carries={key: vm[key] for key in CARRIED},
    )


CARRIED = ("DeletionProtection", "VmInitiatedShutdownBehavior", "ShutdownBehaviorConfiguration")


def _copy(call: Call) -> Row:
    """By copy: its own snapshots, complete at once. [OMI-024, OMI-063, CPY-001 to CPY-006]"""
    call.check(call["SourceRegionName"] == call.account["region"], "8019")
    source = call.find("Image", call["SourceImageId"])
    if source:
        call.may("Image", source, "use")
        bound = [m for m in source["BlockDeviceMappings"] if "SnapshotId" in m["Bsu"]]
        call.snapshots(len(bound), running=0)
        _check_tpm(call, source["BootModes"], inherited=source["TpmMandatory"])
    call.decide()
    assert source
    mappings = []
    for mapping in source["BlockDeviceMappings"]:
        bsu = dict(mapping["Bsu"])
        old = call.world.rows["Snapshot"].get(bsu.pop("SnapshotId", ""))
        new = _snapshot(call, old["VolumeSize"], State="completed", Progress=100) if old else None
        mappings.append(_mapping(mapping["DeviceName"], new, **bsu))
    names = {image["ImageName"] for image in call.world.own("Image", call.account)}
    free = (name for number in count(1) if (name := _numbered(source["ImageName"], number)) not in names)
    return _add(
        call,
        **{key: source[key] for key in ("Architecture", "BootModes", "Description", "ProductCodes", "TpmMandatory")},
        BlockDeviceMappings=mappings,
        ImageName=next(free),
        SecureBoot=source["SecureBoot"],
        carries=source.get("carries", {}),
    )


def _from_snapshots(call: Call) -> Row:
    """From snapshots: the OMI maps them as they are. [OMI-007 to OMI-012, OMI-050 to OMI-060, OMI-065]"""
    mappings: list[Row] = call["BlockDeviceMappings"]
    call.check(call["Architecture"] in (None, "i386", "x86_64"), "4047")
    call.check(call["RootDeviceName"] == ROOT, "4019")
    roots = [mapping for mapping in mappings if mapping.get("DeviceName") == call["RootDeviceName"]]
    call.check(roots, "4057")
    call.check(all("SnapshotId" in root.get("Bsu", {}) for root in roots), "7003")
    names = [mapping.get("DeviceName") for mapping in mappings]
    call.check(len(set(names)) == len(names), "9014")
    made = [_registered(call, mapping) for mapping in mappings]
    _check_tpm(call, ["legacy"], after=0)
    call.decide()
    return _add(
        call,
        Architecture=call["Architecture"] or "x86_64",
        BlockDeviceMappings=[mapping for mapping in made if mapping],
        ProductCodes=[] if call["ProductCodes"] else ["0001"],
    )


def _registered(call: Call, mapping: Row) -> Row | None:
    """Return a mapping as an OMI keeps it; a virtual device is not kept. [OMI-052]"""
    call.check(mapping.get("DeviceName"), "7000")
    check_device(call, mapping.get("DeviceName") or ROOT)
    call.check("Bsu" in mapping or "VirtualDeviceName" in mapping, "7000")  # [OMI-050]
    call.check(not ("Bsu" in mapping and "VirtualDeviceName" in mapping), "4076")
    if "Bsu" not in mapping:
        return None
    bsu: Row = mapping["Bsu"]
    snapshot = call.find("Snapshot", bsu["SnapshotId"]) if "SnapshotId" in bsu else None
    call.may("Snapshot", snapshot, "use")
    call.check("SnapshotId" in bsu or "VolumeSize" in bsu, "7000")
    size = bsu.get("VolumeSize", snapshot["VolumeSize"] if snapshot else None)
    kind = bsu.get("VolumeType", "standard")
    check_disk(call, kind, bsu.get("VolumeSize"), bsu.get("Iops"))
    check_disk(call, kind, size, bsu.get("Iops"), after=EXISTENCE)
    call.check(not snapshot or size >= snapshot["VolumeSize"], "4125", after=EXISTENCE)
    return _mapping(
        mapping.get("DeviceName", ""),
        snapshot,
        DeleteOnVmDeletion=bsu.get("DeleteOnVmDeletion", True),
        Iops=bsu.get("Iops"),
        VolumeSize=size,
        VolumeType=kind,
    )


def _from_manifest(call: Call) -> Row:
    """From a manifest: a new snapshot of each image that it names. [OMI-064, MAN, IMP]"""
    image = fetch_manifest(call, call["FileLocation"])
    if image:
        call.snapshots(len(image["BlockDeviceMappings"]), running=len(image["BlockDeviceMappings"]))
        _check_tpm(call, ["legacy"])
    call.decide()
    assert image
    mappings = []
    for mapping in image["BlockDeviceMappings"]:
        bsu = {key: value for key, value in mapping["Bsu"].items() if key != "SnapshotId"}
        size = image["sizes"][mapping["DeviceName"]]
        snapshot = _snapshot(call, size, flaw=image["late"])
        mappings.append(_mapping(mapping["DeviceName"], snapshot, **bsu))
    return _add(
        call,
        Architecture=image["Architecture"],
        BlockDeviceMappings=mappings,
        Description=image["Description"],
        FileLocation=call["FileLocation"],
        ProductCodes=image["ProductCodes"],
        State="pending",
    )


def update_image(call: Call) -> Row:
    """Change what may change: permissions, description, product codes. [OMI-100 to OMI-115]"""
    given = call["PermissionsToLaunch"]
    call.check({"PermissionsToLaunch", "Description", "ProductCodes"} & set(call.given), "7000")
    changes(call, given)
    check_codes(call, call["ProductCodes"] or [])
    image = call.find("Image", call["ImageId"], own=True)
    call.decide()
    assert image
    image["PermissionsToLaunch"] = changed(image["PermissionsToLaunch"], given)
    image["Description"] = _first(call["Description"], image["Description"])
    if call["ProductCodes"] is not None:
        image["ProductCodes"] = list(dict.fromkeys(call["ProductCodes"])) or ["0001"]  # [OMI-070]
    return {"Image": call.world.view("Image", call.account, image)}


def delete_image(call: Call) -> Row:
    """Delete an OMI, in any state; its snapshots stay. [OMI-120 to OMI-128]"""
    image = call.find("Image", call["ImageId"])
    call.check(not image or call.owns(image), "5")
    call.decide()
    assert image
    call.world.drop("Image", image)
    for task in call.world.rows["ImageExport"].values():  # what has not begun cannot [OMI-126]
        if task["ImageId"] == image["ImageId"] and task["State"] == "pending/queued":
            call.world.become("ImageExport", task, "failed")
    return {}
