"""Public IPs: on VMs of the public Cloud and on NICs, over stops and deletions; and the road of Packer over them."""

from __future__ import annotations

from typing import Any

import pytest
from support.expect import expect_refusal
from support.networks import add_networks
from support.reread import reread

from omisim import Account, Cloud
from omisim.model import PublicIp, Vm

AUTO_ATTACH = "osc.fcu.eip.auto-attach"


@pytest.fixture(name="ip")
def _ip(alice: Account) -> PublicIp:
    """A public IP of alice's, linked to nothing."""
    return alice.create_public_ip()


def holder(account: Account, ip: PublicIp) -> tuple[str | None, str | None]:
    """Return the VM and the NIC that a public IP is linked to."""
    (row,) = account.read_public_ips(filters={"public_ip_ids": [ip.public_ip_id]})
    return row.vm_id, row.nic_id


class TestPublicIpOnVm:
    def test_replaces_the_own_address_of_the_vm(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """A linked public IP and its name are those of the VM; after unlinking, the VM has another of its own.

        [PIP-015]
        """
        link_id = alice.link_public_ip(public_ip_id=ip.public_ip_id, vm_id=vm.vm_id)
        linked = reread(alice, vm)
        dashed = ip.public_ip.replace(".", "-")
        assert (linked.public_ip, linked.public_dns_name) == (
            ip.public_ip,
            f"ows-{dashed}.eu-west-2.compute.outscale.com",
        )
        assert holder(alice, ip) == (vm.vm_id, None)
        alice.unlink_public_ip(link_public_ip_id=link_id)
        assert reread(alice, vm).public_ip not in (None, ip.public_ip)
        assert holder(alice, ip) == (None, None)

    def test_moves_to_another_vm_without_relink(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """In the public Cloud a public IP is linked elsewhere without AllowRelink; the IP replaced is free.

        [PIP-008]
        """
        other = alice.create_vms(image_id=vm.image_id)[0]
        second = alice.create_public_ip()
        alice.link_public_ip(public_ip=ip.public_ip, vm_id=vm.vm_id)
        alice.link_public_ip(public_ip=second.public_ip, vm_id=other.vm_id)
        alice.link_public_ip(public_ip=ip.public_ip, vm_id=other.vm_id)
        assert reread(alice, other).public_ip == ip.public_ip
        assert reread(alice, vm).public_ip not in (None, ip.public_ip)
        assert holder(alice, second) == (None, None)

    def test_is_kept_by_a_stopped_vm(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """A linked public IP stays with a VM that stops and starts. [VM-050]"""
        alice.link_public_ip(public_ip_id=ip.public_ip_id, vm_id=vm.vm_id)
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert reread(alice, vm).public_ip == ip.public_ip
        alice.start_vms(vm_ids=[vm.vm_id])
        assert reread(alice, vm).public_ip == ip.public_ip

    @pytest.mark.parametrize(("key", "is_kept"), [(AUTO_ATTACH, True), ("Name", False)])
    def test_is_released_by_a_stopped_vm_under_a_switch(self, key: str, is_kept: bool) -> None:
        """Under the switch it is released, unless the tag for it names it. [VM-050, TAG-016]"""
        alice = Cloud(switches={"stopped_public_ip": "released"}).account("alice")
        vm = alice.create_vms(image_id=alice.read_images()[0].image_id)[0]
        ip = alice.create_public_ip()
        alice.link_public_ip(public_ip_id=ip.public_ip_id, vm_id=vm.vm_id)
        alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": key, "value": ip.public_ip}])
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert reread(alice, vm).public_ip == (ip.public_ip if is_kept else None)
        alice.start_vms(vm_ids=[vm.vm_id])
        assert (reread(alice, vm).public_ip == ip.public_ip) == is_kept

    def test_is_released_by_a_terminated_vm(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """A terminated VM has no public IP. [VM-047]"""
        alice.link_public_ip(public_ip_id=ip.public_ip_id, vm_id=vm.vm_id)
        alice.delete_vms(vm_ids=[vm.vm_id])
        assert holder(alice, ip) == (None, None)
        alice.delete_public_ip(public_ip=ip.public_ip)
        assert alice.read_public_ips() == ()

    @pytest.mark.parametrize("runs", [True, False])
    def test_is_unlinked_by_its_deletion(self, alice: Account, vm: Vm, ip: PublicIp, runs: bool) -> None:
        """DeletePublicIp unlinks a public IP from its VM, which has another address if it runs. [PIP-014/vm]"""
        alice.link_public_ip(public_ip_id=ip.public_ip_id, vm_id=vm.vm_id)
        if not runs:
            alice.stop_vms(vm_ids=[vm.vm_id])
        alice.delete_public_ip(public_ip_id=ip.public_ip_id)
        assert alice.read_public_ips() == ()
        address = reread(alice, vm).public_ip
        assert address != ip.public_ip
        assert (address is not None) == runs

    def test_can_be_linked_to_a_stopped_vm(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """A stopped VM shows the public IP it is given, and none once that is unlinked."""
        alice.stop_vms(vm_ids=[vm.vm_id])
        alice.link_public_ip(public_ip_id=ip.public_ip_id, vm_id=vm.vm_id)
        assert reread(alice, vm).public_ip == ip.public_ip
        alice.unlink_public_ip(public_ip=ip.public_ip)
        assert reread(alice, vm).public_ip is None


class TestPublicIpInNet:
    def test_is_shown_by_the_nic_its_address_and_the_vm(self, alice: Account) -> None:
        """A public IP linked to a VM's only NIC is shown by the NIC, its private IP and the VM."""
        ids: dict[str, str] = {}
        add_networks(alice, alice.read_images()[0].image_id, ids)
        (row,) = alice.read_public_ips(filters={"public_ip_ids": [ids["nic_ip"]]})
        assert (row.vm_id, row.nic_id, row.private_ip) == (ids["net_vm"], ids["primary"], "10.0.1.10")
        assert (row.nic_account_id, row.link_public_ip_id) == (alice.account_id, ids["nic_ip_link"])
        (nic,) = alice.read_nics(filters={"nic_ids": [ids["primary"]]})
        assert nic.link_public_ip == nic.private_ips[0].link_public_ip
        assert nic.link_public_ip
        assert nic.link_public_ip.public_ip == row.public_ip
        (vm,) = alice.read_vms(filters={"vm_ids": [ids["net_vm"]]})
        assert vm.public_ip == row.public_ip
        assert vm.nics
        assert vm.nics[0].link_public_ip
        assert alice.read_public_ips(filters={"placements": ["vpc"]}) == (row,)

    def test_stays_with_its_nic_until_that_is_deleted(self, alice: Account) -> None:
        """A NIC that is unlinked from its VM keeps its public IP, and releases it when deleted."""
        ids: dict[str, str] = {}
        add_networks(alice, alice.read_images()[0].image_id, ids)
        ip = alice.read_public_ips()[0]
        alice.link_public_ip(public_ip_id=ip.public_ip_id, nic_id=ids["secondary"])
        assert holder(alice, ip) == (ids["two_nics"], ids["secondary"])
        alice.unlink_nic(link_nic_id=ids["secondary_link"])
        assert holder(alice, ip) == (None, ids["secondary"])
        alice.delete_nic(nic_id=ids["secondary"])
        assert holder(alice, ip) == (None, None)

    def test_cannot_be_deleted_before_it_is_unlinked(self, alice: Account) -> None:
        """DeletePublicIp refuses a public IP that is linked to a NIC. [PIP-014]"""
        ids: dict[str, str] = {}
        add_networks(alice, alice.read_images()[0].image_id, ids)
        assert expect_refusal(alice, "DeletePublicIp", PublicIpId=ids["nic_ip"]).code == "9029"
        alice.call("UnlinkPublicIp", LinkPublicIpId=ids["nic_ip_link"])
        alice.call("DeletePublicIp", PublicIpId=ids["nic_ip"])

    def test_is_released_with_its_private_ip(self, alice: Account) -> None:
        """A secondary private IP that is removed from its NIC releases its public IP. [NIC-032]"""
        ids: dict[str, str] = {}
        add_networks(alice, alice.read_images()[0].image_id, ids)
        alice.link_public_ip(public_ip_id=ids["ip"], nic_id=ids["nic"], private_ip="10.0.1.20")
        alice.unlink_private_ips(nic_id=ids["nic"], private_ips=["10.0.1.20"])
        assert holder(alice, alice.read_public_ips()[0]) == (None, None)


class TestPublicAddresses:
    def test_are_never_given_twice(self, alice: Account, vm: Vm) -> None:
        """Public IPs of accounts and of VMs come from one pool."""
        addresses = {alice.create_public_ip().public_ip for _ in range(5)}
        running = {reread(alice, alice.create_vms(image_id=vm.image_id)[0]).public_ip for _ in range(5)}
        assert len(addresses | running | {reread(alice, vm).public_ip}) == 11


def read(account: Account, what: str, **filters: list[str]) -> list[dict[str, Any]]:
    """Return the rows of a read."""
    rows: list[dict[str, Any]] = account.call(f"Read{what}", Filters=filters)[what]
    return rows


def test_public_ip_and_group_serve_a_build_of_packer(slow: Cloud) -> None:
    """Packer needs an address, a group with a rule and a VM for a build, and deletes them in the end."""
    alice = slow.account("alice")
    ubuntu = slow.images.official("ubuntu").image_id
    key = alice.call("CreateKeypair", KeypairName="packer")["Keypair"]
    ip = alice.call("CreatePublicIp")["PublicIp"]
    group = alice.call("CreateSecurityGroup", SecurityGroupName="packer", Description="Temporary group for Packer")
    group_id = group["SecurityGroup"]["SecurityGroupId"]
    port = {"FromPortRange": 22, "ToPortRange": 22, "IpRanges": ["0.0.0.0/0"], "IpProtocol": "tcp"}
    alice.call("CreateSecurityGroupRule", Flow="Inbound", Rules=[port], SecurityGroupId=group_id)
    vm = alice.call(
        "CreateVms", ImageId=ubuntu, VmType="t2.micro", UserData="", MinVmsCount=1, MaxVmsCount=1, BsuOptimized=False,
        SubnetId="", SecurityGroupIds=[group_id], KeypairName="packer", VmInitiatedShutdownBehavior="stop",
    )["Vms"][0]  # fmt: skip
    slow.advance(seconds=30)
    assert read(alice, "Vms", VmIds=[vm["VmId"]])[0]["State"] == "running"
    alice.call("LinkPublicIp", PublicIpId=ip["PublicIpId"], VmId=vm["VmId"])
    vm_row = read(alice, "Vms", VmIds=[vm["VmId"]])[0]
    assert vm_row["PublicIp"] == ip["PublicIp"]
    assert vm_row["PublicDnsName"]
    assert vm_row["PrivateIp"] == vm["PrivateIp"]
    assert vm_row["SecurityGroups"] == [{"SecurityGroupId": group_id, "SecurityGroupName": "packer"}]

    alice.call("DeleteVms", VmIds=[vm["VmId"]])
    slow.advance(seconds=30)
    assert expect_refusal(alice, "DeleteSecurityGroup", SecurityGroupId=group_id).code == "9085"
    slow.advance(seconds=90)
    alice.call("DeleteSecurityGroup", SecurityGroupId=group_id)
    alice.call("DeletePublicIp", PublicIpId=ip["PublicIpId"])
    alice.call("DeleteKeypair", KeypairName=key["KeypairName"])
    assert read(alice, "PublicIps") == read(alice, "Keypairs") == []


def delete_others(account: Account, kind: str, **but: str) -> None:
    """Delete everything of a kind but what says so, the youngest first."""
    key = f"{kind}Id"
    for row in reversed(read(account, f"{kind}s")):
        if not any(row[name] == value for name, value in but.items()):
            account.call(f"Delete{kind}", **{key: row[key]})


def test_every_network_resource_can_be_deleted_in_order(alice: Account) -> None:
    """A program that lists all resources and deletes them in order leaves the default group only."""
    add_networks(alice, alice.read_images()[0].image_id, {})
    alice.call("DeleteVms", VmIds=[vm.vm_id for vm in alice.read_vms()])
    delete_others(alice, "Nic")
    delete_others(alice, "PublicIp")
    for service in read(alice, "InternetServices", LinkStates=["available"]):
        link = {"InternetServiceId": service["InternetServiceId"], "NetId": service["NetId"]}
        alice.call("UnlinkInternetService", **link)
    delete_others(alice, "InternetService")
    delete_others(alice, "Subnet")
    mains = alice.call("ReadRouteTables", Filters={"LinkRouteTableMain": True})["RouteTables"]
    for table in read(alice, "RouteTables"):
        if table not in mains:
            alice.call("DeleteRouteTable", RouteTableId=table["RouteTableId"])
    delete_others(alice, "SecurityGroup", SecurityGroupName="default")
    delete_others(alice, "Net")
    assert [group["SecurityGroupName"] for group in read(alice, "SecurityGroups")] == ["default"]
    assert read(alice, "RouteTables") == read(alice, "Nets") == []
