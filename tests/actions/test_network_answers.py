"""The answered form of networks, disks and OMIs: through a typed call, the SDK and HTTP, in both timings."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.catalogue import find_official
from support.entrances import Entrance
from support.networks import add_networks

from omisim import Account, Cloud

Row = dict[str, Any]
SSH = {"FromPortRange": 22, "ToPortRange": 22, "IpProtocol": "tcp"}
NIC = """AccountId Description IsSourceDestChecked MacAddress NetId NicId PrivateDnsName PrivateIps SecurityGroups State
SubnetId"""
FIELDS = {
    "Net": "DhcpOptionsSetId IpRange NetId State Tags Tenancy",
    "Subnet": "AvailableIpsCount IpRange MapPublicIpOnLaunch NetId State SubnetId SubregionName Tags",
    "SecurityGroup": "AccountId Description InboundRules OutboundRules SecurityGroupId SecurityGroupName Tags",
    "SecurityGroup in a Net": "SecurityGroup NetId",
    "Rule": "FromPortRange IpProtocol IpRanges SecurityGroupRuleId ToPortRange",
    "Rule for a group": "FromPortRange IpProtocol SecurityGroupRuleId SecurityGroupsMembers ToPortRange",
    "InternetService": "InternetServiceId Tags",
    "InternetService linked": "InternetService NetId State",
    "RouteTable": "LinkRouteTables NetId RoutePropagatingVirtualGateways RouteTableId Routes Tags",
    "LinkRouteTable": "LinkRouteTableId Main RouteTableId SubnetId",
    "Route": "CreationMethod DestinationIpRange GatewayId State",
    "Nic": f"{NIC} SubregionName Tags",
    "Nic linked": "Nic LinkNic",
    "LinkNic": "DeleteOnVmDeletion DeviceNumber LinkNicId State VmAccountId VmId",
    "Nic of a VM": f"{NIC} LinkNic",
    "LinkNic of a VM": "DeleteOnVmDeletion DeviceNumber LinkNicId State",
    "PrivateIp": "IsPrimary PrivateDnsName PrivateIp",
    "PublicIp": "PublicIp PublicIpId Tags",
    "PublicIp linked": "PublicIp LinkPublicIpId NicAccountId NicId PrivateIp VmId",
    "Volume": "CreationDate LinkedVolumes Size State SubregionName Tags VolumeId VolumeType",
    "Volume updating": "Volume TaskId",
    "Volume of gp2": "Volume Iops",
    "Volume of a snapshot": "Volume SnapshotId",
    "LinkedVolume": "DeleteOnVmDeletion DeviceName State VmId VolumeId",
    "Image": """AccountId Architecture BlockDeviceMappings BootModes CreationDate Description FileLocation ImageId
        ImageName ImageType PermissionsToLaunch ProductCodes RootDeviceName RootDeviceType SecureBoot State StateComment
        Tags TpmMandatory""",
    "Image of an alias": "Image AccountAlias",
    "Bsu": "DeleteOnVmDeletion SnapshotId VolumeSize VolumeType",
}


def fields(name: str) -> set[str]:
    """Return the fields that a kind shows. A variant whose first word is the kind shows the kind's fields and more."""
    first, *others = FIELDS[name].split()
    base = name.partition(" ")[0]
    return {*others, *(FIELDS[base].split() if first == base != name else [first])}


@pytest.fixture(name="alice")
def _alice(timed: Cloud) -> Account:
    return timed.account("alice")


@pytest.fixture(name="net")
def _net(entrance: Entrance, alice: Account) -> str:
    return str(entrance.answer(alice, "CreateNet", IpRange="10.0.0.0/16")["Net"]["NetId"])


def read(entrance: Entrance, account: Account, kind: str, /, **filters: Any) -> list[Row]:
    """Return what a read answers once nothing is in progress."""
    account.cloud.settle()
    rows: list[Row] = entrance.answer(account, f"Read{kind}", Filters=filters)[kind]
    return rows


def group(entrance: Entrance, account: Account, name: str, net: str | None = None) -> str:
    """Create a security group, and return its id."""
    place = {"NetId": net} if net else {}
    answer = entrance.answer(account, "CreateSecurityGroup", SecurityGroupName=name, Description="a test", **place)
    return str(answer["SecurityGroup"]["SecurityGroupId"])


class TestSecurityGroupRuleIds:
    def test_are_on_every_rule(self, entrance: Entrance, alice: Account, net: str) -> None:
        """Each rule has an id of its own: of default groups, of a new group, and created ones. [SG-012, ID-013]"""
        own = group(entrance, alice, "web", net)
        security_group = entrance.answer(
            alice, "CreateSecurityGroupRule", SecurityGroupId=own, Flow="Inbound", IpRange="10.0.0.0/8", **SSH
        )["SecurityGroup"]
        rows = read(entrance, alice, "SecurityGroups")
        assert security_group in rows
        ids = [rule["SecurityGroupRuleId"] for row in rows for rule in (*row["InboundRules"], *row["OutboundRules"])]
        assert len(ids) == len(set(ids)) == 5
        assert all(re.fullmatch("sgr-[0-9a-f]{8}", one) for one in ids)

    def test_stay_while_ranges_come_and_go(self, entrance: Entrance, alice: Account, net: str) -> None:
        """A rule keeps its id while it has a range, and one that is created again has a new one. [SG-012]"""
        own = group(entrance, alice, "web", net)

        def change(action: str, ip_range: str) -> list[str]:
            parameters = {"SecurityGroupId": own, "Flow": "Inbound", "IpRange": ip_range, **SSH}
            rules = entrance.answer(alice, f"{action}SecurityGroupRule", **parameters)["SecurityGroup"]["InboundRules"]
            return [rule["SecurityGroupRuleId"] for rule in rules]

        first = change("Create", "10.0.0.0/8")
        assert change("Create", "192.0.2.0/24") == change("Delete", "10.0.0.0/8") == first
        assert change("Delete", "192.0.2.0/24") == []
        assert change("Create", "10.0.0.0/8") != first


class TestGroupsInRules:
    def test_have_no_name_in_a_net(self, entrance: Entrance, alice: Account, net: str) -> None:
        """In a Net a rule names a group by account and id, outside also by name; filters know its name. [SG-013]"""
        inside, outside = group(entrance, alice, "inside", net), group(entrance, alice, "outside")
        for one, other in ((inside, inside), (outside, outside)):
            security_group = entrance.answer(
                alice, "CreateSecurityGroupRule", SecurityGroupId=one, Flow="Inbound",
                SecurityGroupNameToLink=other, SecurityGroupAccountIdToLink=alice.account_id, **SSH,
            )["SecurityGroup"]  # fmt: skip
            (rule,) = security_group["InboundRules"]
            (reread,) = read(entrance, alice, "SecurityGroups", SecurityGroupIds=[one])
            assert reread == security_group
            group_name = {} if one == inside else {"SecurityGroupName": "outside"}
            expected = {"AccountId": alice.account_id, "SecurityGroupId": one, **group_name}
            assert rule["SecurityGroupsMembers"] == [expected]
        (default,) = read(entrance, alice, "SecurityGroups", NetIds=[net], SecurityGroupNames=["default"])
        (member,) = default["InboundRules"][0]["SecurityGroupsMembers"]
        assert set(member) == {"AccountId", "SecurityGroupId"}
        (matching,) = read(entrance, alice, "SecurityGroups", InboundRuleSecurityGroupNames=["inside"])
        assert matching["SecurityGroupId"] == inside

    def test_can_be_removed_again(self, entrance: Entrance, alice: Account, net: str) -> None:
        """The shown form of a rule is one that DeleteSecurityGroupRule takes back. [SG-013, SG-028]"""
        own = group(entrance, alice, "web", net)
        parameters = {"SecurityGroupId": own, "Flow": "Inbound", "SecurityGroupNameToLink": own, **SSH}
        security_group = entrance.answer(alice, "CreateSecurityGroupRule", **parameters)["SecurityGroup"]
        answer = entrance.answer(
            alice, "DeleteSecurityGroupRule", SecurityGroupId=own, Flow="Inbound", Rules=security_group["InboundRules"]
        )
        assert answer["SecurityGroup"]["InboundRules"] == []


class TestGroupsOfATerminatedVm:
    @pytest.mark.parametrize("in_net", [False, True])
    def test_are_held_if_its_launch_gave_them(self, entrance: Entrance, *, in_net: bool) -> None:
        """A group of the launch stays in use for 90 seconds; one that UpdateVm has added is free at once. [SG-011]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        net = str(entrance.answer(alice, "CreateNet", IpRange="10.0.0.0/16")["Net"]["NetId"]) if in_net else None
        launch_group, added_group = group(entrance, alice, "given", net), group(entrance, alice, "added", net)
        place: Row = {}
        if net:
            place = {
                "SubnetId": entrance.answer(alice, "CreateSubnet", NetId=net, IpRange="10.0.1.0/24")["Subnet"][
                    "SubnetId"
                ]
            }
        image = find_official(alice, "Ubuntu*").image_id
        vm = entrance.answer(alice, "CreateVms", ImageId=image, SecurityGroupIds=[launch_group], **place)["Vms"][0][
            "VmId"
        ]
        cloud.settle()
        entrance.answer(alice, "UpdateVm", VmId=vm, SecurityGroupIds=[launch_group, added_group])
        entrance.answer(alice, "DeleteVms", VmIds=[vm])
        cloud.advance(seconds=16)
        assert entrance.refusal(alice, "DeleteSecurityGroup", SecurityGroupId=launch_group) == (409, "9085", "SG-011")
        assert entrance.answer(alice, "DeleteSecurityGroup", SecurityGroupId=added_group) == {}
        cloud.advance(seconds=90)
        assert entrance.answer(alice, "DeleteSecurityGroup", SecurityGroupId=launch_group) == {}


class TestRoutes:
    def test_of_the_net_itself_have_the_gateway_local(self, entrance: Entrance, alice: Account, net: str) -> None:
        """The local route of a main table and of a new one has the gateway local. [RTB-008]"""
        route_table = entrance.answer(alice, "CreateRouteTable", NetId=net)["RouteTable"]
        local = {"CreationMethod": "CreateRouteTable", "DestinationIpRange": "10.0.0.0/16", "GatewayId": "local"}
        local |= {"State": "active"}
        assert route_table["Routes"] == [local]
        tables = read(entrance, alice, "RouteTables", RouteGatewayIds=["local"])
        assert [table["Routes"] for table in tables] == [[local]] * 2

    def test_are_sorted_by_destination_in_reads_alone(self, entrance: Entrance, alice: Account, net: str) -> None:
        """Reads sort routes by destination; changes answer them in the order in which they were added. [RTB-018]"""
        table = entrance.answer(alice, "CreateRouteTable", NetId=net)["RouteTable"]["RouteTableId"]
        gateway = entrance.answer(alice, "CreateInternetService")["InternetService"]["InternetServiceId"]
        entrance.answer(alice, "LinkInternetService", InternetServiceId=gateway, NetId=net)
        added = ["10.0.0.0/16", "192.0.2.0/24", "0.0.0.0/0", "9.0.0.0/8"]
        for ip_range in added[1:]:
            target = {"RouteTableId": table, "DestinationIpRange": ip_range, "GatewayId": gateway}
            route_table = entrance.answer(alice, "CreateRoute", **target)["RouteTable"]
        updated = entrance.answer(alice, "UpdateRoute", **target)["RouteTable"]
        assert [route["DestinationIpRange"] for route in route_table["Routes"]] == added
        assert updated == route_table
        (reread,) = read(entrance, alice, "RouteTables", RouteTableIds=[table])
        expected = ["0.0.0.0/0", "9.0.0.0/8", "10.0.0.0/16", "192.0.2.0/24"]
        assert [route["DestinationIpRange"] for route in reread["Routes"]] == expected
        route_table = entrance.answer(alice, "DeleteRoute", RouteTableId=table, DestinationIpRange="0.0.0.0/0")[
            "RouteTable"
        ]
        assert [route["DestinationIpRange"] for route in route_table["Routes"]] == [
            "10.0.0.0/16",
            "192.0.2.0/24",
            "9.0.0.0/8",
        ]

    def test_stay_linked_where_the_table_is_the_same(self, entrance: Entrance, alice: Account, net: str) -> None:
        """UpdateRouteTableLink with the same table returns the same link; with another, a new one. [RTB-009]"""
        subnet = entrance.answer(alice, "CreateSubnet", NetId=net, IpRange="10.0.1.0/24")["Subnet"]["SubnetId"]
        one, other = (
            entrance.answer(alice, "CreateRouteTable", NetId=net)["RouteTable"]["RouteTableId"] for _ in range(2)
        )
        link = entrance.answer(alice, "LinkRouteTable", RouteTableId=one, SubnetId=subnet)["LinkRouteTableId"]
        same = entrance.answer(alice, "UpdateRouteTableLink", LinkRouteTableId=link, RouteTableId=one)
        new = entrance.answer(alice, "UpdateRouteTableLink", LinkRouteTableId=link, RouteTableId=other)
        assert same["LinkRouteTableId"] == link != new["LinkRouteTableId"]


class TestParameters:
    def test_of_routes_name_a_vm_or_a_nic(self, entrance: Entrance, alice: Account, net: str) -> None:
        """The target of a route is a VM or a NIC of the Net, and another one after UpdateRoute. [RTB-016]"""
        subnet = entrance.answer(alice, "CreateSubnet", NetId=net, IpRange="10.0.1.0/24")["Subnet"]["SubnetId"]
        own = group(entrance, alice, "web", net)
        nic = entrance.answer(alice, "CreateNic", SubnetId=subnet, Description="a test", SecurityGroupIds=[own])["Nic"]
        assert (nic["Description"], nic["SecurityGroups"][0]["SecurityGroupId"]) == ("a test", own)
        image = find_official(alice, "Ubuntu*").image_id
        vm = entrance.answer(alice, "CreateVms", ImageId=image, SubnetId=subnet)["Vms"][0]["VmId"]
        table = entrance.answer(alice, "CreateRouteTable", NetId=net)["RouteTable"]["RouteTableId"]
        route = {"RouteTableId": table, "DestinationIpRange": "192.0.2.0/24"}
        new_route = entrance.answer(alice, "CreateRoute", VmId=vm, **route)["RouteTable"]["Routes"][1]
        assert (new_route["VmId"], new_route["VmAccountId"]) == (vm, alice.account_id)
        updated = entrance.answer(alice, "UpdateRoute", NicId=nic["NicId"], **route)["RouteTable"]["Routes"][1]
        assert (updated["NicId"], "VmId" in updated) == (nic["NicId"], False)

    def test_of_rules_name_groups_in_three_ways(self, entrance: Entrance, alice: Account) -> None:
        """A rule names a group by its name with an account, or among Rules by id or name. [SG-026, SG-028]"""
        one, other = group(entrance, alice, "one"), group(entrance, alice, "other")
        parameters = {"SecurityGroupId": one, "Flow": "Inbound"}
        flat = {"SecurityGroupNameToLink": "other", "SecurityGroupAccountIdToLink": alice.account_id, **SSH}
        member = {"SecurityGroupName": "other", "AccountId": alice.account_id}
        among_rules = {"Rules": [{"SecurityGroupsMembers": [member], **SSH}]}
        undo = {"SecurityGroupNameToUnlink": "other", "SecurityGroupAccountIdToUnlink": alice.account_id, **SSH}
        for added in (flat, among_rules):
            security_group = entrance.answer(alice, "CreateSecurityGroupRule", **parameters, **added)["SecurityGroup"]
            assert security_group["InboundRules"][0]["SecurityGroupsMembers"][0]["SecurityGroupId"] == other
            remaining = entrance.answer(alice, "DeleteSecurityGroupRule", **parameters, **undo)["SecurityGroup"]
            assert remaining["InboundRules"] == []

    def test_of_rules_are_deleted_with_the_groups_of_an_answer(self, entrance: Entrance, alice: Account) -> None:
        """A group with its id and its name, as an answer shows it, is accepted by deletion only. [SG-026/both]"""
        one, other = group(entrance, alice, "one"), group(entrance, alice, "other")
        parameters = {"SecurityGroupId": one, "Flow": "Inbound"}
        request = {**parameters, "Rules": [{"SecurityGroupsMembers": [{"SecurityGroupId": other}], **SSH}]}
        created = entrance.answer(alice, "CreateSecurityGroupRule", **request)["SecurityGroup"]
        (member,) = created["InboundRules"][0]["SecurityGroupsMembers"]
        assert (member["SecurityGroupId"], member["SecurityGroupName"]) == (other, "other")
        both = {**parameters, "Rules": [{"SecurityGroupsMembers": [member], **SSH}]}
        assert entrance.refusal(alice, "CreateSecurityGroupRule", **both)[1:] == ("3002", "SG-026/both")
        assert entrance.answer(alice, "DeleteSecurityGroupRule", **both)["SecurityGroup"]["InboundRules"] == []

    @pytest.mark.parametrize("allow", [True, False])
    def test_of_a_public_ip_allow_to_link_it_elsewhere(self, alice: Account, *, allow: bool) -> None:
        """A linked public IP is linked to another NIC only with AllowRelink. [PIP-012]"""
        ids: dict[str, str] = {}
        add_networks(alice, find_official(alice, "Ubuntu*").image_id, ids)
        parameters = {"PublicIpId": ids["nic_ip"], "NicId": ids["nic"], "AllowRelink": allow}
        assert alice.can("LinkPublicIp", **parameters) == allow
        if allow:
            assert alice.call("LinkPublicIp", **parameters)["LinkPublicIpId"] != ids["nic_ip_link"]


class TestDeletedNet:
    def test_is_deleting_for_some_seconds(self, entrance: Entrance) -> None:
        """ReadNets shows a deleted Net as deleting; filters find it so; its resources are gone at once. [NET-018]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        net = entrance.answer(alice, "CreateNet", IpRange="10.0.0.0/16")["Net"]
        entrance.answer(alice, "DeleteNet", NetId=net["NetId"])
        for filters in ({}, {"States": ["deleting"]}, {"NetIds": [net["NetId"]]}):
            assert entrance.answer(alice, "ReadNets", Filters=filters)["Nets"] == [{**net, "State": "deleting"}]
        assert entrance.answer(alice, "ReadNets", Filters={"States": ["available"]})["Nets"] == []
        for kind in ("RouteTables", "SecurityGroups"):
            assert entrance.answer(alice, f"Read{kind}", Filters={"NetIds": [net["NetId"]]})[kind] == []
        cloud.advance(seconds=5)
        assert entrance.answer(alice, "ReadNets")["Nets"] == []

    def test_counts_as_absent(self, entrance: Entrance) -> None:
        """Other actions refuse a deleting Net as an unknown one, and it counts towards no quota. [NET-018, NET-002]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice", quotas={"vpc_limit": 1})
        net = entrance.answer(alice, "CreateNet", IpRange="10.0.0.0/16")["Net"]["NetId"]
        gateway = entrance.answer(alice, "CreateInternetService")["InternetService"]["InternetServiceId"]
        entrance.answer(alice, "DeleteNet", NetId=net)
        calls: dict[str, Row] = {
            "CreateRouteTable": {},
            "CreateSecurityGroup": {"SecurityGroupName": "web", "Description": "a test"},
            "CreateSubnet": {"IpRange": "10.0.1.0/24"},
            "DeleteNet": {},
            "LinkInternetService": {"InternetServiceId": gateway},
            "UnlinkInternetService": {"InternetServiceId": gateway},
            "UpdateNet": {"DhcpOptionsSetId": "default"},
        }
        for action, parameters in calls.items():
            assert entrance.refusal(alice, action, NetId=net, **parameters) == (400, "5065", "NET-002")
        tags = [{"Key": "a", "Value": "b"}]
        assert entrance.refusal(alice, "CreateTags", ResourceIds=[net], Tags=tags)[:2] == (400, "5065")
        assert entrance.answer(alice, "CreateNet", IpRange="10.0.0.0/16")["Net"]["State"] == "available"

    def test_has_no_tags_in_read_tags(self, entrance: Entrance) -> None:
        """ReadTags lists the tags of no Net that is being deleted, as of none that is absent. [NET-018, TAG-012]"""
        alice = Cloud(timing="clock").account("alice")
        net = entrance.answer(alice, "CreateNet", IpRange="10.0.0.0/16")["Net"]["NetId"]
        entrance.answer(alice, "CreateTags", ResourceIds=[net], Tags=[{"Key": "a", "Value": "b"}])
        assert [tag["ResourceId"] for tag in entrance.answer(alice, "ReadTags")["Tags"]] == [net]
        entrance.answer(alice, "DeleteNet", NetId=net)
        assert entrance.answer(alice, "ReadTags")["Tags"] == []

    def test_is_gone_before_the_next_call_in_eager_timing(self, entrance: Entrance, cloud: Cloud) -> None:
        """In eager timing a deleted Net is gone when its call has been answered. [NET-018]"""
        alice = cloud.account("alice")
        net = entrance.answer(alice, "CreateNet", IpRange="10.0.0.0/16")["Net"]["NetId"]
        entrance.answer(alice, "DeleteNet", NetId=net)
        assert entrance.answer(alice, "ReadNets")["Nets"] == []


class TestFields:
    def test_of_networks_depend_on_their_links(self, entrance: Entrance, alice: Account, net: str) -> None:
        """A field of a link is shown only while there is one; lists are shown even if they are empty. [FLD-015]"""
        assert [set(row) for row in read(entrance, alice, "Nets")] == [fields("Net")]
        new_subnet = entrance.answer(alice, "CreateSubnet", NetId=net, IpRange="10.0.1.0/24")["Subnet"]
        assert set(new_subnet) == fields("Subnet")
        subnet = new_subnet["SubnetId"]
        own, outside = group(entrance, alice, "web", net), group(entrance, alice, "web")
        for one in (own, outside):
            parameters = {"SecurityGroupId": one, "Flow": "Inbound", **SSH}
            entrance.answer(alice, "CreateSecurityGroupRule", IpRange="10.0.0.0/8", **parameters)
        entrance.answer(
            alice, "CreateSecurityGroupRule", SecurityGroupId=own, Flow="Inbound", IpProtocol="-1",
            SecurityGroupNameToLink=own,
        )  # fmt: skip
        (inside,) = read(entrance, alice, "SecurityGroups", SecurityGroupIds=[own])
        (other,) = read(entrance, alice, "SecurityGroups", SecurityGroupIds=[outside])
        assert (set(inside), set(other)) == (fields("SecurityGroup in a Net"), fields("SecurityGroup"))
        assert [set(rule) for rule in inside["InboundRules"]] == [fields("Rule"), fields("Rule for a group")]
        assert set(inside["OutboundRules"][0]) == fields("Rule")
        gateway = entrance.answer(alice, "CreateInternetService")["InternetService"]
        assert set(gateway) == fields("InternetService")
        entrance.answer(alice, "LinkInternetService", InternetServiceId=gateway["InternetServiceId"], NetId=net)
        assert set(read(entrance, alice, "InternetServices")[0]) == fields("InternetService linked")
        table = entrance.answer(alice, "CreateRouteTable", NetId=net)["RouteTable"]
        assert set(table) == fields("RouteTable")
        entrance.answer(alice, "LinkRouteTable", RouteTableId=table["RouteTableId"], SubnetId=subnet)
        route_table = read(entrance, alice, "RouteTables", LinkSubnetIds=[subnet])[0]
        assert set(route_table["LinkRouteTables"][0]) == fields("LinkRouteTable")
        assert set(route_table["Routes"][0]) == fields("Route")

    def test_of_nics_and_addresses_depend_on_their_links(self, entrance: Entrance, alice: Account, net: str) -> None:
        """A NIC shows its link, and a public IP what it is linked to. [FLD-015]"""
        subnet = entrance.answer(alice, "CreateSubnet", NetId=net, IpRange="10.0.1.0/24")["Subnet"]["SubnetId"]
        nic = entrance.answer(alice, "CreateNic", SubnetId=subnet)["Nic"]
        ip = entrance.answer(alice, "CreatePublicIp")["PublicIp"]
        assert (set(nic), set(ip)) == (fields("Nic"), fields("PublicIp"))
        assert set(nic["PrivateIps"][0]) == fields("PrivateIp")
        image = find_official(alice, "Ubuntu*").image_id
        vm = entrance.answer(alice, "CreateVms", ImageId=image, SubnetId=subnet)["Vms"][0]["VmId"]
        alice.cloud.settle()
        entrance.answer(alice, "LinkNic", NicId=nic["NicId"], VmId=vm, DeviceNumber=1)
        (linked,) = read(entrance, alice, "Nics", NicIds=[nic["NicId"]])
        assert (set(linked), set(linked["LinkNic"])) == (fields("Nic linked"), fields("LinkNic"))
        for linked_nic in read(entrance, alice, "Vms")[0]["Nics"]:
            assert (set(linked_nic), set(linked_nic["LinkNic"])) == (fields("Nic of a VM"), fields("LinkNic of a VM"))
        gateway = entrance.answer(alice, "CreateInternetService")["InternetService"]["InternetServiceId"]
        entrance.answer(alice, "LinkInternetService", InternetServiceId=gateway, NetId=net)
        entrance.answer(alice, "LinkPublicIp", PublicIpId=ip["PublicIpId"], NicId=nic["NicId"])
        assert set(read(entrance, alice, "PublicIps")[0]) == fields("PublicIp linked")

    def test_of_volumes_depend_on_their_values(self, entrance: Entrance, timed: Cloud, alice: Account) -> None:
        """A volume shows Iops, SnapshotId and TaskId only if it has them. [FLD-003]"""
        place = {"SubregionName": "eu-west-2a"}
        plain = entrance.answer(alice, "CreateVolume", Size=1, **place)["Volume"]
        fast = entrance.answer(alice, "CreateVolume", Size=1, VolumeType="gp2", **place)["Volume"]
        assert (set(plain), set(fast)) == (fields("Volume"), fields("Volume of gp2"))
        timed.settle()
        snapshot = entrance.answer(alice, "CreateSnapshot", VolumeId=plain["VolumeId"])["Snapshot"]["SnapshotId"]
        timed.settle()
        copy = entrance.answer(alice, "CreateVolume", SnapshotId=snapshot, **place)["Volume"]
        assert set(copy) == fields("Volume of a snapshot")
        timed.settle()
        image = find_official(alice, "Ubuntu*").image_id
        vm = entrance.answer(alice, "CreateVms", ImageId=image)["Vms"][0]["VmId"]
        timed.settle()
        entrance.answer(alice, "LinkVolume", VolumeId=plain["VolumeId"], VmId=vm, DeviceName="/dev/sdb")
        (linked,) = read(entrance, alice, "Volumes", VolumeIds=[plain["VolumeId"]])
        assert set(linked) == fields("Volume")
        assert set(linked["LinkedVolumes"][0]) == fields("LinkedVolume")
        updated = entrance.answer(alice, "UpdateVolume", VolumeId=plain["VolumeId"], Size=2)["Volume"]
        assert set(updated) == fields("Volume updating")

    def test_of_images_are_the_same_in_every_state(self, entrance: Entrance, timed: Cloud, alice: Account) -> None:
        """An OMI shows the same fields in every state, and AccountAlias if its owner has one. [FLD-001, FLD-002]"""
        image = find_official(alice, "Ubuntu*").image_id
        vm = entrance.answer(alice, "CreateVms", ImageId=image, BootOnCreation=False)["Vms"][0]["VmId"]
        timed.settle()
        mine = entrance.answer(alice, "CreateImage", VmId=vm, ImageName="mine", NoReboot=True)["Image"]
        assert (mine["State"], set(mine)) == ("pending", fields("Image"))
        updated = entrance.answer(alice, "UpdateImage", ImageId=mine["ImageId"], Description="changed")["Image"]
        assert set(updated) == fields("Image")
        (reread,) = read(entrance, alice, "Images", ImageIds=[mine["ImageId"]])
        assert (reread["State"], reread["Description"], set(reread)) == ("available", "changed", fields("Image"))
        assert set(reread["BlockDeviceMappings"][0]["Bsu"]) == fields("Bsu")
        (public,) = read(entrance, alice, "Images", ImageIds=[image])
        assert set(public) == fields("Image of an alias")

    def test_of_a_pending_image_can_be_updated(self, entrance: Entrance) -> None:
        """UpdateImage changes a pending OMI, which is a NoReboot one of a stopped VM. [OMI-018, OMI-115]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        image = find_official(alice, "Ubuntu*").image_id
        vm = entrance.answer(alice, "CreateVms", ImageId=image, BootOnCreation=False)["Vms"][0]["VmId"]
        cloud.settle()
        mine = entrance.answer(alice, "CreateImage", VmId=vm, ImageName="mine", NoReboot=True)["Image"]
        updated = entrance.answer(alice, "UpdateImage", ImageId=mine["ImageId"], Description="changed")["Image"]
        assert updated == {**mine, "Description": "changed"}
