"""Reads with their filters, and tags. [domain: 2.5, 6.9, 9.5]"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from reference.call import UNKNOWN, Call
from reference.values import check_tags
from reference.world import KINDS, Row

__all__ = ["create_tags", "delete_tags", "make_read", "read_tags", "read_vms_state"]

TYPES = {
    "Image": "image",
    "Snapshot": "snapshot",
    "Volume": "volume",
    "Vm": "instance",
    "ImageExport": "task",
    "SnapshotExport": "task",
}
WILD = {"ImageNames", "FileLocations", "Descriptions"}  # filters with wildcards [FLT-005]

# The fields that filters compare, if they are not the filter's name without its s. [OMI-087, FLT-001]
FIELDS = {
    "AccountAliases": "AccountAlias",
    "BlockDeviceMappingDeleteOnVmDeletion": "BlockDeviceMappings.Bsu.DeleteOnVmDeletion",
    "BlockDeviceMappingDeviceNames": "BlockDeviceMappings.DeviceName",
    "BlockDeviceMappingSnapshotIds": "BlockDeviceMappings.Bsu.SnapshotId",
    "BlockDeviceMappingVolumeSizes": "BlockDeviceMappings.Bsu.VolumeSize",
    "BlockDeviceMappingVolumeTypes": "BlockDeviceMappings.Bsu.VolumeType",
    "BootModes": "BootModes",
    "LinkVolumeDeleteOnVmDeletion": "LinkedVolumes.DeleteOnVmDeletion",
    "LinkVolumeDeviceNames": "LinkedVolumes.DeviceName",
    "LinkVolumeLinkStates": "LinkedVolumes.State",
    "LinkVolumeVmIds": "LinkedVolumes.VmId",
    "PermissionsToCreateVolumeAccountIds": "PermissionsToCreateVolume.AccountIds",
    "PermissionsToCreateVolumeGlobalPermission": "PermissionsToCreateVolume.GlobalPermission",
    "PermissionsToLaunchAccountIds": "PermissionsToLaunch.AccountIds",
    "PermissionsToLaunchGlobalPermission": "PermissionsToLaunch.GlobalPermission",
    "ProductCodes": "ProductCodes",
    "TagKeys": "Tags.Key",
    "TagValues": "Tags.Value",
    "TpmMandatory": "TpmMandatory",
    "VmStateNames": "State",
    "VolumeStates": "State",
}


def _iter_values(row: Any, path: str) -> Iterator[Any]:
    """Yield the values at a path of a row, including those in lists."""
    if isinstance(row, list):
        for item in row:
            yield from _iter_values(item, path)
    elif not path:
        yield row
    elif isinstance(row, dict):
        name, _, rest = path.partition(".")
        if name in row:
            yield from _iter_values(row[name], rest)


def _get_path(kind: str, name: str) -> str:
    if name in FIELDS:
        return FIELDS[name]
    if name == "SubregionNames" and kind == "Vm":
        return "Placement.SubregionName"
    return {"VolumeSizes": {"Volume": "Size"}.get(kind, "VolumeSize")}.get(name, name.removesuffix("s"))


def _matches(kind: str, row: Row, name: str, expected: Any) -> bool:
    """Return whether a row matches a filter by any of its values. [FLT-001, FLT-004, FLT-005, FLT-007]"""
    if name == "Tags":
        return any(f"{tag['Key']}={tag['Value']}" in expected for tag in row["Tags"])
    values = list(_iter_values(row, _get_path(kind, name)))
    if isinstance(expected, bool):
        return expected in values
    if name in WILD:
        patterns = [re.sub(r"\[", "[[]", one) for one in expected]
        return any(fnmatchcase(value, pattern) for value in values for pattern in patterns)
    return any(value in expected for value in values)


def make_read(kind: str) -> Callable[[Call], Row]:
    """Return the read action of a kind."""

    def action(call: Call) -> Row:
        return {KINDS[kind][2]: _read(call, kind)}

    return action


def _read(call: Call, kind: str) -> list[Row]:
    filters = call["Filters"] or {}
    if kind == "Vm":  # the only reads that check the prefixes of ids [VM-055]
        for one in filters.get("VmIds", []):
            call.check(not one or one.startswith("i-"), "4104")
    call.raise_if_refused()
    rows = [call.world.view(kind, call.account, row) for row in call.world.list_seen(kind, call.account)]
    return [row for row in rows if all(_matches(kind, row, *item) for item in filters.items())]


def read_vms_state(call: Call) -> Row:
    """Read the states of the running VMs, or of all VMs on request. [VM-054, CAT-008]"""
    filters = {
        ("VmStateNames" if name == "VmStates" else name): value for name, value in (call["Filters"] or {}).items()
    }
    inner = Call(call.world, call.account, {**call.parameters, "Filters": filters})
    rows = [row for row in _read(inner, "Vm") if call["AllVms"] or row["State"] == "running"]
    return {
        "VmStates": [
            {"VmId": row["VmId"], "VmState": row["State"], "SubregionName": row["Placement"]["SubregionName"]}
            for row in rows
        ]
    }


def _find_tagged(call: Call) -> list[Row]:
    """Return the resources to tag; one that cannot be tagged refuses all. [TAG-005 to TAG-008, TAG-015]"""
    rows = []
    for one in call["ResourceIds"]:
        kinds = [kind for kind in TYPES if one.startswith(f"{KINDS[kind][0]}-")]
        if not kinds:
            call.check(holds=False, code="4025")
            continue
        kind = max(kinds, key=lambda kind: len(KINDS[kind][0]))  # snap-export-…, not snap-…
        row = call.world.rows[kind].get(one)
        if row is None or not call.world.can_see(kind, call.account, row):
            if call.check_id(one, KINDS[kind][0]):
                call.check(holds=False, code=UNKNOWN.get(kind, "5058"))
        elif not call.is_owner(row):
            call.check(holds=False, code="5044")
        else:
            rows.append(row)
    return rows


def create_tags(call: Call) -> Row:
    """Set tags; an existing key gets the new value. [TAG-001 to TAG-008]"""
    check_tags(call, call["Tags"])
    rows = _find_tagged(call)
    call.raise_if_refused()
    for row in rows:
        tags = {tag["Key"]: tag["Value"] for tag in row["Tags"]} | {tag["Key"]: tag["Value"] for tag in call["Tags"]}
        row["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {}


def delete_tags(call: Call) -> Row:
    """Remove tags; a non-empty value must match the tag. [TAG-010, TAG-011]"""
    check_tags(call, call["Tags"])
    rows = _find_tagged(call)
    call.raise_if_refused()
    for row in rows:
        removed_tags = [(tag["Key"], tag["Value"]) for tag in call["Tags"]]
        row["Tags"] = [
            t for t in row["Tags"] if (t["Key"], t["Value"]) not in removed_tags and (t["Key"], "") not in removed_tags
        ]
    return {}


def read_tags(call: Call) -> Row:
    """Read the tags of the caller's own resources, a row for each tag. [TAG-012, TAG-013]"""
    rows = [
        {"ResourceId": row[KINDS[kind][1]], "ResourceType": name, **tag}
        for kind, name in TYPES.items()
        for row in call.world.list_own(kind, call.account)
        for tag in row["Tags"]
    ]
    filters = call["Filters"] or {}
    call.raise_if_refused()
    return {
        "Tags": [
            row for row in rows if all(row[name.removesuffix("s")] in expected for name, expected in filters.items())
        ]
    }
