"""The cost of calls in clouds that hold many other resources, as a number that is the same in each run.

`make_crowded_clouds` returns two clouds with the same few resources of alice. Beside them, the second one has ten times
as many resources of every kind. `measure` counts the lines of omisim that a call executes, and the rows that it lists.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from types import FrameType
from typing import Any
from unittest.mock import patch

from support.catalogue import SUBREGION

import omisim
from omisim import Account, Cloud
from omisim.base.clock import EPOCH
from omisim.base.frozen import replace
from omisim.model import Bucket, Due, ExportState, StoredObject, UpdateState, Upload, VolumeUpdate, VolumeUpdateTask
from omisim.model import VolumeUpdateParameters as Values
from omisim.model.ids import PREFIXES
from omisim.spec.catalog import QuotaName
from omisim.state.indexes import TOTALS
from omisim.state.layers import Layers
from omisim.state.state import State
from omisim.state.table import Table

__all__ = ["COUNTS", "Ids", "compare_sizes", "count_copied", "make_crowded_clouds", "measure"]

COUNTS = (500, 5_000)  # of each kind and account
QUOTAS: tuple[QuotaName, ...] = (
    "core_limit", "image_export_limit", "iops_limit", "memory_limit", "snapshot_export_limit", "vm_limit",
    "volume_limit", "volume_size_limit",
)  # fmt: skip
OMISIM = omisim.__file__.removesuffix("__init__.py")
Ids = Mapping[str, Any]
EXPORT = {"disk_image_format": "qcow2", "osu_bucket": "exports"}
# the same by the names of the API, and the owner of a new account
EXPORTED = {"DiskImageFormat": "qcow2", "OsuBucket": "exports"}
ADDRESS = {
    "City": "Paris", "CompanyName": "Example", "Country": "France", "CustomerId": "12345678", "ZipCode": "75000",
    "FirstName": "Carol", "LastName": "Example",
}  # fmt: skip
NAMES = ("email", "image_name", "keypair_name", "name", "public_ip", "security_group_name")  # unique in their tables


def measure(work: Callable[[], object]) -> int:
    """Return the number of lines of omisim that a function executes, and of rows that it takes from whole tables."""
    count = 0
    list_rows = Table.rows

    def count_rows(table: Table) -> dict[str, Any]:
        nonlocal count
        rows = list_rows(table)
        count += len(rows)
        return rows

    def trace_line(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace_line

    def trace_call(frame: FrameType, _event: str, _argument: object) -> Any:
        return trace_line if frame.f_code.co_filename.startswith(OMISIM) else None

    earlier = sys.gettrace()
    with patch.object(Table, "rows", count_rows):
        sys.settrace(trace_call)
        try:
            work()
        finally:
            sys.settrace(earlier)
    return count


def compare_sizes(make: Callable[[int], Callable[[], object]], sizes: tuple[int, int]) -> tuple[int, int]:
    """Return the costs of the functions that `make` returns for two sizes. Each runs once before."""
    costs = []
    for size in sizes:
        work = make(size)
        work()
        costs.append(measure(work))
    return costs[0], costs[1]


def count_copied(state: State, fork: State) -> int:
    """Return the number of rows, creation numbers, keys and changes that a fork holds, but does not share.

    The ids under a key and the queue of due transitions are not counted.
    """
    shared = {id(container) for container in iter_containers(state)}
    return sum(len(container) for container in iter_containers(fork) if id(container) not in shared)


def iter_containers(state: State) -> Iterator[Sized]:
    """Yield the dicts of which a State consists, and the parts of its journal."""
    yield from (value for name in State.__slots__ if isinstance(value := getattr(state, name), list))
    for table in state.tables.values():
        for part in (table.by_id, table.creation, table.totals, *(table.indexes or {}).values()):
            if isinstance(part, Layers):
                yield from (part.own, *part.shared)
            elif part is not None:
                yield part


def make_crowded_clouds() -> tuple[Ids, list[Cloud]]:
    """Return the ids of alice's resources, and clouds with 1,000 and 10,000 other resources of each kind.

    Half of the others belong to alice too, and half to bob. Carol has none.
    """
    cloud = Cloud()
    cloud.account("carol")
    alice, bob = cloud.account("alice", quotas=dict.fromkeys(QUOTAS, 10**9)), cloud.account("bob")
    cloud.allow_account_creation("alice")
    ids = create_resources(cloud, alice, "10.0.0.0/16")
    start = cloud.engine.state.position
    create_resources(cloud, alice, "10.1.0.0/16")
    templates = list_templates(cloud.engine.state, start, without="access_key")  # an account has ten at most
    start = cloud.engine.state.position
    create_resources(cloud, bob, "10.2.0.0/16")
    templates += list_templates(cloud.engine.state, start)
    clouds = []
    for first, count in zip((0, *COUNTS), COUNTS, strict=False):
        cloud = cloud.fork()
        for number in range(first, count):
            for place, (kind, row_id, row) in enumerate(templates):
                copy_row(cloud.engine.state, kind, row_id, row, f"{place:02x}{number:06x}")
        cloud.engine.state.trim(cloud.engine.state.position)
        cloud.account("alice").create_volume(subregion_name=SUBREGION, size=1)  # copies the tables that forks share
        for kind, table in cloud.engine.state.tables.items():  # the first search would do it, slowly under a trace
            table.catch_up()
            table.rows()  # in one dict for both clouds: the copy of a large table begins in layers
            if kind in TOTALS:
                table.get_totals("")
        clouds.append(cloud)
    return ids, clouds


def list_templates(state: State, start: int, *, without: str = "") -> list[tuple[str, str, Any]]:
    """Return the rows to copy, of those written since a position, as (kind, id, row): one of each kind and state."""
    templates: dict[tuple[str, object], tuple[str, str, Any]] = {}
    for change in state.changes_since(start):
        row = state.get(change.kind, change.id)
        if row is not None and change.kind not in ("counter", without):
            templates.setdefault((change.kind, getattr(row, "state", None)), (change.kind, change.id, row))
    return list(templates.values())


def copy_row(state: State, kind: str, row_id: str, row: Any, digits: str) -> None:
    """Write a copy of a row with another id and other names. It refers to the same resources as the row."""
    prefix = PREFIXES[kind][0] if kind in PREFIXES else row_id[:-8] if kind == "due" else row_id
    new_id = f"{prefix}{digits}"
    if isinstance(row, Due):
        row = replace(row, id=new_id.partition(":")[2])
    elif hasattr(row, "key"):
        named = {name: f"{getattr(row, name)}{digits}" for name in NAMES if getattr(row, name, None)}
        row = replace(row, **{**named, row.key: new_id})
    state.write(kind, new_id, row, EPOCH, "crowd")


def make_neighbours() -> tuple[Account, Account, Ids]:
    """Return alice, who has resources of every kind twice, bob, who has them once, and the ids of her second ones."""
    cloud = Cloud()
    alice, bob = (cloud.account(name, quotas=dict.fromkeys(QUOTAS, 10**9)) for name in ("alice", "bob"))
    cloud.allow_account_creation("alice")
    _, _, ids = (
        create_resources(cloud, account, f"10.{number}.0.0/16") for number, account in enumerate((alice, bob, alice))
    )
    return alice, bob, ids


def create_resources(cloud: Cloud, account: Account, net_range: str) -> Ids:
    """Create resources of every kind, and return what requests name of them."""
    return {
        **create_disks(cloud, account),
        **create_network(account, net_range),
        **create_storage(cloud, account),
        **create_others(account),
    }


def create_disks(cloud: Cloud, account: Account) -> Ids:
    """Create VMs, volumes, snapshots and OMIs."""
    serial = cloud.engine.state.position
    ubuntu = cloud.images.official("ubuntu").image_id
    vms = [account.create_vms(image_id=ubuntu)[0].vm_id for _ in range(4)]
    account.stop_vms(vm_ids=[vms[1]])
    account.delete_vms(vm_ids=[vms[2], vms[3]])
    volumes = [
        account.create_volume(subregion_name=SUBREGION, size=4, client_token=f"token {serial} {number}")
        for number in range(3)
    ]
    free, linked, changed = (volume.volume_id for volume in volumes)
    cloud.write(free, "/etc/motd", "hello")
    account.link_volume(volume_id=linked, vm_id=vms[0], device_name="/dev/sdb")
    snapshots = [account.create_snapshot(volume_id=free).snapshot_id for _ in range(2)]
    from_snapshot = account.create_volume(subregion_name=SUBREGION, snapshot_id=snapshots[0]).volume_id
    image = account.create_image(vm_id=vms[0], image_name=f"golden-{serial}")
    account.create_tags(resource_ids=[free, image.image_id], tags=[{"key": "site", "value": f"{serial}"}])
    with cloud.engine.transaction("test") as tx:
        values = Values(iops=0, size=4, volume_type="standard")
        tx.add(VolumeUpdateTask(
            account_id=account.account_id, completion_date=tx.at, start_date=tx.at, state=UpdateState.COMPLETED,
            task_id=tx.new_id("volume_update"), volume_id=changed,
            volume_update=VolumeUpdate(origin=values, target=values),
        ))  # fmt: skip
    return {
        "vm": vms[0], "stopped": vms[1], "terminated": vms[2], "volume": free, "linked": linked,
        "restored": from_snapshot, "snapshot": snapshots[0], "other_snapshot": snapshots[1], "image": image.image_id,
        "image_name": image.image_name, "tag": f"site={serial}", "tag_value": f"{serial}", "ubuntu": ubuntu,
    }  # fmt: skip


def create_network(account: Account, net_range: str) -> Ids:
    """Create a Net with everything that belongs to one, and an empty one."""
    net, empty = (account.create_net(ip_range=net_range).net_id for _ in range(2))
    start = net_range.removesuffix("0.0/16")
    subnet = account.create_subnet(net_id=net, ip_range=f"{start}1.0/24").subnet_id
    empty_subnet = account.create_subnet(net_id=net, ip_range=f"{start}2.0/24").subnet_id
    services = [account.create_internet_service().internet_service_id for _ in range(2)]
    account.link_internet_service(internet_service_id=services[0], net_id=net)
    tables = [account.create_route_table(net_id=net).route_table_id for _ in range(2)]
    link = account.link_route_table(route_table_id=tables[0], subnet_id=subnet)
    quiet = account.create_net(ip_range=net_range).net_id
    quiet_service = account.create_internet_service().internet_service_id
    account.link_internet_service(internet_service_id=quiet_service, net_id=quiet)
    account.create_route(route_table_id=tables[0], destination_ip_range="0.0.0.0/0", gateway_id=services[0])
    group = account.create_security_group(
        net_id=net, description="test", security_group_name=f"group {start}"
    ).security_group_id
    unused = account.create_security_group(description="test", security_group_name=f"unused {start}")
    account.create_security_group_rule(
        security_group_id=group, flow="Inbound", ip_protocol="tcp", from_port_range=22, to_port_range=22,
        ip_range="10.0.0.0/8",
    )  # fmt: skip
    vm = account.create_vms(image_id=account.read_images()[0].image_id, subnet_id=subnet, security_group_ids=[group])[0]
    nics = [account.create_nic(subnet_id=subnet) for _ in range(2)]
    account.link_private_ips(nic_id=nics[0].nic_id, secondary_private_ip_count=1)
    nic_link = account.link_nic(nic_id=nics[0].nic_id, vm_id=vm.vm_id, device_number=1)
    ips = [account.create_public_ip() for _ in range(2)]
    ip_link = account.link_public_ip(public_ip_id=ips[0].public_ip_id, nic_id=nics[0].nic_id)
    secondary = account.read_nics(filters={"nic_ids": [nics[0].nic_id]})[0].private_ips[1].private_ip
    return {
        "net": net, "empty_net": empty, "subnet": subnet, "empty_subnet": empty_subnet, "service": services[0],
        "free_service": services[1], "table": tables[0], "free_table": tables[1], "table_link": link, "group": group,
        "unused_group": unused.security_group_id, "net_vm": vm.vm_id, "nic": nics[0].nic_id, "free_nic": nics[1].nic_id,
        "nic_link": nic_link, "secondary_ip": secondary, "ip_link": ip_link, "quiet_net": quiet,
        "quiet_service": quiet_service, "ip": ips[0].public_ip_id,
        "free_ip": ips[1].public_ip_id,
    }  # fmt: skip


def create_storage(cloud: Cloud, account: Account) -> Ids:
    """Create a bucket with an object and an upload, and export tasks, of which one of each kind is unfinished."""
    me, region, serial = account.account_id, account.region, cloud.engine.state.position
    with cloud.engine.transaction("test") as tx:
        place = f"{region}/exports"
        if tx.state.get("bucket", place) is None:
            tx.add(Bucket(account_id=me, bucket_id=place, creation_date=tx.at, name="exports", region=region))
        key = f"{place}/{serial}"
        tx.add(StoredObject(
            account_id=me, body=b"", bucket_id=place, etag="", last_modified=tx.at, name=f"{serial}", object_id=key
        ))  # fmt: skip
        tx.add(Upload(account_id=me, bucket_id=place, name="parts", upload_id=f"upload {serial}"))
    exported = account.create_snapshot(volume_id=account.read_volumes()[0].volume_id).snapshot_id
    image = account.create_image(
        image_name=f"exported-{serial}", root_device_name="/dev/sda1",
        block_device_mappings=[{"device_name": "/dev/sda1", "bsu": {"snapshot_id": exported}}],
    )  # fmt: skip
    task = account.create_image_export_task(image_id=image.image_id, osu_export=EXPORT).task_id
    other = account.create_snapshot_export_task(snapshot_id=exported, osu_export=EXPORT).task_id
    with cloud.engine.transaction("test") as tx:  # a task that has not ended
        tx.write("image_export", task, replace(tx.state.get("image_export", task), state=ExportState.PENDING))
    return {"image_export": task, "snapshot_export": other, "exported": image.image_id}


def create_others(account: Account) -> Ids:
    """Create a keypair, an access key and a product type."""
    name = f"key of {account.name} {len(account.read_keypairs())}"
    return {
        "keypair": account.create_keypair(keypair_name=name).keypair_id,
        "access_key": account.create_access_key(expiration_date="2099-01-01").access_key_id,
        "product_type": account.create_product_type(description="test").product_type_id,
        "email": account.email,
        "password": account.password,
    }


def fill(value: Any, ids: Ids) -> Any:
    """Return the parameters of a request with the resources that they name in braces."""
    if isinstance(value, str):
        return value.format_map(ids) if "{" in value else value
    if isinstance(value, Mapping):
        return {name: fill(item, ids) for name, item in value.items()}
    return [fill(item, ids) for item in value] if isinstance(value, Sequence) else value
