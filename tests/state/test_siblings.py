"""What the next resource in a parent costs does not depend on how many of its kind the parent has.

The costs are numbers of lines and rows (`support/growth.py`), so they are the same in each run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import pytest
from support.catalogue import SUBREGION
from support.growth import ADDRESS, EXPORTED, QUOTAS, Ids, create_resources, fill, measure

from omisim import Account, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.model.serialize import snake_name, to_snake_names

pytestmark = pytest.mark.usefixtures("unrecorded")

Work = Callable[[], object]
FIRST, LAST = 10, 40  # the resources whose costs are compared; the earlier ones fill caches
SLACK = 25  # lines: the binary searches of indexes take more steps
DISK = {"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": "{snapshot}"}}
RULE = {"SecurityGroupId": "{group}", "Flow": "Inbound", "IpProtocol": "tcp", "IpRange": "10.0.0.0/8"}

# request → its parameters; {number} differs each time, and other names in braces are resources of alice
REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "CreateAccount": {**ADDRESS, "Email": "{number}@example.com"},
    "CreateImage as a copy": {
        "ImageName": "copy {number}", "SourceImageId": "{image}", "SourceRegionName": "eu-west-2",
    },
    "CreateImage from a snapshot": {
        "ImageName": "golden {number}", "RootDeviceName": "/dev/sda1", "BlockDeviceMappings": [DISK],
    },
    "CreateImage from a VM": {"ImageName": "golden {number}", "VmId": "{vm}"},
    "CreateImageExportTask": {"ImageId": "{image}", "OsuExport": EXPORTED},
    "CreateInternetService": {},
    "CreateKeypair": {"KeypairName": "key {number}"},
    "CreateNet": {"IpRange": "10.5.0.0/16"},
    "CreateNic": {"SubnetId": "{subnet}"},
    "CreateProductType": {"Description": "new"},
    "CreatePublicIp": {},
    "CreateRoute": {"RouteTableId": "{table}", "DestinationIpRange": "192.0.{number}.0/24", "GatewayId": "{service}"},
    "CreateRouteTable": {"NetId": "{net}"},
    "CreateSecurityGroup": {"NetId": "{net}", "Description": "new", "SecurityGroupName": "group {number}"},
    "CreateSecurityGroupRule": {**RULE, "FromPortRange": "{number}", "ToPortRange": "{number}"},
    "CreateSecurityGroupRule on the same ports": {
        **RULE, "FromPortRange": 443, "ToPortRange": 443, "IpRange": "10.9.{number}.0/24",
    },
    "CreateSnapshot": {"VolumeId": "{volume}"},
    "CreateSnapshotExportTask": {"SnapshotId": "{snapshot}", "OsuExport": EXPORTED},
    "CreateSubnet": {"NetId": "{net}", "IpRange": "10.0.{number}.0/24"},
    "CreateTags": {"ResourceIds": ["{volume}"], "Tags": [{"Key": "key {number}", "Value": "v"}]},
    "CreateVms in a Subnet": {"ImageId": "{image}", "SubnetId": "{subnet}"},
    "CreateVms in the public Cloud": {"ImageId": "{image}"},
    "CreateVolume": {"SubregionName": SUBREGION, "SnapshotId": "{snapshot}"},
    "LinkPrivateIps": {"NicId": "{nic}"},
    "UpdateImage": {"ImageId": "{image}", "PermissionsToLaunch": {"Additions": {"AccountIds": ["{account}"]}}},
    "UpdateSnapshot": {
        "SnapshotId": "{snapshot}", "PermissionsToCreateVolume": {"Additions": {"AccountIds": ["{account}"]}},
    },
}  # fmt: skip
# action → the most that a parent may have of what it creates, too few to compare
LIMITED = {
    "CreateAccessKey": "10 of an account", "LinkInternetService": "1 of a Net", "LinkNic": "8 of a VM",
    "LinkVolume": "40 of a VM",
}  # fmt: skip
# request → the lines that each sibling may add, because the parent's row holds all of them
HELD = {
    "CreateRoute": 1, "CreateTags": 1, "LinkPrivateIps": 9, "LinkPublicIp": 1,
}  # fmt: skip


@cache
def make_cloud() -> tuple[Cloud, Ids]:
    """Return a cloud with resources of alice, and their ids."""
    cloud = Cloud()
    alice = cloud.account("alice", quotas=dict.fromkeys(QUOTAS, 10**9))
    cloud.allow_account_creation("alice")
    return cloud, create_resources(cloud, alice, "10.0.0.0/16")


def call(alice: Account, ids: Ids, number: int, name: str) -> Work:
    """Return the function that makes a typed call for the resource with a number, from 30 on."""
    values = {**ids, "number": number + 30, "account": f"{number:012}"}
    parameters = fill(REQUESTS[name], values)
    for parameter in ("FromPortRange", "ToPortRange"):
        if parameter in parameters:
            parameters[parameter] = int(parameters[parameter])
    return partial(getattr(alice, snake_name(name.partition(" ")[0])), **to_snake_names(parameters))


def create_and_delete_vm(alice: Account, ids: Ids, _: int) -> Work:
    """Return the function that creates a VM and deletes it; a terminated VM stays."""
    return lambda: alice.delete_vms(vm_ids=[alice.create_vms(image_id=ids["image"])[0].vm_id])


def create_and_delete_nic(alice: Account, ids: Ids, _: int) -> Work:
    """Return the function that creates a NIC beside those of earlier calls, of which every second one is deleted."""
    nics = [alice.create_nic(subnet_id=ids["subnet"]).nic_id for _ in range(2)]
    alice.delete_nic(nic_id=nics[0])
    return lambda: alice.create_nic(subnet_id=ids["subnet"])


def link_public_ip(alice: Account, ids: Ids, _: int) -> Work:
    """Return the function that links a new public IP to a new private IP of one NIC."""
    alice.link_private_ips(nic_id=ids["nic"])
    (nic,) = alice.read_nics(filters={"nic_ids": [ids["nic"]]})
    ip_id = alice.create_public_ip().public_ip_id
    return lambda: alice.link_public_ip(
        public_ip_id=ip_id, nic_id=ids["nic"], private_ip=nic.private_ips[-1].private_ip
    )


def relink_private_ip(alice: Account, ids: Ids, _: int) -> Work:
    """Return the function that moves a private IP between NICs of a Subnet that has more and more."""
    nics = [alice.create_nic(subnet_id=ids["subnet"]).nic_id for _ in range(2)]
    alice.link_private_ips(nic_id=nics[0])
    (nic,) = alice.read_nics(filters={"nic_ids": [nics[0]]})
    moved = [nic.private_ips[-1].private_ip]
    return lambda: alice.link_private_ips(nic_id=nics[1], private_ips=moved, allow_relink=True)


def link_route_table(alice: Account, ids: Ids, number: int) -> Work:
    """Return the function that links one route table to a new Subnet."""
    subnet = alice.create_subnet(net_id=ids["net"], ip_range=f"10.0.{number + 30}.0/24")
    return lambda: alice.link_route_table(route_table_id=ids["table"], subnet_id=subnet.subnet_id)


WORKS: Mapping[str, Callable[[Account, Ids, int], Work]] = {
    **{name: partial(call, name=name) for name in REQUESTS},
    "CreateNic beside gaps": create_and_delete_nic,
    "CreateVms and DeleteVms": create_and_delete_vm,
    "LinkPrivateIps of another NIC": relink_private_ip,
    "LinkPublicIp": link_public_ip,
    "LinkRouteTable": link_route_table,
}


def compare(make_work: Callable[[Account, Ids, int], Work]) -> tuple[int, int]:
    """Return the costs of the resources FIRST and LAST."""
    cloud, ids = make_cloud()
    alice = cloud.fork().account("alice")
    costs = []
    for number in range(LAST + 1):
        work = make_work(alice, ids, number)
        if number in (FIRST, LAST):
            costs.append(measure(work))
        else:
            work()
    return costs[0], costs[1]


def test_the_next_resource_costs_the_same_however_many_there_are() -> None:
    """A parent with many NICs, rules, snapshots, OMIs… gets one more at the same cost."""
    costs = {name: compare(work) for name, work in WORKS.items()}
    limits = {name: HELD.get(name, 0) * (LAST - FIRST) + SLACK for name in WORKS}
    assert {name: cost for name, cost in costs.items() if cost[1] - cost[0] > limits[name]} == {}


def test_every_action_that_creates_is_compared() -> None:
    """The test above calls each action that creates or links a resource."""
    compared = {name.partition(" ")[0] for name in WORKS}
    assert {name for name in ACTIONS if name.startswith(("Create", "Link"))} - compared == set(LIMITED)
