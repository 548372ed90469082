"""Terraform's provider and frieza: the requests that they send, over the line, decoded as strictly as Go does."""

from __future__ import annotations

import pytest
from clients.go_client import Go, Refusal
from clients.terraform import Terraform, frieza

from omisim import Account, Cloud
from omisim.server import Running

BUCKET = "exports"


@pytest.fixture(name="api")
def _api(slow: Cloud, server: Running, me: Account) -> Go:
    return Go(server, me, slow.advance)


@pytest.fixture(name="terraform")
def _terraform(api: Go) -> Terraform:
    return Terraform(api)


@pytest.fixture(name="vm_id")
def _vm_id(slow: Cloud, terraform: Terraform) -> str:
    return str(terraform.vm(ImageId=slow.images.official("ubuntu").image_id, VmType="tinav5.c1r1p2")["VmId"])


class TestTerraformImage:
    def test_of_a_vm_is_created_shared_and_deleted(self, slow: Cloud, terraform: Terraform, vm_id: str) -> None:
        """outscale_image and outscale_image_launch_permission, from creation to destruction."""
        bob = slow.account("bob").account_id
        image = terraform.image({"env": "test"}, ImageName="golden", VmId=vm_id, NoReboot=True)
        assert (image["ProductCodes"], image["RootDeviceName"]) == (["0001"], "/dev/sda1")
        assert image["BlockDeviceMappings"][0]["Bsu"]["VolumeSize"] == 10
        assert image["Tags"] == [{"Key": "env", "Value": "test"}]
        added = terraform.launch_permission(image["ImageId"], "Additions", {"AccountIds": [bob]})
        assert added == {"AccountIds": [bob], "GlobalPermission": False}
        removed = terraform.launch_permission(image["ImageId"], "Removals", {"AccountIds": [bob]})
        assert removed["AccountIds"] == []
        terraform.delete_image(image["ImageId"])

    def test_is_created_by_copy_and_from_snapshots(self, slow: Cloud, terraform: Terraform, vm_id: str) -> None:
        """An outscale_image can also be a copy, or be registered from snapshots."""
        source = slow.images.official("ubuntu").image_id
        terraform.image(ImageName="copy", SourceImageId=source, SourceRegionName="eu-west-2", Description="a copy")
        volume = terraform.read_vm(vm_id)["BlockDeviceMappings"][0]["Bsu"]["VolumeId"]
        snapshot = terraform.snapshot(VolumeId=volume)["SnapshotId"]
        bsu = {"SnapshotId": snapshot, "VolumeSize": 40, "VolumeType": "io1", "Iops": 150, "DeleteOnVmDeletion": True}
        mapping = {"DeviceName": "/dev/sda1", "Bsu": bsu}
        image = terraform.image(ImageName="of snapshots", RootDeviceName="/dev/sda1", BlockDeviceMappings=[mapping])
        assert image["BlockDeviceMappings"][0]["Bsu"]["VolumeSize"] == 40

    def test_is_exported(self, me: Account, terraform: Terraform, vm_id: str) -> None:
        """outscale_image_export_task waits for its end, after pending/queued."""
        me.client("oos").create_bucket(Bucket=BUCKET)
        image = terraform.image(ImageName="golden", VmId=vm_id, NoReboot=True)
        task = terraform.image_export(image["ImageId"], BUCKET)
        assert (task["Progress"], task["OsuExport"]["OsuBucket"]) == (100, BUCKET)

    def test_that_fails_ends_the_run(self, slow: Cloud, terraform: Terraform, vm_id: str) -> None:
        """The provider stops at `failed`, and does not wait forever."""
        slow.fail_next("snapshot", comment="no space")
        with pytest.raises(AssertionError, match="unexpected state 'failed'"):
            terraform.image(ImageName="golden", VmId=vm_id, NoReboot=True)


class TestTerraformVolume:
    def test_is_updated_linked_and_snapshotted(self, slow: Cloud, terraform: Terraform, vm_id: str) -> None:
        """outscale_volume, outscale_volumes_link, outscale_snapshot and its attributes."""
        volume = terraform.volume(SubregionName="eu-west-2a", Size=10, VolumeType="standard")["VolumeId"]
        terraform.link(volume, vm_id, "/dev/xvdb")
        assert terraform.update_volume(volume, Size=20, VolumeType="gp2")["Size"] == 20
        snapshot = terraform.snapshot(VolumeId=volume, Description="by Terraform")
        bob = slow.account("bob").account_id
        assert terraform.snapshot_attributes(snapshot["SnapshotId"], [bob])["AccountIds"] == [bob]
        terraform.unlink(volume)
        restored = terraform.volume(SubregionName="eu-west-2a", SnapshotId=snapshot["SnapshotId"])
        assert restored["Size"] == 20
        terraform.api.call("DeleteVolume", VolumeId=volume)


def test_terraform_exports_a_snapshot_by_the_states_of_1_40() -> None:
    """outscale_snapshot_export_task knows the states that the API had up to 1.40. [EXP-044]"""
    cloud = Cloud(timing="clock", switches={"spec_version": "1.40"})
    alice = cloud.account("alice")
    alice.client("oos").create_bucket(Bucket=BUCKET)
    with cloud.serve() as server:
        terraform = Terraform(Go(server, alice, cloud.advance))
        volume = terraform.volume(SubregionName="eu-west-2a", Size=1)["VolumeId"]
        snapshot = terraform.snapshot(VolumeId=volume)["SnapshotId"]
        assert terraform.snapshot_export(snapshot, BUCKET)["State"] == "active"


class TestTerraformVm:
    def test_is_created_stopped_and_deleted(self, terraform: Terraform, vm_id: str) -> None:
        """outscale_vm, with a stop for a change of its type."""
        terraform.api.call("StopVms", VmIds=[vm_id])
        terraform.wait(lambda: terraform.read_vm(vm_id)["State"], ["running", "stopping"], "stopped")
        terraform.api.call("UpdateVm", VmId=vm_id, VmType="tinav5.c2r2p2")
        terraform.api.call("StartVms", VmIds=[vm_id])
        terraform.wait(lambda: terraform.read_vm(vm_id)["State"], ["pending", "stopped"], "running")
        assert terraform.read_vm(vm_id)["VmType"] == "tinav5.c2r2p2"
        terraform.delete_vm(vm_id)

    def test_that_cannot_be_tagged_is_kept(self, slow: Cloud, me: Account, terraform: Terraform) -> None:
        """A key of 256 characters is refused after the VM was created: the provider keeps it in its state. [TAG-003]"""
        with pytest.raises(Refusal):
            terraform.vm({"k" * 256: "v"}, ImageId=slow.images.official("ubuntu").image_id)
        assert len(me.read_vms()) == 1


def _in_a_net(terraform: Terraform, image_id: str) -> str:
    """Make a VM in a Net with a way out, a public IP and a security group, as an example of the provider does."""
    call = terraform.api.call
    net = call("CreateNet", IpRange="10.0.0.0/16", Tenancy="default")["Net"]["NetId"]
    subnet = call("CreateSubnet", IpRange="10.0.1.0/24", NetId=net)["Subnet"]["SubnetId"]
    service = call("CreateInternetService")["InternetService"]["InternetServiceId"]
    call("LinkInternetService", InternetServiceId=service, NetId=net)
    table = call("CreateRouteTable", NetId=net)["RouteTable"]["RouteTableId"]
    call("LinkRouteTable", RouteTableId=table, SubnetId=subnet)
    call("CreateRoute", RouteTableId=table, DestinationIpRange="0.0.0.0/0", GatewayId=service)
    group = call("CreateSecurityGroup", SecurityGroupName="ssh", Description="d", NetId=net)["SecurityGroup"]
    rule = {"FromPortRange": 22, "ToPortRange": 22, "IpProtocol": "tcp", "IpRanges": ["0.0.0.0/0"]}
    call("CreateSecurityGroupRule", Flow="Inbound", SecurityGroupId=group["SecurityGroupId"], Rules=[rule])
    vm = terraform.vm(ImageId=image_id, SubnetId=subnet, SecurityGroupIds=[group["SecurityGroupId"]])
    call("LinkPublicIp", PublicIpId=call("CreatePublicIp")["PublicIp"]["PublicIpId"], VmId=vm["VmId"])
    return str(vm["VmId"])


def test_terraform_vm_in_a_net_has_a_public_ip(slow: Cloud, terraform: Terraform) -> None:
    """outscale_net, outscale_subnet and the other resources of a VM with access to the Internet."""
    vm = terraform.read_vm(_in_a_net(terraform, slow.images.official("ubuntu").image_id))
    assert vm["PrivateIp"].startswith("10.0.1.")
    assert vm["PublicIp"]
    assert [group["SecurityGroupName"] for group in vm["SecurityGroups"]] == ["ssh"]


def test_frieza_empties_one_account_only(slow: Cloud, me: Account, api: Go, terraform: Terraform, vm_id: str) -> None:
    """The tool frieza lists and deletes repeatedly until an account is empty; other accounts are not affected."""
    theirs = slow.account("bob").create_volume(subregion_name="eu-west-2a", size=1)
    terraform.image(ImageName="golden", VmId=vm_id, NoReboot=True)
    terraform.link(terraform.volume(SubregionName="eu-west-2a", Size=1)["VolumeId"], vm_id, "/dev/xvdb")
    me.create_keypair(keypair_name="k")
    _in_a_net(terraform, slow.images.official("ubuntu").image_id)
    frieza(api)
    slow.settle()
    assert (me.read_volumes(), me.read_snapshots(), me.read_keypairs()) == ((), (), ())
    assert me.read_images(filters={"account_ids": [me.account_id]}) == ()
    assert (me.read_nets(), me.read_nics(), me.read_public_ips(), me.read_internet_services()) == ((), (), (), ())
    assert [volume.volume_id for volume in slow.account("bob").read_volumes()] == [theirs.volume_id]
