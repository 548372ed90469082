"""Internet gateways and route tables of FCU, and boto3's resources for whole networks."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from support.boto import code_of, make_filters

from omisim import Account
from omisim.model import Image


class TestInternetGateways:
    def test_are_attached_and_detached(self, ec2: Any, alice: Account, vpc_id: str) -> None:
        """The life of an internet gateway. A detached one has no attachments."""
        gateway = ec2.create_internet_gateway()["InternetGateway"]
        igw_id = gateway["InternetGatewayId"]
        assert gateway == {"Attachments": [], "InternetGatewayId": igw_id, "Tags": []}
        ec2.get_waiter("internet_gateway_exists").wait(InternetGatewayIds=[igw_id])
        ec2.attach_internet_gateway(InternetGatewayId=igw_id, VpcId=vpc_id)
        attached = {**gateway, "Attachments": [{"State": "available", "VpcId": vpc_id}]}
        for filters in (
            {"attachment__state": "available"},
            {"attachment__vpc_id": vpc_id},
            {"internet_gateway_id": igw_id},
            {"owner_id": alice.account_id},
        ):
            assert ec2.describe_internet_gateways(Filters=make_filters(**filters))["InternetGateways"] == [attached]
        assert code_of(ec2.delete_internet_gateway, InternetGatewayId=igw_id) == "DependencyViolation"
        ec2.detach_internet_gateway(InternetGatewayId=igw_id, VpcId=vpc_id)
        assert ec2.describe_internet_gateways(Filters=make_filters(attachment__state="*"))["InternetGateways"] == []
        ec2.delete_internet_gateway(InternetGatewayId=igw_id)
        assert alice.read_internet_services() == ()

    def test_have_errors_of_ec2(self, ec2: Any, bob: Account, vpc_id: str) -> None:
        """Missing and malformed ids, another account's gateway, and a gateway that is attached elsewhere."""
        igw_id = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        attach, parameters = ec2.attach_internet_gateway, {"InternetGatewayId": igw_id, "VpcId": vpc_id}
        for wrong, code in (
            ({"VpcId": "123456789012"}, "InvalidVpcID.Malformed"),
            ({"VpcId": "vpc-12345678"}, "InvalidVpcID.NotFound"),
            ({"InternetGatewayId": "123456789012"}, "InvalidInternetGatewayID.Malformed"),
            ({"InternetGatewayId": "igw-12345678"}, "InvalidInternetGatewayID.NotFound"),
        ):
            assert code_of(attach, **{**parameters, **wrong}) == code
        assert code_of(bob.client("fcu").attach_internet_gateway, **parameters) == "InvalidInternetGatewayID.NotFound"
        ids = {"InternetGatewayIds": ["igw-12345678"]}
        assert code_of(ec2.describe_internet_gateways, **ids) == "InvalidInternetGatewayID.NotFound"
        assert code_of(ec2.detach_internet_gateway, **parameters) == "Gateway.NotAttached"
        attach(**parameters)
        assert code_of(attach, **parameters) == "Resource.AlreadyAssociated"


class TestRouteTables:
    def test_are_associated_with_subnets(self, ec2: Any, vpc_id: str, subnet_id: str) -> None:
        """The life of a route table: created, associated, replaced, disassociated and deleted."""
        route_table = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]
        table_id = route_table["RouteTableId"]
        local = {
            "DestinationCidrBlock": "10.0.0.0/16",
            "GatewayId": "local",
            "Origin": "CreateRouteTable",
            "State": "active",
        }
        assert route_table == {
            "Associations": [],
            "PropagatingVgws": [],
            "RouteTableId": table_id,
            "Routes": [local],
            "Tags": [],
            "VpcId": vpc_id,
        }
        first = ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet_id)["AssociationId"]
        (route_table,) = ec2.describe_route_tables(RouteTableIds=[table_id])["RouteTables"]
        link = {"Main": False, "RouteTableId": table_id, "SubnetId": subnet_id}
        assert route_table["Associations"] == [{**link, "RouteTableAssociationId": first}]
        assert code_of(ec2.delete_route_table, RouteTableId=table_id) == "DependencyViolation"
        other = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
        second = ec2.replace_route_table_association(AssociationId=first, RouteTableId=other)["NewAssociationId"]
        (route_table,) = ec2.describe_route_tables(Filters=make_filters(association__subnet_id=subnet_id))[
            "RouteTables"
        ]
        assert route_table["Associations"] == [{**link, "RouteTableId": other, "RouteTableAssociationId": second}]
        assert code_of(ec2.disassociate_route_table, AssociationId=first) == "InvalidAssociationID.NotFound"
        ec2.disassociate_route_table(AssociationId=second)
        for each in (table_id, other):
            ec2.delete_route_table(RouteTableId=each)
        assert [t["Associations"][0]["Main"] for t in ec2.describe_route_tables()["RouteTables"]] == [True]

    def test_have_routes(self, ec2: Any, alice: Account, vpc_id: str, ubuntu: Image, subnet_id: str) -> None:
        """Routes are created, replaced and deleted; filters find tables by them."""
        igw_id = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=igw_id, VpcId=vpc_id)
        table_id = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
        route = {"RouteTableId": table_id, "DestinationCidrBlock": "0.0.0.0/0"}
        assert ec2.create_route(**route, GatewayId=igw_id)["Return"] is True
        assert code_of(ec2.create_route, **route, GatewayId=igw_id) == "RouteAlreadyExists"
        (vm,) = ec2.run_instances(ImageId=ubuntu.image_id, MinCount=1, MaxCount=1, SubnetId=subnet_id)["Instances"]
        nic_id = vm["NetworkInterfaces"][0]["NetworkInterfaceId"]

        def show_route() -> dict[str, str]:
            (table,) = ec2.describe_route_tables(RouteTableIds=[table_id])["RouteTables"]
            return next(dict(route) for route in table["Routes"] if route.get("GatewayId") != "local")

        common = {"DestinationCidrBlock": "0.0.0.0/0", "Origin": "CreateRoute", "State": "active"}
        assert show_route() == {**common, "GatewayId": igw_id}
        ec2.replace_route(**route, NetworkInterfaceId=nic_id)
        assert show_route() == {**common, "NetworkInterfaceId": nic_id}
        ec2.replace_route(**route, InstanceId=vm["InstanceId"])
        assert show_route() == {**common, "InstanceId": vm["InstanceId"], "InstanceOwnerId": alice.account_id}
        for filters in (
            {"route__destination_cidr_block": "0.0.0.0/0"},
            {"route__instance_id": vm["InstanceId"]},
            {"route__origin": "CreateRoute"},
            {"route_table_id": table_id, "route__state": "active", "route__gateway_id": "local"},
            {"association__main": "true", "route_table_id": table_id},
            {"route__destination_prefix_list_id": "*"},
        ):
            table_ids = [
                table["RouteTableId"]
                for table in ec2.describe_route_tables(Filters=make_filters(**filters))["RouteTables"]
            ]
            is_wrong = not {"association__main", "route__destination_prefix_list_id"}.isdisjoint(filters)
            assert table_ids == ([] if is_wrong else [table_id]), filters
        ec2.delete_route(**route)
        assert code_of(ec2.delete_route, **route) == "InvalidRoute.NotFound"

    def test_main_ones_are_found_and_kept(self, ec2: Any, vpc_id: str, subnet_id: str) -> None:
        """The main table of a VPC is found by its association, and is neither deleted nor disassociated."""
        (main,) = ec2.describe_route_tables(Filters=make_filters(association__main="true", vpc_id=vpc_id))[
            "RouteTables"
        ]
        (association,) = main["Associations"]
        assert code_of(ec2.delete_route_table, RouteTableId=main["RouteTableId"]) == "DependencyViolation"
        link_id = association["RouteTableAssociationId"]
        assert code_of(ec2.disassociate_route_table, AssociationId=link_id) == "InvalidParameterValue"
        for filters in ({"association__route_table_association_id": link_id}, {"association__route_table_id": "rtb-*"}):
            assert ec2.describe_route_tables(Filters=make_filters(**filters))["RouteTables"] == [main]
        other = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
        ec2.replace_route_table_association(AssociationId=link_id, RouteTableId=other)
        ec2.delete_route_table(RouteTableId=main["RouteTableId"])
        local = {"RouteTableId": other, "DestinationCidrBlock": "10.0.0.0/16"}
        assert code_of(ec2.delete_route, **local) == "InvalidParameterValue"

    def test_have_errors_of_ec2(self, ec2: Any, bob: Account, vpc_id: str, subnet_id: str) -> None:
        """Targets and tables that do not exist, and a table of another VPC. [FCU-045, RTB-004, RTB-015/gateway]"""
        table_id = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
        for target, code in (
            ({"GatewayId": "igw-12345678"}, "InvalidInternetGatewayID.NotFound"),
            ({"GatewayId": "vgw-12345678"}, "InvalidVpnGatewayID.NotFound"),
            ({"VpcPeeringConnectionId": "pcx-12345678"}, "InvalidVpcPeeringConnectionID.NotFound"),
            ({"NatGatewayId": "nat-12345678"}, "NatGatewayNotFound"),
            ({}, "MissingParameter"),
        ):
            assert code_of(ec2.create_route, RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0", **target) == code
        (main,) = ec2.describe_route_tables(Filters=make_filters(association__main="true"))["RouteTables"]
        route = {"RouteTableId": main["RouteTableId"], "GatewayId": "igw-12345678"}
        for destination in ("10.10.10.23/24", "toto"):
            for call in (ec2.create_route, ec2.replace_route):
                assert code_of(call, **route, DestinationCidrBlock=destination) == "InvalidParameterValue"
        assert code_of(ec2.create_route, **route, DestinationCidrBlock="") == "MissingParameter"
        associate = ec2.associate_route_table
        assert code_of(associate, RouteTableId="rtb-12345678", SubnetId=subnet_id) == "InvalidRouteTableID.NotFound"
        assert code_of(associate, RouteTableId="XXXXXXXX", SubnetId=subnet_id) == "InvalidRouteTableID.Malformed"
        assert code_of(associate, RouteTableId=table_id, SubnetId="subnet-12345678") == "InvalidSubnetID.NotFound"
        other = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        foreign = ec2.create_route_table(VpcId=other)["RouteTable"]["RouteTableId"]
        assert code_of(associate, RouteTableId=foreign, SubnetId=subnet_id) == "InvalidParameterValue"
        theirs = bob.client("fcu")
        assert code_of(theirs.describe_route_tables, RouteTableIds=[table_id]) == "InvalidRouteTableID.NotFound"
        assert theirs.describe_route_tables(Filters=make_filters(route_table_id=table_id))["RouteTables"] == []


class TestResources:
    @pytest.mark.usefixtures("omi_env")
    def test_build_a_network(self, omi_account: Account) -> None:
        """boto3's resources make a VPC with all its parts, read them, and take it down again."""
        ec2 = boto3.resource("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")
        vpc.wait_until_available()
        vpc.create_tags(Tags=[{"Key": "Name", "Value": "web"}])
        subnet = vpc.create_subnet(CidrBlock="10.0.1.0/24")
        gateway = ec2.create_internet_gateway()
        vpc.attach_internet_gateway(InternetGatewayId=gateway.id)
        table = vpc.create_route_table()
        table.create_route(DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway.id)
        association = table.associate_with_subnet(SubnetId=subnet.id)
        group = vpc.create_security_group(GroupName="web", Description="web")
        interface = subnet.create_network_interface(Groups=[group.id])

        assert ec2.Vpc(vpc.id).tags == [{"Key": "Name", "Value": "web"}]
        assert [part.id for part in vpc.subnets.all()] == [subnet.id]
        assert [part.id for part in vpc.internet_gateways.all()] == [gateway.id]
        assert {part.id for part in vpc.route_tables.all()} > {table.id}
        assert {part.group_name for part in vpc.security_groups.all()} == {"default", "web"}
        assert [part.id for part in vpc.network_interfaces.all()] == [interface.id]
        assert list(vpc.instances.all()) == []
        assert interface.subnet.vpc.id == vpc.id
        assert {route.gateway_id for route in ec2.RouteTable(table.id).routes} == {"local", gateway.id}

        interface.delete()
        group.delete()
        association.delete()
        table.delete()
        vpc.detach_internet_gateway(InternetGatewayId=gateway.id)
        gateway.delete()
        subnet.delete()
        vpc.delete()
        assert omi_account.read_nets() == ()
