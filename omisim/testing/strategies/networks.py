"""Values of network requests that fit the other values: rows in the same Net, links, addresses, ranges and rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from omisim.actions.addresses import find_free_addresses
from omisim.base.frozen import frozen
from omisim.model import Nic
from omisim.model.serialize import to_api
from omisim.state.state import State

if TYPE_CHECKING:
    from omisim.testing.strategies.request_builder import RequestBuilder

__all__ = ["ACCEPTED", "COMPLETIONS", "LINKS", "VALUES", "Location", "get_location", "is_near"]

Location = tuple[str | None, str | None]  # Net (None outside Nets), Subregion (None for a resource of the whole Net)
FOREIGN_RANGES = ("8.8.8.0/24", "10.1.9.0/29", "0.0.0.0/0")
LAST_DEVICE = 7
IN_NETS = ("link_nic", "link_route_table", "net", "nic", "route_table", "security_group", "subnet", "vm")


@frozen()
class Link:
    """A link, which is a part of another row, as a row of its own. `fixed`: it cannot be unlinked."""

    kind: str
    id: str
    account_id: str
    net_id: str | None = None
    fixed: bool = False


def _list_nic_links(state: State) -> list[Link]:
    nics = [(nic, nic.link_nic) for nic in state.rows("nic").values() if nic.link_nic]
    return [
        Link("link_nic", link.link_nic_id, nic.account_id, nic.net_id, link.device_number == 0) for nic, link in nics
    ]


def _list_public_ip_links(state: State) -> list[Link]:
    linked = (ip for ip in state.rows("public_ip").values() if ip.link_public_ip_id)
    return [Link("link_public_ip", ip.link_public_ip_id, ip.account_id) for ip in linked]


def _list_route_table_links(state: State) -> list[Link]:
    links = [(table, link) for table in state.rows("route_table").values() for link in table.link_route_tables]
    return [
        Link("link_route_table", link.link_route_table_id, table.account_id, table.net_id, link.main)
        for table, link in links
    ]


LINKS: Mapping[str, Callable[[State], list[Link]]] = {
    "link_nic": _list_nic_links,
    "link_public_ip": _list_public_ip_links,
    "link_route_table": _list_route_table_links,
}

# --- rows that an action accepts


def get_location(row: Any) -> Location | None:
    """Return the Net and Subregion of a row, None for a kind that has neither."""
    if row.kind == "internet_service" and row.net_id:
        return row.net_id, None
    if row.kind not in IN_NETS:
        return None
    return row.net_id, row.placement.subregion_name if row.kind == "vm" else getattr(row, "subregion_name", None)


def is_near(builder: RequestBuilder, row: Any) -> bool:
    """Whether a row is in the same Net and Subregion as the rows that the request already names."""
    current: Location | None = builder.location
    location = get_location(row)
    if current is None and builder.action == "CreateVms" and row.kind == "security_group":
        current = None, None
    if current is None or location is None:
        return True
    return current[0] == location[0] and (current[1] == location[1] or None in (current[1], location[1]))


def _has_internet_service(builder: RequestBuilder, net_id: str) -> bool:
    return any(row.net_id == net_id for row in builder.state.rows("internet_service").values())


def _is_group_in_use(builder: RequestBuilder, group_id: str) -> bool:
    rows = [*builder.state.rows("vm").values(), *builder.state.rows("nic").values()]
    return any(group.security_group_id == group_id for row in rows for group in row.security_groups)


def _has_route_table(builder: RequestBuilder, subnet_id: str) -> bool:
    tables = builder.state.rows("route_table").values()
    return any(link.subnet_id == subnet_id for table in tables for link in table.link_route_tables)


def _is_net_empty(builder: RequestBuilder, net_id: str) -> bool:
    rows = [row for kind in ("subnet", "internet_service") for row in builder.state.rows(kind).values()]
    return all(row.net_id != net_id for row in rows)


def _accepts_public_ip(builder: RequestBuilder, vm: Any) -> bool:
    """Whether a public IP can be linked to a VM: outside Nets, or with one NIC in a Net with an internet service."""
    nics = builder.state.find_by("nic", "link_nic.vm_id", vm.vm_id)
    return not nics or (len(nics) == 1 and _has_internet_service(builder, vm.net_id))


def _is_linkable(builder: RequestBuilder, nic: Nic) -> bool:
    """Whether a NIC is not linked and a VM is in the same location."""
    vms = builder.state.rows("vm").values()
    return nic.link_nic is None and any(get_location(vm) == get_location(nic) for vm in vms)


# (action, kind) → whether the action accepts a row
ACCEPTED: Mapping[tuple[str, str], Callable[[RequestBuilder, Any], bool]] = {
    ("CreateVms", "nic"): lambda _, nic: nic.link_nic is None,
    ("DeleteInternetService", "internet_service"): lambda _, service: service.net_id is None,
    ("DeleteNet", "net"): lambda builder, net: _is_net_empty(builder, net.net_id),
    ("DeleteNic", "nic"): lambda _, nic: nic.link_nic is None,
    ("DeletePublicIp", "public_ip"): lambda _, ip: ip.nic_id is None,
    ("DeleteRouteTable", "route_table"): lambda _, table: not table.link_route_tables,
    ("DeleteRoute", "route_table"): lambda _, table: len(table.routes) > 1,
    ("DeleteSecurityGroup", "security_group"): lambda builder, group: (
        group.security_group_name != "default" and not _is_group_in_use(builder, group.security_group_id)
    ),
    ("DeleteSecurityGroupRule", "security_group"): lambda _, group: group.inbound_rules or group.outbound_rules,
    ("DeleteSubnet", "subnet"): lambda builder, row: not builder.state.find_by("nic", "subnet_id", row.subnet_id),
    ("LinkInternetService", "internet_service"): lambda _, service: service.net_id is None,
    ("LinkInternetService", "net"): lambda builder, net: not _has_internet_service(builder, net.net_id),
    ("LinkNic", "nic"): _is_linkable,
    ("LinkNic", "vm"): lambda _, vm: vm.net_id is not None,
    ("LinkPublicIp", "nic"): lambda builder, nic: _has_internet_service(builder, nic.net_id),
    ("LinkPublicIp", "vm"): _accepts_public_ip,
    ("LinkRouteTable", "subnet"): lambda builder, subnet: not _has_route_table(builder, subnet.subnet_id),
    ("UnlinkInternetService", "internet_service"): lambda _, service: service.net_id is not None,
    ("UnlinkNic", "link_nic"): lambda _, link: not link.fixed,
    ("UnlinkPrivateIps", "nic"): lambda _, nic: len(nic.private_ips) > 1,
    ("UnlinkPublicIp", "public_ip"): lambda _, ip: ip.link_public_ip_id is not None,
    ("UnlinkRouteTable", "link_route_table"): lambda _, link: not link.fixed,
    ("UpdateRoute", "route_table"): lambda _, table: len(table.routes) > 1,
}

# --- values that fit the rows of the request


def _draw_address(builder: RequestBuilder) -> str:
    """Draw a private IP: of the NIC in the request, a free one of its Subnet, of another NIC, or an unrelated one."""
    nic: Nic | None = builder.rows_by_kind.get("nic")
    state = builder.state
    subnet: Any = builder.rows_by_kind.get("subnet") or (nic and state.get("subnet", nic.subnet_id))
    own = [ip.private_ip for ip in nic.private_ips] if nic else []
    if own and builder.action != "LinkPrivateIps":
        return str(builder.choose(own[1:] if own[1:] and builder.draw_mostly() else own))
    free = find_free_addresses(state, subnet, 3) if subnet else []
    others = [row for row in state.find_by("nic", "subnet_id", subnet.subnet_id) if row is not nic] if subnet else []
    return str(builder.choose((*free, *(row.private_ips[-1].private_ip for row in others[-2:]), "10.0.1.5")))


def _draw_device_number(builder: RequestBuilder) -> int:
    """Draw a device number: mostly a free one of the VM, or the next one of a launch."""
    if builder.action == "CreateVms":
        builder.device_count += 1
        return builder.device_count - 1 if builder.draw_mostly() else int(builder.choose((0, 1, 9)))
    nics = builder.state.find_by(
        "nic", "link_nic.vm_id", builder.rows_by_kind["vm"].vm_id if "vm" in builder.rows_by_kind else ""
    )
    used = {nic.link_nic.device_number for nic in nics if nic.link_nic}
    free = [number for number in range(1, LAST_DEVICE + 1) if number not in used]
    return int(builder.choose(free if free and builder.draw_mostly() else (1, *used)))


def _draw_ip_range(builder: RequestBuilder) -> str:
    """Draw an IP range: for a Net, or inside the Net in the request, free or taken."""
    net = builder.rows_by_kind.get("net")
    if builder.action == "CreateNet" or net is None:
        return str(builder.choose(("10.0.0.0/16", "10.0.0.0/24", *FOREIGN_RANGES)))
    whole = IPv4Network(net.ip_range)
    parts = [part for length in (28, 24) if length >= whole.prefixlen for part in whole.subnets(new_prefix=length)]
    taken = [IPv4Network(row.ip_range) for row in builder.state.rows("subnet").values() if row.net_id == net.id]
    free = (str(part) for part in parts if not any(part.overlaps(other) for other in taken))
    return str(builder.choose((*(part for part, _ in zip(free, range(3), strict=False)), str(whole))))


def _draw_public_ip(builder: RequestBuilder) -> str:
    row = builder.draw_row("public_ip")
    return "192.0.2.1" if row is None else str(row.public_ip)


def _draw_group_name(builder: RequestBuilder) -> str:
    """Draw the name of a new or existing security group; a rule may also name a group by its id."""
    if builder.action == "CreateSecurityGroup":
        return str(builder.choose(("web", "db", "cache", "bastion")))
    row = builder.draw_row("security_group")
    if row is None or (builder.action != "DeleteSecurityGroup" and builder.choose((True, False))):
        return "nobody" if row is None else str(row.id)
    return str(row.security_group_name)


def _draw_flow(builder: RequestBuilder) -> str:
    """Draw a direction; only a group of a Net can have outbound rules."""
    group = builder.rows_by_kind.get("security_group")
    both = (group is not None and group.net_id) or not builder.draw_mostly()
    return str(builder.choose(("Inbound", "Outbound") if both else ("Inbound",)))


def _draw_gateway(builder: RequestBuilder) -> str:
    """Draw the id of an internet service."""
    row = builder.draw_row("internet_service")
    return "igw-00000000" if row is None else str(row.id)


def _draw_link_of_nic(builder: RequestBuilder) -> str:
    nic: Nic | None = builder.rows_by_kind.get("nic")
    return nic.link_nic.link_nic_id if nic and nic.link_nic else builder.draw_id("link_nic")


VALUES: Mapping[str, Callable[[RequestBuilder], Any]] = {
    "device_number": _draw_device_number,
    "flow": _draw_flow,
    "gateway_id": _draw_gateway,
    "ip_range": _draw_ip_range,
    "ip_ranges": _draw_ip_range,
    "link_nic_id": lambda a: _draw_link_of_nic(a) if a.action == "UpdateNic" else a.draw_id("link_nic"),
    "private_ip": _draw_address,
    "private_ips": _draw_address,
    "public_ip": _draw_public_ip,
    "security_group_name": _draw_group_name,
    "security_group_name_to_link": _draw_group_name,
    "security_group_name_to_unlink": _draw_group_name,
}

# --- requests that must name an existing rule or route


def _name_existing_rule(builder: RequestBuilder, request: dict[str, Any]) -> dict[str, Any]:
    """Replace the parameters by those of an existing rule of the group, in one of the two accepted forms."""
    group: Any = builder.rows_by_kind.get("security_group")
    flows = (("Inbound", group.inbound_rules), ("Outbound", group.outbound_rules)) if group else ()
    existing = [(flow, rule) for flow, rules in flows for rule in rules]
    if not existing or not builder.draw_mostly():
        return request
    flow, rule = builder.choose(existing)
    rule_fields = to_api(rule)
    target = {"SecurityGroupId": group.security_group_id, "Flow": flow}
    if not rule.ip_ranges or builder.choose((True, False)):
        return {**target, "Rules": [rule_fields]}
    parts = {name: rule_fields[name] for name in ("FromPortRange", "IpProtocol", "ToPortRange")}
    return {**target, **parts, "IpRange": rule.ip_ranges[0]}


def _name_existing_route(builder: RequestBuilder, request: dict[str, Any]) -> dict[str, Any]:
    table = builder.rows_by_kind.get("route_table")
    ranges = [route.destination_ip_range for route in table.routes[1:] or table.routes] if table else []
    return {**request, "DestinationIpRange": builder.choose(ranges)} if ranges and builder.draw_mostly() else request


COMPLETIONS: Mapping[str, Callable[[RequestBuilder, dict[str, Any]], dict[str, Any]]] = {
    "DeleteRoute": _name_existing_route,
    "DeleteSecurityGroupRule": _name_existing_rule,
    "UpdateRoute": _name_existing_route,
}
