"""Public addresses of FCU, by boto3, and boto3's resources for interfaces and addresses."""

from __future__ import annotations

import re
from typing import Any

import boto3
import pytest
from support.boto import code_of, launch, make_filters, read_instance, refusal_of

from omisim import Account, Cloud
from omisim.model import Image

ZONE = "eu-west-2a"


@pytest.fixture(name="associated")
def _associated(ec2: Any, interface_id: str, gateway_id: str) -> dict[str, Any]:
    """An address of a VPC that is associated with an interface."""
    allocation_id = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=allocation_id, NetworkInterfaceId=interface_id)
    return dict(ec2.describe_addresses()["Addresses"][0])


class TestAddresses:
    def test_are_allocated_with_a_domain(self, ec2: Any, alice: Account) -> None:
        """AllocateAddress repeats its domain, which is standard by default. [FCU-039]"""
        for parameters, domain in (({}, "standard"), ({"Domain": "standard"}, "standard"), ({"Domain": "vpc"}, "vpc")):
            address = ec2.allocate_address(**parameters)
            public_ip = alice.read_public_ips()[-1]
            assert (address["PublicIp"], address["AllocationId"]) == (public_ip.public_ip, public_ip.public_ip_id)
            assert address["Domain"] == domain
        assert code_of(ec2.allocate_address, Domain="toto") == "InvalidParameterValue"

    def test_of_the_public_cloud_are_associated_with_instances(self, ec2: Any, ubuntu: Image) -> None:
        """The address and its instance show each other. [FCU-039]"""
        address, vm = ec2.allocate_address(), launch(ec2, ubuntu)
        ec2.associate_address(PublicIp=address["PublicIp"], InstanceId=vm["InstanceId"])
        assert read_instance(ec2, vm)["PublicIpAddress"] == address["PublicIp"]
        (shown,) = ec2.describe_addresses()["Addresses"]
        assert shown == {
            "AllocationId": address["AllocationId"],
            "AssociationId": shown["AssociationId"],
            "Domain": "standard",
            "InstanceId": vm["InstanceId"],
            "PublicIp": address["PublicIp"],
            "Tags": [],
        }

    def test_of_a_vpc_are_associated_with_interfaces(
        self, ec2: Any, alice: Account, interface_id: str, associated: dict[str, Any]
    ) -> None:
        """The address shows its interface and the private address. [FCU-039]"""
        (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface_id])["NetworkInterfaces"]
        assert associated == {
            "AllocationId": associated["AllocationId"],
            "AssociationId": interface["Association"]["AssociationId"],
            "Domain": "vpc",
            "NetworkInterfaceId": interface_id,
            "NetworkInterfaceOwnerId": alice.account_id,
            "PrivateIpAddress": interface["PrivateIpAddress"],
            "PublicIp": interface["Association"]["PublicIp"],
            "Tags": [],
        }

    @pytest.mark.parametrize(
        "field",
        [
            "AllocationId",
            "AssociationId",
            "Domain",
            "NetworkInterfaceId",
            "NetworkInterfaceOwnerId",
            "PrivateIpAddress",
            "PublicIp",
        ],
    )
    def test_are_found_by_filters(self, ec2: Any, associated: dict[str, Any], field: str) -> None:
        """Each field is a filter, which finds no address with another value."""
        ec2.allocate_address()
        name = re.sub(r"(?<!^)([A-Z])", r"-\1", field).lower()
        filters = [{"Name": name, "Values": [associated[field]]}]
        assert ec2.describe_addresses(Filters=filters)["Addresses"] == [associated]

    def test_are_found_by_their_instance(self, ec2: Any, ubuntu: Image, associated: dict[str, Any]) -> None:
        """The filter `instance-id` finds the address of an instance, and no other."""
        address, vm = ec2.allocate_address(), launch(ec2, ubuntu)
        ec2.associate_address(PublicIp=address["PublicIp"], InstanceId=vm["InstanceId"])
        (shown,) = ec2.describe_addresses(Filters=make_filters(instance_id=vm["InstanceId"]))["Addresses"]
        assert shown["PublicIp"] == address["PublicIp"] != associated["PublicIp"]

    @pytest.mark.parametrize("field", ["AllocationId", "PublicIp"])
    def test_are_found_by_their_ids(self, ec2: Any, associated: dict[str, Any], field: str) -> None:
        """DescribeAddresses takes allocations and public IPs."""
        ec2.allocate_address()
        assert ec2.describe_addresses(**{f"{field}s": [associated[field]]})["Addresses"] == [associated]

    @pytest.mark.parametrize("field", ["AssociationId", "PublicIp"])
    def test_are_disassociated_by_association_or_address(self, ec2: Any, ubuntu: Image, field: str) -> None:
        """The address stays allocated, and shows no association any more."""
        ec2.associate_address(PublicIp=ec2.allocate_address()["PublicIp"], InstanceId=launch(ec2, ubuntu)["InstanceId"])
        (address,) = ec2.describe_addresses()["Addresses"]
        ec2.disassociate_address(**{field: address[field]})
        (address,) = ec2.describe_addresses()["Addresses"]
        assert "AssociationId" not in address

    @pytest.mark.parametrize("parameters", [{}, {"Domain": "vpc"}], ids=["standard", "vpc"])
    def test_are_released_by_their_allocation(self, ec2: Any, alice: Account, parameters: dict[str, str]) -> None:
        """ReleaseAddress deletes the public IP."""
        ec2.release_address(AllocationId=ec2.allocate_address(**parameters)["AllocationId"])
        assert alice.read_public_ips() == ()

    def test_in_use_are_moved_in_the_public_cloud(self, ec2: Any, ubuntu: Image) -> None:
        """In the public Cloud, reassociation is the default, and can be refused. [PIP-008]"""
        first, second = launch(ec2, ubuntu)["InstanceId"], launch(ec2, ubuntu)["InstanceId"]
        address = {"PublicIp": ec2.allocate_address()["PublicIp"]}
        associate = ec2.associate_address
        associate(**address, InstanceId=first)
        error = code_of(associate, **address, InstanceId=second, AllowReassociation=False)
        assert error == "InvalidIPAddress.InUse"
        associate(**address, InstanceId=second)

    def test_in_use_are_moved_in_a_vpc_if_the_request_allows_it(
        self, ec2: Any, ubuntu: Image, subnet_id: str, gateway_id: str
    ) -> None:
        """In a VPC, reassociation must be allowed. [PIP-008]"""
        associate = ec2.associate_address
        first, second = (launch(ec2, ubuntu, SubnetId=subnet_id)["InstanceId"] for _ in range(2))
        address = {"AllocationId": ec2.allocate_address(Domain="vpc")["AllocationId"]}
        associate(**address, InstanceId=first)
        assert code_of(associate, **address, InstanceId=second) == "InvalidIPAddress.InUse"
        associate(**address, InstanceId=second, AllowReassociation=True)

    def test_of_instances_of_the_public_cloud_are_released(
        self, ec2: Any, cloud: Cloud, ubuntu: Image, interface_id: str, gateway_id: str
    ) -> None:
        """ReleaseAddress disassociates an address from such an instance; an interface's is in use.

        It takes either name of the address, or both. [PIP-014/vm, FCU-040]
        """
        vm = launch(ec2, ubuntu)
        for names in (["PublicIp"], ["AllocationId"], ["PublicIp", "AllocationId"]):
            address = ec2.allocate_address()
            ec2.associate_address(PublicIp=address["PublicIp"], InstanceId=vm["InstanceId"])
            before = cloud.fork()
            given = {name: address[name] for name in names}
            assert code_of(ec2.release_address, **given, DryRun=True) == "DryRunOperation"
            assert cloud == before
            ec2.release_address(**given)
            assert read_instance(ec2, vm)["PublicIpAddress"] != address["PublicIp"]
        address = ec2.allocate_address(Domain="vpc")
        ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface_id)
        assert code_of(ec2.release_address, AllocationId=address["AllocationId"]) == "InvalidIPAddress.InUse"
        assert len(ec2.describe_addresses()["Addresses"]) == 1

    def test_stay_associated_if_their_release_is_refused(self, ec2: Any, cloud: Cloud, ubuntu: Image) -> None:
        """A throttled ReleaseAddress changes nothing. [PIP-014/vm]"""
        allocation_id, vm = ec2.allocate_address()["AllocationId"], launch(ec2, ubuntu)
        ec2.associate_address(AllocationId=allocation_id, InstanceId=vm["InstanceId"])
        (address,) = ec2.describe_addresses()["Addresses"]
        cloud.faults.add("DeletePublicIp", times=5)
        with cloud.sleeping():  # boto3 waits between its attempts
            assert refusal_of(ec2.release_address, AllocationId=allocation_id) == (503, "RequestLimitExceeded")
        assert ec2.describe_addresses()["Addresses"] == [address]

    def test_of_others_are_refused(self, ec2: Any, bob: Account) -> None:
        """An address of another account, one that does not exist, and one that is malformed. [PIP-016, FCU-044]"""
        others = bob.create_public_ip()
        for call in (ec2.release_address, ec2.disassociate_address):
            assert code_of(call, PublicIp=others.public_ip) == "AuthFailure"
            assert code_of(call, PublicIp="127.0.0.1") == "AuthFailure"
            for text in ("toto", "256.1.1.1", "300.400"):
                assert code_of(call, PublicIp=text) == "InvalidParameterValue"
            for parameters in ({}, {"PublicIp": ""}):
                assert code_of(call, **parameters) == "MissingParameter"
        release, disassociate = ec2.release_address, ec2.disassociate_address
        assert code_of(release, AllocationId=others.public_ip_id) == "InvalidAllocationID.NotFound"
        assert code_of(disassociate, AssociationId="eipassoc-12345678") == "InvalidAssociationID.NotFound"
        assert code_of(disassociate, AssociationId="eipasso-12345678") == "InvalidIpAssociationID.Malformed"
        assert code_of(ec2.describe_addresses, PublicIps=[others.public_ip]) == "InvalidAddress.NotFound"
        assert code_of(ec2.describe_addresses, AllocationIds=["eipalloc-12345678"]) == "InvalidAllocationID.NotFound"
        assert ec2.describe_addresses(Filters=make_filters(public_ip=others.public_ip))["Addresses"] == []


@pytest.mark.usefixtures("omi_env")
def test_resources_manage_interfaces_and_addresses(omi_account: Account, ubuntu: Image) -> None:
    """boto3's NetworkInterface and VpcAddress."""
    ec2 = boto3.resource("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")
    subnet = vpc.create_subnet(CidrBlock="10.0.1.0/24", AvailabilityZone=ZONE)
    gateway = ec2.create_internet_gateway()
    gateway.attach_to_vpc(VpcId=vpc.id)
    (vm,) = subnet.create_instances(ImageId=ubuntu.image_id, MinCount=1, MaxCount=1)
    vm.wait_until_running()
    interface = ec2.create_network_interface(SubnetId=subnet.id)
    interface.attach(InstanceId=vm.id, DeviceIndex=1)
    interface.reload()
    assert (interface.status, interface.attachment["InstanceId"]) == ("in-use", vm.id)
    address = ec2.VpcAddress(ec2.meta.client.allocate_address(Domain="vpc")["AllocationId"])
    address.associate(NetworkInterfaceId=interface.id)
    address.reload()
    assert (address.network_interface_id, address.instance_id) == (interface.id, vm.id)
    interface.reload()
    assert interface.association.address.allocation_id == address.allocation_id
    address.association.delete()
    address.release()
    interface.detach()
    interface.delete()
    assert omi_account.read_public_ips() == ()
    assert {nic.link_nic and nic.link_nic.vm_id for nic in omi_account.read_nics()} == {vm.id}
