"""Calls with all that the reference model knows: more parameters than the random calls, and mistakes of form."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from random_calls import ACTIONS, NAMES, TYPES, Draw, Parameters, _Known

from omisim import Account, Cloud

__all__ = ["draw_rich"]

DEVICES = ("/dev/sda1", "/dev/sdb", "/dev/xvdc", "/dev/sdd", "/dev/sda2")
MODES = (["legacy"], ["uefi"], ["legacy", "uefi"], ["bios"])
CODES: tuple[list[str], ...] = (["0001"], ["0001", "0006"], ["0002"], ["0042"], [])


def draw_rich(draw: Draw, cloud: Cloud, accounts: list[Account]) -> tuple[Account, str, Parameters]:
    """Draw an account, an action and its parameters, now and then with a mistake of form."""
    account = draw(st.sampled_from(accounts))
    known = _Fitting(draw, cloud, account, accounts)
    which = draw(st.integers(0, 9))
    table = LIKELY if which < 5 else ACTIONS if which < 6 else RICH
    action = draw(st.sampled_from(sorted(table)))
    parameters = table[action](known)
    return account, action, _spoiled(known, parameters) if which == 9 else parameters


class _Fitting(_Known):
    """Knows the states, too."""

    def fit(self, kind: str, *states: str) -> str:
        """Return the id of something of the caller's in one of these states, or an id that may not do."""
        rows = [row for row in self.cloud._state.rows(kind).values() if row.account_id == self.caller.account_id]
        ids = [row.id for row in rows if not states or row.state in states]
        return str(self.one(*ids[-4:])) if ids else self.id(kind, PREFIXES[kind])

    def shared(self) -> str:
        """Return the id of an OMI of a user's that the caller sees."""
        filters = {"Filters": {"AccountIds": sorted(self.users)}}
        images = self.caller.call("ReadImages", **filters)["Images"]
        return str(self.one(*(image["ImageId"] for image in images[-4:]), self.official()))


PREFIXES = {
    "image": "ami",
    "image_export": "image-export",
    "snapshot": "snap",
    "snapshot_export": "snap-export",
    "vm": "i",
    "volume": "vol",
}


def _spoiled(known: _Known, parameters: Parameters) -> Parameters:
    """Make a mistake of form, or ask for a dry run."""
    names = sorted(parameters)
    name = known.one(*names) if names else "Filters"
    spoiled: Parameters = known.one(
        {one: value for one, value in parameters.items() if one != name},
        parameters | {"Nonsense": 1},
        parameters | {name: known.one(12, "text", [1], {"x": 1}, True)},
        parameters | {name: known.one([], "", None, {})},
        parameters | {name: known.one("ami-1", "vol-0123456789", "x-00000000", "i-0000000G", "ari-00000000")},
        parameters | {"DryRun": known.one(True, True, False, "yes")},
    )
    return spoiled


def _bsu(known: _Known, *, snapshot: bool) -> Parameters:
    parts = {
        "VolumeSize": known.one(1, 3, 12, 60, 20_000),
        "VolumeType": known.one(*TYPES),
        "Iops": known.one(100, 500, 5000, 20_000),
        "DeleteOnVmDeletion": known.one(True, False),
    }
    given = {name: value for name, value in parts.items() if known.one(True, False, False)}
    return given | ({"SnapshotId": known.snapshot()} if snapshot else {})


def _create_image(known: _Known) -> Parameters:
    parameters = dict(ACTIONS["CreateImage"](known))
    extra = {
        "BootModes": known.one(*MODES),
        "TpmMandatory": known.one(True, False),
        "ProductCodes": known.one(*CODES),
        "Architecture": known.one("i386", "x86_64", "arm64"),
        "NoReboot": known.one(True, False),
    }
    few = {name: value for name, value in extra.items() if known.one(True, False, False, False, False)}
    if "BlockDeviceMappings" in parameters and known.one(True, False):
        more = [
            {"DeviceName": known.one(*DEVICES), "Bsu": _bsu(known, snapshot=known.one(True, False))},
            {"DeviceName": known.one(*DEVICES), "VirtualDeviceName": "ephemeral0"},
            {"DeviceName": known.one(*DEVICES)},
        ]
        parameters["BlockDeviceMappings"] = [*parameters["BlockDeviceMappings"], known.one(*more)]
    if known.one(True, False, False, False):
        parameters.pop("ImageName", None)
    return parameters | few


def _create_vms(known: _Known) -> Parameters:
    mappings = [
        known.one(
            {"DeviceName": known.one(*DEVICES), "Bsu": _bsu(known, snapshot=known.one(True, False, False))},
            {"DeviceName": known.one(*DEVICES), "NoDevice": ""},
        )
        for _ in range(known.one(1, 2))
    ]
    extra = {
        "BlockDeviceMappings": mappings,
        "BootMode": known.one("legacy", "uefi", "bios"),
        "BootOnCreation": known.one(True, False),
        "ClientToken": known.one("a", "b"),
        "DeletionProtection": known.one(True, False),
        "KeypairName": "nobody",
        "MaxVmsCount": known.one(0, 1, 2, 3),
        "MinVmsCount": known.one(0, 1, 2),
        "NestedVirtualization": True,
        "Performance": known.one("medium", "high", "highest", "top"),
        "Placement": {"SubregionName": known.one(f"{known.caller.region}b", "mars-1a", ""), "Tenancy": ""},
        "TpmEnabled": known.one(True, False),
        "UserData": known.one("aGVsbG8=", "?"),
        "VmType": known.one(
            "tinav5.c2r4p2", "tinav6.c1r2", "t2.micro", "tinav4.c8r33p2", "tinav5.c79r181", "tinav5.c1r1p0"
        ),
    }
    few = {name: value for name, value in extra.items() if known.one(True, False, False, False)}
    return {"ImageId": known.image(), **few, **_shutdown(known)}


def _shutdown(known: _Known) -> Parameters:
    config = {"GuestAction": known.one("stop", "terminate", "sleep"), "HostAction": known.one("stop", "restart")}
    extra = {
        "ShutdownBehaviorConfiguration": known.some(**config),
        "VmInitiatedShutdownBehavior": known.one("stop", "restart", "terminate", "sleep"),
    }
    return {name: value for name, value in extra.items() if known.one(True, *[False] * 7)}


def _update_vm(known: _Known) -> Parameters:
    bsu = known.some(DeleteOnVmDeletion=known.one(True, False), VolumeId=known.volume())
    extra = {
        "BlockDeviceMappings": [{**known.some(DeviceName=known.one(*DEVICES)), "Bsu": bsu}],
        "BsuOptimized": known.one(True, False),
        "DeletionProtection": known.one(True, False, False),
        "IsSourceDestChecked": True,
        "KeypairName": "nobody",
        "NestedVirtualization": False,
        "Performance": known.one("medium", "high", "top"),
        "UserData": known.one("aGVsbG8=", "?"),
        "VmType": known.one("tinav5.c2r4p2", "tinav6.c1r2", "t2.micro", "huge"),
    }
    few = {name: value for name, value in extra.items() if known.one(True, *[False] * 5)}
    return {"VmId": known.vm(), **few, **_shutdown(known)}


def _permissions(known: _Known) -> Parameters:
    ids = known.one([known.account_id()], [known.account_id(), known.account_id()], ["12"], [])
    what = known.some(AccountIds=ids, GlobalPermission=known.one(True, False))
    return {branch: what for branch in ("Additions", "Removals") if known.one(True, True, False)}


def _update_volume(known: _Known) -> Parameters:
    some = known.some(
        Size=known.one(0, 1, 20, 40, 300, 20_000),
        VolumeType=known.one(*TYPES),
        Iops=known.one(0, 50, 200, 3100, 99_999),
    )
    return {"VolumeId": known.volume(), **some}


def _tags(known: _Known) -> Parameters:
    ids = [known.image(), known.vm(), known.volume(), known.snapshot(), known.id("image_export", "image-export"), "x"]
    tags = [{"Key": known.one("team", "env", "", "k" * 256), "Value": known.one("drawn", "", "other")}]
    return {"ResourceIds": [known.one(*ids), *known.one([], [], [known.volume()])], "Tags": tags}


def _filtered(**filters: Any) -> Any:
    def draw(known: _Known) -> Parameters:
        chosen = {name: make(known) for name, make in filters.items() if known.one(True, False, False, False)}
        return {"Filters": chosen | known.one({}, {}, {}, {}, {}, {"Nonsense": ["x"]})}

    return draw


def _ids(make: str) -> Any:
    return lambda known: [getattr(known, make)(), *known.one([], [getattr(known, make)()])]


TAGGED = {
    "TagKeys": lambda known: [known.one("team", "env")],
    "TagValues": lambda known: [known.one("drawn", "")],
    "Tags": lambda known: [known.one("team=drawn", "env=")],
}
# Calls that mostly succeed, so that there is something to disagree about.
LIKELY: dict[str, Any] = {
    "CreateImage": lambda known: {
        "ImageName": known.one(*NAMES[:-1]),
        **known.one(
            {"VmId": known.fit("vm", "running", "stopped"), "NoReboot": known.one(True, False)},
            {"SourceImageId": known.shared(), "SourceRegionName": known.caller.region},
            {
                "RootDeviceName": "/dev/sda1",
                "BlockDeviceMappings": [
                    {"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": known.fit("snapshot", "completed")}}
                ],
            },
            {"FileLocation": known.url("manifest.json")},
        ),
    },
    "CreateImageExportTask": lambda known: {
        "ImageId": known.fit("image", "available"),
        "OsuExport": {"DiskImageFormat": "qcow2", "OsuBucket": "exports"} | known.one({}, {"OsuPrefix": "p"}),
    },
    "CreateSnapshot": lambda known: known.one(
        {"VolumeId": known.fit("volume", "available", "in-use")},
        {"SourceSnapshotId": known.fit("snapshot", "completed"), "SourceRegionName": known.caller.region},
        {"FileLocation": known.url(".gz"), "SnapshotSize": known.one(10 * 2**30, 5 * 2**30 + 1)},
    ),
    "CreateSnapshotExportTask": lambda known: {
        "SnapshotId": known.fit("snapshot", "completed"),
        "OsuExport": {"DiskImageFormat": "raw", "OsuBucket": "exports"} | known.one({}, {"OsuPrefix": "p"}),
    },
    "CreateVms": lambda known: {"ImageId": known.shared(), "MaxVmsCount": known.one(1, 2)},
    "CreateVolume": lambda known: {
        "SubregionName": f"{known.caller.region}a",
        **known.one({"Size": 10, "VolumeType": "io1", "Iops": 500}, {"SnapshotId": known.fit("snapshot", "completed")}),
    },
    "DeleteExportTask": lambda known: {
        "ExportTaskId": known.one(
            known.fit("image_export", "pending/queued", "pending"),
            known.fit("snapshot_export", "pending", "initializing", "uploading"),
        )
    },
    "DeleteImage": lambda known: {"ImageId": known.fit("image")},
    "DeleteSnapshot": lambda known: {"SnapshotId": known.fit("snapshot", "completed", "error")},
    "DeleteVms": lambda known: {"VmIds": [known.fit("vm")]},
    "DeleteVolume": lambda known: {"VolumeId": known.fit("volume", "available", "error")},
    "LinkVolume": lambda known: {
        "DeviceName": f"/dev/sd{known.one(*'bcdefg')}",
        "VmId": known.fit("vm", "running", "stopped"),
        "VolumeId": known.fit("volume", "available"),
    },
    "StartVms": lambda known: {"VmIds": [known.fit("vm", "stopped")]},
    "StopVms": lambda known: {"VmIds": [known.fit("vm", "running")]},
    "UnlinkVolume": lambda known: {"VolumeId": known.fit("volume", "in-use")},
    "UpdateImage": lambda known: {
        "ImageId": known.fit("image"),
        "PermissionsToLaunch": {known.one("Additions", "Removals"): _granted(known)},
    },
    "UpdateSnapshot": lambda known: {
        "SnapshotId": known.fit("snapshot"),
        "PermissionsToCreateVolume": {known.one("Additions", "Removals"): _granted(known)},
    },
    "UpdateVm": lambda known: {
        "VmId": known.fit("vm", "stopped"),
        **known.one({"VmType": "tinav6.c1r2"}, {"Performance": "medium"}, {"UserData": "aGVsbG8="}),
    },
    "UpdateVolume": lambda known: {
        "VolumeId": known.fit("volume", "in-use", "available"),
        **known.one(
            {"Size": 40}, {"VolumeType": "gp2"}, {"VolumeType": "io1", "Iops": 400}, {"VolumeType": "standard"}
        ),
    },
}


def _granted(known: _Fitting) -> Parameters:
    granted: Parameters = known.one({"AccountIds": [known.account_id()]}, {"GlobalPermission": True})
    return granted


RICH = ACTIONS | {
    "CreateImage": _create_image,
    "CreateVms": _create_vms,
    "UpdateVm": _update_vm,
    "UpdateVolume": _update_volume,
    "CreateTags": _tags,
    "DeleteTags": _tags,
    "CreateVolume": lambda known: {
        "SubregionName": known.one(f"{known.caller.region}a", f"{known.caller.region}b", "mars-1a"),
        **known.some(
            ClientToken=known.one("a", "b"), Size=known.one(0, 1, 3, 10, 20_000), Iops=known.one(50, 300, 20_000)
        ),
        **known.some(SnapshotId=known.snapshot(), VolumeType=known.one(*TYPES)),
    },
    "CreateSnapshot": lambda known: {
        **ACTIONS["CreateSnapshot"](known),
        **known.one({}, {}, {"ClientToken": known.one("a", "b")}),
        **known.one({}, {"Description": "drawn"}, {"VolumeId": known.volume()}),
    },
    "CreateImageExportTask": lambda known: {
        "ImageId": known.image(),
        "OsuExport": known.target() | known.some(OsuPrefix=known.one("p", "p/")),
    },
    "CreateSnapshotExportTask": lambda known: {
        "SnapshotId": known.snapshot(),
        "OsuExport": known.target() | known.some(OsuPrefix=known.one("p", "p/")) | known.one({}, {"OsuBucket": "Up"}),
    },
    "UpdateImage": lambda known: {
        "ImageId": known.image(),
        **known.some(Description="new", ProductCodes=known.one(*CODES), PermissionsToLaunch=_permissions(known)),
    },
    "UpdateSnapshot": lambda known: {
        "SnapshotId": known.snapshot(),
        "PermissionsToCreateVolume": _permissions(known),
    },
    "StopVms": lambda known: {"VmIds": [known.vm()], **known.one({}, {"ForceStop": True})},
    "UnlinkVolume": lambda known: {"VolumeId": known.volume(), **known.one({}, {"ForceUnlink": True})},
    "DeleteVms": lambda known: {"VmIds": [known.vm(), *known.one([], [known.vm()])]},
    "ReadImages": _filtered(
        AccountAliases=lambda known: [known.one("Outscale", "nobody")],
        AccountIds=lambda known: [known.account_id()],
        Architectures=lambda known: [known.one("i386", "x86_64")],
        BlockDeviceMappingDeleteOnVmDeletion=lambda known: known.one(True, False),
        BlockDeviceMappingSnapshotIds=_ids("snapshot"),
        BootModes=lambda _: ["uefi"],
        ImageIds=_ids("image"),
        ImageNames=lambda known: [known.one("image *", "Ubuntu*", *NAMES)],
        PermissionsToLaunchAccountIds=lambda known: [known.account_id()],
        PermissionsToLaunchGlobalPermission=lambda known: known.one(True, False),
        ProductCodes=lambda known: known.one(*CODES),
        States=lambda known: [known.one("available", "pending", "odd")],
        **TAGGED,
    ),
    "ReadSnapshots": _filtered(
        AccountIds=lambda known: [known.account_id()],
        Descriptions=lambda _: ["dr*"],
        PermissionsToCreateVolumeAccountIds=lambda known: [known.account_id()],
        SnapshotIds=_ids("snapshot"),
        VolumeIds=_ids("volume"),
        VolumeSizes=lambda known: [known.one(10, 3)],
        **TAGGED,
    ),
    "ReadVolumes": _filtered(
        LinkVolumeDeviceNames=lambda known: [known.one(*DEVICES)],
        LinkVolumeVmIds=_ids("vm"),
        SnapshotIds=_ids("snapshot"),
        VolumeSizes=lambda known: [known.one(10, 3)],
        VolumeStates=lambda known: [known.one("available", "in-use")],
        VolumeTypes=lambda _: ["standard", "io1"],
        **TAGGED,
    ),
    "ReadVms": _filtered(
        ImageIds=_ids("image"),
        VmIds=_ids("vm"),
        VmStateNames=lambda known: [known.one("running", "terminated")],
        **TAGGED,
    ),
    "ReadVmsState": lambda known: known.one({}, {"AllVms": True}, {"AllVms": True, "Filters": {"VmIds": [known.vm()]}}),
    "ReadTags": _filtered(
        Keys=lambda _: ["team"],
        ResourceIds=_ids("volume"),
        ResourceTypes=lambda known: [known.one("image", "volume")],
    ),
}
