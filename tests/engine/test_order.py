"""The order of checks [REQ-014]: of two errors in a request, the one of the earlier class is reported."""

from __future__ import annotations

from typing import Any

import pytest
from support.expect import expect_refusal
from support.world import get_world

from omisim import Cloud

SMALL_ROOT = {"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": "{snapshot}", "VolumeSize": 1}}
MISSING = {"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": "snap-00000000"}}
HUGE = {"DeviceName": "/dev/sdb", "Bsu": {"VolumeSize": 20_000}}
NO_IMAGE = {"ImageId": "ami-00000000"}
CHANGES: dict[str, Any] = {"Additions": {}, "Removals": {}}


def make_registration(*mappings: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    """Return a registration of an OMI."""
    return {"RootDeviceName": "/dev/sda1", "BlockDeviceMappings": [*mappings], "ImageName": "order", **parameters}


# what is required, combinations, values, existence, a value against a resource, its state
NO_SIZE = {"DeviceName": "/dev/sdb", "Bsu": {"DeleteOnVmDeletion": True}}
ORDER: list[tuple[str, str, dict[str, Any]]] = [
    ("OMI-004", "CreateImage", {"SourceImageId": "{golden}", "NoReboot": True}),
    ("OMI-007", "CreateImage", make_registration({"DeviceName": "/dev/sda1", "Bsu": {"VolumeSize": 5}}, ImageName="x")),
    ("OMI-051", "CreateVms", {"ImageId": "{golden}", "BlockDeviceMappings": [{"NoDevice": ""}], "MaxVmsCount": 0}),
    (
        "OMI-059",
        "CreateImage",
        make_registration(NO_SIZE, Architecture="arm64"),
    ),
    ("OMI-103", "UpdateImage", {"ImageId": "{golden}", "PermissionsToLaunch": CHANGES}),
    ("VOL-008", "UpdateVolume", {"VolumeId": "vol-00000000", "Iops": 99_999}),
    ("VOL-010", "CreateVolume", {"SubregionName": "mars-1a", "SnapshotId": "{snapshot}", "Iops": 300}),
    ("VOL-010", "CreateVolume", {"SubregionName": "eu-west-2a", "SnapshotId": "snap-00000000", "Iops": 300}),
    ("OMI-060", "CreateImage", make_registration(MISSING, HUGE)),
    ("OMI-060", "CreateVms", NO_IMAGE | {"BlockDeviceMappings": [HUGE]}),
    ("BDM-003", "CreateVms", NO_IMAGE | {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "NoDevice": ""}]}),
    ("OMI-030", "CreateVms", {"ImageId": "{golden}", "KeypairName": "nobody", "BootMode": "bios"}),
    ("TAG-003", "DeleteTags", {"ResourceIds": ["vol-00000000"], "Tags": [{"Key": "", "Value": ""}]}),
    ("OMI-008", "CreateImage", make_registration(HUGE | {"Bsu": {"VolumeSize": 1}}, HUGE | {"Bsu": {"VolumeSize": 1}})),
    ("OMI-074", "CreateImage", make_registration(SMALL_ROOT, ProductCodes=["0042"])),
    ("VM-076", "UpdateVm", {"VmId": "{vm}", "VmType": "t2.micro", "BlockDeviceMappings": [{"DeviceName": "/dev/sdz"}]}),
]


@pytest.mark.parametrize(("rule", "action", "parameters"), ORDER, ids=[f"{case[0]}-{case[1]}" for case in ORDER])
def test_order_of_checks_decides_between_two_mistakes(rule: str, action: str, parameters: dict[str, Any]) -> None:
    """A call with two mistakes is refused for the one that is checked first. [REQ-014]"""
    alice = get_world().cloud.fork().account("alice")
    assert expect_refusal(alice, action, **get_world().fill(parameters)).rule == rule


def test_order_of_checks_puts_values_before_states() -> None:
    """A size that is too small is refused before a state that is not ready. [REQ-014, VOL-041, VOL-013]"""
    cloud = Cloud(timing="manual")
    alice = cloud.account("alice")
    volume = alice.create_volume(subregion_name="eu-west-2a", size=10).volume_id
    cloud.fail(volume)
    assert expect_refusal(alice, "UpdateVolume", VolumeId=volume, Size=5).rule == "VOL-041"
    assert expect_refusal(alice, "UpdateVolume", VolumeId=volume, Size=20).rule == "volume/UpdateVolume/error"
