"""What requests about networks name: what is where the rest of the request is, links, addresses, ranges and rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from omisim.actions.addresses import find_free_addresses
from omisim.model import Nic
from omisim.model.serialize import to_api
from omisim.state.state import State

if TYPE_CHECKING:
    from omisim.testing.strategies.request_builder import Asking

__all__ = ["ENDS", "FITTING", "LINKS", "VALUES", "Where", "near", "place"]

Where = tuple[str | None, str | None]  # a Net, or None outside Nets, and a Subregion, or None for all
FOREIGN_RANGES = ("8.8.8.0/24", "10.1.9.0/29", "0.0.0.0/0")
LAST_DEVICE = 7
IN_NETS = ("link_nic", "link_route_table", "net", "nic", "route_table", "security_group", "subnet", "vm")


@dataclass(frozen=True, slots=True)
class Link:
    """A link as a request names it: a part of the row that has it. `fixed`: it cannot be undone."""

    kind: str
    id: str
    account_id: str
    net_id: str | None = None
    fixed: bool = False


def _of_nics(state: State) -> list[Link]:
    nics = [(nic, nic.link_nic) for nic in state.rows("nic").values() if nic.link_nic]
    return [
        Link("link_nic", link.link_nic_id, nic.account_id, nic.net_id, link.device_number == 0) for nic, link in nics
    ]


def _of_public_ips(state: State) -> list[Link]:
    linked = (ip for ip in state.rows("public_ip").values() if ip.link_public_ip_id)
    return [Link("link_public_ip", ip.link_public_ip_id, ip.account_id) for ip in linked]


def _of_route_tables(state: State) -> list[Link]:
    links = [(table, link) for table in state.rows("route_table").values() for link in table.link_route_tables]
    return [
        Link("link_route_table", link.link_route_table_id, table.account_id, table.net_id, link.main)
        for table, link in links
    ]


LINKS: Mapping[str, Callable[[State], list[Link]]] = {
    "link_nic": _of_nics,
    "link_public_ip": _of_public_ips,
    "link_route_table": _of_route_tables,
}

# --- which rows fit


def place(row: Any) -> Where | None:
    """Return where a row is, if it is of a kind that is in a Net, or outside."""
    if row.kind == "internet_service" and row.net_id:
        return row.net_id, None
    if row.kind not in IN_NETS:
        return None
    return row.net_id, row.placement.subregion_name if row.kind == "vm" else getattr(row, "subregion_name", None)


def near(asking: Asking, row: Any) -> bool:
    """Whether a row is in the Net and the Subregion of what the request names already; outside where it names none."""
    here: Where | None = asking.place
    there = place(row)
    if here is None and asking.action == "CreateVms" and row.kind == "security_group":
        here = None, None
    if here is None or there is None:
        return True
    return here[0] == there[0] and (here[1] == there[1] or None in (here[1], there[1]))


def _doors(asking: Asking, net_id: str) -> bool:
    return any(row.net_id == net_id for row in asking.cloud.engine.state.rows("internet_service").values())


def _used(asking: Asking, group_id: str) -> bool:
    rows = [*asking.cloud.engine.state.rows("vm").values(), *asking.cloud.engine.state.rows("nic").values()]
    return any(group.security_group_id == group_id for row in rows for group in row.security_groups)


def _linked(asking: Asking, subnet_id: str) -> bool:
    tables = asking.cloud.engine.state.rows("route_table").values()
    return any(link.subnet_id == subnet_id for table in tables for link in table.link_route_tables)


def _deletable(asking: Asking, net_id: str) -> bool:
    rows = [row for kind in ("subnet", "internet_service") for row in asking.cloud.engine.state.rows(kind).values()]
    return all(row.net_id != net_id for row in rows)


def _holds(asking: Asking, vm: Any) -> bool:
    """Whether a public IP can be linked to a VM: it is outside, or has one NIC, in a Net with a door."""
    nics = asking.cloud.engine.state.find_by("nic", "vm", vm.vm_id)
    return not nics or (len(nics) == 1 and _doors(asking, vm.net_id))


def _joins(asking: Asking, nic: Nic) -> bool:
    """Whether a NIC is free, and there is a VM for it."""
    vms = asking.cloud.engine.state.rows("vm").values()
    return nic.link_nic is None and any(place(vm) == place(nic) for vm in vms)


# (action, kind) → whether a row is one that the action takes
FITTING: Mapping[tuple[str, str], Callable[[Asking, Any], bool]] = {
    ("CreateVms", "nic"): lambda _, nic: nic.link_nic is None,
    ("DeleteInternetService", "internet_service"): lambda _, service: service.net_id is None,
    ("DeleteNet", "net"): lambda asking, net: _deletable(asking, net.net_id),
    ("DeleteNic", "nic"): lambda _, nic: nic.link_nic is None,
    ("DeletePublicIp", "public_ip"): lambda _, ip: ip.link_public_ip_id is None,
    ("DeleteRouteTable", "route_table"): lambda _, table: not table.link_route_tables,
    ("DeleteRoute", "route_table"): lambda _, table: len(table.routes) > 1,
    ("DeleteSecurityGroup", "security_group"): lambda asking, group: (
        group.security_group_name != "default" and not _used(asking, group.security_group_id)
    ),
    ("DeleteSecurityGroupRule", "security_group"): lambda _, group: group.inbound_rules or group.outbound_rules,
    ("DeleteSubnet", "subnet"): lambda asking, row: (
        not asking.cloud.engine.state.find_by("nic", "subnet", row.subnet_id)
    ),
    ("LinkInternetService", "internet_service"): lambda _, service: service.net_id is None,
    ("LinkInternetService", "net"): lambda asking, net: not _doors(asking, net.net_id),
    ("LinkNic", "nic"): _joins,
    ("LinkNic", "vm"): lambda _, vm: vm.net_id is not None,
    ("LinkPublicIp", "nic"): lambda asking, nic: _doors(asking, nic.net_id),
    ("LinkPublicIp", "vm"): _holds,
    ("LinkRouteTable", "subnet"): lambda asking, subnet: not _linked(asking, subnet.subnet_id),
    ("UnlinkInternetService", "internet_service"): lambda _, service: service.net_id is not None,
    ("UnlinkNic", "link_nic"): lambda _, link: not link.fixed,
    ("UnlinkPrivateIps", "nic"): lambda _, nic: len(nic.private_ips) > 1,
    ("UnlinkPublicIp", "public_ip"): lambda _, ip: ip.link_public_ip_id is not None,
    ("UnlinkRouteTable", "link_route_table"): lambda _, link: not link.fixed,
    ("UpdateRoute", "route_table"): lambda _, table: len(table.routes) > 1,
}

# --- values that fit what the request names already


def _address(asking: Asking) -> str:
    """Draw an address of the NIC that is named or of its Subnet; of another NIC; or of none."""
    nic: Nic | None = asking.names.get("nic")
    state = asking.cloud.engine.state
    subnet: Any = asking.names.get("subnet") or (nic and state.get("subnet", nic.subnet_id))
    mine = [ip.private_ip for ip in nic.private_ips] if nic else []
    if mine and asking.action != "LinkPrivateIps":
        return str(asking.one(mine[1:] if mine[1:] and asking.mostly() else mine))
    free = find_free_addresses(state, subnet, 3) if subnet else []
    others = [row for row in state.find_by("nic", "subnet", subnet.subnet_id) if row is not nic] if subnet else []
    return str(asking.one((*free, *(row.private_ips[-1].private_ip for row in others[-2:]), "10.0.1.5")))


def _device_number(asking: Asking) -> int:
    """Draw a number that the VM has not; of a launch, the next one."""
    if asking.action == "CreateVms":
        asking.devices += 1
        return asking.devices - 1 if asking.mostly() else int(asking.one((0, 1, 9)))
    nics = asking.cloud.engine.state.find_by("nic", "vm", asking.names["vm"].vm_id if "vm" in asking.names else "")
    used = {nic.link_nic.device_number for nic in nics if nic.link_nic}
    free = [number for number in range(1, LAST_DEVICE + 1) if number not in used]
    return int(asking.one(free if free and asking.mostly() else (1, *used)))


def _ip_range(asking: Asking) -> str:
    """Draw the range of a Net, or one of the Net that is named, free or not."""
    net = asking.names.get("net")
    if asking.action == "CreateNet" or net is None:
        return str(asking.one(("10.0.0.0/16", "10.0.0.0/24", *FOREIGN_RANGES)))
    whole = IPv4Network(net.ip_range)
    parts = [part for length in (28, 24) if length >= whole.prefixlen for part in whole.subnets(new_prefix=length)]
    taken = [
        IPv4Network(row.ip_range) for row in asking.cloud.engine.state.rows("subnet").values() if row.net_id == net.id
    ]
    free = (str(part) for part in parts if not any(part.overlaps(other) for other in taken))
    return str(asking.one((*(part for part, _ in zip(free, range(3), strict=False)), str(whole))))


def _public_ip(asking: Asking) -> str:
    row = asking.row("public_ip")
    return "192.0.2.1" if row is None else str(row.public_ip)


def _group_name(asking: Asking) -> str:
    """Draw the name of a group to be, or of one that there is; a rule may name one by its id."""
    if asking.action == "CreateSecurityGroup":
        return str(asking.one(("web", "db", "cache", "bastion")))
    row = asking.row("security_group")
    if row is None or (asking.action != "DeleteSecurityGroup" and asking.one((True, False))):
        return "nobody" if row is None else str(row.id)
    return str(row.security_group_name)


def _flow(asking: Asking) -> str:
    """Draw a direction: only a group of a Net has rules for what goes out."""
    group = asking.names.get("security_group")
    both = (group is not None and group.net_id) or not asking.mostly()
    return str(asking.one(("Inbound", "Outbound") if both else ("Inbound",)))


def _gateway(asking: Asking) -> str:
    """Draw the internet service of the Net that is named, or another."""
    row = asking.row("internet_service")
    return "igw-00000000" if row is None else str(row.id)


def _link_of_the_nic(asking: Asking) -> str:
    nic: Nic | None = asking.names.get("nic")
    return nic.link_nic.link_nic_id if nic and nic.link_nic else asking.id("link_nic")


VALUES: Mapping[str, Callable[[Asking], Any]] = {
    "device_number": _device_number,
    "flow": _flow,
    "gateway_id": _gateway,
    "ip_range": _ip_range,
    "ip_ranges": _ip_range,
    "link_nic_id": lambda a: _link_of_the_nic(a) if a.action == "UpdateNic" else a.id("link_nic"),
    "private_ip": _address,
    "private_ips": _address,
    "public_ip": _public_ip,
    "security_group_name": _group_name,
    "security_group_name_to_link": _group_name,
    "security_group_name_to_unlink": _group_name,
}

# --- requests that must be about what there is, as a whole


def _a_rule_that_there_is(asking: Asking, request: dict[str, Any]) -> dict[str, Any]:
    """Take off the group a rule that it has, said in either of two ways."""
    group: Any = asking.names.get("security_group")
    flows = (("Inbound", group.inbound_rules), ("Outbound", group.outbound_rules)) if group else ()
    there = [(flow, rule) for flow, rules in flows for rule in rules]
    if not there or not asking.mostly():
        return request
    flow, rule = asking.one(there)
    said = to_api(rule)
    named = {"SecurityGroupId": group.security_group_id, "Flow": flow}
    if not rule.ip_ranges or asking.one((True, False)):
        return {**named, "Rules": [said]}
    parts = {name: said[name] for name in ("FromPortRange", "IpProtocol", "ToPortRange")}
    return {**named, **parts, "IpRange": rule.ip_ranges[0]}


def _a_route_that_there_is(asking: Asking, request: dict[str, Any]) -> dict[str, Any]:
    table = asking.names.get("route_table")
    ranges = [route.destination_ip_range for route in table.routes[1:] or table.routes] if table else []
    return {**request, "DestinationIpRange": asking.one(ranges)} if ranges and asking.mostly() else request


ENDS: Mapping[str, Callable[[Asking, dict[str, Any]], dict[str, Any]]] = {
    "DeleteRoute": _a_route_that_there_is,
    "DeleteSecurityGroupRule": _a_rule_that_there_is,
    "UpdateRoute": _a_route_that_there_is,
}
