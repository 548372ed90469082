"""Security groups and their permissions in FCU, by boto3."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from support.boto import code_of, launch, make_filters

from omisim import Account, Cloud
from omisim.model import Image

ANY = "0.0.0.0/0"
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}


@pytest.fixture(name="public_id")
def _public_id(ec2: Any) -> str:
    return str(ec2.create_security_group(GroupName="web", Description="public")["GroupId"])


@pytest.fixture(name="private_id")
def _private_id(ec2: Any, vpc_id: str) -> str:
    return str(ec2.create_security_group(GroupName="web", Description="private", VpcId=vpc_id)["GroupId"])


def read(ec2: Any, group_id: str) -> dict[str, Any]:
    """Return a group as DescribeSecurityGroups shows it."""
    (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    return dict(group)


def read_permissions(ec2: Any, group_id: str) -> list[dict[str, Any]]:
    """Return the inbound permissions of a group without their empty lists."""
    permissions = read(ec2, group_id)["IpPermissions"]
    return [{name: value for name, value in permission.items() if value != []} for permission in permissions]


def cidr(*ranges: str) -> list[dict[str, str]]:
    """Return ranges as boto3 takes them."""
    return [{"CidrIp": text} for text in ranges]


class TestGroups:
    def test_are_those_of_oapi(self, ec2: Any, alice: Account, vpc_id: str, private_id: str) -> None:
        """A new group of a VPC allows no traffic in and all traffic out. [SG-010, FCU-043]"""
        assert read(ec2, private_id) == {
            "Description": "private",
            "GroupId": private_id,
            "GroupName": "web",
            "IpPermissions": [],
            "IpPermissionsEgress": [
                {"IpProtocol": "-1", "IpRanges": cidr(ANY), "PrefixListIds": [], "UserIdGroupPairs": []}
            ],
            "OwnerId": alice.account_id,
            "Tags": [],
            "VpcId": vpc_id,
        }
        ec2.get_waiter("security_group_exists").wait(GroupIds=[private_id])
        assert ec2.delete_security_group(GroupId=private_id)["Return"] is True
        assert private_id not in [group.security_group_id for group in alice.read_security_groups()]

    def test_are_named_in_the_public_cloud_only(self, ec2: Any, public_id: str, private_id: str, vpc_id: str) -> None:
        """GroupName finds and deletes groups of the public Cloud. [FCU-004]"""
        ec2.create_security_group(GroupName="other", Description="x", VpcId=vpc_id)
        describe = ec2.describe_security_groups
        assert [group["GroupId"] for group in describe(GroupNames=["web"])["SecurityGroups"]] == [public_id]
        for name in ("other", "foobar"):
            assert code_of(describe, GroupNames=[name]) == "InvalidGroup.NotFound"
        ec2.delete_security_group(GroupName="web")
        assert code_of(ec2.delete_security_group, GroupName="web") == "InvalidGroup.NotFound"
        assert read(ec2, private_id)["GroupName"] == "web"

    def test_that_do_not_exist_are_refused(self, ec2: Any, bob: Account, public_id: str) -> None:
        """A read refuses a malformed id as a missing one. [FCU-041]"""
        theirs = bob.client("fcu")
        for call, group_id in (
            (ec2.describe_security_groups, "toto"),
            (ec2.describe_security_groups, "sg-12345678"),
            (theirs.describe_security_groups, public_id),
        ):
            assert code_of(call, GroupIds=[group_id]) == "InvalidGroup.NotFound"
        assert theirs.describe_security_groups(Filters=make_filters(group_id=public_id))["SecurityGroups"] == []
        assert code_of(ec2.delete_security_group, GroupId="sg-12345678") == "InvalidGroup.NotFound"

    def test_have_errors_of_ec2(self, ec2: Any, vpc_id: str, public_id: str, private_id: str) -> None:
        """Names, descriptions and VPCs that are not accepted, and groups in use."""
        create = ec2.create_security_group
        for parameters, code in (
            ({"GroupName": "web"}, "InvalidGroup.Duplicate"),
            ({"GroupName": "web", "VpcId": vpc_id}, "InvalidGroup.Duplicate"),
            ({"GroupName": "default"}, "InvalidGroup.Reserved"),
            ({"GroupName": "\xe0\xe9"}, "InvalidParameterValue"),
            ({"GroupName": "x" * 256}, "InvalidParameterValue"),
            ({"Description": "x" * 300}, "InvalidParameterValue"),
            ({"VpcId": "foo"}, "InvalidVpcID.Malformed"),
            ({"VpcId": "vpc-12345678"}, "InvalidVpcID.NotFound"),
        ):
            assert code_of(create, **{"GroupName": "new", "Description": "new", **parameters}) == code, parameters
        ec2.authorize_security_group_ingress(GroupId=public_id, SourceSecurityGroupName="web")
        (default,) = ec2.describe_security_groups(Filters=make_filters(group_name="default", vpc_id=vpc_id))[
            "SecurityGroups"
        ]
        assert code_of(ec2.delete_security_group, GroupId=default["GroupId"]) == "InvalidGroup.Reserved"
        users = [{"GroupId": private_id}]
        ec2.authorize_security_group_ingress(
            GroupId=default["GroupId"], IpPermissions=[{**SSH, "UserIdGroupPairs": users}]
        )
        assert code_of(ec2.delete_security_group, GroupId=private_id) == "DependencyViolation"

    def test_in_use_are_kept(self, ec2: Any, ubuntu: Image, subnet_id: str, private_id: str) -> None:
        """A group of an instance or of an interface. [SG-008]"""
        vm = launch(ec2, ubuntu, SubnetId=subnet_id, SecurityGroupIds=[private_id])
        assert code_of(ec2.delete_security_group, GroupId=private_id) == "InvalidGroup.InUse"
        ec2.terminate_instances(InstanceIds=[vm["InstanceId"]])
        interface = {"SubnetId": subnet_id, "Groups": [private_id]}
        interface_id = ec2.create_network_interface(**interface)["NetworkInterface"]["NetworkInterfaceId"]
        assert code_of(ec2.delete_security_group, GroupId=private_id) == "InvalidGroup.InUse"
        ec2.delete_network_interface(NetworkInterfaceId=interface_id)
        ec2.delete_security_group(GroupId=private_id)

    def test_are_found_by_filters(self, ec2: Any, alice: Account, bob: Account, vpc_id: str, private_id: str) -> None:
        """Every filter of DescribeSecurityGroups finds one group, for inbound and outbound permissions."""
        other = ec2.create_security_group(GroupName="db", Description="other", VpcId=vpc_id)["GroupId"]
        pair = {"GroupId": other, "GroupName": "db", "UserId": alice.account_id}
        permissions = [
            {"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8080, "IpRanges": cidr("11.22.33.44/32")},
            {"IpProtocol": "udp", "FromPort": 53, "ToPort": 54, "UserIdGroupPairs": [pair]},
        ]
        ec2.authorize_security_group_ingress(GroupId=private_id, IpPermissions=permissions)
        ec2.authorize_security_group_egress(GroupId=private_id, IpPermissions=permissions)
        ec2.create_tags(Resources=[private_id], Tags=[{"Key": "Name", "Value": "web"}])
        for filters in (
            {"description": "private"},
            {"group_id": private_id},
            {"group_name": "web"},
            {"owner_id": alice.account_id, "group_name": "w*"},
            {"vpc_id": vpc_id, "description": "priv*"},
            {"tag:Name": "web"},
            {"tag_key": "Name"},
            {"tag_value": "w?b"},
        ):
            groups = ec2.describe_security_groups(Filters=make_filters(**filters))["SecurityGroups"]
            assert [group["GroupId"] for group in groups] == [private_id], filters
        for name, value, wrong in (
            ("cidr", "11.22.33.44/32", "11.22.33.45/32"),
            ("from-port", "8000", "8001"),
            ("group-id", other, private_id),
            ("protocol", "udp", "icmp"),
            ("to-port", "54", "55"),
            ("user-id", alice.account_id, bob.account_id),
        ):
            for prefix in ("ip-permission.", "egress.ip-permission."):
                for text, expected in ((value, True), (wrong, False)):
                    criteria = [
                        {"Name": prefix + name, "Values": [text]},
                        {"Name": "group-name", "Values": ["web", "db"]},
                    ]
                    groups = ec2.describe_security_groups(Filters=criteria)["SecurityGroups"]
                    assert [group["GroupId"] for group in groups] == [private_id] * expected, (prefix, name)

    def test_are_found_by_the_name_of_a_source(self, ec2: Any, public_id: str) -> None:
        """The name of a group in a permission is shown in the public Cloud."""
        ec2.authorize_security_group_ingress(GroupId=public_id, SourceSecurityGroupName="default")
        for name, group_ids in (("default", [public_id]), ("web", [])):
            filters = make_filters(ip_permission__group_name=name, group_name="web")
            groups = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
            assert [group["GroupId"] for group in groups] == group_ids

    def test_are_paged(self, ec2: Any) -> None:
        """MaxResults and NextToken page groups."""
        for number in range(5):
            ec2.create_security_group(GroupName=f"g{number}", Description="x")
        pages = list(ec2.get_paginator("describe_security_groups").paginate(PaginationConfig={"PageSize": 5}))
        assert [len(page["SecurityGroups"]) for page in pages] == [5, 1]


class TestPermissions:
    def test_in_the_flat_form_are_those_of_ip_permissions(self, ec2: Any, public_id: str) -> None:
        """One permission by CidrIp, IpProtocol and ports is one of IpPermissions."""
        flat = {**SSH, "CidrIp": "10.0.0.0/8"}
        assert ec2.authorize_security_group_ingress(GroupId=public_id, **flat)["Return"] is True
        expected = [{**SSH, "IpRanges": cidr("10.0.0.0/8")}]
        assert read_permissions(ec2, public_id) == expected
        duplicate = {"GroupId": public_id, "IpPermissions": expected}
        assert code_of(ec2.authorize_security_group_ingress, **duplicate) == "InvalidPermission.Duplicate"

    def test_take_the_name_of_their_group(self, ec2: Any, public_id: str) -> None:
        """A group of the public Cloud is named by its id or its name."""
        flat = {**SSH, "CidrIp": ANY}
        assert ec2.authorize_security_group_ingress(GroupName="web", **flat)["Return"] is True
        assert read_permissions(ec2, public_id) == [{**SSH, "IpRanges": cidr(ANY)}]
        assert ec2.revoke_security_group_ingress(GroupName="web", **flat)["Return"] is True
        assert read_permissions(ec2, public_id) == []

    def test_of_icmp_have_a_type_and_a_code_in_place_of_ports(self, ec2: Any, public_id: str) -> None:
        """-1 stands for every type and every code."""
        ping = {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "CidrIp": ANY}
        ec2.authorize_security_group_ingress(GroupName="web", **ping)
        assert read_permissions(ec2, public_id)[-1] == {
            "IpProtocol": "icmp",
            "FromPort": -1,
            "ToPort": -1,
            "IpRanges": cidr(ANY),
        }

    def test_of_a_source_group_are_for_all_traffic(
        self, ec2: Any, alice: Account, bob: Account, public_id: str, private_id: str
    ) -> None:
        """By name, in the public Cloud also of another account: ICMP, TCP and UDP; in a VPC all protocols. [FCU-034]"""
        source_id = bob.create_security_group(security_group_name="theirs", description="x").security_group_id
        parameters = {"SourceSecurityGroupName": "theirs", "SourceSecurityGroupOwnerId": bob.account_id}
        ec2.authorize_security_group_ingress(GroupId=public_id, **parameters)
        pairs = [{"GroupId": source_id, "GroupName": "theirs", "UserId": bob.account_id}]
        assert sorted(read_permissions(ec2, public_id), key=lambda permission: permission["IpProtocol"]) == [
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "UserIdGroupPairs": pairs},
            {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": pairs},
            {"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": pairs},
        ]
        ec2.revoke_security_group_ingress(GroupId=public_id, **parameters)
        assert read_permissions(ec2, public_id) == []
        ec2.authorize_security_group_ingress(GroupId=private_id, SourceSecurityGroupName="web")
        pairs = [{"GroupId": private_id, "UserId": alice.account_id}]
        assert read_permissions(ec2, private_id) == [{"IpProtocol": "-1", "UserIdGroupPairs": pairs}]

    def test_that_were_read_can_be_revoked(self, ec2: Any, vpc_id: str, private_id: str) -> None:
        """What DescribeSecurityGroups shows is accepted by the other actions, inbound and outbound."""
        (default,) = ec2.describe_security_groups(Filters=make_filters(group_name="default", vpc_id=vpc_id))[
            "SecurityGroups"
        ]
        ranges = cidr("10.0.0.0/8", "192.168.0.0/16")
        ec2.authorize_security_group_ingress(GroupId=default["GroupId"], IpPermissions=[{**SSH, "IpRanges": ranges}])
        permissions = read(ec2, default["GroupId"])
        assert len(permissions["IpPermissions"]) == 2
        ec2.revoke_security_group_ingress(GroupId=default["GroupId"], IpPermissions=permissions["IpPermissions"])
        ec2.revoke_security_group_egress(GroupId=default["GroupId"], IpPermissions=permissions["IpPermissionsEgress"])
        bare = read(ec2, default["GroupId"])
        assert (bare["IpPermissions"], bare["IpPermissionsEgress"]) == ([], [])
        assert code_of(
            ec2.revoke_security_group_ingress, GroupId=default["GroupId"], IpPermissions=permissions["IpPermissions"]
        ) == ("InvalidPermission.NotFound")

    def test_are_refused_where_they_are_not_complete(self, ec2: Any, cloud: Cloud, public_id: str) -> None:
        """The codes are those that OUTSCALE's own tests expect. [FCU-030, FCU-031, FCU-032, FCU-033]"""
        before = cloud.fork()
        group, ports = {"GroupId": public_id}, {"FromPort": 42, "ToPort": 42}
        for parameters, code in (
            ({}, "MissingParameter"),
            ({"GroupId": "foo", **SSH, "CidrIp": ANY}, "InvalidParameterValue"),
            ({"GroupId": "sg-12345678", **SSH, "CidrIp": ANY}, "InvalidGroup.NotFound"),
            ({"GroupId": "sg-yyy12345678", **SSH, "CidrIp": ANY}, "InvalidGroup.NotFound"),
            ({"GroupName": "foo", **SSH, "CidrIp": ANY}, "InvalidGroup.NotFound"),
            (group, "InvalidPermission.Malformed"),
            ({**group, **ports, "CidrIp": ANY}, "InvalidPermission.Malformed"),
            ({**group, "SourceSecurityGroupOwnerId": "123456789012"}, "InvalidPermission.Malformed"),
            ({**group, **SSH}, "MissingParameter"),
            ({**group, "SourceSecurityGroupName": "web", "CidrIp": ANY}, "InvalidParameterCombination"),
            ({**group, **SSH, "CidrIp": ANY, "IpPermissions": [SSH]}, "InvalidParameterCombination"),
            ({**group, "SourceSecurityGroupName": "other"}, "InvalidGroup.NotFound"),
        ):
            for call in (ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress):
                assert code_of(call, **parameters) == code, parameters
        assert cloud == before

    def test_are_refused_where_they_are_wrong(self, ec2: Any, cloud: Cloud, public_id: str) -> None:
        """One wrong permission refuses all of them. [FCU-035, FCU-036, FCU-037, SG-022, SG-023, SG-024, SG-029]"""
        before = cloud.fork()
        for wrong, code in (
            ({"IpProtocol": "30"}, "InvalidPermission.Malformed"),
            ({"IpRanges": cidr("X.X.X.X/32")}, "InvalidPermission.Malformed"),
            ({"FromPort": None}, "InvalidPermission.Malformed"),
            ({"ToPort": None}, "InvalidPermission.Malformed"),
            ({"FromPort": 23}, "InvalidPermission.Malformed"),
            ({"ToPort": 65536}, "InvalidPermission.Malformed"),
            ({"IpProtocol": "icmp", "FromPort": -1, "ToPort": 8}, "InvalidPermission.Malformed"),
            ({"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, "NotImplemented"),
            ({"PrefixListIds": [{"PrefixListId": "pl-12345678"}]}, "InvalidPrefixListId.NotFound"),
            ({"UserIdGroupPairs": [{"GroupId": "sg-12345678"}]}, "InvalidGroup.NotFound"),
        ):
            permission = {**SSH, "IpRanges": cidr(ANY), **wrong}
            parameters = {name: value for name, value in permission.items() if value is not None}
            valid = {**SSH, "IpRanges": cidr("10.0.0.0/8")}
            authorize = ec2.authorize_security_group_ingress
            assert code_of(authorize, GroupId=public_id, IpPermissions=[valid, parameters]) == code, wrong
        assert cloud == before

    def test_have_no_descriptions(self, ec2: Any, cloud: Cloud, public_id: str) -> None:
        """The description of a range, which Terraform and much boto3 code send, is ignored with a warning. [FCU-005]"""
        permission = {**SSH, "IpRanges": [{"CidrIp": ANY, "Description": "ssh"}]}
        ec2.authorize_security_group_ingress(GroupId=public_id, IpPermissions=[permission])
        assert read_permissions(ec2, public_id) == [{**SSH, "IpRanges": cidr(ANY)}]
        assert "'IpPermissions.1.IpRanges.1.Description'" in cloud.warnings[-1]

    def test_without_a_protocol_are_for_all(self, ec2: Any, public_id: str) -> None:
        """In IpPermissions the protocol may be absent: it is -1."""
        permission = {"FromPort": 1, "ToPort": 65535, "IpRanges": cidr("46.231.147.8/32")}
        ec2.authorize_security_group_ingress(GroupId=public_id, IpPermissions=[permission])
        assert read_permissions(ec2, public_id) == [{"IpProtocol": "-1", "IpRanges": cidr("46.231.147.8/32")}]

    def test_outbound_are_for_vpcs(self, ec2: Any, public_id: str, private_id: str) -> None:
        """A group of the public Cloud has no outbound permissions. [SG-021/outbound]"""
        permission = {**SSH, "IpRanges": cidr(ANY)}
        ec2.authorize_security_group_egress(GroupId=private_id, IpPermissions=[permission])
        assert len(read(ec2, private_id)["IpPermissionsEgress"]) == 2
        ec2.revoke_security_group_egress(GroupId=private_id, **SSH, CidrIp=ANY)
        assert len(read(ec2, private_id)["IpPermissionsEgress"]) == 1
        assert code_of(ec2.authorize_security_group_egress, GroupId=public_id, IpPermissions=[permission]) == (
            "InvalidParameter"
        )

    def test_of_a_dry_run_change_nothing(self, ec2: Any, cloud: Cloud, public_id: str) -> None:
        """A dry run that would succeed is DryRunOperation. [FCU-002]"""
        before = cloud.fork()
        parameters = {"GroupId": public_id, "DryRun": True}
        assert code_of(ec2.authorize_security_group_ingress, **parameters, **SSH, CidrIp=ANY) == "DryRunOperation"
        assert (
            code_of(ec2.revoke_security_group_ingress, **parameters, **SSH, CidrIp=ANY) == "InvalidPermission.NotFound"
        )
        assert cloud == before


@pytest.mark.usefixtures("omi_env")
def test_resources_manage_groups(omi_account: Account) -> None:
    """boto3's SecurityGroup."""
    ec2 = boto3.resource("ec2")
    group = ec2.create_security_group(GroupName="web", Description="web")
    group.authorize_ingress(IpPermissions=[{**SSH, "IpRanges": cidr(ANY)}])
    group.reload()
    assert group.ip_permissions[0]["IpRanges"] == cidr(ANY)
    group.revoke_ingress(IpPermissions=group.ip_permissions)
    group.create_tags(Tags=[{"Key": "Name", "Value": "web"}])
    (web_group,) = ec2.security_groups.filter(Filters=make_filters(**{"tag:Name": "web"}))
    assert (web_group.id, web_group.ip_permissions) == (group.id, [])
    group.delete()
    assert [group.security_group_name for group in omi_account.read_security_groups()] == ["default"]
