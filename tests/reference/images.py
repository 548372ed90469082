"""OMIs: creation from four kinds of source, sharing, deletion. [domain: 2, 3, 4]"""

from __future__ import annotations

from itertools import count
from typing import Any

from reference.call import EXISTENCE, STATE, Call
from reference.files import fetch_manifest
from reference.values import (
    apply_permission_changes,
    check_codes,
    check_device,
    check_disk,
    check_name,
    check_permission_changes,
)
from reference.world import ROOT, Row

__all__ = ["create_image", "delete_image", "update_image"]

# source → the parameters that select it, its required parameters, its optional ones [OMI-001 to OMI-006]
SOURCES = {
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
COMMON = {"ImageName", "Description", "BootModes", "TpmMandatory", "DryRun"}
PRIVATE = {"AccountIds": [], "GlobalPermission": False}


def create_image(call: Call) -> Row:
    """Create an OMI from a VM, another OMI, snapshots or a manifest."""
    sources = [source for source, (selects, _, _) in SOURCES.items() if selects & set(call.parameters)]
    call.check(sources, "7000")
    call.check(len(sources) <= 1, "3002")
    if len(sources) == 1:
        _, required, optional = SOURCES[sources[0]]
        call.check(required <= set(call.parameters), "7000")
        call.check(set(call.parameters) <= required | optional | COMMON, "3002")
        call.check(sources != ["vm"] or call["ImageName"] is not None, "3002")
    if call.codes:
        call.raise_if_refused()
    if call["ImageName"] is not None:
        check_name(call, call["ImageName"], copy=sources == ["copy"])
    for mode in call["BootModes"] or []:
        call.check(mode in ("legacy", "uefi"), "4047")
    check_codes(call, call["ProductCodes"] or [])
    image = {"vm": _from_vm, "copy": _copy, "snapshot": _from_snapshots, "manifest": _from_manifest}[sources[0]](call)
    return {"Image": call.world.view("Image", call.account, image)}


def _make_copy_name(name: str, number: int) -> str:
    """Return the name of a copy without a given name, shortened to the maximum length. [OMI-020, OMI-024]"""
    tail = f"-copy{number}"
    return name[: 128 - len(tail)] + tail


def _add(call: Call, **inherited: Any) -> Row:
    """Add an OMI with the requested values, or else the inherited ones. [OMI-026, OMI-031, OMI-035 to OMI-037]"""
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
            "TpmMandatory": _get_first(call["TpmMandatory"], inherited.get("TpmMandatory"), False),
        },
    )


def _get_first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _check_tpm(call: Call, modes: list[str], *, inherited: bool = False, after: int = EXISTENCE) -> None:
    """Check that an OMI that requires a vTPM allows UEFI. [OMI-034]"""
    required = _get_first(call["TpmMandatory"], inherited)
    call.check(not required or "uefi" in (call["BootModes"] or modes), "4045", after=after)


def _add_snapshot(call: Call, size: int, **fields: Any) -> Row:
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


def _make_mapping(device: str, snapshot: Row | None, **bsu: Any) -> Row:
    new_mapping = {
        key: value for key, value in bsu.items() if value is not None and (key != "Iops" or bsu["VolumeType"] == "io1")
    }
    return {"DeviceName": device, "Bsu": new_mapping | ({"SnapshotId": snapshot["SnapshotId"]} if snapshot else {})}


def _from_vm(call: Call) -> Row:
    """Create an OMI from a VM, with new snapshots of its volumes. [OMI-015 to OMI-018, OMI-061, OMI-062, OMI-067]"""
    vm = call.find("Vm", call["VmId"], own=True)
    if vm:
        links = [link for link in call.world.list_links(vm) if link["State"] != "detaching"]
        legal = call.check_state("Vm", vm, "CreateImage")
        updating = any(call.world.rows["Volume"][link["VolumeId"]].get("TaskId") for link in links)
        call.check(not updating, "6007", after=STATE)  # [SNP-024]
        call.check(not legal or any(link["DeviceName"] == ROOT for link in links), "4057", after=STATE)
        call.check_snapshot_quotas(len(links), running=len(links))
        _check_tpm(call, [vm["BootMode"]])
    call.raise_if_refused()
    assert vm
    mappings = []
    for link in links:
        volume = call.world.rows["Volume"][link["VolumeId"]]
        snapshot = _add_snapshot(call, volume["Size"], VolumeId=volume["VolumeId"])
        facts = {"VolumeSize": volume["Size"], "VolumeType": volume["VolumeType"], "Iops": volume["Iops"]}
        mappings.append(
            _make_mapping(link["DeviceName"], snapshot, DeleteOnVmDeletion=link["DeleteOnVmDeletion"], **facts)
        )
    if vm["State"] == "running" and not call["NoReboot"]:
        vm["State"], vm["restarts"] = "stopping", True
    new_image = _add(
        call,
        Architecture=vm["Architecture"],
        BlockDeviceMappings=mappings,
        BootModes=[vm["BootMode"]],
        ProductCodes=vm["ProductCodes"],
        State="pending",
        carries={key: vm[key] for key in INHERITED_FROM_VM},
    )
    for mapping in mappings:
        snapshot = call.world.rows["Snapshot"][mapping["Bsu"]["SnapshotId"]]
        snapshot["Description"] = f"Created by CreateImage for {new_image['ImageId']}"
    return new_image


INHERITED_FROM_VM = ("DeletionProtection", "VmInitiatedShutdownBehavior")


def _copy(call: Call) -> Row:
    """Copy an OMI, with its own snapshots, which are completed at once. [OMI-024, OMI-063, CPY-001 to CPY-006]"""
    call.check(call["SourceRegionName"] == call.account["region"], "8019")
    source = call.find("Image", call["SourceImageId"])
    if source:
        call.check_state("Image", source, "use")
        bound = [m for m in source["BlockDeviceMappings"] if "SnapshotId" in m["Bsu"]]
        call.check_snapshot_quotas(len(bound), running=0)
        _check_tpm(call, source["BootModes"], inherited=source["TpmMandatory"])
    call.raise_if_refused()
    assert source
    mappings = []
    for mapping in source["BlockDeviceMappings"]:
        bsu = dict(mapping["Bsu"])
        old = call.world.rows["Snapshot"].get(bsu.pop("SnapshotId", ""))
        new = _add_snapshot(call, old["VolumeSize"], State="completed", Progress=100) if old else None
        mappings.append(_make_mapping(mapping["DeviceName"], new, **bsu))
    names = {image["ImageName"] for image in call.world.list_own("Image", call.account)}
    free = (name for number in count(1) if (name := _make_copy_name(source["ImageName"], number)) not in names)
    return _add(
        call,
        **{key: source[key] for key in ("Architecture", "BootModes", "Description", "ProductCodes", "TpmMandatory")},
        BlockDeviceMappings=mappings,
        ImageName=next(free),
        SecureBoot=source["SecureBoot"],
        carries=source.get("carries", {}),
    )


def _from_snapshots(call: Call) -> Row:
    """Create an OMI that maps existing snapshots. [OMI-007 to OMI-012, OMI-050 to OMI-060, OMI-065]"""
    mappings: list[Row] = call["BlockDeviceMappings"]
    call.check(call["Architecture"] in (None, "i386", "x86_64"), "4047")
    call.check(call["RootDeviceName"] == ROOT, "4019")
    roots = [mapping for mapping in mappings if mapping.get("DeviceName") == call["RootDeviceName"]]
    call.check(roots, "4057")
    call.check(all("SnapshotId" in root.get("Bsu", {}) for root in roots), "7003")
    names = [mapping.get("DeviceName") for mapping in mappings]
    call.check(len(set(names)) == len(names), "9014")
    new_mappings = [_register_mapping(call, mapping) for mapping in mappings]
    _check_tpm(call, ["legacy"], after=0)
    call.raise_if_refused()
    return _add(
        call,
        Architecture=call["Architecture"] or "x86_64",
        BlockDeviceMappings=[mapping for mapping in new_mappings if mapping],
        ProductCodes=[] if call["ProductCodes"] else ["0001"],
    )


def _register_mapping(call: Call, mapping: Row) -> Row | None:
    """Check a mapping, and return it as stored in an OMI, or None for a virtual device. [OMI-052]"""
    call.check(mapping.get("DeviceName"), "7000")
    check_device(call, mapping.get("DeviceName") or ROOT)
    call.check("Bsu" in mapping or "VirtualDeviceName" in mapping, "7000")  # [OMI-050]
    call.check(not ("Bsu" in mapping and "VirtualDeviceName" in mapping), "4076")
    if "Bsu" not in mapping:
        return None
    bsu: Row = mapping["Bsu"]
    snapshot = call.find("Snapshot", bsu["SnapshotId"]) if "SnapshotId" in bsu else None
    call.check_state("Snapshot", snapshot, "use")
    call.check("SnapshotId" in bsu or "VolumeSize" in bsu, "7000")
    size = bsu.get("VolumeSize", snapshot["VolumeSize"] if snapshot else None)
    kind = bsu.get("VolumeType", "standard")
    check_disk(call, kind, bsu.get("VolumeSize"), bsu.get("Iops"))
    check_disk(call, kind, size, bsu.get("Iops"), after=EXISTENCE)
    call.check(not snapshot or size >= snapshot["VolumeSize"], "4125", after=EXISTENCE)
    return _make_mapping(
        mapping.get("DeviceName", ""),
        snapshot,
        DeleteOnVmDeletion=bsu.get("DeleteOnVmDeletion", True),
        Iops=bsu.get("Iops"),
        VolumeSize=size,
        VolumeType=kind,
    )


def _from_manifest(call: Call) -> Row:
    """Create an OMI from a manifest, with a new snapshot of each of its images. [OMI-064, MAN, IMP]"""
    image = fetch_manifest(call, call["FileLocation"])
    if image:
        call.check_snapshot_quotas(len(image["BlockDeviceMappings"]), running=len(image["BlockDeviceMappings"]))
        _check_tpm(call, ["legacy"])
    call.raise_if_refused()
    assert image
    mappings = []
    for mapping in image["BlockDeviceMappings"]:
        bsu = {key: value for key, value in mapping["Bsu"].items() if key != "SnapshotId"}
        size = image["sizes"][mapping["DeviceName"]]
        snapshot = _add_snapshot(call, size, flaw=image["late"])
        mappings.append(_make_mapping(mapping["DeviceName"], snapshot, **bsu))
    return _add(
        call,
        Architecture=image["Architecture"],
        BlockDeviceMappings=mappings,
        Description=image["Description"],
        FileLocation=call["FileLocation"].partition("?")[0],
        ProductCodes=image["ProductCodes"],
        State="pending",
    )


def update_image(call: Call) -> Row:
    """Change the permissions, description or product codes. [OMI-100 to OMI-115]"""
    change = call["PermissionsToLaunch"]
    call.check({"PermissionsToLaunch", "Description", "ProductCodes"} & set(call.parameters), "7000")
    check_permission_changes(call, change)
    check_codes(call, call["ProductCodes"] or [])
    image = call.find("Image", call["ImageId"], own=True)
    call.raise_if_refused()
    assert image
    image["PermissionsToLaunch"] = apply_permission_changes(image["PermissionsToLaunch"], change)
    image["Description"] = _get_first(call["Description"], image["Description"])
    if call["ProductCodes"] is not None:
        image["ProductCodes"] = list(dict.fromkeys(call["ProductCodes"])) or ["0001"]  # [OMI-070]
    return {"Image": call.world.view("Image", call.account, image)}


def delete_image(call: Call) -> Row:
    """Delete an OMI in any state; its snapshots remain. [OMI-120 to OMI-128]"""
    image = call.find("Image", call["ImageId"])
    call.check(not image or call.is_owner(image), "5")
    call.raise_if_refused()
    assert image
    call.world.drop("Image", image)
    for task in call.world.rows["ImageExport"].values():  # a queued export fails [OMI-126]
        if task["ImageId"] == image["ImageId"] and task["State"] == "pending/queued":
            call.world.set_state("ImageExport", task, "failed")
    return {}
