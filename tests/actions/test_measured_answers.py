"""What the real cloud was measured to do in 2026, at every entrance, and in both timings where time matters."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Literal

import pytest
import yaml
from support.entrances import Entrance
from support.world import get_world

from omisim import Account, Cloud
from omisim.model import Image
from omisim.spec.errors import ERRORS

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICEXCxKu5VpKc0F2JqPg2iOQvRBcOf9n4J9ntMJ+lJOb"
SIZED = {"SubregionName": "eu-west-2a", "Size": 10}


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "kind", "status"),
        [
            ("0", "DefaultError", 400),
            ("1", "AccessDenied", 401),
            ("5", "AccessDenied", 401),
            ("6", "AccessDenied", 503),
            ("11", "AccessDenied", 401),
            ("13", "AccessDenied", 401),
            ("14", "AccessDenied", 401),
            ("20", "PasswordExpired", 401),
            ("24", "AccessDenied", 429),
            ("25", "AccessDenied", 429),
        ],
    )
    def test_have_the_type_of_the_official_list(
        self, entrance: Entrance, cloud: Cloud, alice: Account, code: str, kind: str, status: int
    ) -> None:
        """Errors of access have the Type and the status of the official list. [THR-001, AUTH-010, AUTH-009]"""
        name = next(name for name, error in ERRORS.items() if error.code == code)
        cloud.faults.add("ReadVms", error=name, times=1)
        outcome = entrance(alice, "ReadVms", {})
        assert (outcome["code"], outcome["type"], outcome["status"]) == (code, kind, status)

    def test_have_the_type_of_their_range(self) -> None:
        """The thousands of a code give its Type and its status. [REQ-007]"""
        ranges = {
            3: ("InvalidParameter", 400),
            4: ("InvalidParameterValue", 400),
            5: ("InvalidResource", 400),
            6: ("InvalidState", 409),
            7: ("MissingParameter", 400),
            8: ("OperationNotSupported", 400),
            9: ("ResourceConflict", 409),
            10: ("TooManyResources (QuotaExceded)", 400),
        }
        for error in ERRORS.values():
            thousands = int(error.code) // 1000
            if thousands in ranges and error.code != "10001":
                assert (error.type, error.status) == ranges[thousands], error

    def test_have_the_names_of_the_sdks_list(self) -> None:
        """The list of errors in the official SDK has the same names and Types for the same codes. [REQ-007]"""
        text = files("osc_sdk_python").joinpath("resources/gateway_errors.yaml").read_text(encoding="utf-8")
        official_codes = {str(code): row for code, row in yaml.safe_load(text).items()}
        for error in ERRORS.values():
            if error.code in official_codes:
                name = official_codes[error.code]["Name"].partition(" ")[0]
                assert (error.name, error.type) == (name, official_codes[error.code]["Type"])

    def test_of_throttling_have_another_name_in_ec2(self) -> None:
        """FCU and ICU call all of them RequestLimitExceeded. [THR-001]"""
        assert {error.fcu for error in ERRORS.values() if error.code in ("6", "24", "25")} == {"RequestLimitExceeded"}


class TestKeypair:
    @pytest.mark.parametrize("key", [ED25519, f"{ED25519} alice@example.com\n"])
    def test_is_imported_from_a_line(self, entrance: Entrance, alice: Account, key: str) -> None:
        """A line of OpenSSH needs no Base64; a line that is not a key is refused. [KEY-003]"""
        keypair = entrance.answer(alice, "CreateKeypair", KeypairName="line", PublicKey=key)["Keypair"]
        assert (keypair["KeypairType"], "PrivateKey" in keypair) == ("ssh-ed25519", False)
        for wrong in ("ssh-ed25519 AAAA", "ssh-dss AAAA", "a line"):
            refusal = entrance.refusal(alice, "CreateKeypair", KeypairName="other", PublicKey=wrong)
            assert refusal == (400, "4032", "KEY-003")


class TestCreatingVolume:
    """A volume that is not available yet: in eager timing there is none."""

    def test_is_updated_by_a_task(self, entrance: Entrance, slow: Cloud) -> None:
        """The answer has the old size and the id of a task, which changes the size later. [VOL-047, VOL-049]"""
        alice = slow.account("alice")
        volume_id = entrance.answer(alice, "CreateVolume", **SIZED)["Volume"]["VolumeId"]
        updated = entrance.answer(alice, "UpdateVolume", VolumeId=volume_id, Size=20)["Volume"]
        assert (updated["State"], updated["Size"], updated["TaskId"][:11]) == ("creating", 10, "vol-update-")
        assert entrance.refusal(alice, "UpdateVolume", VolumeId=volume_id, Size=30) == (409, "6003", "VOL-048")
        slow.settle()
        (volume,) = entrance.answer(alice, "ReadVolumes")["Volumes"]
        assert (volume["State"], volume["Size"], "TaskId" in volume) == ("available", 20, False)

    def test_is_updated_at_once_when_it_is_available(self, entrance: Entrance, timed: Cloud) -> None:
        """An available volume has its new size in the answer. [VOL-049]"""
        alice = timed.account("alice")
        volume_id = entrance.answer(alice, "CreateVolume", **SIZED)["Volume"]["VolumeId"]
        timed.settle()
        assert entrance.answer(alice, "UpdateVolume", VolumeId=volume_id, Size=20)["Volume"]["Size"] == 20

    def test_is_deleted_only_after_an_update(self, entrance: Entrance, slow: Cloud) -> None:
        """While it is created, only a volume with a task can be deleted. [VOL-021/updated]"""
        alice = slow.account("alice")
        volume_id = entrance.answer(alice, "CreateVolume", **SIZED)["Volume"]["VolumeId"]
        refusal = entrance.refusal(alice, "DeleteVolume", VolumeId=volume_id)
        assert refusal == (409, "6007", "volume/DeleteVolume/creating")
        entrance.answer(alice, "UpdateVolume", VolumeId=volume_id, Size=20)
        entrance.answer(alice, "DeleteVolume", VolumeId=volume_id)
        (volume,) = entrance.answer(alice, "ReadVolumes")["Volumes"]
        assert volume["State"] == "deleting"
        slow.settle()
        assert entrance.answer(alice, "ReadVolumes")["Volumes"] == []


class TestNet:
    def test_with_tables_or_groups_of_its_own_is_kept(self, entrance: Entrance, alice: Account) -> None:
        """Route tables and security groups have another code than Subnets and services.

        [NET-006, NET-006/own]
        """
        net_id = entrance.answer(alice, "CreateNet", IpRange="10.0.0.0/16")["Net"]["NetId"]
        table = entrance.answer(alice, "CreateRouteTable", NetId=net_id)["RouteTable"]["RouteTableId"]
        subnet = entrance.answer(alice, "CreateSubnet", NetId=net_id, IpRange="10.0.1.0/24")["Subnet"]["SubnetId"]
        assert entrance.refusal(alice, "DeleteNet", NetId=net_id) == (409, "9029", "NET-006")
        entrance.answer(alice, "DeleteSubnet", SubnetId=subnet)
        assert entrance.refusal(alice, "DeleteNet", NetId=net_id) == (409, "9097", "NET-006/own")
        entrance.answer(alice, "DeleteRouteTable", RouteTableId=table)
        group = {"NetId": net_id, "SecurityGroupName": "web", "Description": "web"}
        group_id = entrance.answer(alice, "CreateSecurityGroup", **group)["SecurityGroup"]["SecurityGroupId"]
        assert entrance.refusal(alice, "DeleteNet", NetId=net_id) == (409, "9097", "NET-006/own")
        entrance.answer(alice, "DeleteSecurityGroup", SecurityGroupId=group_id)
        entrance.answer(alice, "DeleteNet", NetId=net_id)

    @pytest.mark.parametrize("ip_range", ["172.0.0.0/16", "172.244.123.0/24"])
    def test_may_begin_with_172(self, entrance: Entrance, alice: Account, ip_range: str) -> None:
        """A range outside RFC 1918 is refused unless it begins with 172, which a switch forbids. [NET-004]"""
        assert entrance.answer(alice, "CreateNet", IpRange=ip_range)["Net"]["IpRange"] == ip_range
        for other in ("142.42.42.0/24", "171.0.0.0/16", "173.0.0.0/16"):
            assert entrance.refusal(alice, "CreateNet", IpRange=other) == (409, "9050", "NET-004")
        strict = Cloud(switches={"net_ranges": "rfc1918"}).account("alice")
        assert entrance.refusal(strict, "CreateNet", IpRange=ip_range) == (409, "9050", "NET-004")
        assert entrance.answer(strict, "CreateNet", IpRange="172.16.0.0/16")

    def test_gives_the_primary_nic_a_description(self, entrance: Entrance, timed: Cloud) -> None:
        """The primary NIC of a launch is described, another one only as requested. [NIC-004/primary]"""
        alice = timed.account("alice")
        net_id = alice.create_net(ip_range="10.0.0.0/16").net_id
        subnet_id = alice.create_subnet(net_id=net_id, ip_range="10.0.1.0/24").subnet_id
        image_id = timed.images.official("debian").image_id
        entrance.answer(alice, "CreateVms", ImageId=image_id, SubnetId=subnet_id)
        nics = [{"DeviceNumber": number, "SubnetId": subnet_id} for number in (0, 1)]
        entrance.answer(alice, "CreateVms", ImageId=image_id, Nics=nics)
        entrance.answer(alice, "CreateVms", ImageId=image_id, Nics=[nics[0] | {"Description": "front"}])
        descriptions = [nic["Description"] for nic in entrance.answer(alice, "ReadNics")["Nics"]]
        assert descriptions == ["Primary network interface", "Primary network interface", "", "front"]

    def test_can_reach_seven_services(self, entrance: Entrance, alice: Account) -> None:
        """ReadNetAccessPointServices lists FCU and ICU, too. [CAT-011]"""
        services = entrance.answer(alice, "ReadNetAccessPointServices")["Services"]
        names = sorted(service["ServiceName"].rpartition(".")[2] for service in services)
        assert names == ["api", "directlink", "eim", "fcu", "icu", "lbu", "oos"]


class TestVm:
    @pytest.mark.parametrize(
        "change",
        [
            {"NestedVirtualization": False},
            {"Performance": "highest"},
            {"UserData": "aGk="},
            {"VmType": "tinav5.c1r1"},
        ],
    )
    def test_that_runs_keeps_what_needs_a_stop(self, entrance: Entrance, timed: Cloud, change: dict[str, Any]) -> None:
        """The attributes that change only while a VM is stopped are refused with 6006 while it runs. [VM-072]"""
        alice = timed.account("alice")
        vm_id = alice.create_vms(image_id=timed.images.official("debian").image_id)[0].vm_id
        timed.settle()
        refusal = entrance.refusal(alice, "UpdateVm", VmId=vm_id, **change)
        assert refusal == (409, "6006", "vm/UpdateVm (stopped only)/running")
        alice.stop_vms(vm_ids=[vm_id])
        timed.settle()
        entrance.answer(alice, "UpdateVm", VmId=vm_id, **change)

    def test_is_never_optimized(self, entrance: Entrance, alice: Account, ubuntu: Image) -> None:
        """CreateVms takes BsuOptimized, which libcloud always sends, and has no use for it. [VM-026]"""
        vm = entrance.answer(alice, "CreateVms", ImageId=ubuntu.image_id, BsuOptimized=True)["Vms"][0]
        assert vm["BsuOptimized"] is False

    @pytest.mark.parametrize(
        ("requested", "type_and_performance"),
        [
            ("tinav5.c1r1p2", ("tinav5.c1r1p2", "high")),
            ("tinav5.c1r1", ("tinav5.c1r1p1", "highest")),
            ("t2.small", ("t2.small", "medium")),
        ],
    )
    def test_keeps_the_performance_of_its_type(
        self, entrance: Entrance, alice: Account, ubuntu: Image, requested: str, type_and_performance: tuple[str, str]
    ) -> None:
        """A flag in the requested type fixes the performance, until the type changes. [VMT-004, VM-027]"""
        launch = {"ImageId": ubuntu.image_id, "VmType": requested, "BootOnCreation": False}
        vm_id = entrance.answer(alice, "CreateVms", **launch)["Vms"][0]["VmId"]
        vm = entrance.answer(alice, "UpdateVm", VmId=vm_id, Performance="highest")["Vm"]
        assert (vm["VmType"], vm["Performance"]) == type_and_performance
        entrance.answer(alice, "UpdateVm", VmId=vm_id, VmType="tinav5.c2r2")
        vm = entrance.answer(alice, "UpdateVm", VmId=vm_id, Performance="medium")["Vm"]
        assert (vm["VmType"], vm["Performance"]) == ("tinav5.c2r2p3", "medium")

    @pytest.mark.parametrize("kind", ["instance", "vm"])
    def test_has_a_resource_type_in_its_tags(self, entrance: Entrance, kind: Literal["instance", "vm"]) -> None:
        """A switch names the type of VMs in ReadTags; the filter accepts both names. [TAG-012]"""
        cloud = Cloud(switches={"vm_tag_type": kind})
        alice = cloud.account("alice")
        vm_id = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0].vm_id
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        alice.create_tags(resource_ids=[vm_id, volume_id], tags=[{"key": "team", "value": "blue"}])
        for name in ("instance", "vm"):
            (tag,) = entrance.answer(alice, "ReadTags", Filters={"ResourceTypes": [name]})["Tags"]
            assert (tag["ResourceId"], tag["ResourceType"]) == (vm_id, kind)
        assert len(entrance.answer(alice, "ReadTags", Filters={"ResourceTypes": ["volume"]})["Tags"]) == 1


class TestCodes:
    @pytest.mark.parametrize(
        ("action", "parameters", "code", "rule"),
        [
            ("CreateVms", {"ImageId": "{ubuntu}", "MinVmsCount": 3, "MaxVmsCount": 2}, "4018", "VM-004"),
            ("LinkPrivateIps", {"NicId": "{nic}", "SecondaryPrivateIpCount": 0}, "4047", "NIC-031"),
            (
                "CreateVms",
                {
                    "ImageId": "{ubuntu}",
                    "Nics": [{"DeviceNumber": 0, "SubnetId": "{subnet}", "SecondaryPrivateIpCount": -1}],
                },
                "4047",
                "NIC-031",
            ),
        ],
    )
    def test_name_the_refusal(
        self, entrance: Entrance, action: str, parameters: dict[str, Any], code: str, rule: str
    ) -> None:
        """A refused count has the code of the official list, or the one that tests received. [VM-004, NIC-031]"""
        alice = get_world().cloud.fork().account("alice")
        assert entrance.refusal(alice, action, **get_world().fill(parameters))[1:] == (code, rule)

    def test_name_the_kind_whose_state_refuses(self, entrance: Entrance, timed: Cloud) -> None:
        """The state of a VM refuses with 6006, unless another code was measured. [VM-072]"""
        alice = timed.account("alice")
        vm = alice.create_vms(image_id=timed.images.official("debian").image_id)[0]
        free = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        alice.delete_vms(vm_ids=[vm.vm_id])
        timed.settle()
        link = {"VmId": vm.vm_id, "VolumeId": free, "DeviceName": "/dev/sdb"}
        assert entrance.refusal(alice, "LinkVolume", **link)[:2] == (409, "6006")
        assert entrance.refusal(alice, "CreateImage", VmId=vm.vm_id, ImageName="golden")[:2] == (409, "6006")


class TestPendingImage:
    def test_can_be_updated(self, entrance: Entrance, slow: Cloud) -> None:
        """An OMI can be updated while it is pending. [OMI-101/state]"""
        alice = slow.account("alice")
        vm_id = alice.create_vms(image_id=slow.images.official("debian").image_id)[0].vm_id
        slow.settle()
        image = entrance.answer(alice, "CreateImage", VmId=vm_id, ImageName="golden", NoReboot=True)["Image"]
        updated = entrance.answer(alice, "UpdateImage", ImageId=image["ImageId"], Description="base")["Image"]
        assert (image["State"], updated["State"], updated["Description"]) == ("pending", "pending", "base")


class TestImportOfASnapshot:
    def test_reads_any_bucket(self, entrance: Entrance) -> None:
        """A file in a bucket outside this cloud is read by `fetch`, and refused without it. [SNP-013, IMP-002]"""
        parameters = {"FileLocation": "https://s3.example.com/bucket/disk.raw", "SnapshotSize": 2**30}
        reached = Cloud(fetch=lambda _url: bytes(512)).account("alice")
        assert entrance.answer(reached, "CreateSnapshot", **parameters)["Snapshot"]["VolumeSize"] == 1
        assert entrance.refusal(Cloud().account("alice"), "CreateSnapshot", **parameters)[2] == "IMP-002"
