"""What a call costs does not depend on the resources that it has nothing to do with.

The costs are numbers of lines and rows (`support/growth.py`), so they are the same in each run. A call in a cloud with
10,000 other resources of every kind may cost RATIO times the call in one with 1,000.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.catalogue import SUBREGION
from support.growth import ADDRESS, EXPORTED, Ids, compare_sizes, count_copied, fill, make_crowded_clouds, measure

from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.base.clock import EPOCH
from omisim.doors.http import HttpRequest
from omisim.doors.oapi import OapiDoor
from omisim.model import Bucket
from omisim.state.state import State

pytestmark = pytest.mark.usefixtures("unrecorded")

Work = Callable[[Cloud, Ids], object]
RATIO = 1.1  # how many layers a mapping has depends on its size (`state/layers.py`)
COPIED = 1_200  # entries that the first write to a fork may copy: at most 1,000 rows of a table
TAGS = [{"Key": "k", "Value": "v"}]
RULE = {"Flow": "Inbound", "IpProtocol": "tcp", "FromPortRange": 80, "ToPortRange": 80, "IpRange": "10.0.0.0/8"}

# action → a request that succeeds; a resource of alice stands in braces (`support/growth.py`)
REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "CheckAuthentication": {"Login": "{email}", "Password": "{password}"},
    "CreateAccessKey": {},
    "CreateAccount": {**ADDRESS, "Email": "dave@example.com"},
    "CreateImage": {"VmId": "{vm}", "ImageName": "new"},
    "CreateImageExportTask": {"ImageId": "{image}", "OsuExport": EXPORTED},
    "CreateInternetService": {},
    "CreateKeypair": {"KeypairName": "new"},
    "CreateNet": {"IpRange": "10.5.0.0/16"},
    "CreateNic": {"SubnetId": "{subnet}"},
    "CreateProductType": {"Description": "new"},
    "CreatePublicIp": {},
    "CreateRoute": {"RouteTableId": "{table}", "DestinationIpRange": "192.0.2.0/24", "GatewayId": "{service}"},
    "CreateRouteTable": {"NetId": "{net}"},
    "CreateSecurityGroup": {"NetId": "{net}", "Description": "new", "SecurityGroupName": "new"},
    "CreateSecurityGroupRule": {"SecurityGroupId": "{group}", **RULE},
    "CreateSnapshot": {"VolumeId": "{volume}"},
    "CreateSnapshotExportTask": {"SnapshotId": "{snapshot}", "OsuExport": EXPORTED},
    "CreateSubnet": {"NetId": "{net}", "IpRange": "10.0.9.0/24"},
    "CreateTags": {"ResourceIds": ["{volume}"], "Tags": TAGS},
    "CreateVms": {"ImageId": "{image}", "SubnetId": "{subnet}"},
    "CreateVolume": {"SubregionName": SUBREGION, "Size": 1},
    "DeleteAccessKey": {"AccessKeyId": "{access_key}"},
    "DeleteExportTask": {"ExportTaskId": "{image_export}"},
    "DeleteImage": {"ImageId": "{image}"},
    "DeleteInternetService": {"InternetServiceId": "{free_service}"},
    "DeleteKeypair": {"KeypairId": "{keypair}"},
    "DeleteNet": {"NetId": "{empty_net}"},
    "DeleteNic": {"NicId": "{free_nic}"},
    "DeleteProductType": {"ProductTypeId": "{product_type}"},
    "DeletePublicIp": {"PublicIpId": "{free_ip}"},
    "DeleteRoute": {"RouteTableId": "{table}", "DestinationIpRange": "0.0.0.0/0"},
    "DeleteRouteTable": {"RouteTableId": "{free_table}"},
    "DeleteSecurityGroup": {"SecurityGroupId": "{unused_group}"},
    "DeleteSecurityGroupRule": {
        **RULE, "SecurityGroupId": "{group}", "FromPortRange": 22, "ToPortRange": 22,
    },
    "DeleteSnapshot": {"SnapshotId": "{other_snapshot}"},
    "DeleteSubnet": {"SubnetId": "{empty_subnet}"},
    "DeleteTags": {"ResourceIds": ["{volume}"], "Tags": [{"Key": "site", "Value": ""}]},
    "DeleteVms": {"VmIds": ["{vm}"]},
    "DeleteVolume": {"VolumeId": "{volume}"},
    "LinkInternetService": {"InternetServiceId": "{free_service}", "NetId": "{empty_net}"},
    "LinkNic": {"NicId": "{free_nic}", "VmId": "{net_vm}", "DeviceNumber": 2},
    "LinkPrivateIps": {"NicId": "{nic}"},
    "LinkPublicIp": {"PublicIpId": "{free_ip}", "NicId": "{free_nic}"},
    "LinkRouteTable": {"RouteTableId": "{table}", "SubnetId": "{empty_subnet}"},
    "LinkVolume": {"VolumeId": "{volume}", "VmId": "{vm}", "DeviceName": "/dev/sdc"},
    "ReadAccessKeys": {"Filters": {"AccessKeyIds": ["{access_key}"]}},
    "ReadAccounts": {},
    "ReadAdminPassword": {"VmId": "{vm}"},
    "ReadApiLogs": {"Filters": {"QueryCallNames": ["ReadNothing"]}},
    "ReadCatalog": {},
    "ReadCatalogs": {},
    "ReadConsoleOutput": {"VmId": "{vm}"},
    "ReadFlexibleGpuCatalog": {},
    "ReadImageExportTasks": {"Filters": {"TaskIds": ["{image_export}"]}},
    "ReadImages": {"Filters": {"ImageNames": ["{image_name}"]}},
    "ReadInternetServices": {"Filters": {"LinkNetIds": ["{net}"]}},
    "ReadKeypairs": {"Filters": {"KeypairIds": ["{keypair}"]}},
    "ReadLocations": {},
    "ReadNetAccessPointServices": {},
    "ReadNets": {"Filters": {"NetIds": ["{net}"]}},
    "ReadNics": {"Filters": {"LinkNicLinkNicIds": ["{nic_link}"]}},
    "ReadProductTypes": {"Filters": {"ProductTypeIds": ["{product_type}"]}},
    "ReadPublicCatalog": {},
    "ReadPublicIpRanges": {},
    "ReadPublicIps": {"Filters": {"LinkPublicIpIds": ["{ip_link}"]}},
    "ReadQuotas": {"Filters": {"QuotaTypes": ["global", "{net}", "{group}", "{table}", "{vm}"]}},
    "ReadRegions": {},
    "ReadRouteTables": {"Filters": {"NetIds": ["{net}"]}},
    "ReadSecurityGroups": {"Filters": {"SecurityGroupIds": ["{group}"]}},
    "ReadSnapshotExportTasks": {"Filters": {"TaskIds": ["{snapshot_export}"]}},
    "ReadSnapshots": {"Filters": {"VolumeIds": ["{volume}"]}},
    "ReadSubnets": {"Filters": {"NetIds": ["{net}"]}},
    "ReadSubregions": {},
    "ReadTags": {"Filters": {"ResourceIds": ["{volume}"]}},
    "ReadUnitPrice": {"Type": "CustomCore:v4-p1", "Service": "TinaOS-FCU", "Operation": "RunInstances-OD"},
    "ReadVmTypes": {},
    "ReadVms": {"Filters": {"VmIds": ["{vm}"]}},
    "ReadVmsState": {"Filters": {"VmIds": ["{vm}"]}},
    "ReadVmsStopHistory": {"Filters": {"VmIds": ["{stopped}"]}},
    "ReadVolumeUpdateTasks": {"Filters": {"VolumeIds": ["{volume}"]}},
    "ReadVolumes": {"Filters": {"SnapshotIds": ["{snapshot}"]}},
    "RebootVms": {"VmIds": ["{vm}"]},
    "StartVms": {"VmIds": ["{stopped}"]},
    "StopVms": {"VmIds": ["{vm}"]},
    "UnlinkInternetService": {"InternetServiceId": "{quiet_service}", "NetId": "{quiet_net}"},
    "UnlinkNic": {"LinkNicId": "{nic_link}"},
    "UnlinkPrivateIps": {"NicId": "{nic}", "PrivateIps": ["{secondary_ip}"]},
    "UnlinkPublicIp": {"LinkPublicIpId": "{ip_link}"},
    "UnlinkRouteTable": {"LinkRouteTableId": "{table_link}"},
    "UnlinkVolume": {"VolumeId": "{linked}"},
    "UpdateAccessKey": {"AccessKeyId": "{access_key}", "State": "INACTIVE"},
    "UpdateAccount": {"Email": "new@example.com"},
    "UpdateImage": {"ImageId": "{image}", "PermissionsToLaunch": {"Additions": {"GlobalPermission": True}}},
    "UpdateNet": {"NetId": "{net}", "DhcpOptionsSetId": "default"},
    "UpdateNic": {"NicId": "{nic}", "Description": "new"},
    "UpdateRoute": {"RouteTableId": "{table}", "DestinationIpRange": "0.0.0.0/0", "NicId": "{nic}"},
    "UpdateRouteTableLink": {"LinkRouteTableId": "{table_link}", "RouteTableId": "{free_table}"},
    "UpdateSnapshot": {
        "SnapshotId": "{snapshot}", "PermissionsToCreateVolume": {"Additions": {"GlobalPermission": True}},
    },
    "UpdateSubnet": {"SubnetId": "{subnet}", "MapPublicIpOnLaunch": True},
    "UpdateVm": {"VmId": "{vm}", "DeletionProtection": True},
    "UpdateVolume": {"VolumeId": "{volume}", "Size": 9},
}  # fmt: skip


@cache
def crowd() -> tuple[Ids, list[Cloud]]:
    """Return the ids of alice's resources and the crowded clouds, which are made once."""
    return make_crowded_clouds()


def compare(work: Work) -> tuple[int, int]:
    """Return the costs of a function in the two clouds. It runs once before, which fills caches."""
    ids, clouds = crowd()
    costs = []
    for cloud in clouds:
        for _ in range(2):
            with cloud.savepoint():
                cost = measure(partial(work, cloud, ids))
        costs.append(cost)
    return costs[0], costs[1]


def find_growing(works: Mapping[str, Work]) -> dict[str, tuple[int, int]]:
    """Return the functions that cost more in the larger cloud, with their costs."""
    costs = {name: compare(work) for name, work in works.items()}
    return {name: (few, many) for name, (few, many) in costs.items() if many > RATIO * few}


def call(action: str, parameters: Mapping[str, Any], caller: str = "alice") -> Work:
    """Return the function that makes a call."""
    return lambda cloud, ids: cloud.account(caller).call(action, **fill(parameters, ids))


def count_copies(action: str) -> int:
    """Return the number of entries that a call copies in a new fork of the larger cloud."""
    ids, (_, cloud) = crowd()
    fork = cloud.fork()
    call(action, REQUESTS[action])(fork, ids)
    return count_copied(cloud.engine.state, fork.engine.state)


def test_the_first_write_to_a_fork_copies_no_large_table() -> None:
    """A call in a new fork copies small tables at most, however many resources there are."""
    copies = {action: count_copies(action) for action in REQUESTS}
    assert {action: count for action, count in copies.items() if count > COPIED} == {}


def test_the_first_write_to_a_fork_copies_no_journal() -> None:
    """A fork shares the changes before it with its origin."""
    state = State()
    for number in range(2 * COPIED):
        state.write("counter", "ids", number, EPOCH, "test")
    fork = state.fork()
    fork.write("counter", "ids", 0, EPOCH, "test")
    assert count_copied(state, fork) <= COPIED
    assert fork.position == len(fork.journal) == 2 * COPIED + 1


def test_every_action_has_a_request() -> None:
    """The tests below call every action that is served."""
    assert sorted(REQUESTS) == sorted(ACTIONS)


def test_a_call_does_not_slow_down_with_other_resources() -> None:
    """Other resources of every kind, of another account or of the caller, do not make a call cost more."""
    assert find_growing({action: call(action, parameters) for action, parameters in REQUESTS.items()}) == {}


# what a read of alice's finds by an index, beside many resources of hers
FILTERED = {
    "ReadImages by name": {"ImageNames": ["{image_name}"]},
    "ReadImages by state": {"States": ["failed"]},
    "ReadImages by tag": {"Tags": ["{tag}"]},
    "ReadImages by the value of a tag": {"TagValues": ["{tag_value}"]},
    "ReadImages by snapshot": {"BlockDeviceMappingSnapshotIds": ["{snapshot}"]},
    "ReadImages by account": {"AccountIds": ["000000000000"]},
    "ReadImages by alias": {"AccountAliases": ["Nobody"]},
    "ReadImages by permission": {"PermissionsToLaunchAccountIds": ["000000000000"]},
    "ReadImages by product code": {"ProductCodes": ["{product_type}"]},
    "ReadSnapshots by state": {"States": ["error"]},
    "ReadSnapshots by tag": {"TagKeys": ["nothing"]},
    "ReadVolumes by state": {"VolumeStates": ["error"]},
    "ReadVolumes by tag": {"Tags": ["{tag}"]},
    "ReadVolumes by VM": {"LinkVolumeVmIds": ["{vm}"]},
    "ReadVms by state": {"VmStateNames": ["stopping"]},
    "ReadVms by OMI": {"ImageIds": ["{exported}"]},
    "ReadVms by Net": {"NetIds": ["{net}"]},
    "ReadVms by Subnet": {"SubnetIds": ["{subnet}"]},
    "ReadVms by keypair": {"KeypairNames": ["nothing"]},
    "ReadPublicIps by NIC": {"NicIds": ["{free_nic}"]},
    "ReadTags by type": {"ResourceTypes": ["keypair"]},
    "ReadKeypairs by name": {"KeypairNames": ["nothing"]},
    "ReadSecurityGroups by name": {"SecurityGroupNames": ["nothing"]},
    "ReadQuotas by name": {"QuotaNames": ["vm_limit"]},
    "ReadNics by VM": {"LinkNicVmIds": ["{net_vm}"]},
    "ReadNics by group": {"SecurityGroupIds": ["{group}"]},
    "ReadNics by tag": {"Tags": ["nothing=x"]},
    "ReadSubnets by tag": {"Tags": ["nothing=x"]},
}


def test_a_filter_on_an_index_visits_what_it_finds() -> None:
    """A read whose filter has an index costs as much as what it finds, however many resources the caller has."""
    reads = {name: call(name.partition(" ")[0], {"Filters": filters}) for name, filters in FILTERED.items()}
    assert find_growing(reads) == {}


def describe(request: str, value: str) -> Work:
    """Return the function that makes a read as an EC2 client, with one filter: `request` has the names of both."""
    read, name = request.split()

    def work(cloud: Cloud, ids: Ids) -> None:
        filters = [{"Name": name, "Values": [fill(value, ids)]}]
        getattr(cloud.account("alice").client("fcu"), f"describe_{read}")(Filters=filters)

    return work


# what a read of an EC2 client finds by an index: read and filter → value
EC2_FILTERED = {
    "addresses association-id": "{ip_link}",
    "images name": "{image_name}",
    "images owner-alias": "Nobody",
    "images state": "failed",
    "instances image-id": "{exported}",
    "instances instance-state-name": "stopping",
    "instances subnet-id": "{subnet}",
    "key_pairs key-name": "nothing",
    "network_interfaces attachment.instance-id": "{net_vm}",
    "network_interfaces group-id": "{group}",
    "network_interfaces tag:x": "nothing",
    "route_tables association.subnet-id": "{subnet}",
    "security_groups group-name": "nothing",
    "snapshots status": "error",
    "snapshots volume-id": "{volume}",
    "subnets vpc-id": "{net}",
    "tags key": "nothing",
    "volumes attachment.instance-id": "{vm}",
    "volumes snapshot-id": "{snapshot}",
    "volumes status": "error",
    "volumes tag-key": "nothing",
    "volumes tag-value": "nothing",
    "volumes tag:x": "nothing",
}


def test_a_filter_of_an_ec2_client_on_an_index_visits_what_it_finds() -> None:
    """A read through FCU by exact texts that OAPI finds by an index costs as much as what it finds."""
    reads = {name: describe(name, value) for name, value in EC2_FILTERED.items()}
    assert find_growing(reads) == {}


READS = [
    name for name in sorted(ACTIONS)
    if name.startswith("Read") and (not REQUESTS[name] or "Filters" in REQUESTS[name])
]  # fmt: skip


def test_a_read_without_filters_visits_what_the_caller_sees() -> None:
    """A list of everything costs as much as what the caller sees."""
    assert find_growing({action: call(action, {}, "carol") for action in READS}) == {}


def storage(operation: str, **parameters: Any) -> Work:
    """Return the function that makes a request of alice's to object storage, which may be refused."""

    def work(cloud: Cloud, _: Ids) -> None:
        with suppress(ClientError):
            getattr(cloud.account("alice").client("oos"), operation)(**parameters)

    return work


# requests to a bucket with many objects
OBJECT = {"Bucket": EXPORTED["OsuBucket"], "Key": "new"}
STORAGE: Mapping[str, Work] = {
    "a new object": storage("put_object", **OBJECT),
    "a missing object": storage("get_object", **OBJECT),
    "a deletion": storage("delete_object", **OBJECT),
    "a deletion of several": storage("delete_objects", Bucket=OBJECT["Bucket"], Delete={"Objects": [{"Key": "new"}]}),
    "a deletion of the bucket": storage("delete_bucket", Bucket=OBJECT["Bucket"]),
    "a list of buckets": storage("list_buckets"),
    "a page": storage("list_objects_v2", Bucket=OBJECT["Bucket"], MaxKeys=10),
    "a page of the first version": storage("list_objects", Bucket=OBJECT["Bucket"], MaxKeys=10),
    "a later page": storage("list_objects_v2", Bucket=OBJECT["Bucket"], MaxKeys=10, StartAfter="5"),
    "a page of versions": storage("list_object_versions", Bucket=OBJECT["Bucket"], MaxKeys=10),
}


def test_a_request_to_object_storage_does_not_slow_down_with_other_objects() -> None:
    """A request costs as much as the objects that it names or shows, however many the bucket has."""
    assert find_growing(STORAGE) == {}


NOT_BY_PAGE = {
    "ReadNics": "the NICs of the crowd belong to the same VM",
    "ReadQuotas": "the NICs of the crowd belong to the same VM, whose use of vm_sg_limit they decide",
    "ReadVms": "the volumes and NICs of the crowd belong to the same VM",
    "ReadVmsStopHistory": "it sorts all stops by their dates",
}


def test_a_page_costs_what_it_shows() -> None:
    """A page of a read costs the same however many resources would follow it."""
    names = [name for name in READS if ACTIONS[name].paged and name not in NOT_BY_PAGE]
    reads = {name: call(name, {"ResultsPerPage": 100}) for name in names}
    assert find_growing(reads) == {}


# paged reads of an EC2 client; those of VMs and NICs follow
EC2_PAGES: Mapping[str, Mapping[str, Any]] = {
    "images": {"Owners": ["self"]},
    "instance_status": {"IncludeAllInstances": True},
    "internet_gateways": {},
    "route_tables": {},
    "security_groups": {},
    "snapshots": {"OwnerIds": ["self"], "Filters": [{"Name": "volume-size", "Values": ["4"]}]},
    "subnets": {},
    "tags": {},
    "volumes": {"Filters": [{"Name": "status", "Values": ["*"]}]},
    "vpcs": {},
}


def describe_page(read: str, more: Mapping[str, Any], *, later: bool) -> Work:
    """Return the function that reads a page as an EC2 client: the first one, or the third."""

    def read_page(cloud: Cloud, **parameters: Any) -> Any:
        client = cloud.account("alice").client("fcu")
        return getattr(client, f"describe_{read}")(MaxResults=100, **more, **parameters)

    tokens: dict[int, dict[str, str]] = {}
    for cloud in crowd()[1]:
        second = read_page(cloud)["NextToken"] if later else ""
        tokens[id(cloud)] = {"NextToken": read_page(cloud, NextToken=second)["NextToken"]} if later else {}
    return lambda cloud, _: read_page(cloud, **tokens[id(cloud)])


@pytest.mark.parametrize("later", [False, True])
def test_a_page_of_an_ec2_client_costs_what_it_shows(later: bool) -> None:
    """A page of a read through FCU costs the same however many resources come before and after it. [PAG-008]"""
    reads = {read: describe_page(read, more, later=later) for read, more in EC2_PAGES.items()}
    assert find_growing(reads) == {}


@pytest.mark.parametrize("read", ["instances", "network_interfaces"])
def test_a_page_of_vms_and_nics_costs_what_it_shows(read: str) -> None:
    """A page of DescribeInstances or DescribeNetworkInterfaces costs the same beside many others."""

    def make(count: int) -> Callable[[], object]:
        cloud = Cloud()
        alice, image_id = cloud.account("alice"), cloud.images.official("ubuntu").image_id
        net_id = alice.create_net(ip_range="10.0.0.0/16").net_id
        subnet_id = alice.create_subnet(net_id=net_id, ip_range="10.0.0.0/20").subnet_id
        if read == "instances":
            alice.create_vms(image_id=image_id, min_vms_count=count, max_vms_count=count)
        else:
            for _ in range(count):
                alice.create_nic(subnet_id=subnet_id)
        return lambda: getattr(alice.client("fcu"), f"describe_{read}")(MaxResults=100)

    few, many = compare_sizes(make, (150, 1_000))
    assert many <= RATIO * few


SHORT = {
    "ReadApiLogs", "ReadLocations", "ReadNetAccessPointServices", "ReadPublicIpRanges", "ReadSubregions", "ReadVmTypes",
}  # fmt: skip


def find_token(cloud: Cloud, action: str) -> str:
    """Return the token of the third page of a read."""
    alice = cloud.account("alice")
    second = alice.call(action, ResultsPerPage=100)["NextPageToken"]
    token: str = alice.call(action, ResultsPerPage=100, NextPageToken=second)["NextPageToken"]
    return token


def read_third_page(action: str) -> Work:
    """Return the function that reads the third page of a read."""
    tokens = {id(cloud): find_token(cloud, action) for cloud in crowd()[1]}
    return lambda cloud, _: cloud.account("alice").call(action, ResultsPerPage=100, NextPageToken=tokens[id(cloud)])


def test_a_later_page_costs_what_it_shows() -> None:
    """A later page of a read costs the same however many resources come before and after it. [PAG-008]"""
    names = {name for name in READS if ACTIONS[name].paged} - NOT_BY_PAGE.keys() - SHORT
    assert find_growing({name: read_third_page(name) for name in sorted(names)}) == {}


def test_terminated_vms_do_not_slow_down_the_list_of_running_ones() -> None:
    """ReadVmsState, which lists only running VMs by default, visits no others. [VM-054]"""
    cloud = Cloud()
    alice, image_id, costs = cloud.account("alice"), cloud.images.official("ubuntu").image_id, []
    for count in (10, 100):
        vms = alice.create_vms(image_id=image_id, min_vms_count=count, max_vms_count=count)
        alice.delete_vms(vm_ids=[vm.vm_id for vm in vms])
        for _ in range(2):
            cost = measure(partial(alice.call, "ReadVmsState"))
        costs.append(cost)
    assert costs[1] <= RATIO * costs[0]


def test_a_page_of_logs_costs_what_it_shows() -> None:
    """A page of ReadApiLogs costs the same however many calls would follow it."""
    alice, costs = Cloud().account("alice"), []
    for count in (100, 1_000):
        for _ in range(count):
            alice.call("ReadRegions")
        costs.append(measure(partial(alice.call, "ReadApiLogs", ResultsPerPage=50)))
    assert costs[1] <= RATIO * costs[0]


def refuse(cloud: Cloud, action: str, **parameters: Any) -> None:
    """Make a call that is refused."""
    with pytest.raises(ApiError):
        cloud.account("alice").call(action, **parameters)


def create_in_savepoint(cloud: Cloud) -> None:
    """Create a volume that is undone."""
    with cloud.savepoint():
        cloud.account("alice").create_volume(subregion_name=SUBREGION, size=1)


def list_after_rollback(cloud: Cloud, ids: Ids) -> None:
    """Undo the deletion of a volume, and read one."""
    with cloud.savepoint():
        cloud.account("alice").delete_volume(volume_id=ids["volume"])
    cloud.account("alice").read_volumes(filters={"volume_states": ["error"]})


def write_to_fork(cloud: Cloud) -> Cloud:
    """Return a fork in which a volume was created."""
    fork = cloud.fork()
    fork.account("alice").create_volume(subregion_name=SUBREGION, size=1)
    return fork


WORKS: Mapping[str, Work] = {
    "the refusal of an unknown id": lambda cloud, _: refuse(cloud, "DeleteVolume", VolumeId="vol-00000000"),
    "why_not": lambda cloud, _: cloud.account("alice").why_not("DeleteVolume", VolumeId="vol-00000000"),
    "lineage": lambda cloud, ids: cloud.lineage(ids["volume"]),
    "official": lambda cloud, _: cloud.images.official("ubuntu"),
    "fork": lambda cloud, _: cloud.fork(),
    "the diff of a fork": lambda cloud, _: list(cloud.diff(cloud.fork())),
    "equality": lambda cloud, _: cloud == cloud.fork(),
    "advance": lambda cloud, _: cloud.advance(1),
    "an undone deletion and a list": list_after_rollback,
    "the VMs in a state": call("ReadVmsState", {"AllVms": True, "Filters": {"VmStates": ["stopping"]}}),
    "a savepoint": lambda cloud, _: create_in_savepoint(cloud),
    "a write to a fork": lambda cloud, _: write_to_fork(cloud),
    "the diff of a written fork": lambda cloud, _: list(cloud.diff(write_to_fork(cloud))),
    "equality with a written fork": lambda cloud, _: cloud == write_to_fork(cloud),
}


def test_what_is_done_with_a_cloud_does_not_slow_down() -> None:
    """Refusals, explanations, forks, savepoints and comparisons cost the same beside many resources."""
    assert find_growing(WORKS) == {}


ACCOUNTS: Mapping[str, Callable[[Cloud, Account], object]] = {
    "a call": lambda _, alice: alice.call("ReadVolumes"),
    "a Basic login": lambda cloud, alice: OapiDoor(cloud.engine).handle(log_in(alice), cloud.now),
    "a check of a login": lambda _, alice: alice.call(
        "CheckAuthentication", Login=alice.email, Password=alice.password
    ),
    "a list of buckets": lambda _, alice: alice.client("oos").list_buckets(),
    "a bucket": lambda _, alice: alice.client("oos").head_bucket(Bucket="alice"),
}


def log_in(account: Account) -> HttpRequest:
    """Return a request with the login and the password of an account."""
    login = b64encode(f"{account.email}:{account.password}".encode()).decode()
    headers = {"content-type": "application/json", "authorization": f"Basic {login}"}
    return HttpRequest("POST", "api.eu-west-2.outscale.com", "/api/v1/ReadAccessKeys", headers, b"{}")


@pytest.mark.parametrize("name", ACCOUNTS)
def test_other_accounts_do_not_slow_down_a_call(name: str) -> None:
    """A call costs the same however many other accounts there are, each with a bucket."""

    def make(size: int) -> Callable[[], object]:
        cloud = Cloud()
        names = [*(f"other-{number}" for number in range(size)), "alice"]
        for owner in names:
            account = cloud.account(owner)
            with cloud.engine.transaction("test") as tx:
                tx.add(Bucket(
                    account_id=account.account_id, bucket_id=f"{account.region}/{owner}", creation_date=tx.at,
                    name=owner, region=account.region,
                ))  # fmt: skip
        return partial(ACCOUNTS[name], cloud, account)

    few, many = compare_sizes(make, (20, 200))
    assert many <= RATIO * few
