"""Each rule on VMs, keypairs and tags that refuses: broken, and kept."""

from __future__ import annotations

from base64 import b64encode
from string import ascii_lowercase

import pytest
from support.world import Case, check

LAUNCH = {"ImageId": "{ubuntu}"}
FROM_SNAPSHOT = {"BlockDeviceMappings": [{"DeviceName": "/dev/sdc", "Bsu": {"SnapshotId": "{snapshot}"}}]}
UPDATE = {"VmId": "{vm}"}
MANY = [f"/dev/xvd{first}{second}" for first in "bc" for second in ascii_lowercase]
TAG = {"Tags": [{"Key": "team", "Value": "blue"}]}


def launched(**more: object) -> dict[str, object]:
    """Return the parameters of a launch."""
    return {"ImageId": "{golden}", **more}


def disk(device: str = "/dev/sdc", **bsu: object) -> dict[str, object]:
    """Return the parameters of a launch with a mapping."""
    return launched(BlockDeviceMappings=[{"DeviceName": device, "Bsu": bsu}])


LAUNCHES = [
    Case("REQ-010", "7000", "CreateVms", {"VmType": "t2.small"}, LAUNCH),
    Case("VM-002", "5023", "CreateVms", {"ImageId": "{bobs_image}"}, {"ImageId": "{shared}"}),
    Case("VM-002", "5023", "CreateVms", LAUNCH, by="carol"),
    Case("ID-015", "4104", "CreateVms", {"ImageId": "i-12345678"}, LAUNCH),
    Case("ID-015/snapshot", "4104", "CreateVms", {"ImageId": "{snapshot}"}, LAUNCH),
    Case("REQ-010/image", "7000", "CreateVms", FROM_SNAPSHOT, FROM_SNAPSHOT | LAUNCH),
    Case("ID-016", "4105", "CreateVms", {"ImageId": "ami-123"}, LAUNCH),
    Case("VM-004", "4047", "CreateVms", launched(MinVmsCount=2), launched(MinVmsCount=2, MaxVmsCount=2)),
    Case("VM-004", "4047", "CreateVms", launched(MinVmsCount=0)),
    Case("VM-009", "5020", "CreateVms", launched(SecurityGroups=["web"]), launched(SecurityGroups=["default"])),
    Case("VM-009", "5020", "CreateVms", launched(SecurityGroupIds=["sg-00000000"])),
    Case("VM-013/subnet", "4030", "CreateVms", launched(PrivateIps=["10.0.0.9"])),
    Case("VM-014", "5071", "CreateVms", launched(KeypairName="nobody"), launched(KeypairName="pair")),
    Case("VOL-002", "5009", "CreateVms", launched(Placement={"SubregionName": "eu-west-2z"})),
    Case(
        "VM-017",
        "4007",
        "CreateVms",
        launched(Placement={"Tenancy": "mine"}),
        launched(Placement={"Tenancy": "dedicated"}),
    ),
    Case(
        "VM-018",
        "4045",
        "CreateVms",
        launched(NestedVirtualization=True),
        launched(NestedVirtualization=True, Placement={"Tenancy": "dedicated"}),
    ),
    Case(
        "VM-019",
        "4047",
        "CreateVms",
        launched(UserData="#!/bin/sh"),
        launched(UserData=b64encode(b"#!/bin/sh").decode()),
    ),
    Case("VM-019", "4047", "CreateVms", launched(UserData="QU!!JD"), launched(UserData="QUJD")),
    Case("VM-019/length", "4106", "CreateVms", launched(UserData="A" * 512_004), launched(UserData="A" * 512_000)),
    Case("VM-020", "4045", "CreateVms", {"ImageId": "{windows}", "BootMode": "legacy"}, launched(BootMode="legacy")),
    Case("OMI-030", "4047", "CreateVms", launched(BootMode="bios"), launched(BootMode="uefi")),
    Case("VM-022", "4047", "CreateVms", launched(ActionsOnNextBoot={"SecureBoot": "on"})),
    Case(
        "VM-022/legacy",
        "4045",
        "CreateVms",
        launched(BootMode="legacy", ActionsOnNextBoot={"SecureBoot": "enable"}),
        launched(BootMode="legacy", ActionsOnNextBoot={"SecureBoot": "none"}),
    ),
    Case(
        "VM-024",
        "4047",
        "CreateVms",
        launched(VmInitiatedShutdownBehavior="sleep"),
        launched(VmInitiatedShutdownBehavior="restart"),
    ),
    Case("VM-025", "4047", "CreateVms", launched(ShutdownBehaviorConfiguration={"GuestAction": "restart"})),
    Case("VM-025", "4047", "CreateVms", launched(ShutdownBehaviorConfiguration={"HostAction": "terminate"})),
    Case("VM-026", "4017", "CreateVms", launched(BsuOptimized=True), launched(BsuOptimized=False)),
    Case("VM-027", "4047", "CreateVms", launched(Performance="low"), launched(Performance="highest")),
    *(
        Case("VMT-001", "5024", "CreateVms", launched(VmType=name), launched(VmType="tinav5.c2r4p1"))
        for name in ("", "tinav5", "tinav0.c1r1p1", "tinav5.c0r1p1", "tinav5.c1r0p1", "tinav5.c1r1p0", "tinav5.c1r1p4")
    ),
    *(
        Case("VMT-001", "5024", "CreateVms", launched(VmType=name))
        for name in ("tinav5.c1r1p", "tinav8.c1r1p1", "tinav5.c79r181p1", "tina.c1r1p1", "t9.huge", "m4.8xmini")
    ),
]
DISKS = [
    Case("BDM-003", "4057", "CreateVms", launched(BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "NoDevice": ""}])),
    Case("BDM-004", "4125", "CreateVms", disk("/dev/sda1", VolumeSize=9), disk("/dev/sda1", VolumeSize=10)),
    Case(
        "BDM-005",
        "4011",
        "CreateVms",
        disk("/dev/sda1", SnapshotId="{snapshot}"),
        disk("/dev/sdb", SnapshotId="{snapshot}"),
    ),
    Case("OMI-012", "5054", "CreateVms", disk(SnapshotId="{bobs_snapshot}"), disk(SnapshotId="{shared_snapshot}")),
    Case("BDM-006", "4047", "CreateVms", disk(VolumeSize=5, VolumeType="gp3"), disk(VolumeSize=5, VolumeType="gp2")),
    Case("VOL-007", "4045", "CreateVms", disk(VolumeSize=5, VolumeType="io1")),
    Case("VOL-010", "4045", "CreateVms", disk(VolumeSize=5, Iops=100)),
    Case("OMI-060", "4078", "CreateVms", disk(VolumeSize=14902)),
    Case("OMI-059", "7000", "CreateVms", disk(VolumeType="gp2")),
    Case(
        "BDM-008",
        "4076",
        "CreateVms",
        launched(
            BlockDeviceMappings=[
                {"DeviceName": "/dev/sdc", "Bsu": {"VolumeSize": 5}, "VirtualDeviceName": "ephemeral0"}
            ]
        ),
        launched(BlockDeviceMappings=[{"DeviceName": "/dev/sdc", "VirtualDeviceName": "ephemeral0"}]),
    ),
    Case(
        "BDM-013",
        "10018",
        "CreateVms",
        launched(BlockDeviceMappings=[{"DeviceName": name, "Bsu": {"VolumeSize": 1}} for name in MANY[:39]]),
        launched(BlockDeviceMappings=[{"DeviceName": name, "Bsu": {"VolumeSize": 1}} for name in MANY[:38]]),
    ),
    Case(
        "BDM-014",
        "4011",
        "CreateVms",
        launched(BlockDeviceMappings=[{"DeviceName": "/dev/sdc", "Bsu": {"VolumeSize": 5}}] * 2),
    ),
]
LIFE = [
    *(Case("REQ-010", "7000", action, {"VmIds": []}) for action in ("StartVms", "StopVms", "RebootVms", "DeleteVms")),
    *(
        Case("ID-015", "4104", action, {"VmIds": ["vol-12345678"]})
        for action in ("StartVms", "StopVms", "RebootVms", "DeleteVms")
    ),
    Case("VM-041", "5063", "StopVms", {"VmIds": ["{vm}", "{bobs_vm}"]}, {"VmIds": ["{vm}", "{protected}"]}),
    Case("VM-041", "5063", "StartVms", {"VmIds": ["{stopped}", "i-00000000"]}, {"VmIds": ["{stopped}"]}),
    Case("VM-041", "5063", "RebootVms", {"VmIds": ["{bobs_vm}"]}, {"VmIds": ["{vm}"]}),
    Case("VM-041", "5063", "DeleteVms", {"VmIds": ["{bobs_vm}"]}, {"VmIds": ["{vm}"]}),
    Case("VM-045", "8018", "DeleteVms", {"VmIds": ["{vm}", "{protected}"]}, {"VmIds": ["{vm}"]}),
    Case("VM-055", "4104", "ReadVms", {"Filters": {"VmIds": ["vm"]}}, {"Filters": {"VmIds": ["i-x"]}}),
    Case("VM-055", "4104", "ReadVmsState", {"Filters": {"VmIds": ["vm"]}}, {"Filters": {"VmIds": ["i-x"]}}),
]
UPDATES = [
    Case("VM-070", "5063", "UpdateVm", {"VmId": "{bobs_vm}", "DeletionProtection": True}),
    Case("VM-071", "7000", "UpdateVm", UPDATE, UPDATE | {"DeletionProtection": True}),
    *(
        Case("vm/UpdateVm (stopped only)/running", "6003", "UpdateVm", UPDATE | change, {"VmId": "{stopped}"} | change)
        for change in ({"VmType": "t2.micro"}, {"Performance": "medium"}, {"UserData": "QQ=="})
    ),
    Case("VMT-001", "5024", "UpdateVm", {"VmId": "{stopped}", "VmType": "t9.huge"}),
    Case("VM-014", "5071", "UpdateVm", UPDATE | {"KeypairName": "nobody"}, UPDATE | {"KeypairName": "pair"}),
    Case("VM-024", "4047", "UpdateVm", UPDATE | {"VmInitiatedShutdownBehavior": "sleep"}),
    Case("VM-026", "4017", "UpdateVm", {"VmId": "{stopped}", "BsuOptimized": True}),
    Case("VM-075", "9062", "UpdateVm", UPDATE | {"IsSourceDestChecked": True}),
    Case(
        "VM-076",
        "4003",
        "UpdateVm",
        UPDATE | {"BlockDeviceMappings": [{"DeviceName": "/dev/sdz", "Bsu": {"DeleteOnVmDeletion": False}}]},
        UPDATE | {"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Bsu": {"DeleteOnVmDeletion": False}}]},
    ),
    Case(
        "VM-076/volume",
        "4077",
        "UpdateVm",
        UPDATE | {"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Bsu": {"VolumeId": "{root}"}}]},
        UPDATE
        | {
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/sdb", "Bsu": {"VolumeId": "{data}", "DeleteOnVmDeletion": True}}
            ]
        },
    ),
    Case("VM-079", "7000", "UpdateVm", UPDATE | {"SecurityGroupIds": []}),
]
OTHERS = [
    Case("REQ-010", "7000", "CreateKeypair", {}, {"KeypairName": "other"}),
    Case("KEY-001", "9011", "CreateKeypair", {"KeypairName": "pair"}, {"KeypairName": "pairs"}),
    Case("KEY-001/name", "4035", "CreateKeypair", {"KeypairName": ""}, {"KeypairName": "n"}),
    Case("KEY-001/name", "4035", "CreateKeypair", {"KeypairName": "n" * 256}, {"KeypairName": "n" * 255}),
    Case("KEY-003", "4032", "CreateKeypair", {"KeypairName": "other", "PublicKey": "AAAA"}),
    Case("KEY-005", "7000", "DeleteKeypair", {}, {"KeypairName": "pair"}),
    Case("KEY-005/unknown", "5071", "DeleteKeypair", {"KeypairName": "pair"}, by="bob"),
    Case("REQ-010", "7000", "CreateTags", {"ResourceIds": ["{vm}"], "Tags": []}),
    Case("REQ-010", "7000", "CreateTags", {"ResourceIds": [], **TAG}),
    Case("REQ-010", "7000", "CreateTags", {"ResourceIds": ["{vm}"], "Tags": [{"Key": "team"}]}),
    Case("TAG-003", "4069", "CreateTags", {"ResourceIds": ["{vm}"], "Tags": [{"Key": "", "Value": ""}]}),
    Case("TAG-003", "4069", "CreateTags", {"ResourceIds": ["{vm}"], "Tags": [{"Key": "k" * 256, "Value": ""}]}),
    Case(
        "TAG-003/value",
        "4071",
        "CreateTags",
        {"ResourceIds": ["{vm}"], "Tags": [{"Key": "k", "Value": "v" * 256}]},
        {"ResourceIds": ["{vm}"], "Tags": [{"Key": "k" * 255, "Value": "v" * 255}]},
    ),
    Case(
        "TAG-005/image",
        "5023",
        "CreateTags",
        {"ResourceIds": ["{bobs_image}"], **TAG},
        {"ResourceIds": ["{golden}"], **TAG},
    ),
    Case("TAG-005/keypair", "5071", "CreateTags", {"ResourceIds": [f"key-{'0' * 32}"], **TAG}),
    Case(
        "TAG-005/snapshot",
        "5054",
        "CreateTags",
        {"ResourceIds": ["{bobs_snapshot}"], **TAG},
        {"ResourceIds": ["{snapshot}"], **TAG},
    ),
    Case("TAG-005/task", "5058", "CreateTags", {"ResourceIds": ["image-export-00000000"], **TAG}),
    Case("TAG-005/task", "5058", "DeleteTags", {"ResourceIds": ["snap-export-00000000"], **TAG}),
    Case(
        "TAG-005/vm",
        "5063",
        "CreateTags",
        {"ResourceIds": ["{vm}", "{bobs_vm}"], **TAG},
        {"ResourceIds": ["{vm}"], **TAG},
    ),
    Case(
        "TAG-005/volume",
        "5064",
        "DeleteTags",
        {"ResourceIds": ["{bobs_volume}"], **TAG},
        {"ResourceIds": ["{free}"], **TAG},
    ),
    Case("TAG-005/other", "5044", "CreateTags", {"ResourceIds": ["nat-12345678"], **TAG}),
    Case("TAG-005/task", "5058", "CreateTags", {"ResourceIds": ["image-export-00000000"], **TAG}),
    Case("TAG-006", "4025", "CreateTags", {"ResourceIds": ["my-vm"], **TAG}),
    Case("ID-016", "4105", "CreateTags", {"ResourceIds": ["i-00000000", "ami-1"], **TAG}),
    Case("TAG-007", "5044", "CreateTags", {"ResourceIds": ["{shared}"], **TAG}, {"ResourceIds": ["{golden}"], **TAG}),
    Case("ACC-005", "1", "CheckAuthentication", {"Login": "alice@example.com", "Password": "guess"}),
    Case("PAG-001", "4113", "ReadVms", {"ResultsPerPage": 0}, {"ResultsPerPage": 1000}),
    Case("PAG-001", "4113", "ReadVms", {"ResultsPerPage": 1001}),
    Case("PAG-003", "4116", "ReadVms", {"NextPageToken": "garbage"}),
    Case("PAG-003/empty", "4117", "ReadVms", {"NextPageToken": ""}),
    Case("REQ-009", "4110", "ReadVms", {"ResultsPerPage": "10"}),
    Case("REQ-002/not-served", "8010", "CreateLoadBalancer", {"LoadBalancerName": "front"}),
    Case("REQ-002", "12000", "CreateNothing", {}),
]


@pytest.mark.parametrize("case", LAUNCHES, ids=str)
def test_of_a_launch(case: Case) -> None:
    """A VM is launched from an OMI that the caller may use, with attributes that go together. [VM-001, VMT-002]"""
    check(case)


@pytest.mark.parametrize("case", DISKS, ids=str)
def test_of_a_launchs_disks(case: Case) -> None:
    """The disks of a launch are the OMI's, with what the request says over them."""
    check(case)


@pytest.mark.parametrize("case", LIFE, ids=str)
def test_of_starting_stopping_deleting(case: Case) -> None:
    """A batch is done whole or not at all, and only to one's own VMs. [VM-040]"""
    check(case)


@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_of_an_update(case: Case) -> None:
    """An update says what it changes, and some things change on a stopped VM only."""
    check(case)


@pytest.mark.parametrize("case", OTHERS, ids=str)
def test_of_keypairs_tags_and_reads(case: Case) -> None:
    """Keypairs have names of their own, tags belong to owners, pages have a size."""
    check(case)
