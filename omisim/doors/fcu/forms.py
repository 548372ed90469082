"""The functions that the table names for values and lists, where a path cannot say it. Each table has one purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network
from itertools import groupby
from operator import attrgetter
from typing import Any

from omisim.base.hosts import make_host_name
from omisim.model import (
    WINDOWS_CODES,
    Image,
    InternetService,
    PermissionsOnResource,
    PrivateIpLightForVm,
    SecurityGroupRule,
    SecurityGroupsMember,
    Snapshot,
    Vm,
    VmState,
)
from omisim.model.filters.vms import VM_STATE_CODES
from omisim.model.serialize import format_date
from omisim.spec.catalog import load_catalog
from omisim.spec.rules import refuse

__all__ = ["ANSWER_FORMS", "FILTER_VALUES", "GROUPS", "INPUT_FORMS", "SCOPES"]

Select = Callable[[Any], bool]
Item = tuple[Any, dict[str, Any]]  # an entity, and how the answer shows it


# --- values of requests: `form` in parameters


def _to_permissions(values: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the permissions of a list of {UserId} and {Group}."""
    for name in (name for value in values for name in value if name not in ("Group", "UserId")):
        raise refuse("FCU-006", parameter=name)  # such as the organizations of EC2
    accounts = [value["UserId"] for value in values if "UserId" in value]
    groups = [value["Group"] for value in values if "Group" in value]
    for group in groups:
        if group != "all":
            raise refuse("FCU-006/group", group=group)
    return {"account_ids": accounts} | ({"global_permission": True} if groups else {})


def _check_destination(value: str) -> str:
    """Return the destination of a route as it is, or refuse one with host bits (FCU-045)."""
    try:
        IPv4Network(value or "0.0.0.0/0")
    except ValueError:
        raise refuse("FCU-045", destination=value) from None
    return value


INPUT_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "destination": _check_destination,
    "permissions": _to_permissions,
    "single": lambda value: [value],
}


# --- values of answers: `form` in views


def _show_permissions(permissions: PermissionsOnResource) -> list[dict[str, str]]:
    accounts = [{"UserId": account_id} for account_id in permissions.account_ids]
    return [*accounts, *([{"Group": "all"}] if permissions.global_permission else [])]


def _show_product_codes(codes: Iterable[str]) -> list[dict[str, str]]:
    types = load_catalog().product_types
    return [
        {"ProductCodeId": code, "ProductCodeType": types[code].description if code in types else "marketplace"}
        for code in codes
    ]


def _find_primary_ip(addresses: Iterable[PrivateIpLightForVm]) -> str | None:
    return next((address.private_ip for address in addresses if address.is_primary), None)


def _show_attachments(service: InternetService) -> list[dict[str, str | None]]:
    return [] if service.net_id is None else [{"State": service.state, "VpcId": service.net_id}]


def _show_group_pairs(members: Iterable[SecurityGroupsMember] | None) -> list[dict[str, str | None]]:
    return [
        {"GroupId": member.security_group_id, "GroupName": member.security_group_name, "UserId": member.account_id}
        for member in members or ()
    ]


def _show_port(field: str) -> Callable[[SecurityGroupRule], int | None]:
    """Show a port of a rule, unless it is for all protocols (FCU-043)."""
    return lambda rule: None if rule.ip_protocol == "-1" else getattr(rule, field)


ANSWER_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "address_domain": lambda address: "standard" if address.nic_id is None else "vpc",
    "bytes": lambda gib: None if gib is None else int(gib * 2**30),
    "date": format_date,
    "empty": lambda text: text or "",  # EC2 sends these elements always
    "endpoint": lambda region: make_host_name("fcu", region),
    "first_port": _show_port("from_port_range"),
    "gateway_attachments": _show_attachments,
    "group_pairs": _show_group_pairs,
    "health": lambda state: "ok" if state is VmState.RUNNING else "not-applicable",
    "ip_ranges": lambda ranges: [{"CidrIp": text} for text in ranges or ()],
    "key_type": lambda kind: kind.removeprefix("ssh-"),
    "last_port": _show_port("to_port_range"),
    "percent": lambda progress: f"{progress}%",
    "permissions": _show_permissions,
    "platform": lambda codes: None if WINDOWS_CODES.isdisjoint(codes) else "windows",  # EC2 shows no other platform
    "prefix_lists": lambda ids: [{"PrefixListId": list_id} for list_id in ids or ()],
    "primary_ip": _find_primary_ip,
    "product_codes": _show_product_codes,
    "state_code": lambda state: VM_STATE_CODES[state],
    "state_reason": lambda reason: {"Code": reason, "Message": reason} if reason else None,
    "value": lambda text: {"Value": text} if text else {},
}


# --- values that a filter compares and the answer does not show: after an `@` in `filters`


def _of_interfaces(path: str) -> Callable[[Vm], Any]:
    """Return the function that gets a value of a VM that its network interfaces have too, if it has any."""
    get = attrgetter(path)
    return lambda vm: get(vm) if vm.nics else None


def _of_public_groups(path: str) -> Callable[[Vm], list[str]]:
    """Return the function that gets a value of each security group of a VM of the public Cloud."""
    get = attrgetter(path)
    return lambda vm: [get(group) for group in vm.security_groups if vm.net_id is None]


FILTER_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "group_ids": _of_public_groups("security_group_id"),
    "group_names": _of_public_groups("security_group_name"),
    "interface_managed": lambda vm: False if vm.nics else None,
    "interface_owner": _of_interfaces("account_id"),
    "interface_vm": _of_interfaces("vm_id"),
    "interface_zone": _of_interfaces("placement.subregion_name"),
}


# --- selections among the results of a read: `scopes`


def _select_owners(account_id: str | None, owners: Sequence[str]) -> Select:
    """Select by owner: an account id, an alias, or `self`."""
    owner_ids = {account_id if owner == "self" else owner for owner in owners}
    return lambda entity: entity.account_id in owner_ids or entity.account_alias in owner_ids


def _select_permitted(field: str) -> Callable[[str | None, Sequence[str]], Select]:
    """Select by permissions in a field: those of `self`, of an account id, or of `all`."""

    def scope(account_id: str | None, users: Sequence[str]) -> Select:
        account_ids = {account_id if user == "self" else user for user in users}

        def select(entity: Image | Snapshot) -> bool:
            permissions = getattr(entity, field)
            return not account_ids.isdisjoint(permissions.account_ids) or (
                "all" in account_ids and permissions.global_permission
            )

        return select

    return scope


def _select_restorable(account_id: str | None, users: Sequence[str]) -> Select:
    """Select by permissions to create volumes; `self` selects the caller's own snapshots too, as EC2 documents it."""
    is_permitted = _select_permitted("permissions_to_create_volume")(account_id, users)
    owner = account_id if "self" in users else None
    return lambda snapshot: snapshot.account_id == owner or is_permitted(snapshot)


def _select_running(_: str | None, all_instances: bool | None) -> Select:
    return lambda entity: bool(all_instances) or entity.vm_state is VmState.RUNNING


SCOPES: Mapping[str, Callable[[str | None, Any], Select]] = {
    "executable_by": _select_permitted("permissions_to_launch"),
    "owners": _select_owners,
    "restorable_by": _select_restorable,
    "running": _select_running,
}


# --- groups of the items of a read: `group`


def _group_reservations(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Return the reservations of VMs, each with its VMs."""
    return [_make_reservation([*members]) for _, members in groupby(items, key=lambda item: item[0].reservation_id)]


def _make_reservation(members: Sequence[Item]) -> dict[str, Any]:
    vm = members[0][0]
    groups = vm.security_groups if vm.net_id is None else ()
    return {
        "ReservationId": vm.reservation_id,
        "OwnerId": vm.account_id,
        "Groups": [{"GroupId": g.security_group_id, "GroupName": g.security_group_name} for g in groups],
        "Instances": [instance for _, instance in members],
    }


def _group_quotas(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Return the quotas by what they are of: the account, or a resource."""
    return [
        {"reference": reference, "quotaSet": [shown for _, shown in quotas]}
        for reference, quotas in groupby(items, key=lambda item: item[0].quota_type)
    ]


GROUPS: Mapping[str, Callable[[Iterable[Item]], list[dict[str, Any]]]] = {
    "first": lambda items: [shown for _, shown in items] or [{}],
    "quotas": _group_quotas,
    "reservations": _group_reservations,
}
