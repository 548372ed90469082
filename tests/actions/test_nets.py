"""Nets, Subnets and routes; NICs, and the VMs in Nets that have them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.expect import expect_refusal
from support.networks import add_networks
from support.reread import reread

from omisim import Account, Cloud
from omisim.model import Subnet, Vm


@pytest.fixture(name="subnet")
def _subnet(alice: Account) -> Subnet:
    """A Subnet in the second Subregion of a Net, which has an internet service."""
    net = alice.create_net(ip_range="10.0.0.0/16")
    service = alice.create_internet_service()
    alice.link_internet_service(internet_service_id=service.internet_service_id, net_id=net.net_id)
    return alice.create_subnet(ip_range="10.0.1.0/24", net_id=net.net_id, subregion_name="eu-west-2b")


def launch(account: Account, subnet: Subnet, **more: Any) -> Vm:
    """Launch a VM in a Subnet."""
    image_id = account.read_images()[0].image_id
    if "nics" not in more:
        more["subnet_id"] = subnet.subnet_id
    vm: Vm = account.create_vms(image_id=image_id, **more)[0]
    return vm


class TestNets:
    def test_have_a_main_route_table_with_a_local_route(self, alice: Account) -> None:
        """A new Net has a main route table with a route for its own range. [RTB-008, NET-006]"""
        net = alice.create_net(ip_range="10.0.7.9/16")
        assert (net.ip_range, net.state, net.tenancy) == ("10.0.0.0/16", "available", "default")
        (table,) = alice.read_route_tables()
        assert [(link.main, link.net_id) for link in table.link_route_tables] == [(True, net.net_id)]
        assert [route.destination_ip_range for route in table.routes] == ["10.0.0.0/16"]
        alice.delete_net(net_id=net.net_id)
        assert (alice.read_route_tables(), alice.read_nets()) == ((), ())

    def test_have_resources_with_a_prefix_for_each_kind(self, alice: Account, ids: dict[str, str]) -> None:
        """The ids of each kind of network resource have a prefix of their own. [ID-013]"""
        prefixes = {
            "net": "vpc-", "subnet": "subnet-", "group": "sg-", "nic": "eni-", "primary_link": "eni-attach-",
            "ip": "eipalloc-", "nic_ip_link": "eipassoc-", "gateway": "igw-", "table": "rtb-", "link": "rtbassoc-",
        }  # fmt: skip
        for name, prefix in prefixes.items():
            assert ids[name].startswith(prefix)
            assert len(ids[name]) == len(prefix) + 8

    def test_of_one_account_share_the_default_dhcp_options(self, alice: Account, bob: Account) -> None:
        """Every Net has the account's default set of DHCP options, and can be given it again. [NET-007]"""
        first, second = (alice.create_net(ip_range="10.0.0.0/16") for _ in range(2))
        assert first.dhcp_options_set_id == second.dhcp_options_set_id
        assert bob.create_net(ip_range="10.0.0.0/16").dhcp_options_set_id != first.dhcp_options_set_id
        assert alice.update_net(net_id=first.net_id, dhcp_options_set_id=second.dhcp_options_set_id) == first

    def test_of_dedicated_tenancy_have_dedicated_vms(self, alice: Account) -> None:
        """A VM in a dedicated Net is dedicated, whatever its launch requests. [NET-005/vm]"""
        net = alice.create_net(ip_range="10.0.0.0/16", tenancy="dedicated")
        subnet = alice.create_subnet(ip_range="10.0.0.0/24", net_id=net.net_id)
        assert launch(alice, subnet).placement.tenancy == "dedicated"

    def test_and_their_resources_can_be_tagged(self, alice: Account, ids: dict[str, str]) -> None:
        """ReadTags has a resource type for each kind. [TAG-012]"""
        words = {
            "net": "vpc", "subnet": "subnet", "group": "security-group", "nic": "network-interface",
            "ip": "public-ip", "gateway": "internet-gateway", "table": "route-table",
        }  # fmt: skip
        alice.create_tags(resource_ids=[ids[name] for name in words], tags=[{"key": "team", "value": "blue"}])
        assert {tag.resource_id: tag.resource_type for tag in alice.read_tags()} == {
            ids[name]: word for name, word in words.items()
        }


class TestSubnets:
    def test_count_their_free_addresses(self, alice: Account, subnet: Subnet) -> None:
        """All addresses but five are free until NICs have them. [NET-017]"""
        assert subnet.available_ips_count == 251
        alice.create_nic(subnet_id=subnet.subnet_id, private_ips=[{"private_ip": "10.0.1.9"}])
        assert alice.read_subnets()[0].available_ips_count == 249  # the one asked for is not the primary one

    def test_may_have_the_whole_range_of_their_net(self, alice: Account) -> None:
        """One Subnet may have the whole range of a Net. [NET-011]"""
        net = alice.create_net(ip_range="10.0.0.0/28")
        assert alice.create_subnet(ip_range="10.0.0.0/28", net_id=net.net_id).available_ips_count == 11

    def test_give_public_ips_when_map_public_ip_is_set(self, alice: Account, subnet: Subnet) -> None:
        """With MapPublicIpOnLaunch a VM has a public address while it runs. [NET-016, VM-030]"""
        vm = launch(alice, subnet)
        assert reread(alice, vm).public_ip is None
        alice.update_subnet(subnet_id=subnet.subnet_id, map_public_ip_on_launch=True)
        other = launch(alice, subnet)
        assert reread(alice, other).public_ip
        alice.stop_vms(vm_ids=[other.vm_id])
        assert reread(alice, other).public_ip is None

    def test_release_their_route_table_when_deleted(self, alice: Account, ids: dict[str, str]) -> None:
        """A deleted Subnet is no longer linked to a route table. [RTB-003]"""
        alice.delete_subnet(subnet_id=ids["routed"])
        alice.delete_route_table(route_table_id=ids["used"])

    def test_leave_their_route_table_to_other_subnets_when_deleted(self, alice: Account, ids: dict[str, str]) -> None:
        """A deleted Subnet takes only its own link to a route table with it. [RTB-003]"""
        link = alice.link_route_table(route_table_id=ids["used"], subnet_id=ids["subnet"])
        alice.delete_subnet(subnet_id=ids["routed"])
        (table,) = alice.read_route_tables(filters={"route_table_ids": [ids["used"]]})
        assert [other.link_route_table_id for other in table.link_route_tables] == [link]


class TestVmsInNets:
    def test_show_their_net_subnet_and_nic(self, alice: Account, subnet: Subnet) -> None:
        """A VM in a Subnet shows the Net, its NIC, and an address of the Subnet. [VM-012, FLD-004]"""
        vm = launch(alice, subnet)
        assert (vm.net_id, vm.subnet_id) == (subnet.net_id, subnet.subnet_id)
        assert vm.placement.subregion_name == "eu-west-2b"
        assert vm.nics
        (nic,) = vm.nics
        assert (nic.link_nic.device_number, nic.link_nic.delete_on_vm_deletion) == (0, True)
        assert (vm.private_ip, vm.private_dns_name) == ("10.0.1.4", "ip-10-0-1-4.eu-west-2.compute.internal")
        assert nic.security_groups == vm.security_groups

    def test_are_launched_as_if_empty_lists_were_absent(self, alice: Account, subnet: Subnet) -> None:
        """An empty list counts as absent: it excludes nothing, and gives the default group. [VM-010, VM-009]"""
        empty: dict[str, list[str]] = {"Nics": [], "PrivateIps": [], "SecurityGroupIds": [], "SecurityGroups": []}
        image_id = alice.read_images()[0].image_id
        for where in ({"SubnetId": subnet.subnet_id}, {}):
            vms = alice.call("CreateVms", ImageId=image_id, MaxVmsCount=2, **where, **empty)["Vms"]
            assert [vm["SecurityGroups"][0]["SecurityGroupName"] for vm in vms] == ["default", "default"]
            assert all(("NetId" in vm) == bool(where) for vm in vms)

    def test_differ_from_public_ones_by_fields_of_nets(self, alice: Account, vm: Vm) -> None:
        """NetId, SubnetId and Nics are not answered for a VM of the public Cloud. [FLD-004]"""
        vm_in_net = alice.call("ReadVms")["Vms"][0]
        assert not {"NetId", "SubnetId", "Nics"} & set(vm_in_net)
        assert {"PrivateIp", "PublicIp", "PublicDnsName"} <= set(vm_in_net)

    def test_keep_their_private_ip_after_a_stop(self, alice: Account, subnet: Subnet, vm: Vm) -> None:
        """A VM in a Net keeps its private IP; one of the public Cloud gets a new private and public IP.

        [VM-030, VM-050]
        """
        inside, outside = launch(alice, subnet), reread(alice, vm)
        alice.stop_vms(vm_ids=[inside.vm_id, outside.vm_id])
        assert reread(alice, inside).private_ip == inside.private_ip
        assert (reread(alice, outside).private_ip, reread(alice, outside).public_ip) == (None, None)
        alice.start_vms(vm_ids=[inside.vm_id, outside.vm_id])
        assert reread(alice, inside).private_ip == inside.private_ip
        assert reread(alice, outside).private_ip not in (None, outside.private_ip)
        assert reread(alice, outside).public_ip not in (None, outside.public_ip)

    def test_delete_or_release_their_nics_when_terminated(self, alice: Account, subnet: Subnet) -> None:
        """A terminated VM has no NICs: those created for it are deleted, the others are released. [VM-047, FLD-005]"""
        kept_nic = alice.create_nic(subnet_id=subnet.subnet_id)
        vm = launch(
            alice,
            subnet,
            nics=[
                {"device_number": 0, "subnet_id": subnet.subnet_id},
                {"device_number": 1, "nic_id": kept_nic.nic_id},
                {"device_number": 2, "subnet_id": subnet.subnet_id, "delete_on_vm_deletion": False},
            ],
        )
        assert vm.nics
        assert [nic.link_nic.delete_on_vm_deletion for nic in vm.nics] == [True, False, False]
        alice.delete_vms(vm_ids=[vm.vm_id])
        ended = alice.call("ReadVms", Filters={"VmIds": [vm.vm_id]})["Vms"][0]
        assert not {"Nics", "NetId", "SubnetId", "PrivateIp"} & set(ended)
        states = {nic.nic_id: nic.state for nic in alice.read_nics()}
        assert states == {kept_nic.nic_id: "available", vm.nics[2].nic_id: "available"}

    def test_of_one_launch_have_different_addresses(self, alice: Account, subnet: Subnet) -> None:
        """As many VMs are launched as there are free addresses, each with its own. [NIC-005, VM-004]"""
        tiny = alice.create_subnet(ip_range="10.0.2.0/29", net_id=subnet.net_id)
        image_id = alice.read_images()[0].image_id
        vms = alice.create_vms(image_id=image_id, subnet_id=tiny.subnet_id, min_vms_count=2, max_vms_count=9)
        assert [vm.private_ip for vm in vms] == ["10.0.2.4", "10.0.2.5", "10.0.2.6"]
        assert alice.read_subnets()[-1].available_ips_count == 0
        error = expect_refusal(alice, "CreateNic", SubnetId=tiny.subnet_id)
        assert (error.rule, error.code) == ("NIC-005", "10001")

    @pytest.mark.parametrize(
        ("nic", "rules"),
        [
            ({"DeviceNumber": 0, "PrivateIps": [{"PrivateIp": "10.0.1.9"}], "SecondaryPrivateIpCount": 1}, []),
            ({"DeviceNumber": 0, "SecondaryPrivateIpCount": 0}, ["NIC-031"]),
            ({"DeviceNumber": -1}, ["VM-011/device", "VM-011"]),
        ],
    )
    def test_have_nics_with_numbers_in_range(
        self, alice: Account, subnet: Subnet, nic: dict[str, Any], rules: list[str]
    ) -> None:
        """A single address may have others beside it, at least one; devices are numbered from 0.

        [NIC-030, NIC-031, VM-011/device]
        """
        call = {"ImageId": alice.read_images()[0].image_id, "Nics": [nic | {"SubnetId": subnet.subnet_id}]}
        assert [error.rule for error in alice.why_not("CreateVms", **call)] == rules

    def test_are_updated_through_their_primary_nic(self, alice: Account, subnet: Subnet) -> None:
        """UpdateVm changes the groups and the source check of the primary NIC. [VM-075, VM-079]"""
        vm = launch(alice, subnet)
        assert vm.is_source_dest_checked
        group = alice.create_security_group(
            security_group_name="inner", description="for a test", net_id=subnet.net_id
        ).security_group_id
        updated = alice.update_vm(vm_id=vm.vm_id, is_source_dest_checked=False, security_group_ids=[group])
        assert not updated.is_source_dest_checked
        (nic,) = alice.read_nics()
        assert not nic.is_source_dest_checked
        assert [light.security_group_id for light in nic.security_groups] == [group]
        unchanged = alice.update_vm(vm_id=vm.vm_id, deletion_protection=True)
        assert [light.security_group_id for light in unchanged.security_groups] == [group]

    def test_are_filtered_by_net_subnet_and_nics(self, alice: Account, ids: dict[str, str]) -> None:
        """ReadVms filters by Net, Subnet and NICs. [FLT-001]"""
        filters = {
            "NetIds": [ids["net"]],
            "SubnetIds": [ids["subnet"]],
            "NicNicIds": [ids["primary"], ids["secondary"]],
            "NicLinkNicDeviceNumbers": [0],
            "NicPrivateIpsPrimaryIp": True,
            "NicSecurityGroupNames": ["default"],
            "NicSubregionNames": ["eu-west-2a"],
        }
        for name, values in filters.items():
            rows = alice.call("ReadVms", Filters={name: values})["Vms"]
            assert [row["VmId"] for row in rows] == [ids["net_vm"], ids["two_nics"]], name
        rows = alice.call("ReadVms", Filters={"NicLinkPublicIpPublicIps": [ids["nic_ip_address"]]})["Vms"]
        assert [row["VmId"] for row in rows] == [ids["net_vm"]]
        assert alice.call("ReadVms", Filters={"SecurityGroupNames": ["group"]})["Vms"][0]["VmId"] == ids["grouped"]


class TestNics:
    def test_get_a_free_primary_address_by_default(self, alice: Account, subnet: Subnet) -> None:
        """A NIC whose request has no primary address gets a free one. [NIC-002, NIC-004]"""
        nic = alice.create_nic(subnet_id=subnet.subnet_id, private_ips=[{"private_ip": "10.0.1.4"}])
        assert [(ip.private_ip, ip.is_primary) for ip in nic.private_ips] == [("10.0.1.5", True), ("10.0.1.4", False)]
        assert (nic.state, nic.link_nic, nic.net_id) == ("available", None, subnet.net_id)

    def test_leave_each_other_their_requested_addresses(self, alice: Account, subnet: Subnet) -> None:
        """A NIC of a launch without an address gets one that no other NIC of the request has. [NIC-002, NIC-004]"""
        nics = [
            {"device_number": 0, "subnet_id": subnet.subnet_id},
            {"device_number": 1, "subnet_id": subnet.subnet_id, "private_ips": [{"private_ip": "10.0.1.4"}]},
            {"device_number": 2, "subnet_id": subnet.subnet_id, "secondary_private_ip_count": 1},
        ]
        alice.create_vms(image_id=alice.read_images()[0].image_id, nics=nics)
        addresses = [[ip.private_ip for ip in nic.private_ips] for nic in alice.read_nics()]
        assert addresses == [["10.0.1.5"], ["10.0.1.6", "10.0.1.4"], ["10.0.1.7", "10.0.1.8"]]

    def test_are_in_use_while_linked_to_a_vm(self, alice: Account, subnet: Subnet) -> None:
        """A NIC that is linked to a running VM is in-use until it is unlinked. [NIC-010]"""
        vm, nic = launch(alice, subnet), alice.create_nic(subnet_id=subnet.subnet_id)
        link_id = alice.link_nic(device_number=1, nic_id=nic.nic_id, vm_id=vm.vm_id)
        linked = reread(alice, vm).nics
        assert linked
        assert [other.nic_id for other in linked][1:] == [nic.nic_id]
        assert (linked[1].state, linked[1].link_nic.state) == ("in-use", "attached")
        alice.unlink_nic(link_nic_id=link_id)
        alice.delete_nic(nic_id=nic.nic_id)

    def test_are_updated_one_attribute_at_a_time(self, alice: Account, ids: dict[str, str]) -> None:
        """The attributes are the description, the groups, and whether the NIC is deleted with its VM.

        [NIC-006, NIC-007, NIC-009]
        """
        nic_id = ids["primary"]
        assert alice.update_nic(nic_id=nic_id, description="front").description == "front"
        groups = alice.update_nic(nic_id=nic_id, security_group_ids=[ids["net_group"]]).security_groups
        assert [group.security_group_name for group in groups] == ["net_group"]
        change = {"link_nic_id": ids["primary_link"], "delete_on_vm_deletion": False}
        link = alice.update_nic(nic_id=nic_id, link_nic=change).link_nic
        assert link
        assert not link.delete_on_vm_deletion
        alice.delete_vms(vm_ids=[ids["net_vm"]])
        assert alice.read_nics(filters={"nic_ids": [nic_id]})[0].state == "available"

    def test_are_not_updated_by_the_link_of_another_nic(self, alice: Account, ids: dict[str, str]) -> None:
        """A change of the link has the id of the NIC's own link. [NIC-009]"""
        change = {"LinkNicId": ids["secondary_link"], "DeleteOnVmDeletion": False}
        assert expect_refusal(alice, "UpdateNic", NicId=ids["primary"], LinkNic=change).rule == "NIC-009"

    def test_have_secondary_addresses(self, alice: Account, subnet: Subnet) -> None:
        """Secondary addresses are given by address, by number or one by default, and can be removed.

        [NIC-030, NIC-032]
        """
        nic_id = alice.create_nic(subnet_id=subnet.subnet_id).nic_id
        alice.link_private_ips(nic_id=nic_id, private_ips=["10.0.1.9"])
        alice.link_private_ips(nic_id=nic_id, secondary_private_ip_count=2)
        alice.link_private_ips(nic_id=nic_id)
        ips = [ip.private_ip for ip in alice.read_nics()[0].private_ips]
        assert ips == ["10.0.1.4", "10.0.1.9", "10.0.1.5", "10.0.1.6", "10.0.1.7"]
        alice.unlink_private_ips(nic_id=nic_id, private_ips=ips[1:])
        assert [ip.private_ip for ip in alice.read_nics()[0].private_ips] == ips[:1]

    def test_can_take_over_a_secondary_address(self, alice: Account, ids: dict[str, str]) -> None:
        """AllowRelink moves a secondary address, and releases its public IP. [NIC-033]"""
        alice.link_public_ip(public_ip_id=ids["ip"], nic_id=ids["nic"], private_ip="10.0.1.20")
        alice.link_private_ips(nic_id=ids["secondary"], private_ips=["10.0.1.20"], allow_relink=True)
        (owner,) = alice.read_nics(filters={"private_ips_private_ips": ["10.0.1.20"]})
        assert owner.nic_id == ids["secondary"]
        assert alice.read_public_ips(filters={"public_ip_ids": [ids["ip"]]})[0].nic_id is None

    @given(
        length=st.integers(16, 29),
        addresses=st.lists(st.integers(0, 2**16 - 1), max_size=5),
        count=st.integers(1, 6),
    )
    def test_have_unique_addresses_of_their_subnet(self, length: int, addresses: list[int], count: int) -> None:
        """Whatever is requested, no two NICs have one address, and none is reserved. [VM-013, NIC-004, NIC-005]"""
        alice = Cloud().account("alice")
        net = alice.create_net(ip_range="10.0.0.0/16")
        subnet = alice.create_subnet(ip_range=f"10.0.0.0/{length}", net_id=net.net_id)
        for place in addresses:
            ip = {"PrivateIp": str(IPv4Address("10.0.0.0") + place), "IsPrimary": True}
            if alice.can("CreateNic", SubnetId=subnet.subnet_id, PrivateIps=[ip]):
                alice.call("CreateNic", SubnetId=subnet.subnet_id, PrivateIps=[ip])
        for _ in range(count):
            if alice.can("CreateNic", SubnetId=subnet.subnet_id):
                alice.create_nic(subnet_id=subnet.subnet_id)
        taken = [IPv4Address(ip.private_ip) for nic in alice.read_nics() for ip in nic.private_ips]
        network = IPv4Network(subnet.ip_range)
        assert len(set(taken)) == len(taken)
        assert all(ip in network and network[3] < ip < network[-1] for ip in taken)
        assert alice.read_subnets()[0].available_ips_count == network.num_addresses - 5 - len(taken)


class TestRoutes:
    def test_are_created_updated_and_deleted(self, alice: Account, ids: dict[str, str]) -> None:
        """A route gets another target and is deleted; each call answers the table. [RTB-012, RTB-013]"""
        table = {"route_table_id": ids["table"], "destination_ip_range": "192.0.2.0/24"}
        new_route = alice.create_route(**table, nic_id=ids["nic"]).routes[-1]
        assert (new_route.nic_id, new_route.state, new_route.creation_method) == (ids["nic"], "active", "CreateRoute")
        updated = alice.update_route(**table, vm_id=ids["net_vm"]).routes[-1]
        assert (updated.vm_id, updated.vm_account_id, updated.nic_id) == (ids["net_vm"], alice.account_id, None)
        routes = alice.delete_route(**table).routes
        assert [route.destination_ip_range for route in routes] == ["10.0.0.0/16", "0.0.0.0/0"]

    def test_apply_to_the_subnets_linked_to_their_table(self, alice: Account, ids: dict[str, str]) -> None:
        """A Subnet is linked to another table under a new link id, and goes back to the main one. [RTB-004, RTB-005]"""
        link = alice.update_route_table_link(link_route_table_id=ids["link"], route_table_id=ids["table"])
        assert link != ids["link"]
        (table,) = alice.read_route_tables(filters={"link_subnet_ids": [ids["routed"]]})
        assert table.route_table_id == ids["table"]
        alice.unlink_route_table(link_route_table_id=link)
        assert alice.read_route_tables(filters={"link_subnet_ids": [ids["routed"]]}) == ()

    def test_leave_one_of_several_subnets(self, alice: Account, ids: dict[str, str]) -> None:
        """Of two Subnets with one route table, the one of the given link is unlinked. [RTB-006]"""
        link = alice.link_route_table(route_table_id=ids["used"], subnet_id=ids["subnet"])
        alice.unlink_route_table(link_route_table_id=link)
        (table,) = alice.read_route_tables(filters={"route_table_ids": [ids["used"]]})
        assert [other.subnet_id for other in table.link_route_tables] == [ids["routed"]]

    def test_belong_to_a_main_table_that_can_be_replaced(self, alice: Account, ids: dict[str, str]) -> None:
        """The main link of a Net can move to another table; then the first can be deleted. [RTB-002, RTB-007]"""
        alice.update_route_table_link(link_route_table_id=ids["main_link"], route_table_id=ids["table"])
        (main,) = alice.read_route_tables(filters={"link_route_table_main": True, "net_ids": [ids["net"]]})
        assert main.route_table_id == ids["table"]
        alice.delete_route_table(route_table_id=ids["main"])


@pytest.fixture(name="ids")
def _ids(alice: Account) -> dict[str, str]:
    """A bit of everything, under names."""
    ids: dict[str, str] = {}
    add_networks(alice, alice.read_images()[0].image_id, ids)
    return ids
