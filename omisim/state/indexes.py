"""The indexes of all tables, declared here and nowhere else.

An index finds rows by the value of a field: `INDEXES["volume"]["state"]` finds the volumes in a state. It is named for
the path of the field, by which the filters of a read name it too (`model/filters`), or for what a check looks up. To
add one, add its line here; `Table.catch_up` keeps it true, and undoing and forking need nothing more.

An index takes memory for each row, and time at the first search after a write that has changed one of its fields: add
one where a call would otherwise visit rows that have nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from ipaddress import IPv4Network
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

from omisim.base.frozen import frozen
from omisim.model import (
    ENDED_EXPORT_STATES,
    ENDED_VM_STATES,
    ENTITIES,
    ClientToken,
    Due,
    Origin,
    SnapshotState,
    UpdateState,
    VmState,
)
from omisim.model.address_sets import get_address_bit, get_range_bits
from omisim.model.filters.fields import is_list, make_getter

__all__ = ["ELSEWHERE", "INDEXES", "TOTALS", "Fields", "Index", "Totals", "list_fields"]


Keys = Callable[[Any], Collection[object]]


@frozen()
class Index:
    """`keys` returns the keys under which a row is found. They depend on no other fields than `fields`.

    Without `keys`, the value of the only field is the key; a row with None has no key.
    """

    fields: tuple[str, ...]
    keys: Keys | None = None

    def list_keys(self, row: Any) -> Collection[object]:
        """Return the keys of a row."""
        keys = self.keys
        if keys is not None:
            return keys(row)
        value = getattr(row, self.fields[0])
        return () if value is None else (value,)


class Totals(NamedTuple):
    """`amounts` returns what a row adds to the totals of its owner, by name. It depends on `fields` alone.

    `owner` is the field with the owner's id.
    """

    fields: tuple[str, ...]
    amounts: Callable[[Any], Mapping[str, int]]
    owner: str = "account_id"


_CLASSES: Mapping[str, type] = {entity.kind: entity for entity in ENTITIES} | {
    "due": Due,
    "origin": Origin,
    "token": ClientToken,
}
Declared = Mapping[str, Index]


def _by_path(kind: str, path: str) -> Index:
    """Return the index on the value at a path of a row, or on each value if a field on the path is a list."""
    cls, field = _CLASSES[kind], path.partition(".")[0]
    get = make_getter(cls, path)

    def keys(row: Any) -> Collection[object]:
        value = get(row)
        return () if value is None else value if type(value) is tuple else (value,)

    return Index((field,), None if path == field and not is_list(cls, field) else keys)


def _by_paths(kind: str, *paths: str) -> Declared:
    return {path: _by_path(kind, path) for path in paths}


def _by_fields(*fields: str) -> Index:
    """Return the index on the values of several fields together."""
    get = attrgetter(*fields)
    return Index(fields, lambda row: (get(row),))


_OWN = ("account_id",)
_TAGGED: Declared = {
    "tags": Index(("tags",), lambda row: [f"{tag.key}={tag.value}" for tag in row.tags]),
    "tags.key": Index(("tags",), lambda row: [tag.key for tag in row.tags]),
    "tags.value": Index(("tags",), lambda row: [tag.value for tag in row.tags]),
    "owner of tags": Index(("account_id", "tags"), lambda row: (row.account_id,) if row.tags else ()),
}


def _list_exported(task: Any) -> Collection[object]:
    """Return the snapshots that a task still has to export."""
    if task.state in ENDED_EXPORT_STATES:
        return ()
    return (task.snapshot_id,) if task.kind == "snapshot_export" else _list_disks(task)


def _list_disks(task: Any) -> Collection[object]:
    """Return the snapshots of the OMI that a task exports, or has exported."""
    return task.source.snapshot_ids if task.source else ()


def _list_members(group: Any) -> Collection[object]:
    """Return the ids of the groups that the rules of a security group name."""
    rules = (*group.inbound_rules, *group.outbound_rules)
    members = chain.from_iterable(filter(None, map(attrgetter("security_groups_members"), rules)))
    return {member.security_group_id for member in members} - {None}


# kind → index → the fields it depends on, and its keys
INDEXES: Mapping[str, Declared] = {
    "account": {
        "name": Index(("name",)),
        "login": Index(("email", "name"), lambda row: {row.email, row.name}),
    },
    "access_key": _by_paths("access_key", *_OWN),
    "bucket": _by_paths("bucket", *_OWN),
    "due": {"counted": Index(("reads",), lambda due: () if due.reads is None else (due.reads > 0,))},
    "group_hold": _by_paths("group_hold", "security_group_ids"),
    "image": {
        **_by_paths(
            "image", *_OWN, "account_alias", "block_device_mappings.bsu.snapshot_id", "image_name",
            "permissions_to_launch.account_ids", "product_codes", "state",
        ),
        **_TAGGED,
        "public": Index(
            ("permissions_to_launch",), lambda row: (True,) if row.permissions_to_launch.global_permission else ()
        ),
    },
    "image_export": {
        **_by_paths("image_export", *_OWN, "image_id"), **_TAGGED,
        "exported disk": Index(("source",), _list_disks),
        "snapshot": Index(("source", "state"), _list_exported),
    },
    "internet_service": {**_by_paths("internet_service", *_OWN, "net_id"), **_TAGGED},
    "keypair": {
        **_by_paths("keypair", *_OWN, "keypair_name"),
        **_TAGGED,
        "name": _by_fields("account_id", "keypair_name"),
    },
    "net": {**_by_paths("net", *_OWN), **_TAGGED},
    "nic": {
        **_by_paths(
            "nic", *_OWN, "link_nic.link_nic_id", "link_nic.vm_id", "net_id", "security_groups.security_group_id",
            "subnet_id",
        ),
        **_TAGGED,
        "address": Index(
            ("private_ips", "subnet_id"), lambda row: [(row.subnet_id, ip.private_ip) for ip in row.private_ips]
        ),
    },
    "object": _by_paths("object", "bucket_id"),
    "origin": {"parent": Index(("parents",), lambda row: [parent for _, parent in row.parents])},
    "product_type": _by_paths("product_type", *_OWN),
    "public_ip": {
        **_by_paths("public_ip", *_OWN, "link_public_ip_id", "nic_id", "public_ip"),
        **_TAGGED,
        "holder": Index(
            ("link_public_ip_id", "nic_id", "vm_id"),
            lambda row: (row.nic_id or row.vm_id,) if row.link_public_ip_id else (),
        ),
        "address of NIC": Index(
            ("link_public_ip_id", "nic_id", "private_ip"),
            lambda row: ((row.nic_id, row.private_ip),) if row.link_public_ip_id and row.nic_id else (),
        ),
    },
    "route_table": {
        **_by_paths(
            "route_table", *_OWN, "link_route_tables.link_route_table_id", "link_route_tables.subnet_id", "net_id"
        ),
        **_TAGGED,
    },
    "security_group": {
        **_by_paths("security_group", *_OWN, "net_id", "security_group_name"),
        **_TAGGED,
        "member": Index(("inbound_rules", "outbound_rules"), _list_members),
        "name": _by_fields("account_id", "net_id", "security_group_name"),
    },
    "snapshot": {
        **_by_paths(
            "snapshot", *_OWN, "account_alias", "permissions_to_create_volume.account_ids", "state", "volume_id"
        ),
        **_TAGGED,
        "public": Index(
            ("permissions_to_create_volume",),
            lambda row: (True,) if row.permissions_to_create_volume.global_permission else (),
        ),
    },
    "snapshot_export": {
        **_by_paths("snapshot_export", *_OWN, "snapshot_id"), **_TAGGED,
        "snapshot": Index(("snapshot_id", "state"), _list_exported),
    },
    "subnet": {**_by_paths("subnet", *_OWN, "net_id"), **_TAGGED},
    "token": _by_paths("token", "ids"),
    "upload": _by_paths("upload", "bucket_id"),
    "vm": {
        **_by_paths("vm", *_OWN, "image_id", "keypair_name", "net_id", "state", "subnet_id"),
        **_TAGGED,
        "group": Index(("security_groups",), lambda row: [group.security_group_id for group in row.security_groups]),
        "living in": Index(
            ("placement", "state"), lambda row: () if row.state in ENDED_VM_STATES else (row.placement.subregion_name,)
        ),
        "owner of stops": Index(("account_id", "stops"), lambda row: (row.account_id,) if row.stops else ()),
    },
    "volume": {**_by_paths("volume", *_OWN, "snapshot_id", "state"), **_TAGGED},
    "volume_link": _by_paths("volume_link", "vm_id"),
    "volume_update": _by_paths("volume_update", *_OWN, "volume_id"),
}  # fmt: skip


# an index of another kind whose rows have the same ids, for the filters on what a read shows of them
ELSEWHERE: Mapping[tuple[str, str], tuple[str, str]] = {("volume", "linked_volumes.vm_id"): ("volume_link", "vm_id")}


def _count_disk(volume: Any) -> Mapping[str, int]:
    iops = volume.iops or 0 if volume.volume_type == "io1" else 0
    return {"size": volume.size, f"{volume.volume_type} size": volume.size, "iops": iops}


def _count_growth(task: Any) -> Mapping[str, int]:
    """Return what an unfinished update will add to the totals of volumes (QTA-020)."""
    if task.state not in (UpdateState.PENDING, UpdateState.ACTIVE):
        return {}
    before, after = _count_disk(task.volume_update.origin), _count_disk(task.volume_update.target)
    return {name: more for name in after if (more := after[name] - before.get(name, 0)) > 0}


_UNFINISHED = (SnapshotState.IN_QUEUE, SnapshotState.PENDING)


def _count_unfinished(task: Any) -> Mapping[str, int]:
    return {} if task.state in ENDED_EXPORT_STATES else {"unfinished": 1}


def _list_addresses(nic: Any) -> Mapping[str, int]:
    """Return the addresses of a NIC. Those of a Subnet's NICs differ, so that the sum of the sets is their union."""
    return {"addresses": sum(get_address_bit(ip.private_ip) for ip in nic.private_ips)}


def _list_range(subnet: Any) -> Mapping[str, int]:
    """Return the addresses of a Subnet. The Subnets of a Net do not overlap, so that the sum is their union."""
    return {"addresses": get_range_bits(IPv4Network(subnet.ip_range))}


# kind → the totals of an account that quotas limit, and the addresses in use in a Net or Subnet; the first check of
# one counts them
TOTALS: Mapping[str, Totals] = {
    "image_export": Totals(("state",), _count_unfinished),
    "net": Totals(("state",), lambda row: {} if row.is_gone else {"all": 1}),
    "security_group": Totals(("net_id",), lambda row: {"public": 1} if row.net_id is None else {}),
    "nic": Totals(("private_ips",), _list_addresses, "subnet_id"),
    "snapshot": Totals(("state",), lambda row: {"unfinished": 1} if row.state in _UNFINISHED else {}),
    "snapshot_export": Totals(("state",), _count_unfinished),
    "subnet": Totals(("ip_range",), _list_range, "net_id"),
    "vm": Totals(("state", "vm_type"), lambda row: {} if row.state is VmState.TERMINATED else {row.vm_type: 1}),
    "volume": Totals(("iops", "size", "volume_type"), _count_disk),
    "volume_update": Totals(("state", "volume_update"), _count_growth),
}


class Fields(NamedTuple):
    """The fields on which the indexes of a kind depend.

    `get` returns their values in a row, `empty` are those of no row, and `indexes` are the indexes by field. A write
    looks only at the indexes of the fields that it changes.
    """

    get: Callable[[Any], tuple[Any, ...]]
    empty: tuple[Any, ...]
    indexes: tuple[tuple[tuple[str, Keys | None], ...], ...]


@cache
def list_fields(kind: str) -> Fields | None:
    """Return the fields on which the indexes of a kind depend, or None for a kind without indexes."""
    if kind not in INDEXES:
        return None
    by_field: dict[str, list[tuple[str, Keys | None]]] = {}
    for name, index in INDEXES[kind].items():
        for field_name in index.fields:
            by_field.setdefault(field_name, []).append((name, index.keys))
    names = list(by_field) if len(by_field) > 1 else [*by_field] * 2  # attrgetter returns no tuple for a single name
    empty = tuple([() if is_list(_CLASSES[kind], name) else None for name in names])
    return Fields(attrgetter(*names), empty, tuple(map(tuple, by_field.values())))
