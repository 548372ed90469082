"""Edited dumps: loading one names the path of the wrong value, or gives a cloud that answers every call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.catalogue import SUBREGION

from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.cloud.account import Typed

READS = [
    name
    for name, method in vars(Account).items()
    if isinstance(method, Typed) and name.startswith("read_") and not ACTIONS[method.action].shape.required
]
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    (
        *(None, 0, -1, 1, 2**70, -(2**70), 10**6, 1.5, True, False, "", "x", "redacted", [], {}, "io1", "0002"),
        *("available", "in-use", "deleting", "pending", "running", "stopped", "terminated", "completed", "attached"),
        *("2026-01-01T00:00:00+00:00", "ami-12345678", "i-12345678", "10.0.0.0/8", "1.2.3.4", "default", "/dev/sda1"),
    )
)


@cache
def make_dump() -> str:
    """Return a dump with resources of most kinds as JSON."""
    cloud = Cloud(timing="clock")
    alice = cloud.account("alice")
    image_id = cloud.images.official("debian").image_id
    (vm,) = alice.create_vms(image_id=image_id)
    net = alice.create_net(ip_range="10.0.0.0/16")
    subnet = alice.create_subnet(net_id=net.net_id, ip_range="10.0.0.0/24")
    alice.create_vms(image_id=image_id, subnet_id=subnet.subnet_id)
    volume = alice.create_volume(size=10, subregion_name=SUBREGION)
    cloud.settle()
    alice.link_volume(volume_id=volume.volume_id, vm_id=vm.vm_id, device_name="/dev/sdb")
    cloud.settle()
    group = alice.create_security_group(security_group_name="web", description="web", net_id=net.net_id)
    alice.create_security_group_rule(
        security_group_id=group.security_group_id, flow="Inbound", ip_protocol="tcp", from_port_range=1,
        to_port_range=2, ip_range="0.0.0.0/0",
    )  # fmt: skip
    nic = alice.create_nic(subnet_id=subnet.subnet_id)
    service = alice.create_internet_service()
    alice.link_internet_service(internet_service_id=service.internet_service_id, net_id=net.net_id)
    alice.link_public_ip(public_ip=alice.create_public_ip().public_ip, vm_id=vm.vm_id)
    alice.link_public_ip(public_ip=alice.create_public_ip().public_ip, nic_id=nic.nic_id)
    alice.create_snapshot(volume_id=volume.volume_id)
    golden = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
    cloud.settle()
    alice.client("oos").create_bucket(Bucket="bucket")
    export = {"disk_image_format": "qcow2", "osu_bucket": "bucket"}
    alice.create_image_export_task(image_id=golden.image_id, osu_export=export)
    return json.dumps(cloud.dump())


def list_paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value in JSON data."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from list_paths(item, (*path, key))


@cache
def list_row_paths() -> list[tuple[Any, ...]]:
    """Return the path of each row of the dump, and of each value in it."""
    return [path for path in list_paths(json.loads(make_dump())["rows"], ("rows",)) if len(path) > 2]


def list_calls(cloud: Cloud, alice: Account) -> Iterator[Callable[[], Any]]:
    """Yield a call of every read, and writes that use each resource."""
    state, official = cloud.engine.state, cloud.images.official("debian").image_id
    yield from (getattr(alice, name) for name in READS)
    yield partial(alice.create_vms, image_id=official)
    for subnet_id in list(state.rows("subnet")):
        yield partial(alice.create_vms, image_id=official, subnet_id=subnet_id)
    for volume_id in list(state.rows("volume")):
        yield partial(alice.create_snapshot, volume_id=volume_id)
        yield partial(alice.unlink_volume, volume_id=volume_id)
    for vm_id in list(state.rows("vm")):
        yield partial(alice.stop_vms, vm_ids=[vm_id], force_stop=True)
        yield partial(alice.create_image, vm_id=vm_id, image_name=f"of {vm_id}")
        yield partial(cloud.lineage, vm_id)
    yield cloud.settle
    for kind in ("vm", "nic", "image", "snapshot", "volume", "security_group", "subnet"):
        for row_id in [row.id for row in state.rows(kind).values() if row.account_id == alice.account_id]:
            if kind == "vm":
                yield partial(alice.delete_vms, vm_ids=[row_id])
            else:
                yield partial(getattr(alice, f"delete_{kind}"), **{f"{kind}_id": row_id})
    yield partial(cloud.advance, 10**6)


@given(st.integers(0), st.booleans(), VALUES)
def test_one_wrong_value_is_refused_or_harmless(number: int, removes: bool, value: Any) -> None:
    """A dump with a removed or changed value raises ValueError with its place, or no call fails but by ApiError."""
    path = list_row_paths()[number % len(list_row_paths())]
    data = parent = json.loads(make_dump())
    for key in path[:-1]:
        parent = parent[key]
    if removes:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    try:
        cloud = Cloud.load(data)
    except ValueError as error:
        assert str(error).startswith("the dump is damaged: rows.")  # noqa: PT017 - or it loads
        return
    for call in list_calls(cloud, cloud.account("alice")):
        with suppress(ApiError):
            call()


def drop_row(kind: str, is_dropped: Callable[[Any], bool]) -> Callable[[dict[str, Any]], None]:
    """Return a function that removes the rows of a kind for which a condition holds."""

    def drop(rows: dict[str, Any]) -> None:
        rows[kind] = {i: entry for i, entry in rows[kind].items() if not is_dropped(entry[1])}

    return drop


def set_field(kind: str, name: str, value: Any, is_set: Callable[[Any], bool] = bool) -> Any:
    """Return a function that sets a field of the first row of a kind for which a condition holds."""

    def change(rows: dict[str, Any]) -> None:
        next(row for _, row in rows[kind].values() if row and is_set(row))[name] = value

    return change


def find_device(rows: dict[str, Any]) -> dict[str, Any]:
    """Return the second device of an OMI."""
    devices: list[dict[str, Any]] = next(row["block_device_mappings"] for _, row in rows["image"].values() if row)
    return devices[1]


def is_linked(row: dict[str, Any]) -> bool:
    """Whether a volume or a NIC is in use."""
    return bool(row["state"] == "in-use")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (drop_row("security_group", lambda row: not row.get("net_id")), "account has no default security group"),
        (drop_row("security_group", lambda row: bool(row.get("net_id"))), "Net has no default security group"),
        (drop_row("volume_link", bool), "a volume must be in-use exactly when it is linked"),
        (set_field("volume", "state", "available", is_linked), "a volume must be in-use exactly when it is linked"),
        (drop_row("nic", is_linked), "a VM in a Net must have a NIC with the device number 0"),
        (set_field("nic", "state", "available", is_linked), "a NIC must be in-use exactly when it is linked"),
        (set_field("nic", "private_ips", []), "private_ips: a NIC must have an address"),
        (set_field("image_export", "source", None), "source: the task needs its OMI until it ends"),
        (
            lambda rows: set_field("image", "device_name", None)({"image": {"x": [0, find_device(rows)]}}),
            "block_device_mappings: each device must have a name",
        ),
        (set_field("vm", "boot_mode", "bios"), "boot_mode: must be 'legacy' or 'uefi', not 'bios'"),
        (
            set_field("vm", "shutdown_behavior_configuration", {"guest_action": "restart", "host_action": "stop"}),
            "guest_action: must be 'stop' or 'terminate', not 'restart'",
        ),
        (set_field("volume", "size", -1), "size: must be a number of GiB from 0 to 1000000, not -1"),
        (set_field("snapshot", "volume_size", 2**70), "volume_size: must be a number of GiB from 0 to 1000000, not"),
    ],
)
def test_what_calls_rely_on_is_checked(change: Callable[[dict[str, Any]], None], reason: str) -> None:
    """A dump without a row or a value that every call relies on is refused with the reason."""
    data = json.loads(make_dump())
    change(data["rows"])
    with pytest.raises(ValueError, match=reason):
        Cloud.load(data)
