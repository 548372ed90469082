"""VPCs and subnets of FCU, by boto3."""

from __future__ import annotations

from typing import Any

import pytest
from support.boto import code_of, make_filters

from omisim import Account, Cloud


def is_mapped(ec2: Any, subnet_id: str) -> bool:
    """Whether the VMs that are launched in a subnet get a public IP."""
    (subnet,) = ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"]
    return bool(subnet["MapPublicIpOnLaunch"])


class TestVpcs:
    def test_are_the_nets_of_oapi(self, ec2: Any, alice: Account) -> None:
        """A VPC has the fields of its Net, and is deleted through either API."""
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", InstanceTenancy="default")["Vpc"]
        (net,) = alice.read_nets()
        assert vpc == {
            "CidrBlock": "10.0.0.0/16",
            "DhcpOptionsId": net.dhcp_options_set_id,
            "InstanceTenancy": "default",
            "IsDefault": False,
            "State": "available",
            "Tags": [],
            "VpcId": net.net_id,
        }
        for waiter in ("vpc_exists", "vpc_available"):
            ec2.get_waiter(waiter).wait(VpcIds=[net.net_id])
        ec2.associate_dhcp_options(VpcId=net.net_id, DhcpOptionsId="default")
        ec2.delete_vpc(VpcId=net.net_id)
        assert alice.read_nets() == ()

    def test_support_dns_always(self, ec2: Any, vpc_id: str) -> None:
        """DNS support is on, and cannot be turned off. [FCU-048, FCU-049]"""
        shown = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsSupport")
        assert shown["EnableDnsSupport"] == {"Value": True}
        off = {"VpcId": vpc_id, "EnableDnsSupport": {"Value": False}}
        assert code_of(ec2.modify_vpc_attribute, **off) == "UnsupportedOperation"

    def test_have_dns_hostnames_once_they_are_set(self, ec2: Any, cloud: Cloud, vpc_id: str) -> None:
        """DNS hostnames are off, and can be turned on; a dump keeps them. [FCU-047, FCU-049]"""
        attribute = {"VpcId": vpc_id, "Attribute": "enableDnsHostnames"}
        assert ec2.describe_vpc_attribute(**attribute)["EnableDnsHostnames"] == {"Value": False}
        ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True}, EnableDnsSupport={"Value": True})
        twin = Cloud.load(cloud.dump()).account("alice").client("fcu")
        for client in (ec2, twin):
            assert client.describe_vpc_attribute(**attribute)["EnableDnsHostnames"] == {"Value": True}

    def test_refuse_missing_and_unknown_attributes(self, ec2: Any, vpc_id: str) -> None:
        """A change names an attribute, and a description one that FCU shows. [FCU-047, FCU-052]"""
        assert code_of(ec2.modify_vpc_attribute, VpcId=vpc_id) == "OWS.Error"
        unknown = {"VpcId": vpc_id, "Attribute": "enableNetworkAddressUsageMetrics"}
        assert code_of(ec2.describe_vpc_attribute, **unknown) == "NotImplemented"

    def test_of_others_have_no_attributes(self, ec2: Any, bob: Account) -> None:
        """An unknown, malformed or foreign id of an action on attributes is not found. [FCU-041]"""
        theirs = bob.create_net(ip_range="10.0.0.0/16").net_id
        for vpc_id in (theirs, "vpc-12345678", "nonsense"):
            parameters = {"VpcId": vpc_id}
            described = code_of(ec2.describe_vpc_attribute, **parameters, Attribute="enableDnsSupport")
            modified = code_of(ec2.modify_vpc_attribute, **parameters, EnableDnsSupport={"Value": True})
            assert described == modified == "InvalidVpcID.NotFound"

    def test_are_found_by_filters(self, ec2: Any) -> None:
        """Every filter of DescribeVpcs, with the spellings that OUTSCALE's own tests use."""
        vpc_ids = {
            name: ec2.create_vpc(CidrBlock=cidr, InstanceTenancy=tenancy)["Vpc"]["VpcId"]
            for name, cidr, tenancy in (
                ("a", "10.0.0.0/16", "default"),
                ("b", "10.0.0.0/16", "default"),
                ("c", "10.1.0.0/16", "dedicated"),
            )
        }
        ec2.create_tags(Resources=[vpc_ids["b"]], Tags=[{"Key": "Name", "Value": "b"}])
        for filters, matching in (
            ({"cidr": "10.0.0.0/16"}, "ab"),
            ({"cidr_block": "10.0.0.0/16 10.1.0.0/16"}, "abc"),
            ({"cidrBlock": "10.1.*"}, "c"),
            ({"dhcp_options_id": "dopt-*"}, "abc"),
            ({"dhcp_options_id": "dopt-12345678"}, ""),
            ({"instance_tenancy": "dedicated"}, "c"),
            ({"is_default": "false"}, "abc"),
            ({"isDefault": "True"}, ""),
            ({"state": "available", "cidr": "10.1.0.0/16"}, "c"),
            ({"tag:Name": "b"}, "b"),
            ({"tag_key": "Name"}, "b"),
            ({"tag_value": "b"}, "b"),
            ({"owner_id": "*"}, "abc"),
        ):
            ids = [vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=make_filters(**filters))["Vpcs"]]
            assert ids == [vpc_ids[name] for name in matching], filters

    def test_are_paged(self, ec2: Any) -> None:
        """MaxResults and NextToken page VPCs."""
        ids = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(6)]
        pages = ec2.get_paginator("describe_vpcs").paginate(PaginationConfig={"PageSize": 5})
        assert [[vpc["VpcId"] for vpc in page["Vpcs"]] for page in pages] == [ids[:5], ids[5:]]

    def test_have_ranges_of_their_own_errors(self, ec2: Any) -> None:
        """The code tells a text that is not a range from a range that is not allowed. [NET-001, NET-003, NET-004]"""
        for cidr, code in (
            ("toto", "InvalidParameterValue"),
            ("10.0.0.0/42", "InvalidParameterValue"),
            ("255.255.0.256/16", "InvalidParameterValue"),
            ("10.0.0.0/15", "InvalidVpc.Range"),
            ("158.8.4.0/24", "InvalidVpc.Range"),
        ):
            assert code_of(ec2.create_vpc, CidrBlock=cidr) == code, cidr
        assert code_of(ec2.create_vpc, CidrBlock="10.0.0.0/16", InstanceTenancy="toto") == "InvalidParameterValue"

    def test_that_do_not_exist_are_refused(self, ec2: Any, bob: Account) -> None:
        """A read refuses a malformed id as a missing one; other actions tell them apart. [FCU-004, FCU-041]"""
        others = bob.create_net(ip_range="10.0.0.0/16").net_id
        for vpc_id in ("vpc-12345678", "toto", "vpc-1", others):
            assert code_of(ec2.describe_vpcs, VpcIds=[vpc_id]) == "InvalidVpcID.NotFound"
        assert code_of(ec2.delete_vpc, VpcId=others) == "InvalidVpcID.NotFound"
        assert code_of(ec2.delete_vpc, VpcId="toto") == "InvalidVpcID.Malformed"
        assert ec2.describe_vpcs(Filters=make_filters(vpc_id=others))["Vpcs"] == []

    def test_in_use_are_kept(self, ec2: Any, vpc_id: str, subnet_id: str) -> None:
        """A VPC with a subnet is not deleted."""
        assert code_of(ec2.delete_vpc, VpcId=vpc_id) == "DependencyViolation"
        ec2.delete_subnet(SubnetId=subnet_id)
        ec2.delete_vpc(VpcId=vpc_id)


class TestSubnets:
    def test_are_created_described_and_deleted(self, ec2: Any, alice: Account, vpc_id: str) -> None:
        """The life of a subnet, and its waiter."""
        subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.1.0/24", AvailabilityZone="eu-west-2b")["Subnet"]
        assert subnet == {
            "AvailabilityZone": "eu-west-2b",
            "AvailableIpAddressCount": 251,
            "CidrBlock": "10.0.1.0/24",
            "MapPublicIpOnLaunch": False,
            "State": "available",
            "SubnetId": subnet["SubnetId"],
            "Tags": [],
            "VpcId": vpc_id,
        }
        ec2.get_waiter("subnet_available").wait(SubnetIds=[subnet["SubnetId"]])
        assert ec2.describe_subnets(SubnetIds=[subnet["SubnetId"]])["Subnets"] == [subnet]
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        assert alice.read_subnets() == ()

    def test_are_found_by_filters(self, ec2: Any, vpc_id: str) -> None:
        """Every filter of DescribeSubnets."""
        subnet_ids = {
            name: ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for name, cidr, zone in (("a", "10.0.1.0/24", "eu-west-2a"), ("b", "10.0.2.0/25", "eu-west-2b"))
        }
        ec2.create_tags(Resources=[subnet_ids["a"]], Tags=[{"Key": "Name", "Value": "a"}])
        ec2.modify_subnet_attribute(SubnetId=subnet_ids["b"], MapPublicIpOnLaunch={"Value": True})
        for filters, matching in (
            ({"availability_zone": "eu-west-2b"}, "b"),
            ({"availabilityZone": "eu-west-2a"}, "a"),
            ({"available_ip_address_count": "123"}, "b"),
            ({"cidr": "10.0.1.0/24"}, "a"),
            ({"cidr_block": "10.0.*"}, "ab"),
            ({"cidrBlock": "10.0.2.0/25"}, "b"),
            ({"map_public_ip_on_launch": "true"}, "b"),
            ({"owner_id": "123456789012"}, ""),
            ({"state": "available", "tag:Name": "a"}, "a"),
            ({"vpc_id": vpc_id, "subnet_id": " ".join(subnet_ids.values())}, "ab"),
        ):
            ids = [subnet["SubnetId"] for subnet in ec2.describe_subnets(Filters=make_filters(**filters))["Subnets"]]
            assert ids == [subnet_ids[name] for name in matching], filters

    def test_map_public_addresses(self, ec2: Any, subnet_id: str) -> None:
        """ModifySubnetAttribute changes MapPublicIpOnLaunch. [FCU-038]"""
        assert not is_mapped(ec2, subnet_id)
        ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})
        assert is_mapped(ec2, subnet_id)

    @pytest.mark.parametrize("attributes", [{}, {"AssignIpv6AddressOnCreation": {"Value": True}}], ids=["none", "ipv6"])
    def test_stay_the_same_without_an_attribute_of_fcu(
        self, ec2: Any, subnet_id: str, attributes: dict[str, Any]
    ) -> None:
        """Without an attribute, and with one that FCU does not have, ModifySubnetAttribute does nothing. [FCU-038]"""
        ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})
        ec2.modify_subnet_attribute(SubnetId=subnet_id, **attributes)
        assert is_mapped(ec2, subnet_id)

    def test_of_others_cannot_be_modified(self, ec2: Any) -> None:
        """ModifySubnetAttribute refuses a malformed id and an unknown one."""
        assert code_of(ec2.modify_subnet_attribute, SubnetId="foo") == "InvalidSubnetID.Malformed"
        assert code_of(ec2.modify_subnet_attribute, SubnetId="subnet-12345678") == "InvalidSubnetID.NotFound"

    def test_have_errors_of_ec2(self, ec2: Any, bob: Account, vpc_id: str, subnet_id: str) -> None:
        """The codes are those that OUTSCALE's own tests expect. [NET-010, NET-011, NET-012]"""
        for parameters, code in (
            ({"VpcId": "xxx-12345678"}, "InvalidVpcID.Malformed"),
            ({"VpcId": "vpc-12345678"}, "InvalidVpcID.NotFound"),
            ({"CidrBlock": "foo"}, "InvalidParameterValue"),
            ({"CidrBlock": "10.0.2.0/30"}, "InvalidSubnet.Range"),
            ({"CidrBlock": "10.1.0.0/24"}, "InvalidSubnet.Range"),
            ({"CidrBlock": "10.0.1.0/25"}, "InvalidSubnet.Conflict"),
            ({"AvailabilityZone": "toto"}, "InvalidParameterValue"),
        ):
            assert code_of(ec2.create_subnet, **{"VpcId": vpc_id, "CidrBlock": "10.0.2.0/24", **parameters}) == code, (
                parameters
            )
        assert code_of(bob.client("fcu").delete_subnet, SubnetId=subnet_id) == "InvalidSubnetID.NotFound"
        assert code_of(ec2.describe_subnets, SubnetIds=["subnet-12345678"]) == "InvalidSubnetID.NotFound"

    def test_are_limited_by_a_quota(self) -> None:
        """The error has a name of its own, which OAPI lacks. [QTA-015/subnet]"""
        ec2 = Cloud().account("alice", quotas={"subnet_limit": 1}).client("fcu")
        vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.1.0/24")
        assert code_of(ec2.create_subnet, VpcId=vpc_id, CidrBlock="10.0.2.0/24") == "SubnetLimitExceeded"


def test_dry_runs_change_nothing(ec2: Any, cloud: Cloud, vpc_id: str, subnet_id: str) -> None:
    """A dry run of an action on networks is refused as DryRunOperation, if nothing else refuses it. [FCU-002]"""
    igw_id = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    table_id = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    before = cloud.fork()
    for call, parameters in (
        (ec2.create_vpc, {"CidrBlock": "10.0.0.0/16"}),
        (ec2.create_subnet, {"VpcId": vpc_id, "CidrBlock": "10.0.2.0/24"}),
        (ec2.delete_subnet, {"SubnetId": subnet_id}),
        (ec2.attach_internet_gateway, {"InternetGatewayId": igw_id, "VpcId": vpc_id}),
        (ec2.associate_route_table, {"RouteTableId": table_id, "SubnetId": subnet_id}),
        (ec2.describe_vpcs, {"VpcIds": [vpc_id]}),
    ):
        assert code_of(call, DryRun=True, **parameters) == "DryRunOperation"
    assert code_of(ec2.delete_vpc, DryRun=True, VpcId="vpc-12345678") == "InvalidVpcID.NotFound"
    assert cloud == before


class TestPrefixLists:
    def test_are_the_services_of_net_access_points(self, ec2: Any, alice: Account) -> None:
        """A prefix list has the id, the name and the ranges of a service; an unknown id is refused. [FCU-004]"""
        services = alice.read_net_access_point_services()
        lists = ec2.describe_prefix_lists()["PrefixLists"]
        shown = {(row["PrefixListId"], row["PrefixListName"], *row["Cidrs"]) for row in lists}
        assert shown == {(service.service_id, service.service_name, *service.ip_ranges) for service in services}
        first = services[0]
        for selection in (
            {"PrefixListIds": [first.service_id]},
            {"Filters": make_filters(prefix_list_name=first.service_name)},
        ):
            (row,) = ec2.describe_prefix_lists(**selection)["PrefixLists"]
            assert row["PrefixListId"] == first.service_id
        assert code_of(ec2.describe_prefix_lists, PrefixListIds=["pl-99999999"]) == "InvalidPrefixListId.NotFound"
