"""The functions that the table of networks runs before a call: `prepare`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omisim.doors.fcu.context import Context
from omisim.doors.fcu.query import Tree, read_text
from omisim.doors.fcu.selection import make_not_found
from omisim.model import SecurityGroup
from omisim.model.ids import Id
from omisim.spec.rules import refuse

__all__ = ["NETWORK_PREPARE"]

DOMAINS = ("standard", "vpc")
SOURCE = "SourceSecurityGroupName"
RANGE = ("CidrIp", "FromPort", "IpProtocol", "ToPort")  # the flat form of one permission
ALL_TRAFFIC = (("icmp", "-1", "-1"), ("tcp", "0", "65535"), ("udp", "0", "65535"))


# --- permissions of security groups


def _prepare_permissions(context: Context, tree: Tree) -> Tree:
    """Find the group by its id or its name, and rewrite a flat permission to IpPermissions."""
    group_id = _find_group_id(context, tree)
    permissions = _list_permissions(context, tree, group_id)
    return {**tree, "GroupId": group_id, "IpPermissions": permissions}


def _find_group_id(context: Context, tree: Tree) -> str:
    """Take the group from the parameters. A name is that of a group of the public Cloud (FCU-030)."""
    name, group_id = (read_text(tree.pop(parameter, ""), parameter) for parameter in ("GroupName", "GroupId"))
    if group_id:
        kind = Id("security_group")
        if not kind.has_prefix(group_id):
            raise refuse("FCU-031", group_id=group_id)
        if not kind.is_well_formed(group_id):
            raise make_not_found("security_group", group_id)
        return group_id
    if not name:
        raise refuse("FCU-030")
    groups: list[SecurityGroup] = context.engine.state.find_by(
        "security_group", "name", (context.account_id, None, name)
    )
    if not groups:
        raise make_not_found("security_group_name", name)
    return groups[0].security_group_id


def _list_permissions(context: Context, tree: Tree, group_id: str) -> Any:
    """Take the permissions from the parameters: those of IpPermissions, or the one of the flat form (FCU-032)."""
    names = (*RANGE, SOURCE, "SourceSecurityGroupOwnerId")
    flat = {name: value for name in names if (value := tree.pop(name, ""))}
    permissions = tree.pop("IpPermissions", "")
    if permissions:
        if flat:
            raise refuse("FCU-032", parameters=[*flat], other="IpPermissions")
    elif SOURCE in flat:
        permissions = _make_source_permissions(context, flat, group_id)
    elif "IpProtocol" in flat:
        ports = {name: flat[name] for name in RANGE if name in flat and name != "CidrIp"}
        ranges = {"IpRanges": {"1": {"CidrIp": flat["CidrIp"]}}} if "CidrIp" in flat else {}
        permissions = {"1": {**ports, **ranges}}
    else:
        raise refuse("FCU-033")
    for permission in permissions.values() if isinstance(permissions, dict) else ():
        if isinstance(permission, dict):
            _complete_permission(permission)
    return permissions


def _make_source_permissions(context: Context, flat: Mapping[str, Any], group_id: str) -> Tree:
    """Return the permissions for all traffic of a source group: by protocol in the public Cloud (FCU-034)."""
    excluded = [name for name in RANGE if name in flat]
    if excluded:
        raise refuse("FCU-032", parameters=excluded, other=SOURCE)
    member = {"GroupName": flat[SOURCE]}
    if "SourceSecurityGroupOwnerId" in flat:
        member["UserId"] = flat["SourceSecurityGroupOwnerId"]
    group: SecurityGroup | None = context.engine.state.get("security_group", group_id)
    if group is not None and group.net_id is not None:
        return {"1": {"IpProtocol": "-1", "Groups": {"1": member}}}
    return {
        str(number): {"IpProtocol": protocol, "FromPort": first, "ToPort": last, "Groups": {"1": member}}
        for number, (protocol, first, last) in enumerate(ALL_TRAFFIC, 1)
    }


def _complete_permission(permission: Tree) -> None:
    """Refuse IPv6 (FCU-035) and a partial ICMP wildcard (FCU-036). Absent ports are -1 (FCU-037).

    A group with an id needs no name: a client sends back both, as the answers show them (SG-026/both).
    """
    if permission.pop("Ipv6Ranges", None):
        raise refuse("FCU-035")
    groups = permission.get("Groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        if isinstance(group, dict) and group.get("GroupId"):
            group.pop("GroupName", None)
    protocol = permission.get("IpProtocol")
    if protocol in ("tcp", "udp", "6", "17"):
        permission.setdefault("FromPort", "-1")
        permission.setdefault("ToPort", "-1")
    elif protocol == "icmp" and permission.get("FromPort") == "-1" and permission.get("ToPort", "-1") != "-1":
        raise refuse("FCU-036", code=permission["ToPort"])


# --- interfaces, subnets and addresses


def _prepare_interface(_: Context, tree: Tree) -> Tree:
    """Rewrite PrivateIpAddress, the primary address, to the first of PrivateIpAddresses."""
    primary, addresses = tree.pop("PrivateIpAddress", ""), tree.get("PrivateIpAddresses") or {}
    if not primary or not isinstance(addresses, dict):
        return tree
    return {**tree, "PrivateIpAddresses": {"0": {"Primary": "true", "PrivateIpAddress": primary}, **addresses}}


def _prepare_launch(context: Context, tree: Tree) -> Tree:
    """Rewrite the primary addresses of the interfaces of a launch."""
    interfaces = tree.get("NetworkInterface")
    if isinstance(interfaces, dict):
        shown = {
            index: _prepare_interface(context, item) if isinstance(item, dict) else item
            for index, item in interfaces.items()
        }
        return {**tree, "NetworkInterface": shown}
    return tree


def _prepare_subnet_change(context: Context, tree: Tree) -> Tree:
    """Let a change without an attribute keep what there is (FCU-038)."""
    subnet: Any = context.engine.state.get("subnet", str(tree.get("SubnetId", "")))
    current = subnet is not None and subnet.map_public_ip_on_launch
    tree.setdefault("MapPublicIpOnLaunch", {"Value": str(current)})
    return tree


def _prepare_allocation(_: Context, tree: Tree) -> Tree:
    """Give an allocation its default domain (FCU-039)."""
    domain = tree.get("Domain") or DOMAINS[0]
    if domain not in DOMAINS:
        raise refuse("FCU-006/type", parameter="Domain", value=domain, expected=" or ".join(DOMAINS))
    return {**tree, "Domain": domain}


NETWORK_PREPARE: Mapping[str, Callable[[Context, Tree], Tree]] = {
    "allocation": _prepare_allocation,
    "interface": _prepare_interface,
    "launch": _prepare_launch,
    "permissions": _prepare_permissions,
    "subnet_change": _prepare_subnet_change,
}
