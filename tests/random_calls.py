"""Random calls of the model's actions, over ids that there are and ids that there are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from omisim import Account, Cloud
from omisim.storage import Place, presign

__all__ = ["ACTIONS", "Draw", "draw_call"]

Draw = Callable[[st.SearchStrategy[Any]], Any]
Parameters = dict[str, Any]
SUBREGIONS = ("eu-west-2a", "mars-1a")
NAMES = (*(f"image {number}" for number in range(12)), "x")
TYPES = ("standard", "gp2", "io1", "floppy")


def draw_call(draw: Draw, cloud: Cloud, accounts: list[Account]) -> tuple[Account, str, Parameters]:
    """Draw an account, an action and its parameters; about half of the calls succeed."""
    account = draw(st.sampled_from(accounts))
    action = draw(st.sampled_from(sorted(ACTIONS)))
    return account, action, ACTIONS[action](_Known(draw, cloud, account, accounts))


class _Known:
    """What a draw may name: the ids of a cloud, and a few that it does not have."""

    def __init__(self, draw: Draw, cloud: Cloud, caller: Account, accounts: list[Account]) -> None:
        self.draw, self.cloud, self.caller, self.accounts = draw, cloud, caller, accounts
        self.users = {account.account_id for account in accounts}

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def id(self, kind: str, prefix: str) -> str:
        """Return an id: mostly one of the caller's newest, now and then another's, seldom one that nobody has."""
        rows = [row for row in self.cloud._state.rows(kind).values() if row.account_id in self.users]
        own = [row.id for row in rows if row.account_id == self.caller.account_id]
        others = [row.id for row in rows if row.account_id != self.caller.account_id]
        which = self.draw(st.integers(0, 11))
        ids = own if which < 9 else others
        return str(self.one(*ids[-3:])) if ids and which < 11 else f"{prefix}-00000000"

    def image(self) -> str:
        return self.id("image", "ami") if self.draw(st.booleans()) else self.official()

    def official(self) -> str:
        """Return one of the official OMIs of the caller's Region."""
        return self.cloud.images.official(str(self.one("debian", "windows", "rhel")), self.caller.region).image_id

    def vm(self) -> str:
        return self.id("vm", "i")

    def volume(self) -> str:
        return self.id("volume", "vol")

    def snapshot(self) -> str:
        return self.id("snapshot", "snap")

    def url(self, end: str) -> str:
        """Return a signed URL of an object of this kind, or of one that is not there."""
        keys = [row for row in self.cloud._state.rows("object").values() if row.name.endswith(end)][-2:]
        writer = self.cloud._state.get("access_key", self.accounts[0].access_key)
        region, bucket, name = str(self.one(*(row.id for row in keys), f"eu-west-2/exports/none{end}")).split("/", 2)
        return presign(Place(region, bucket, name), writer, self.cloud.now, int(self.one(604_800, 600)))

    def target(self) -> Parameters:
        return {"DiskImageFormat": self.one("qcow2", "raw", "zip"), "OsuBucket": self.one("exports", "exports", "none")}

    def some(self, **optional: Any) -> Parameters:
        """Keep some of these parameters."""
        return {name: value for name, value in optional.items() if self.draw(st.booleans())}

    def account_id(self) -> str:
        return str(self.one(*(account.account_id for account in self.accounts), "000000000000"))

    def permissions(self) -> Parameters:
        what = self.one({"AccountIds": [self.account_id()]}, {"GlobalPermission": True})
        return {str(self.one("Additions", "Removals")): what}


def _create_image(known: _Known) -> Parameters:
    named = {"ImageName": known.one(*NAMES)} | known.some(Description="drawn")
    way = known.one("vm", "copy", "snapshot", "manifest")
    if way == "manifest":
        return {"FileLocation": known.url("manifest.json"), **named}
    if way == "vm":
        return {"VmId": known.vm(), **known.some(NoReboot=True), **named}
    if way == "copy":
        return {
            "SourceImageId": known.image(),
            "SourceRegionName": known.one(known.caller.region, "eu-west-2"),
            **named,
        }
    bsu = {"SnapshotId": known.snapshot(), **known.some(VolumeSize=known.one(1, 12, 40))}
    mapping = {"DeviceName": known.one("/dev/sda1", "/dev/sdb"), "Bsu": bsu}
    return {"RootDeviceName": "/dev/sda1", "BlockDeviceMappings": [mapping], **named}


def _create_vms(known: _Known) -> Parameters:
    bsu = {"VolumeSize": known.one(60, 11, 1)}
    disk = {"DeviceName": known.one("/dev/sdb", "/dev/sdc", "/dev/sda1"), "Bsu": bsu}
    return {
        "ImageId": known.image(),
        **known.some(
            BlockDeviceMappings=[disk],
            BootOnCreation=False,
            DeletionProtection=True,
            MaxVmsCount=known.one(1, 2, 3),
            VmType=known.one("tinav5.c2r4p2", "t2.micro", "tinav4.c8r33p2", "huge"),
        ),
    }


ACTIONS: dict[str, Callable[[_Known], Parameters]] = {
    "CreateImage": _create_image,
    "CreateSnapshot": lambda known: known.one(
        {"VolumeId": known.volume()},
        {"SourceSnapshotId": known.snapshot(), "SourceRegionName": known.one(known.caller.region, "eu-west-2")},
        {"FileLocation": known.url(".gz"), "SnapshotSize": known.one(2**30, 300 * 2**30, 0)},
    ),
    "CreateImageExportTask": lambda known: {"ImageId": known.image(), "OsuExport": known.target()},
    "CreateSnapshotExportTask": lambda known: {"SnapshotId": known.snapshot(), "OsuExport": known.target()},
    "DeleteExportTask": lambda known: {
        "ExportTaskId": known.id(*known.one(("image_export", "image-export"), ("snapshot_export", "snap-export")))
    },
    "CreateTags": lambda known: {
        "ResourceIds": [known.one(known.image(), known.vm(), known.volume())],
        "Tags": [{"Key": known.one("team", "", "env"), "Value": "drawn"}],
    },
    "CreateVms": _create_vms,
    "CreateVolume": lambda known: {
        "SubregionName": known.one(*SUBREGIONS),
        **known.some(
            Size=known.one(0, 1, 10, 200), SnapshotId=known.snapshot(), VolumeType=known.one(*TYPES), Iops=300
        ),
    },
    "DeleteImage": lambda known: {"ImageId": known.image()},
    "DeleteSnapshot": lambda known: {"SnapshotId": known.snapshot()},
    "DeleteVms": lambda known: {"VmIds": [known.vm()]},
    "DeleteVolume": lambda known: {"VolumeId": known.volume()},
    "LinkVolume": lambda known: {
        "DeviceName": known.one("/dev/sdb", "/dev/sdc", "/dev/sda1", "C:"),
        "VmId": known.vm(),
        "VolumeId": known.volume(),
    },
    "RebootVms": lambda known: {"VmIds": [known.vm()]},
    "StartVms": lambda known: {"VmIds": [known.vm(), *known.one([], [known.vm()])]},
    "StopVms": lambda known: {"VmIds": [known.vm()]},
    "UnlinkVolume": lambda known: {"VolumeId": known.volume()},
    "UpdateImage": lambda known: {"ImageId": known.image(), **known.some(PermissionsToLaunch=known.permissions())},
    "UpdateSnapshot": lambda known: {
        "SnapshotId": known.snapshot(),
        "PermissionsToCreateVolume": known.permissions(),
    },
    "UpdateVm": lambda known: {
        "VmId": known.vm(),
        **known.some(DeletionProtection=known.one(True, False), VmType=known.one("tinav5.c2r4p2", "huge")),
    },
    "UpdateVolume": lambda known: {
        "VolumeId": known.volume(),
        **known.some(Size=known.one(1, 20, 300), VolumeType=known.one(*TYPES), Iops=known.one(200, 99999)),
    },
}
