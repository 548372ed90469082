"""Laws about networks: addresses, NICs and their VMs, security groups, public IPs, Subnets and route tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network

from omisim.engine.engine import Engine
from omisim.model import Net, Nic, PublicIp, RouteTable, SecurityGroup, Subnet, Vm, VmState
from omisim.state.state import Change, State
from omisim.testing.laws.table import law

__all__ = ["touched"]

RESERVED = 4  # the first addresses of a Subnet
ONE_EACH = frozenset({"security_group", "internet_service", "route_table"})  # of which a Net has one
# what goes only when nothing names it → the kinds that may
NAMED: Mapping[str, tuple[str, ...]] = {
    "net": ("subnet", "security_group", "internet_service", "route_table"),
    "security_group": ("vm", "nic", "security_group"),
    "subnet": ("nic", "vm", "route_table"),
}


def touched(state: State, change: Change) -> Iterator[tuple[str, str]]:
    """Yield the rows of networks that a law holds against a changed one."""
    if change.kind in ("nic", "vm"):
        yield from (("public_ip", ip.public_ip_id) for ip in state.find_by("public_ip", "holder", change.id))
    if change.kind == "vm":
        yield from (("nic", nic.nic_id) for nic in state.find_by("nic", "vm", change.id))
    if change.kind == "nic":
        yield from (("vm", nic.link_nic.vm_id) for nic in (change.before, change.after) if nic and nic.link_nic)
    if change.kind in ONE_EACH:
        yield "net", (change.after or change.before).net_id or ""
    if change.after is None:  # deletions are rare: all that may have named it is asked
        yield from ((kind, row_id) for kind in NAMED.get(change.kind, ()) for row_id in state.rows(kind))


@law("NIC-004", "nic")
def a_nic_has_addresses_of_its_own(engine: Engine, nic: Nic) -> str | None:
    """Each address of a NIC lies in its Subnet, is not reserved, and no other NIC has it; the first is the primary."""
    subnet: Subnet = engine.state.get("subnet", nic.subnet_id)
    network = IPv4Network(subnet.ip_range)
    others = {ip.private_ip for row in engine.state.find_by("nic", "subnet", nic.subnet_id) for ip in row.private_ips
              if row.nic_id != nic.nic_id}  # fmt: skip
    mine = [ip.private_ip for ip in nic.private_ips]
    for address in mine:
        place = int(IPv4Address(address)) - int(network.network_address)
        if not RESERVED <= place < network.num_addresses - 1 or address in others or mine.count(address) > 1:
            return f"{nic.nic_id} has {address} in {subnet.ip_range}, reserved or not its own"
    primary = [ip.is_primary for ip in nic.private_ips]
    return None if primary == [True] + [False] * (len(mine) - 1) else f"{nic.nic_id} has the primary ones {primary}"


@law("NIC-010", "nic")
def a_nic_in_use_has_a_living_vm(engine: Engine, nic: Nic) -> str | None:
    """A NIC is in use exactly when it is linked, to a VM of its owner, Net and Subregion that is not terminated."""
    link = nic.link_nic
    if (nic.state == "in-use") != (link is not None):
        return f"{nic.nic_id} is {nic.state}, with the link {link}"
    if link is None:
        return None
    vm: Vm | None = engine.state.get("vm", link.vm_id)
    if vm is None or vm.state is VmState.TERMINATED:
        return f"{nic.nic_id} is linked to {link.vm_id}, which is gone"
    same = (vm.account_id, vm.net_id, vm.placement.subregion_name)
    return None if same == (nic.account_id, nic.net_id, nic.subregion_name) else f"{nic.nic_id} is not where {same} is"


@law("VM-011", "vm")
def a_vm_in_a_net_has_a_primary_nic(engine: Engine, vm: Vm) -> str | None:
    """A VM in a Net has one NIC with the number 0, in its Subnet, and no number twice; one outside has none."""
    nics: list[Nic] = engine.state.find_by("nic", "vm", vm.vm_id)
    numbers = sorted(nic.link_nic.device_number for nic in nics if nic.link_nic)
    primary = [nic.subnet_id for nic in nics if nic.link_nic and nic.link_nic.device_number == 0]
    wanted = [] if vm.net_id is None else [vm.subnet_id]
    if primary != wanted or len(set(numbers)) != len(numbers) or (numbers and vm.net_id is None):
        return f"{vm.vm_id} in {vm.subnet_id} has NICs with the numbers {numbers}"
    return None


@law("SG-008", "nic", "vm")
def a_group_in_use_is_there(engine: Engine, row: Nic | Vm) -> str | None:
    """What a VM or a NIC is in are groups that are there, of its owner and its world."""
    for light in row.security_groups:
        group: SecurityGroup | None = engine.state.get("security_group", light.security_group_id)
        if group is None or (group.account_id, group.net_id) != (row.account_id, row.net_id):
            return f"{row.id} is in the group {light.security_group_id}, which is gone or of another world"
    inside = isinstance(row, Vm) and (row.net_id is not None or row.state is VmState.TERMINATED)
    return None if inside or row.security_groups else f"{row.id} is in no group"


@law("SG-008/rule", "security_group")
def a_group_in_a_rule_is_there(engine: Engine, group: SecurityGroup) -> str | None:
    """What rules name are groups that are there, of the same world; a rule names something, and none stands twice."""
    for rules in (group.inbound_rules, group.outbound_rules):
        keys = [(rule.ip_protocol, rule.from_port_range, rule.to_port_range) for rule in rules]
        if len(set(keys)) != len(keys) or not all(rule.ip_ranges or rule.security_groups_members for rule in rules):
            return f"{group.security_group_id} has a rule twice, or an empty one"
        for member in (member for rule in rules for member in rule.security_groups_members or ()):
            other = engine.state.get("security_group", member.security_group_id or "")
            if other is None or other.net_id != group.net_id:
                return f"{group.security_group_id} names {member.security_group_id}, which is gone or of another world"
    return None


@law("SG-003", "security_group")
def a_name_of_a_group_is_one(engine: Engine, group: SecurityGroup) -> str | None:
    """Two groups of one account and one world have two names."""
    key = (group.account_id, group.net_id, group.security_group_name)
    same = [row.security_group_id for row in engine.state.find_by("security_group", "name", key)]
    return None if len(same) == 1 else f"{', '.join(same)} are all named {group.security_group_name}"


@law("PIP-008", "public_ip")
def a_public_ip_is_linked_to_one_thing(engine: Engine, ip: PublicIp) -> str | None:
    """A public IP is linked to nothing, to a VM outside Nets that shows it, or to an address of a NIC, alone."""
    state = engine.state
    if ip.link_public_ip_id is None:
        free = (ip.nic_account_id, ip.nic_id, ip.private_ip, ip.vm_id) == (None,) * 4
        return None if free else f"{ip.public_ip_id} has no link, and names something"
    held = state.find_by("public_ip", "holder", ip.nic_id or ip.vm_id)
    there = [row for row in held if row.private_ip == ip.private_ip]
    nic: Nic | None = state.get("nic", ip.nic_id or "")
    vm: Vm | None = state.get("vm", ip.vm_id or "")
    on_nic = nic is not None and any(address.private_ip == ip.private_ip for address in nic.private_ips)
    shown = vm is not None and vm.net_id is None and ip.public_ip == vm.public_ip
    if (on_nic, vm is not None) not in ((True, False), (False, True)) or len(there) > 1:
        return f"{ip.public_ip_id} is linked to {ip.nic_id} at {ip.private_ip} and to {ip.vm_id}, with {len(there)}"
    settled = vm is None or vm.state in (VmState.RUNNING, VmState.STOPPED)
    return f"{ip.vm_id} does not show {ip.public_ip}" if vm is not None and settled and not shown else None


@law("NET-012", "subnet")
def subnets_part_their_net(engine: Engine, subnet: Subnet) -> str | None:
    """A Subnet lies in its Net, and overlaps with no other."""
    network = IPv4Network(subnet.ip_range)
    net: Net = engine.state.get("net", subnet.net_id)
    if not network.subnet_of(IPv4Network(net.ip_range)):
        return f"{subnet.subnet_id} has {subnet.ip_range}, which is not in {net.ip_range}"
    for other in engine.state.rows("subnet").values():
        if other.net_id == subnet.net_id and other is not subnet and network.overlaps(IPv4Network(other.ip_range)):
            return f"{subnet.subnet_id} and {other.subnet_id} overlap"
    return None


@law("RTB-008", "net")
def a_net_has_what_it_began_with(engine: Engine, net: Net) -> str | None:
    """A Net has one default security group, one main route table, and at most one internet service."""
    state = engine.state
    groups = state.find_by("security_group", "name", (net.account_id, net.net_id, "default"))
    tables = [row for row in state.rows("route_table").values() if row.net_id == net.net_id]
    mains = [link for table in tables for link in table.link_route_tables if link.main]
    doors = [row for row in state.rows("internet_service").values() if row.net_id == net.net_id]
    counts = (len(groups), len(mains), len(doors))
    return None if counts[:2] == (1, 1) and counts[2] <= 1 else f"{net.net_id} has {counts} of these"


@law("RTB-005", "route_table")
def a_subnet_uses_one_route_table(engine: Engine, table: RouteTable) -> str | None:
    """Each Subnet that a route table is linked to is there, in its Net, and linked to no other."""
    tables = engine.state.rows("route_table").values()
    linked = [link.subnet_id for row in tables for link in row.link_route_tables if link.subnet_id]
    for link in table.link_route_tables:
        subnet: Subnet | None = engine.state.get("subnet", link.subnet_id or "")
        if link.main:
            continue
        if subnet is None or subnet.net_id != table.net_id or linked.count(link.subnet_id) != 1:
            return f"{table.route_table_id} is linked to {link.subnet_id}, which is gone, elsewhere, or linked twice"
    return None
