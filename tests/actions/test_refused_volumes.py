"""Each rule on volumes and links that refuses: broken, and kept."""

from __future__ import annotations

import pytest
from support.world import Case, check

HERE = {"SubregionName": "eu-west-2a"}
BLANK = HERE | {"Size": 10}
FAST = BLANK | {"VolumeType": "io1"}
RESTORED = HERE | {"SnapshotId": "{snapshot}"}
LINK = {"DeviceName": "/dev/sdc", "VmId": "{vm}", "VolumeId": "{free}"}

VOLUMES = [
    Case("REQ-010", "7000", "CreateVolume", {"Size": 10}, BLANK),
    Case("VOL-002", "5009", "CreateVolume", BLANK | {"SubregionName": "eu-west-2z"}, BLANK),
    Case("VOL-002", "5009", "CreateVolume", BLANK | {"SubregionName": "us-east-2a"}, BLANK),
    Case("VOL-003", "7000", "CreateVolume", HERE, RESTORED),
    Case("VOL-004", "4078", "CreateVolume", HERE | {"Size": 0}, HERE | {"Size": 1}),
    Case("VOL-004", "4078", "CreateVolume", HERE | {"Size": 14902}, HERE | {"Size": 14901}),
    Case("VOL-005", "4078", "CreateVolume", FAST | {"Size": 3, "Iops": 100}, FAST | {"Size": 4, "Iops": 100}),
    Case("VOL-006", "4047", "CreateVolume", BLANK | {"VolumeType": "gp3"}, BLANK | {"VolumeType": "gp2"}),
    Case("VOL-007", "4045", "CreateVolume", FAST, FAST | {"Iops": 100}),
    Case("VOL-008", "4029", "CreateVolume", FAST | {"Iops": 99}, FAST | {"Iops": 100}),
    Case("VOL-008", "4029", "CreateVolume", FAST | {"Size": 100, "Iops": 13001}, FAST | {"Size": 100, "Iops": 13000}),
    Case("VOL-009", "4047", "CreateVolume", FAST | {"Iops": 3001}, FAST | {"Iops": 3000}),
    Case("VOL-010", "4045", "CreateVolume", BLANK | {"Iops": 100}, BLANK),
    Case("VOL-010", "4045", "CreateVolume", BLANK | {"VolumeType": "gp2", "Iops": 100}),
    Case("VOL-013", "4125", "CreateVolume", RESTORED | {"Size": 9}, RESTORED | {"Size": 10}),
    Case(
        "VOL-014",
        "5054",
        "CreateVolume",
        RESTORED | {"SnapshotId": "{bobs_snapshot}"},
        HERE | {"SnapshotId": "{shared_snapshot}"},
    ),
    Case("ID-015", "4104", "CreateVolume", RESTORED | {"SnapshotId": "vol-12345678"}),
    Case("VOL-020", "5064", "DeleteVolume", {"VolumeId": "{bobs_volume}"}, {"VolumeId": "{free}"}),
    Case("volume/DeleteVolume/in-use", "6003", "DeleteVolume", {"VolumeId": "{data}"}),
]
UPDATES = [
    Case("VOL-020", "5064", "UpdateVolume", {"VolumeId": "{bobs_volume}", "Size": 20}),
    Case("VOL-040", "7000", "UpdateVolume", {"VolumeId": "{free}"}, {"VolumeId": "{free}", "Size": 10}),
    Case("VOL-041", "4078", "UpdateVolume", {"VolumeId": "{free}", "Size": 9}, {"VolumeId": "{free}", "Size": 11}),
    Case("VOL-004", "4078", "UpdateVolume", {"VolumeId": "{free}", "Size": 14902}),
    Case("VOL-042", "4047", "UpdateVolume", {"VolumeId": "{free}", "Size": 0}),
    Case("VOL-042", "4047", "UpdateVolume", {"VolumeId": "{fast}", "Iops": 0}, {"VolumeId": "{fast}", "Iops": 100}),
    Case("VOL-008", "4029", "UpdateVolume", {"VolumeId": "{fast}", "Iops": 99}),
    Case("VOL-009", "4047", "UpdateVolume", {"VolumeId": "{fast}", "Iops": 3001}, {"VolumeId": "{fast}", "Iops": 3000}),
    Case("VOL-010", "4045", "UpdateVolume", {"VolumeId": "{free}", "Iops": 100}),
    Case(
        "VOL-007",
        "4045",
        "UpdateVolume",
        {"VolumeId": "{free}", "VolumeType": "io1"},
        {"VolumeId": "{free}", "VolumeType": "io1", "Iops": 100},
    ),
    Case("VOL-006", "4047", "UpdateVolume", {"VolumeId": "{free}", "VolumeType": "sc1"}),
    Case(
        "VOL-046",
        "6003",
        "UpdateVolume",
        {"VolumeId": "{data}", "Size": 30},
        {"VolumeId": "{free}", "Size": 30},
        switches={"hot_volume_update": False},
    ),
]
LINKS = [
    Case("REQ-010", "7000", "LinkVolume", {"VmId": "{vm}", "VolumeId": "{free}"}, LINK),
    Case("LNK-002", "5064", "LinkVolume", LINK | {"VolumeId": "{bobs_volume}"}, LINK),
    Case("LNK-002/vm", "5063", "LinkVolume", LINK | {"VmId": "{bobs_vm}", "VolumeId": "vol-00000000"}, LINK),
    Case("LNK-003", "9071", "LinkVolume", LINK | {"VolumeId": "{elsewhere}"}, LINK),
    Case("OMI-053", "4019", "LinkVolume", LINK | {"DeviceName": "/dev/hda"}, LINK | {"DeviceName": "/dev/xvdb"}),
    Case("LNK-005", "9004", "LinkVolume", LINK | {"DeviceName": "/dev/sdb"}, LINK),
    Case("volume/LinkVolume/in-use", "6003", "LinkVolume", LINK | {"VolumeId": "{data}"}, LINK),
    Case("LNK-011", "6003", "StartVms", {"VmIds": ["{rootless}"]}, {"VmIds": ["{stopped}"]}),
    Case("LNK-020", "5064", "UnlinkVolume", {"VolumeId": "{bobs_volume}"}, {"VolumeId": "{data}"}),
    Case("volume/UnlinkVolume/available", "9063", "UnlinkVolume", {"VolumeId": "{free}"}, {"VolumeId": "{data}"}),
    Case("LNK-022", "8003", "UnlinkVolume", {"VolumeId": "{root}"}),
]


@pytest.mark.parametrize("case", VOLUMES, ids=str)
def test_of_a_volume(case: Case) -> None:
    """A volume has a size, a type and IOPS that go together, deleted by its owner when free. [VOL-001, VOL-021]"""
    check(case)


@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_of_an_update(case: Case) -> None:
    """A volume only grows, and stays a volume that could have been made."""
    check(case)


@pytest.mark.parametrize("case", LINKS, ids=str)
def test_of_a_link(case: Case) -> None:
    """A volume is linked where there is room for it, and unlinked where it can be spared. [LNK-004]"""
    check(case)
