"""FCU against everything that botocore knows of EC2: operations, filters, paginators and waiters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.exceptions import WaiterError
from botocore.waiter import SingleWaiterConfig, Waiter
from support.fcu_requests import ask, error_of, texts_of

from omisim import Account, Cloud
from omisim.doors.fcu.selection import TAGS
from omisim.doors.fcu.shapes import LOADER, is_outscale_operation, load_service
from omisim.doors.fcu.table import Row, load_rows, load_section

ZONE = "eu-west-2a"
ROWS = load_rows()
EMPTY = [name for name, row in ROWS.items() if "Nothing" in row.lists.values()]


class TestOperations:
    def test_are_served_or_empty_or_refused_by_name(self, alice: Account) -> None:
        """Each operation of EC2 is served, answers the true empty set, or is refused by name. [FCU-003]"""
        before = alice.cloud.fork()
        for name in load_service().operation_names:
            response = ask(alice, {"Action": name, "DryRun": "true"} if name not in EMPTY else {"Action": name})
            if name in EMPTY:
                (member,) = ROWS[name].lists
                shape = load_service().operation_model(name).output_shape.members[member]
                sets = texts_of(response, shape.serialization["name"])
                assert (sets, texts_of(response, "item")) == ([None], []), name
            elif name in ROWS:
                assert response.status in (400, 401), name
                assert error_of(response)[1] != "UnsupportedOperation", name
            else:
                assert error_of(response) == (400, "UnsupportedOperation"), name
                message = ET.fromstring(response.body).findtext("Errors/Error/Message") or ""
                assert message.startswith(f"{name} is an action of EC2"), name
        assert alice.cloud == before

    def test_that_are_not_served_are_recorded_with_their_caller(self, alice: Account) -> None:
        """The call log names the account that sent an action which omisim does not serve."""
        ask(alice, {"Action": "DescribeHosts"})
        assert alice.cloud.calls()[-1].account == "alice"

    @pytest.mark.parametrize("name", EMPTY)
    def test_of_empty_families_find_no_id(self, alice: Account, name: str) -> None:
        """An id of a family without resources is not found; a filter finds nothing. [FCU-004]"""
        (parameter,) = ROWS[name].ids
        status, code = error_of(ask(alice, {"Action": name, f"{parameter}.1": "x-12345678"}))
        assert (status, code.endswith("NotFound")) == (400, True)
        assert texts_of(ask(alice, {"Action": name, "Filter.1.Name": "state", "Filter.1.Value.1": "x"}), "item") == []

    def test_of_empty_families_can_be_refused(self) -> None:
        """With unserved="refuse", as in OAPI, the reads are refused by name."""
        alice = Cloud(unserved="refuse").account("alice")
        assert {error_of(ask(alice, {"Action": name})) for name in EMPTY} == {(400, "UnsupportedOperation")}


# --- filters

# filters that boto3 documents, by what FCU does not have
LACKS: Mapping[str, str] = {
    "attributes of disks that FCU does not have": r"fast-restored|multi-attach-enabled|storage-tier|transfer-type",
    "attributes of EC2's OMIs": r"(boot-mode|ena-support|free-tier|image-allowed|image-watermark|instance-type-spec"
    r"|public-ssm|source-i|sriov).*",
    "attributes of EC2's instances": r"(affinity|boot-mode|current-instance-boot-mode|capacity-reservation|ena-support"
    r"|enclave|hibernation|host-id|iam-instance|maintenance|metadata|network-performance"
    r"|placement-partition|platform-details|private-dns-name-options|tpm-support|usage-operation).*",
    "events and details of checks": r"event\..*|.*-status\.reachability|attached-ebs-status.*|application-status.*",
    "interfaces by their instance, not in a list of instances": r"network-interface\.(attachment\.(attach-time"
    r"|network-card-index)|tag-.*|public-dns-name|deny-all.*"
    r"|ipv4-prefixes.*|.*association\.(allocation-id|association-id))",
    "IPv6, carriers and customers' addresses": r".*(ipv6|carrier-ip|customer-owned|egress-only|enable-dns64|enable-lni"
    r"|cidr-block-association).*",
    "outposts, operators, border groups and ids of zones": r".*(outpost-arn|operator\..*|network-border-group|-zone-id"
    r"|subnet-arn)",
    "types of interfaces, and the times of their attachments": r"interface-type|attachment\.attach-time",
    "zones that are opted into": r"opt-in-status|group-(long-)?name|message|parent-zone-.*|zone-(id|type)",
    "default subnets": r"default-for-az",
    "routes and gateways that FCU does not have": r"association\.gateway-id|route\.transit-gateway-id",
}
LISTS = [name for name, row in ROWS.items() if row.lists and not is_outscale_operation(name) and name not in EMPTY]


def list_documented_filters(name: str) -> list[str]:
    """Return the filters that boto3's documentation of an operation lists, without those of tags."""
    text = load_service().operation_model(name).input_shape.members["Filters"].documentation
    names = re.findall(r"<li>\s*<p>\s*<code>([^<]+)</code>", text)
    return [name for name in names if not name.startswith("tag")]


@pytest.mark.parametrize("name", LISTS)
def test_every_filter_that_boto3_documents_is_taken(name: str) -> None:
    """Each filter of EC2 is in the table, or is about what FCU does not have. [FCU-012, FCU-013]"""
    missing = [documented for documented in list_documented_filters(name) if documented not in ROWS[name].filters]
    assert [name for name in missing if not any(re.fullmatch(pattern, name) for pattern in LACKS.values())] == []


def test_every_excuse_of_a_filter_is_needed() -> None:
    """No pattern is left over, and none excuses a filter that is in the table."""
    missing = {f for name in LISTS for f in list_documented_filters(name) if f not in ROWS[name].filters}
    assert [what for what, pattern in LACKS.items() if not any(re.fullmatch(pattern, f) for f in missing)] == []


@pytest.mark.parametrize("name", LISTS)
def test_every_filter_selects_or_finds_nothing(world: Account, name: str) -> None:
    """On a cloud with all kinds of resources, each filter takes a value, and none of a value that no item has."""
    every = texts_of(ask(world, {"Action": name, **ALL.get(name, {})}), "item")
    for number, filter_name in enumerate((*ROWS[name].filters, "tag:x", "tag-key", "tag-value")):
        if not has_tags(ROWS[name]) and filter_name.startswith("tag"):
            continue
        parameters = {"Action": name, **ALL.get(name, {}), "Filter.1.Name": filter_name}
        assert texts_of(ask(world, {**parameters, "Filter.1.Value.1": f"none-{number}"}), "item") == [], filter_name
        found = texts_of(ask(world, {**parameters, "Filter.1.Value.1": "*"}), "item")
        assert len(found) <= len(every), filter_name


def has_tags(row: Row) -> bool:
    """Whether the items of a list have tags, by which filters select."""
    (view,) = row.lists.values()
    return not set(TAGS).isdisjoint(load_section("views")[view])


ALL: Mapping[str, Mapping[str, str]] = {"DescribeInstanceStatus": {"IncludeAllInstances": "true"}}


# --- paginators

PAGINATORS = {
    name: paginator
    for name, paginator in LOADER.load_service_model("ec2", "paginators-1")["pagination"].items()
    if name in ROWS and not is_outscale_operation(name)
}


@pytest.fixture(name="world", scope="module")
def _world() -> Account:
    """An account with several resources of every kind that boto3 can page."""
    alice = Cloud().account("alice")
    ec2 = alice.client("fcu")
    image_id = alice.cloud.images.official("ubuntu").image_id
    launched = ec2.run_instances(ImageId=image_id, MinCount=3, MaxCount=3)["Instances"]
    resources = [instance["InstanceId"] for instance in launched]
    for number in range(6):
        volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        resources += [volume, ec2.create_snapshot(VolumeId=volume)["SnapshotId"], vpc, subnet]
        resources.append(ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"])
        resources.append(ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
        resources.append(ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"])
        parameters = {"InstanceId": launched[0]["InstanceId"], "NoReboot": True}
        resources.append(ec2.create_image(Name=f"image-{number}", **parameters)["ImageId"])
        ec2.create_key_pair(KeyName=f"key-{number}")
        ec2.allocate_address()
    ec2.create_tags(Resources=resources, Tags=[{"Key": "Name", "Value": "x"}])
    return alice


def filter_by(name: str, *values: str) -> list[dict[str, Any]]:
    """Return one filter as boto3 takes it."""
    return [{"Name": name, "Values": values}]


class TestFiltersOfIds:
    """A filter by ids selects as the parameter with ids does, but finds nothing for an unknown one."""

    @pytest.fixture(name="volume_ids")
    def _volume_ids(self, alice: Account) -> list[str]:
        return [alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id for _ in range(2)]

    def test_visit_no_other_resource(self, cloud: Cloud, ec2: Any, volume_ids: list[str]) -> None:
        """The ids are passed on to omisim's read."""
        wanted = [volume_ids[0], "vol-00000000"]
        (volume,) = ec2.describe_volumes(Filters=filter_by("volume-id", *wanted))["Volumes"]
        assert volume["VolumeId"] == volume_ids[0]
        assert cloud.calls("ReadVolumes").one().parameters == {"Filters": {"VolumeIds": wanted}}

    @pytest.mark.parametrize("more", ["vol-*", "x", ""])
    def test_may_have_other_texts(self, cloud: Cloud, ec2: Any, volume_ids: list[str], more: str) -> None:
        """A wildcard and a malformed id are not ids of omisim's read."""
        found = ec2.describe_volumes(Filters=filter_by("volume-id", volume_ids[1], more))["Volumes"]
        expected = volume_ids if more == "vol-*" else volume_ids[1:]
        assert [volume["VolumeId"] for volume in found] == expected
        assert cloud.calls("ReadVolumes").one().parameters == {}

    def test_do_not_hide_an_unknown_id(self, ec2: Any, volume_ids: list[str]) -> None:
        """The ids of the parameter are looked for among all resources. [FCU-004]"""
        ask = {"VolumeIds": [volume_ids[0]], "Filters": filter_by("volume-id", volume_ids[1])}
        assert ec2.describe_volumes(**ask)["Volumes"] == []

    def test_adopt_unknown_images(self, cloud: Cloud, ec2: Any) -> None:
        """With `allow_unknown_images`, an OMI is found by a filter, too."""
        cloud.allow_unknown_images()
        (image,) = ec2.describe_images(Filters=filter_by("image-id", "ami-12345678"))["Images"]
        assert image["ImageId"] == "ami-12345678"


class TestPaginators:
    @pytest.mark.parametrize("name", PAGINATORS)
    def test_return_every_item_once(self, world: Account, name: str) -> None:
        """The pages of each paginator are the whole list, in its order. [PAG-001]"""
        paginator = PAGINATORS[name]
        assert (paginator["input_token"], paginator["output_token"]) == ("NextToken", "NextToken")
        client, key = world.client("fcu"), paginator["result_key"]
        operation = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        parameters = {"Owners": ["self"]} if name == "DescribeImages" else {}
        whole = getattr(client, operation)(**parameters)[key]
        size = load_service().operation_model(name).input_shape.members["MaxResults"].metadata.get("min", 2)
        pages = [
            page[key]
            for page in client.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}, **parameters)
        ]
        assert flatten([item for page in pages for item in page]) == flatten(whole)
        if name in EMPTY:
            assert pages == [[]]
        else:
            assert len(pages) > 1
            assert all(len(flatten(page)) <= size for page in pages)

    def test_continue_a_page_that_the_platform_has_cut(self, cloud: Cloud, alice: Account, ec2: Any) -> None:
        """A fault cuts a list short, and its token leads to the rest; the record counts what was returned. [THR-002]"""
        for _ in range(5):
            alice.create_volume(subregion_name="eu-west-2a", size=1)
        cloud.faults.add("ReadVolumes", page_size=2, times=2)
        pages = list(ec2.get_paginator("describe_volumes").paginate())
        assert [len(page["Volumes"]) for page in pages] == [2, 2, 1]
        assert [call.results for call in cloud.calls("ReadVolumes")] == [2, 2, 1]

    def test_are_not_needed_where_ec2_has_no_pages(self, cloud: Cloud, ec2: Any) -> None:
        """A list without pages in EC2 is not cut: its answer has no token. [THR-002]"""
        for name in ("one", "two", "three"):
            ec2.create_key_pair(KeyName=name)
        cloud.faults.add("ReadKeypairs", page_size=1)
        assert len(ec2.describe_key_pairs()["KeyPairs"]) == 3
        assert cloud.calls("ReadKeypairs").one().results is None


def flatten(items: list[Any]) -> list[Any]:
    """Return the instances of reservations, which a page may cut in two; any other items as they are."""
    return [inner for item in items for inner in item.get("Instances", [item])]


# --- waiters


def launch(ec2: Any, account: Account, image: str = "ubuntu", **parameters: Any) -> str:
    """Return the id of a new instance."""
    image_id = account.cloud.images.official(image).image_id
    return str(ec2.run_instances(ImageId=image_id, MinCount=1, MaxCount=1, **parameters)["Instances"][0]["InstanceId"])


def make_image(ec2: Any, account: Account) -> str:
    """Return the id of a new image."""
    vm = launch(ec2, account)
    ec2.get_waiter("instance_running").wait(InstanceIds=[vm])
    return str(ec2.create_image(InstanceId=vm, Name=f"i{len(account.read_images())}")["ImageId"])


def make_vpc(ec2: Any, _: Account) -> str:
    """Return the id of a new VPC."""
    return str(ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])


def make_subnet(ec2: Any, account: Account) -> str:
    """Return the id of a new subnet."""
    return str(ec2.create_subnet(VpcId=make_vpc(ec2, account), CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"])


def make_volume(ec2: Any, _: Account) -> str:
    """Return the id of a new volume."""
    return str(ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"])


def make_linked_volume(ec2: Any, account: Account) -> str:
    """Return the id of a volume that is being attached."""
    volume, vm = make_volume(ec2, account), launch(ec2, account)
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
    ec2.get_waiter("instance_running").wait(InstanceIds=[vm])
    ec2.attach_volume(VolumeId=volume, InstanceId=vm, Device="/dev/xvdb")
    return volume


def make_deleted_volume(ec2: Any, account: Account) -> str:
    """Return the id of a volume that is being deleted."""
    volume = make_volume(ec2, account)
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
    ec2.delete_volume(VolumeId=volume)
    return volume


def make_snapshot(ec2: Any, account: Account) -> str:
    """Return the id of a new snapshot."""
    volume = make_volume(ec2, account)
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
    return str(ec2.create_snapshot(VolumeId=volume)["SnapshotId"])


def make_windows(ec2: Any, account: Account) -> str:
    """Return the id of an instance of Windows with a key pair, whose password is encrypted."""
    ec2.create_key_pair(KeyName="windows")
    return launch(ec2, account, "windows", KeyName="windows")


def end(operation: str) -> Callable[[Any, Account], str]:
    """Return a function that launches an instance, and stops or terminates it."""

    def make(ec2: Any, account: Account) -> str:
        vm = launch(ec2, account)
        ec2.get_waiter("instance_running").wait(InstanceIds=[vm])
        getattr(ec2, operation)(InstanceIds=[vm])
        return vm

    return make


def make_key_pair(ec2: Any, account: Account) -> str:
    """Return the name of a new key pair."""
    return str(ec2.create_key_pair(KeyName=f"k{len(account.read_keypairs())}")["KeyName"])


# waiter → the parameter that takes what the function makes
WAITED: Mapping[str, tuple[str, Callable[[Any, Account], str]]] = {
    "ImageAvailable": ("ImageIds", make_image),
    "ImageExists": ("ImageIds", make_image),
    "InstanceExists": ("InstanceIds", launch),
    "InstanceRunning": ("InstanceIds", launch),
    "InstanceStatusOk": ("InstanceIds", launch),
    "InstanceStopped": ("InstanceIds", end("stop_instances")),
    "InstanceTerminated": ("InstanceIds", end("terminate_instances")),
    "InternetGatewayExists": (
        "InternetGatewayIds",
        lambda ec2, _: ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"],
    ),
    "KeyPairExists": ("KeyNames", make_key_pair),
    "NetworkInterfaceAvailable": (
        "NetworkInterfaceIds",
        lambda ec2, account: ec2.create_network_interface(SubnetId=make_subnet(ec2, account))["NetworkInterface"][
            "NetworkInterfaceId"
        ],
    ),
    "PasswordDataAvailable": ("InstanceId", make_windows),
    "SecurityGroupExists": (
        "GroupIds",
        lambda ec2, account: ec2.create_security_group(
            GroupName="web", Description="web", VpcId=make_vpc(ec2, account)
        )["GroupId"],
    ),
    "SnapshotCompleted": ("SnapshotIds", make_snapshot),
    "SubnetAvailable": ("SubnetIds", make_subnet),
    "SystemStatusOk": ("InstanceIds", launch),
    "VolumeAvailable": ("VolumeIds", make_volume),
    "VolumeDeleted": ("VolumeIds", make_deleted_volume),
    "VolumeInUse": ("VolumeIds", make_linked_volume),
    "VpcAvailable": ("VpcIds", make_vpc),
    "VpcExists": ("VpcIds", make_vpc),
}
# waiter of a family without resources → the parameter, and whether EC2's waiter succeeds for an id that is not found
EMPTY_WAITED: Mapping[str, tuple[str, bool]] = {
    "CustomerGatewayAvailable": ("CustomerGatewayIds", False),
    "NatGatewayAvailable": ("NatGatewayIds", False),
    "NatGatewayDeleted": ("NatGatewayIds", True),
    "VpcPeeringConnectionDeleted": ("VpcPeeringConnectionIds", True),
    "VpcPeeringConnectionExists": ("VpcPeeringConnectionIds", False),
    "VpnConnectionAvailable": ("VpnConnectionIds", False),
    "VpnConnectionDeleted": ("VpnConnectionIds", False),
}
WAITERS = {
    name: SingleWaiterConfig(waiter)
    for name, waiter in LOADER.load_service_model("ec2", "waiters-2")["waiters"].items()
    if waiter["operation"] in ROWS
}


def get_waiter(ec2: Any, name: str) -> Waiter:
    """Return a waiter of a client."""
    return ec2.get_waiter(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())


class TestWaiters:
    def test_are_all_of_the_served_operations(self) -> None:
        """The two tables below name each waiter of boto3 once."""
        assert sorted([*WAITED, *EMPTY_WAITED]) == sorted(WAITERS)

    @pytest.mark.usefixtures("omi_sleep")
    def test_end_in_virtual_time(self, omi_fcu: Any, omi_account: Account) -> None:
        """Each waiter ends when its resource is ready, and only the cloud's clock has moved."""
        started = omi_account.cloud.now
        for name, (parameter, make) in WAITED.items():
            value = make(omi_fcu, omi_account)
            get_waiter(omi_fcu, name).wait(**{parameter: [value] if parameter.endswith("s") else value})
        assert (omi_account.cloud.now - started).total_seconds() > 60

    @pytest.mark.usefixtures("omi_sleep")
    def test_of_empty_families_end_too(self, omi_fcu: Any) -> None:
        """A waiter for an id that does not exist ends as in EC2. [FCU-004]"""
        for name, (parameter, succeeds) in EMPTY_WAITED.items():
            try:
                get_waiter(omi_fcu, name).wait(**{parameter: ["x-12345678"]}, WaiterConfig={"MaxAttempts": 2})
            except WaiterError:
                assert not succeeds, name
            else:
                assert succeeds, name

    def test_end_over_http(self, cloud: Cloud, alice: Account) -> None:
        """Each waiter ends at its first request, because every resource is ready at once."""
        with cloud.serve() as server:
            keys = {"aws_access_key_id": alice.access_key, "aws_secret_access_key": alice.secret_key}
            ec2 = boto3.client("ec2", alice.region, endpoint_url=server.url, **keys)
            for name, (parameter, make) in WAITED.items():
                value = make(ec2, alice)
                parameters = {parameter: [value] if parameter.endswith("s") else value}
                get_waiter(ec2, name).wait(**parameters, WaiterConfig={"MaxAttempts": 1})
