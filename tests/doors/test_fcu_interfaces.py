"""Network interfaces and private addresses of FCU, by boto3."""

from __future__ import annotations

from typing import Any

from support.boto import code_of, launch, make_filters, read_instance

from omisim import Account
from omisim.model import Image

ZONE = "eu-west-2a"


class TestInterfaces:
    def test_of_a_launch_have_the_requested_address(self, ec2: Any, ubuntu: Image, subnet_id: str) -> None:
        """PrivateIpAddress of an interface of RunInstances is its primary address, beside secondary ones."""
        secondary = [{"PrivateIpAddress": "10.0.1.51"}]
        interface = {"DeviceIndex": 0, "SubnetId": subnet_id, "PrivateIpAddress": "10.0.1.50"}
        instance = launch(ec2, ubuntu, NetworkInterfaces=[{**interface, "PrivateIpAddresses": secondary}])
        addresses = instance["NetworkInterfaces"][0]["PrivateIpAddresses"]
        shown = [(address["PrivateIpAddress"], address["Primary"]) for address in addresses]
        assert shown == [("10.0.1.50", True), ("10.0.1.51", False)]

    def test_are_the_nics_of_oapi(self, ec2: Any, alice: Account, subnet_id: str, vpc_id: str) -> None:
        """A network interface has the fields of its NIC."""
        answer = ec2.create_network_interface(SubnetId=subnet_id, Description="db", PrivateIpAddress="10.0.1.20")
        (nic,) = alice.read_nics()
        group = nic.security_groups[0]
        assert answer["NetworkInterface"] == {
            "AvailabilityZone": ZONE,
            "Description": "db",
            "Groups": [{"GroupId": group.security_group_id, "GroupName": "default"}],
            "MacAddress": nic.mac_address,
            "NetworkInterfaceId": nic.nic_id,
            "OwnerId": alice.account_id,
            "PrivateDnsName": nic.private_dns_name,
            "PrivateIpAddress": "10.0.1.20",
            "PrivateIpAddresses": [
                {"Primary": True, "PrivateDnsName": nic.private_dns_name, "PrivateIpAddress": "10.0.1.20"}
            ],
            "SourceDestCheck": True,
            "Status": "available",
            "SubnetId": subnet_id,
            "TagSet": [],
            "VpcId": vpc_id,
        }
        ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[nic.nic_id])
        ec2.delete_network_interface(NetworkInterfaceId=nic.nic_id)
        assert alice.read_nics() == ()

    def test_have_primary_and_secondary_addresses(self, ec2: Any, subnet_id: str) -> None:
        """PrivateIpAddress is the primary address, beside PrivateIpAddresses; only one can be primary. [NIC-003]"""
        others = [{"PrivateIpAddress": "10.0.1.21"}, {"PrivateIpAddress": "10.0.1.22", "Primary": False}]
        parameters = {"SubnetId": subnet_id, "PrivateIpAddress": "10.0.1.20", "PrivateIpAddresses": others}
        interface = ec2.create_network_interface(**parameters)["NetworkInterface"]
        assert [(ip["PrivateIpAddress"], ip["Primary"]) for ip in interface["PrivateIpAddresses"]] == [
            ("10.0.1.20", True),
            ("10.0.1.21", False),
            ("10.0.1.22", False),
        ]
        parameters["PrivateIpAddresses"] = [{"PrivateIpAddress": "10.0.1.30", "Primary": True}]
        assert code_of(ec2.create_network_interface, **parameters) == "InvalidParameterValue"

    def test_need_an_address_that_is_primary(self, ec2: Any, subnet_id: str) -> None:
        """An element without an address is refused before a second primary one. [NIC-003/address]"""
        addresses = [{"PrivateIpAddress": "10.0.1.30", "Primary": True}, {"Primary": True}]
        refusal = code_of(ec2.create_network_interface, SubnetId=subnet_id, PrivateIpAddresses=addresses)
        assert refusal == "MissingParameter"

    def test_may_choose_their_secondary_addresses(self, ec2: Any, subnet_id: str) -> None:
        """SecondaryPrivateIpAddressCount is the number of free addresses beside the primary one. [FCU-061]"""
        parameters = {"SubnetId": subnet_id, "PrivateIpAddress": "10.0.1.20", "SecondaryPrivateIpAddressCount": 2}
        interface = ec2.create_network_interface(**parameters)["NetworkInterface"]
        assert [(ip["PrivateIpAddress"], ip["Primary"]) for ip in interface["PrivateIpAddresses"]] == [
            ("10.0.1.20", True),
            ("10.0.1.4", False),
            ("10.0.1.5", False),
        ]

    def test_refuse_a_number_of_addresses_beside_secondary_ones(self, ec2: Any, subnet_id: str) -> None:
        """The secondary addresses are given, or their number is, which is at least 1. [FCU-061, NIC-030, NIC-031]"""
        create, two = (
            ec2.create_network_interface,
            [{"PrivateIpAddress": "10.0.1.21"}, {"PrivateIpAddress": "10.0.1.22"}],
        )
        parameters = {"SubnetId": subnet_id, "SecondaryPrivateIpAddressCount": 1, "PrivateIpAddresses": two}
        assert code_of(create, **parameters) == "InvalidParameterCombination"
        assert code_of(create, SubnetId=subnet_id, SecondaryPrivateIpAddressCount=0) == "InvalidParameterValue"

    def test_are_attached_and_detached(self, ec2: Any, alice: Account, ubuntu: Image, subnet_id: str) -> None:
        """The life of an attachment, as the interface and the instance show it."""
        vm = launch(ec2, ubuntu, SubnetId=subnet_id)
        interface_id = ec2.create_network_interface(SubnetId=subnet_id)["NetworkInterface"]["NetworkInterfaceId"]
        parameters = {"NetworkInterfaceIds": [interface_id]}
        attach = {"NetworkInterfaceId": interface_id, "InstanceId": vm["InstanceId"], "DeviceIndex": 1}
        link_id = ec2.attach_network_interface(**attach)["AttachmentId"]
        (interface,) = ec2.describe_network_interfaces(**parameters)["NetworkInterfaces"]
        assert interface["Attachment"] == {
            "AttachmentId": link_id,
            "DeleteOnTermination": False,
            "DeviceIndex": 1,
            "InstanceId": vm["InstanceId"],
            "InstanceOwnerId": alice.account_id,
            "Status": "attached",
        }
        assert interface["Status"] == "in-use"
        assert len(read_instance(ec2, vm)["NetworkInterfaces"]) == 2
        assert code_of(ec2.delete_network_interface, NetworkInterfaceId=interface_id) == "InvalidNetworkInterface.InUse"
        ec2.modify_network_interface_attribute(
            NetworkInterfaceId=interface_id, Attachment={"AttachmentId": link_id, "DeleteOnTermination": True}
        )
        attribute = {"NetworkInterfaceId": interface_id, "Attribute": "attachment"}
        assert ec2.describe_network_interface_attribute(**attribute)["Attachment"]["DeleteOnTermination"] is True
        ec2.detach_network_interface(AttachmentId=link_id, Force=True)
        assert "Attachment" not in ec2.describe_network_interfaces(**parameters)["NetworkInterfaces"][0]
        assert code_of(ec2.detach_network_interface, AttachmentId=link_id) == "InvalidAttachmentID.NotFound"
        primary = vm["NetworkInterfaces"][0]["Attachment"]["AttachmentId"]
        assert code_of(ec2.detach_network_interface, AttachmentId=primary) == "OperationNotPermitted"

    def test_have_attributes(self, ec2: Any, vpc_id: str, interface_id: str) -> None:
        """ModifyNetworkInterfaceAttribute changes one attribute; DescribeNetworkInterfaceAttribute shows one."""
        parameters = {"NetworkInterfaceId": interface_id}
        modify, describe = ec2.modify_network_interface_attribute, ec2.describe_network_interface_attribute
        modify(**parameters, Description={"Value": "new"})
        assert describe(**parameters, Attribute="description")["Description"] == {"Value": "new"}
        group = ec2.create_security_group(GroupName="db", Description="db", VpcId=vpc_id)["GroupId"]
        modify(**parameters, Groups=[group])
        assert describe(**parameters, Attribute="groupSet")["Groups"] == [{"GroupId": group, "GroupName": "db"}]
        assert describe(**parameters, Attribute="sourceDestCheck")["SourceDestCheck"] == {"Value": True}
        modify(**parameters, SourceDestCheck={"Value": False})
        assert describe(**parameters, Attribute="sourceDestCheck")["SourceDestCheck"] == {"Value": False}
        attribute = describe(**parameters, Attribute="attachment")
        assert (attribute["NetworkInterfaceId"], "Attachment" in attribute) == (interface_id, False)

    def test_refuse_missing_and_unknown_attributes(self, ec2: Any, interface_id: str) -> None:
        """A change names one attribute, and a description one that FCU shows. [FCU-052]"""
        parameters = {"NetworkInterfaceId": interface_id}
        describe = ec2.describe_network_interface_attribute
        assert code_of(describe, **parameters) == "MissingParameter"
        assert code_of(describe, **parameters, Attribute="foo") == "NotImplemented"
        assert code_of(ec2.modify_network_interface_attribute, **parameters) == "InvalidParameterCombination"

    def test_refuse_groups_that_are_not_of_their_vpc(self, ec2: Any, interface_id: str) -> None:
        """A group that does not exist, one of the public Cloud, and a malformed id are refused."""
        parameters, modify = {"NetworkInterfaceId": interface_id}, ec2.modify_network_interface_attribute
        assert code_of(modify, **parameters, Groups=["sg-12345678"]) == "InvalidGroup.NotFound"
        assert code_of(modify, **parameters, Groups=["xxx-12345678"]) == "InvalidSecurityGroupID.Malformed"
        public = ec2.create_security_group(GroupName="public", Description="public")["GroupId"]
        assert code_of(modify, **parameters, Groups=[public]) == "InvalidGroup.NotFound"

    def test_check_sources_and_destinations(self, ec2: Any, alice: Account, ubuntu: Image, subnet_id: str) -> None:
        """The check of an instance is that of its primary interface; each can be set. [FCU-050]"""
        vm = launch(ec2, ubuntu, SubnetId=subnet_id)
        interface_id = vm["NetworkInterfaces"][0]["NetworkInterfaceId"]
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface_id, SourceDestCheck={"Value": False})
        assert read_instance(ec2, vm)["SourceDestCheck"] is False
        assert alice.read_vms()[0].is_source_dest_checked is False
        ec2.modify_instance_attribute(InstanceId=vm["InstanceId"], SourceDestCheck={"Value": True})
        (shown,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface_id])["NetworkInterfaces"]
        assert shown["SourceDestCheck"] is True

    def test_refuse_the_check_with_another_attribute(self, ec2: Any, interface_id: str) -> None:
        """The check is changed alone. [FCU-050]"""
        both = {"SourceDestCheck": {"Value": False}, "Description": {"Value": "new"}}
        modify = ec2.modify_network_interface_attribute
        assert code_of(modify, NetworkInterfaceId=interface_id, **both) == "InvalidParameterCombination"

    def test_that_do_not_exist_have_no_check(self, ec2: Any) -> None:
        """The check of an unknown interface is not found."""
        parameters = {"NetworkInterfaceId": "eni-12345678", "SourceDestCheck": {"Value": False}}
        assert code_of(ec2.modify_network_interface_attribute, **parameters) == "InvalidNetworkInterfaceID.NotFound"

    def test_are_found_by_filters(
        self, ec2: Any, alice: Account, ubuntu: Image, subnet_id: str, vpc_id: str, gateway_id: str
    ) -> None:
        """Every filter of DescribeNetworkInterfaces finds an attached interface with a public IP, and no other."""
        ec2.create_network_interface(SubnetId=subnet_id)
        vm = launch(ec2, ubuntu, SubnetId=subnet_id, PrivateIpAddress="10.0.1.20")
        interface_id = vm["NetworkInterfaces"][0]["NetworkInterfaceId"]
        address = ec2.allocate_address(Domain="vpc")
        link = ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=vm["InstanceId"])
        ec2.create_tags(Resources=[interface_id], Tags=[{"Key": "Name", "Value": "db"}])
        (row,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface_id])["NetworkInterfaces"]
        assert row["TagSet"] == [{"Key": "Name", "Value": "db"}]
        both = {
            "availability_zone": ZONE,
            "group_id": row["Groups"][0]["GroupId"],
            "group_name": "default",
            "owner_id": alice.account_id,
            "source_dest_check": "true",
            "subnet_id": subnet_id,
            "vpc_id": vpc_id,
            "addresses__primary": "true",
        }
        one = {
            "addresses__association__owner_id": alice.account_id,
            "addresses__association__public_ip": address["PublicIp"],
            "addresses__private_ip_address": "10.0.1.20",
            "association__allocation_id": address["AllocationId"],
            "association__association_id": link["AssociationId"],
            "association__ip_owner_id": alice.account_id,
            "association__public_dns_name": row["Association"]["PublicDnsName"],
            "association__public_ip": address["PublicIp"],
            "attachment__attachment_id": row["Attachment"]["AttachmentId"],
            "attachment__delete_on_termination": "true",
            "attachment__device_index": "0",
            "attachment__instance_id": vm["InstanceId"],
            "attachment__instance_owner_id": alice.account_id,
            "attachment__status": "attached",
            "description": "Primary*",
            "mac_address": row["MacAddress"],
            "network_interface_id": interface_id,
            "private_dns_name": row["PrivateDnsName"],
            "private_ip_address": "10.0.1.20",
            "status": "in-use",
            "tag:Name": "db",
            "tag_key": "Name",
            "tag_value": "d?",
        }
        for filters, count in ((both, 2), (one, 1)):
            for name, value in filters.items():
                interfaces = ec2.describe_network_interfaces(Filters=make_filters(**{name: value}))["NetworkInterfaces"]
                assert len(interfaces) == count, name
                assert interface_id in [interface["NetworkInterfaceId"] for interface in interfaces]

    def test_of_a_launch_have_errors_of_ec2(self, ec2: Any, ubuntu: Image, subnet_id: str, interface_id: str) -> None:
        """An interface is given twice, or a subnet of another zone. [VM-010/twice, VM-012]"""
        launch = {"ImageId": ubuntu.image_id, "MinCount": 1, "MaxCount": 1}
        twice = [{"DeviceIndex": number, "NetworkInterfaceId": interface_id} for number in (0, 1)]
        assert code_of(ec2.run_instances, **launch, NetworkInterfaces=twice) == "InvalidNetworkInterface.InUse"
        zone = {"AvailabilityZone": "eu-west-2b"}
        assert code_of(ec2.run_instances, **launch, SubnetId=subnet_id, Placement=zone) == "InvalidParameterValue"

    def test_have_errors_of_ec2(self, ec2: Any, ubuntu: Image, subnet_id: str, interface_id: str) -> None:
        """The codes are those that OUTSCALE's own tests expect. [NIC-004, NIC-020, VM-013]"""
        create, attach = ec2.create_network_interface, ec2.attach_network_interface
        assert code_of(create, SubnetId=subnet_id, PrivateIpAddress="99.99.99.99") == "InvalidParameterValue"
        (interface,) = ec2.describe_network_interfaces()["NetworkInterfaces"]
        taken = {"PrivateIpAddress": interface["PrivateIpAddress"]}
        assert code_of(create, SubnetId=subnet_id, **taken) == "InvalidIPAddress.InUse"
        public = ec2.create_security_group(GroupName="public", Description="public")["GroupId"]
        assert code_of(create, SubnetId=subnet_id, Groups=[public]) == "InvalidGroup.NotFound"
        vm = launch(ec2, ubuntu, SubnetId=subnet_id)
        parameters = {"InstanceId": vm["InstanceId"], "NetworkInterfaceId": interface_id, "DeviceIndex": 1}
        for wrong, code in (
            ({"InstanceId": "xxx-12345678"}, "InvalidInstanceID.Malformed"),
            ({"InstanceId": "i-12345678"}, "InvalidInstanceID.NotFound"),
            ({"NetworkInterfaceId": "xxx-12345678"}, "InvalidNetworkInterfaceID.Malformed"),
            ({"NetworkInterfaceId": "eni-12345678"}, "InvalidNetworkInterfaceID.NotFound"),
            ({"DeviceIndex": 12345678}, "InvalidParameterValue"),
        ):
            assert code_of(attach, **{**parameters, **wrong}) == code
        for attachment, code in (
            ("foo", "InvalidNetworkInterfaceAttachmentID.Malformed"),
            ("eni-attach-12345678", "InvalidAttachmentID.NotFound"),
        ):
            assert code_of(ec2.detach_network_interface, AttachmentId=attachment) == code
        elsewhere = launch(ec2, ubuntu)
        assert code_of(attach, **{**parameters, "InstanceId": elsewhere["InstanceId"]}) == "InvalidParameterCombination"


class TestPrivateAddresses:
    def test_are_assigned_and_unassigned(self, ec2: Any, subnet_id: str, interface_id: str) -> None:
        """Secondary addresses by value or by number; AllowReassignment moves one from another interface."""
        parameters = {"NetworkInterfaceId": interface_id}

        def list_secondary(of: str) -> list[str]:
            (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[of])["NetworkInterfaces"]
            return [ip["PrivateIpAddress"] for ip in interface["PrivateIpAddresses"] if not ip["Primary"]]

        ec2.assign_private_ip_addresses(**parameters, PrivateIpAddresses=["10.0.1.50", "10.0.1.51"])
        assert list_secondary(interface_id) == ["10.0.1.50", "10.0.1.51"]
        ec2.unassign_private_ip_addresses(**parameters, PrivateIpAddresses=["10.0.1.50"])
        ec2.assign_private_ip_addresses(**parameters, SecondaryPrivateIpAddressCount=2)
        assert len(list_secondary(interface_id)) == 3
        other = ec2.create_network_interface(SubnetId=subnet_id)["NetworkInterface"]["NetworkInterfaceId"]
        move = {"NetworkInterfaceId": other, "PrivateIpAddresses": ["10.0.1.51"]}
        assert code_of(ec2.assign_private_ip_addresses, **move) == "InvalidIPAddress.InUse"
        ec2.assign_private_ip_addresses(**move, AllowReassignment=True)
        assert (list_secondary(other), len(list_secondary(interface_id))) == (["10.0.1.51"], 2)
        assert code_of(ec2.unassign_private_ip_addresses, **parameters, PrivateIpAddresses=["10.0.1.51"]) == (
            "InvalidParameterValue"
        )
