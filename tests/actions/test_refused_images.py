"""Each rule on OMIs, snapshots and sharing that refuses: broken, and kept."""

from __future__ import annotations

import pytest
from support.world import REGION, Case, check

ROOT = {"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": "{snapshot}"}}


def registered(*mappings: object, **more: object) -> dict[str, object]:
    """Return the parameters of an OMI from snapshots."""
    return {"ImageName": "new", "RootDeviceName": "/dev/sda1", "BlockDeviceMappings": list(mappings), **more}


def data(**bsu: object) -> dict[str, object]:
    """Return the mapping of a data disk."""
    return {"DeviceName": "/dev/sdb", "Bsu": bsu}


FROM_VM = {"VmId": "{vm}", "ImageName": "new"}
COPY = {"SourceImageId": "{golden}", "SourceRegionName": REGION}
SNAPSHOT_COPY = {"SourceSnapshotId": "{snapshot}", "SourceRegionName": REGION}
GRANT = {"Additions": {"AccountIds": ["{bob}"]}}
BOTH = {"Additions": {"AccountIds": ["{bob}"]}, "Removals": {"AccountIds": ["{carol}"]}}

SOURCES = [
    Case("OMI-001", "7000", "CreateImage", {"ImageName": "new"}, FROM_VM),
    Case("OMI-002", "3002", "CreateImage", {"VmId": "{vm}"}, FROM_VM),
    Case("OMI-003", "3002", "CreateImage", FROM_VM | COPY, COPY),
    Case("OMI-004", "7000", "CreateImage", {"SourceImageId": "{golden}"}, COPY),
    Case("OMI-004", "7000", "CreateImage", {"SourceRegionName": REGION, "ImageName": "new"}, COPY),
    Case("OMI-005", "8019", "CreateImage", COPY | {"SourceRegionName": "us-east-2"}, COPY),
    Case("OMI-005", "8019", "CreateImage", COPY | {"SourceRegionName": "mars-1"}, COPY),
    Case("OMI-006", "7000", "CreateImage", {"ImageName": "new", "RootDeviceName": "/dev/sda1"}, registered(ROOT)),
    Case("OMI-006", "7000", "CreateImage", {"ImageName": "new", "BlockDeviceMappings": [ROOT]}, registered(ROOT)),
    Case("OMI-006", "7000", "CreateImage", registered(), registered(ROOT)),
    Case("OMI-007", "7003", "CreateImage", registered({"DeviceName": "/dev/sda1", "Bsu": {"VolumeSize": 10}})),
    Case("OMI-008", "4057", "CreateImage", registered(data(SnapshotId="{snapshot}")), registered(ROOT)),
    Case("OMI-009", "4019", "CreateImage", registered(ROOT) | {"RootDeviceName": "/dev/sda2"}, registered(ROOT)),
    Case("OMI-010", "5063", "CreateImage", FROM_VM | {"VmId": "{bobs_vm}"}, FROM_VM),
    Case("OMI-010", "5063", "CreateImage", FROM_VM | {"VmId": "i-00000000"}, FROM_VM),
    Case(
        "OMI-011", "5023", "CreateImage", COPY | {"SourceImageId": "{bobs_image}"}, COPY | {"SourceImageId": "{shared}"}
    ),
    Case(
        "OMI-012",
        "5054",
        "CreateImage",
        registered({"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": "{bobs_snapshot}"}}),
        registered({"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": "{shared_snapshot}"}}),
    ),
    Case("ID-015", "4104", "CreateImage", FROM_VM | {"VmId": "ami-12345678"}, FROM_VM),
    Case("ID-016", "4105", "CreateImage", FROM_VM | {"VmId": "i-1234567"}, FROM_VM),
    Case("ID-015", "4104", "CreateImage", COPY | {"SourceImageId": "image"}, COPY),
    Case("ID-016", "4105", "CreateImage", COPY | {"SourceImageId": "ami-1234567G"}, COPY),
    Case("REQ-008", "3001", "CreateImage", FROM_VM | {"Vmid": "{vm}"}, FROM_VM),
    Case("REQ-009", "4110", "CreateImage", FROM_VM | {"NoReboot": "true"}, FROM_VM | {"NoReboot": True}),
    Case("IMP-001", "4075", "CreateImage", {"FileLocation": "s3://bucket/manifest", "ImageName": "new"}),
    Case("IMP-002", "4074", "CreateImage", {"FileLocation": "https://example.com/manifest", "ImageName": "new"}),
    Case("IMP-007", "7000", "CreateImage", {"FileLocation": "https://example.com/manifest"}),
]
NAMES = [
    Case("OMI-020", "4026", "CreateImage", FROM_VM | {"ImageName": "ab"}, FROM_VM | {"ImageName": "abc"}),
    Case("OMI-020", "4026", "CreateImage", FROM_VM | {"ImageName": "n" * 129}, FROM_VM | {"ImageName": "n" * 128}),
    Case(
        "OMI-021", "4026", "CreateImage", FROM_VM | {"ImageName": "gold!"}, FROM_VM | {"ImageName": "Gold (v1.0)/x_-"}
    ),
    Case("OMI-022", "9015", "CreateImage", FROM_VM | {"ImageName": "golden"}, FROM_VM | {"ImageName": "bobs"}),
    Case(
        "OMI-027", "4047", "CreateImage", registered(ROOT, Architecture="arm64"), registered(ROOT, Architecture="i386")
    ),
    Case(
        "OMI-030", "4047", "CreateImage", FROM_VM | {"BootModes": ["bios"]}, FROM_VM | {"BootModes": ["uefi", "legacy"]}
    ),
    Case(
        "OMI-034",
        "4045",
        "CreateImage",
        registered(ROOT, TpmMandatory=True, BootModes=["legacy"]),
        registered(ROOT, TpmMandatory=True, BootModes=["uefi"]),
    ),
    Case("OMI-034", "4045", "CreateImage", registered(ROOT, TpmMandatory=True)),  # legacy is the default
    Case(
        "OMI-074",
        "5059",
        "CreateImage",
        registered(ROOT, ProductCodes=["9999"]),
        registered(ROOT, ProductCodes=["0006"]),
    ),
]
MAPPINGS = [
    Case(
        "OMI-050",
        "4076",
        "CreateImage",
        registered(ROOT, data(VolumeSize=5) | {"VirtualDeviceName": "ephemeral0"}),
        registered(ROOT, {"DeviceName": "/dev/sdb", "VirtualDeviceName": "ephemeral0"}),
    ),
    Case("OMI-050/neither", "7000", "CreateImage", registered(ROOT, {"DeviceName": "/dev/sdb"}), registered(ROOT)),
    Case(
        "OMI-051",
        "7000",
        "CreateImage",
        registered(ROOT, {"Bsu": {"VolumeSize": 5}}),
        registered(ROOT, data(VolumeSize=5)),
    ),
    Case("OMI-053", "4019", "CreateImage", registered(ROOT, data(VolumeSize=5) | {"DeviceName": "/dev/sda2"})),
    Case("OMI-053", "4019", "CreateImage", registered(ROOT, data(VolumeSize=5) | {"DeviceName": "sdb"})),
    Case("OMI-054", "9014", "CreateImage", registered(ROOT, data(VolumeSize=5), data(VolumeSize=6))),
    Case(
        "OMI-055",
        "4125",
        "CreateImage",
        registered(ROOT, data(SnapshotId="{snapshot}", VolumeSize=9)),
        registered(ROOT, data(SnapshotId="{snapshot}", VolumeSize=10)),
    ),
    Case("OMI-056", "4047", "CreateImage", registered(ROOT, data(VolumeSize=5, VolumeType="gp3"))),
    Case("OMI-057", "4045", "CreateImage", registered(ROOT, data(VolumeSize=5, Iops=200))),
    Case(
        "OMI-057",
        "4045",
        "CreateImage",
        registered(ROOT, data(VolumeSize=5, VolumeType="io1")),
        registered(ROOT, data(VolumeSize=5, VolumeType="io1", Iops=200)),
    ),
    Case("OMI-059", "7000", "CreateImage", registered(ROOT, data(VolumeType="gp2"))),
    Case(
        "OMI-060",
        "4078",
        "CreateImage",
        registered(ROOT, data(VolumeSize=14902)),
        registered(ROOT, data(VolumeSize=14901)),
    ),
    Case("OMI-060", "4078", "CreateImage", registered(ROOT, data(VolumeSize=3, VolumeType="io1", Iops=200))),
    Case("OMI-066", "4057", "CreateImage", FROM_VM | {"VmId": "{rootless}"}, FROM_VM | {"VmId": "{stopped}"}),
]
ACCESS = [
    Case("OMI-101", "7000", "UpdateImage", {"ImageId": "{golden}"}, {"ImageId": "{golden}", "Description": ""}),
    Case(
        "OMI-102",
        "3002",
        "UpdateImage",
        {"ImageId": "{golden}", "PermissionsToLaunch": BOTH},
        {"ImageId": "{golden}", "PermissionsToLaunch": GRANT},
    ),
    Case("OMI-103", "7000", "UpdateImage", {"ImageId": "{golden}", "PermissionsToLaunch": {}}),
    Case("OMI-103", "7000", "UpdateImage", {"ImageId": "{golden}", "PermissionsToLaunch": {"Additions": {}}}),
    Case(
        "ID-016",
        "4105",
        "UpdateImage",
        {"ImageId": "{golden}", "PermissionsToLaunch": {"Additions": {"AccountIds": ["bob"]}}},
    ),
    Case(
        "REQ-009",
        "4110",
        "UpdateImage",
        {"ImageId": "{golden}", "PermissionsToLaunch": {"Additions": {"GlobalPermission": "yes"}}},
    ),
    Case("OMI-106", "5023", "UpdateImage", {"ImageId": "{shared}", "Description": "mine"}),
    Case("OMI-106", "5023", "UpdateImage", {"ImageId": "{ubuntu}", "Description": "mine"}),
    Case("REQ-010", "7000", "UpdateImage", {"Description": "mine"}),
    Case("OMI-121", "5", "DeleteImage", {"ImageId": "{shared}"}, {"ImageId": "{golden}"}),
    Case("OMI-121", "5", "DeleteImage", {"ImageId": "{ubuntu}"}),
    Case("OMI-122", "5023", "DeleteImage", {"ImageId": "{bobs_image}"}),
    Case("ID-015/snapshot", "4104", "DeleteImage", {"ImageId": "snap-12345678"}),
    Case("OMI-122", "5023", "DeleteImage", {"ImageId": "ari-12345678"}),
    Case(
        "SHR-003/snapshot",
        "5054",
        "UpdateSnapshot",
        {"SnapshotId": "{shared_snapshot}", "PermissionsToCreateVolume": GRANT},
    ),
    Case(
        "SHR-020",
        "3002",
        "UpdateSnapshot",
        {"SnapshotId": "{snapshot}", "PermissionsToCreateVolume": BOTH},
        {"SnapshotId": "{snapshot}", "PermissionsToCreateVolume": GRANT},
    ),
    Case("REQ-010", "7000", "UpdateSnapshot", {"SnapshotId": "{snapshot}"}),
    Case(
        "REQ-008", "3001", "UpdateSnapshot", {"SnapshotId": "{snapshot}", "PermissionsToCreateVolume": {"Add": GRANT}}
    ),
]
SNAPSHOTS = [
    Case("SNP-001", "7000", "CreateSnapshot", {"Description": "of nothing"}, {"VolumeId": "{free}"}),
    Case("SNP-001/mixed", "3002", "CreateSnapshot", {"VolumeId": "{free}", **SNAPSHOT_COPY}, SNAPSHOT_COPY),
    Case("SNP-002", "5064", "CreateSnapshot", {"VolumeId": "{bobs_volume}"}, {"VolumeId": "{data}"}),
    Case(
        "SNP-003",
        "5054",
        "CreateSnapshot",
        SNAPSHOT_COPY | {"SourceSnapshotId": "{bobs_snapshot}"},
        SNAPSHOT_COPY | {"SourceSnapshotId": "{shared_snapshot}"},
    ),
    Case("SNP-004", "8019", "CreateSnapshot", SNAPSHOT_COPY | {"SourceRegionName": "us-east-2"}, SNAPSHOT_COPY),
    Case("SNP-005", "7000", "CreateSnapshot", {"SourceSnapshotId": "{snapshot}"}, SNAPSHOT_COPY),
    Case("SNP-005", "7000", "CreateSnapshot", {"FileLocation": "https://example.com/disk"}),
    Case("IMP-001", "4075", "CreateSnapshot", {"FileLocation": "disk", "SnapshotSize": 1}),
    Case("IMP-002", "4074", "CreateSnapshot", {"FileLocation": "https://example.com/disk", "SnapshotSize": 1}),
    Case("SNP-015", "5054", "DeleteSnapshot", {"SnapshotId": "{bobs_snapshot}"}, {"SnapshotId": "{snapshot}"}),
    Case("SNP-016", "9029", "DeleteSnapshot", {"SnapshotId": "{golden_root}"}),
    Case("SNP-018", "5054", "DeleteSnapshot", {"SnapshotId": "{shared_snapshot}"}),
    Case(
        "FLT-009",
        "4098",
        "ReadSnapshots",
        {"Filters": {"FromCreationDate": "2026-02-01", "ToCreationDate": "2026-01-01"}},
        {"Filters": {"FromCreationDate": "2026-01-01", "ToCreationDate": "2026-01-01"}},
    ),
]


@pytest.mark.parametrize("case", SOURCES, ids=str)
def test_of_a_source_of_an_omi(case: Case) -> None:
    """An OMI is made in one of the ways there are, from what the caller may use. [OMI-019, CPY-005]"""
    check(case)


@pytest.mark.parametrize("case", NAMES, ids=str)
def test_of_an_omis_attributes(case: Case) -> None:
    """An OMI has a name of its own, and attributes that exist."""
    check(case)


@pytest.mark.parametrize("case", MAPPINGS, ids=str)
def test_of_an_omis_devices(case: Case) -> None:
    """The devices of an OMI are disks that could be made."""
    check(case)


@pytest.mark.parametrize("case", ACCESS, ids=str)
def test_of_who_may_change_and_share(case: Case) -> None:
    """Only owners change, share and delete, and say what. [OMI-100, OMI-104, OMI-105, OMI-107]"""
    check(case)


@pytest.mark.parametrize("case", SNAPSHOTS, ids=str)
def test_of_a_snapshot(case: Case) -> None:
    """A snapshot is made from one source that the caller may use, and kept while an OMI needs it. [SNP-013]"""
    check(case)
