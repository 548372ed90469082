"""Laws about networks: addresses, NICs and their VMs, security groups, public IPs, Subnets and route tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network

from omisim.engine.engine import Engine
from omisim.model import Net, NetState, Nic, PublicIp, RouteTable, SecurityGroup, Subnet, Vm, VmState
from omisim.state.state import Change, State
from omisim.testing.laws.table import law

__all__ = ["iter_affected"]

RESERVED = 4  # the first addresses of a Subnet
ONE_EACH = frozenset({"security_group", "internet_service", "route_table"})  # kinds of which a Net has one
# kind that can be deleted only when no row names it → the kinds that may name it
REFERRERS: Mapping[str, tuple[str, ...]] = {
    "net": ("subnet", "security_group", "internet_service", "route_table"),
    "security_group": ("vm", "nic", "security_group"),
    "subnet": ("nic", "vm", "route_table"),
}


def iter_affected(state: State, change: Change) -> Iterator[tuple[str, str]]:
    """Yield the network rows whose laws depend on a changed row."""
    if change.kind in ("nic", "vm"):
        yield from (("public_ip", ip.public_ip_id) for ip in state.find_by("public_ip", "holder", change.id))
    if change.kind == "vm":
        yield from (("nic", nic.nic_id) for nic in state.find_by("nic", "link_nic.vm_id", change.id))
    if change.kind == "nic":
        yield from (("vm", nic.link_nic.vm_id) for nic in (change.before, change.after) if nic and nic.link_nic)
    if change.kind in ONE_EACH:
        yield "net", (change.after or change.before).net_id or ""
    if change.after is None:  # deletions are rare, so all rows that may have named it are checked
        yield from ((kind, row_id) for kind in REFERRERS.get(change.kind, ()) for row_id in state.rows(kind))


@law("NIC-004", "nic")
def nic_addresses_are_valid_and_unique(engine: Engine, nic: Nic) -> str | None:
    """Each address of a NIC is in its Subnet, not reserved and unique; exactly the first is primary."""
    subnet: Subnet = engine.state.get("subnet", nic.subnet_id)
    network = IPv4Network(subnet.ip_range)
    others = {ip.private_ip for row in engine.state.find_by("nic", "subnet_id", nic.subnet_id) for ip in row.private_ips
              if row.nic_id != nic.nic_id}  # fmt: skip
    own = [ip.private_ip for ip in nic.private_ips]
    for address in own:
        offset = int(IPv4Address(address)) - int(network.network_address)
        if not RESERVED <= offset < network.num_addresses - 1 or address in others or own.count(address) > 1:
            return f"{nic.nic_id} has {address} in {subnet.ip_range}, which is outside, reserved or not unique"
    primary = [ip.is_primary for ip in nic.private_ips]
    return None if primary == [True] + [False] * (len(own) - 1) else f"{nic.nic_id} has the primary flags {primary}"


@law("NIC-010", "nic")
def a_nic_in_use_is_linked_to_an_existing_vm(engine: Engine, nic: Nic) -> str | None:
    """A NIC is in-use exactly when it is linked; its VM exists, in the same account, Net and Subregion."""
    link = nic.link_nic
    if (nic.state == "in-use") != (link is not None):
        return f"{nic.nic_id} is {nic.state}, with the link {link}"
    if link is None:
        return None
    vm: Vm | None = engine.state.get("vm", link.vm_id)
    if vm is None or vm.state is VmState.TERMINATED:
        return f"{nic.nic_id} is linked to {link.vm_id}, which does not exist or is terminated"
    location = (vm.account_id, vm.net_id, vm.placement.subregion_name)
    if location != (nic.account_id, nic.net_id, nic.subregion_name):
        return f"{nic.nic_id} is not in {location}, where its VM is"
    return None


@law("VM-011", "vm")
def a_vm_in_a_net_has_a_primary_nic(engine: Engine, vm: Vm) -> str | None:
    """A VM in a Net has one NIC with device number 0, in its Subnet, and unique numbers; a VM outside has no NIC."""
    nics: list[Nic] = engine.state.find_by("nic", "link_nic.vm_id", vm.vm_id)
    numbers = sorted(nic.link_nic.device_number for nic in nics if nic.link_nic)
    primary = [nic.subnet_id for nic in nics if nic.link_nic and nic.link_nic.device_number == 0]
    expected = [] if vm.net_id is None else [vm.subnet_id]
    if primary != expected or len(set(numbers)) != len(numbers) or (numbers and vm.net_id is None):
        return f"{vm.vm_id} in {vm.subnet_id} has NICs with the numbers {numbers}"
    return None


@law("SG-008", "nic", "vm")
def security_groups_in_use_exist(engine: Engine, row: Nic | Vm) -> str | None:
    """The security groups of a VM or a NIC exist, in the same account and Net."""
    for light in row.security_groups:
        group: SecurityGroup | None = engine.state.get("security_group", light.security_group_id)
        if group is None or (group.account_id, group.net_id) != (row.account_id, row.net_id):
            return f"{row.id} is in the group {light.security_group_id}, which does not exist or is in another Net"
    may_have_none = isinstance(row, Vm) and (row.net_id is not None or row.state is VmState.TERMINATED)
    return None if may_have_none or row.security_groups else f"{row.id} is in no security group"


@law("SG-008/rule", "security_group")
def security_groups_in_rules_exist(engine: Engine, group: SecurityGroup) -> str | None:
    """Rules name existing groups of the same Net and Region and have ids; none is empty, and none is listed twice."""
    region = engine.state.get("account", group.account_id).region
    for rules in (group.inbound_rules, group.outbound_rules):
        keys = [(rule.ip_protocol, rule.from_port_range, rule.to_port_range) for rule in rules]
        if len(set(keys)) != len(keys) or not all(rule.ip_ranges or rule.security_groups_members for rule in rules):
            return f"{group.security_group_id} has a rule twice, or an empty one"
        if not all(rule.security_group_rule_id for rule in rules):
            return f"{group.security_group_id} has a rule without an id"
        for member in (member for rule in rules for member in rule.security_groups_members or ()):
            other = engine.state.get("security_group", member.security_group_id or "")
            if other is None or other.net_id != group.net_id:
                return f"{group.security_group_id} names {member.security_group_id}, missing or in another Net"
            if engine.state.get("account", other.account_id).region != region:
                return f"{group.security_group_id} names {member.security_group_id}, which is in another Region"
    return None


@law("SG-003", "security_group")
def security_group_names_are_unique(engine: Engine, group: SecurityGroup) -> str | None:
    """Security groups of the same account and Net have different names."""
    key = (group.account_id, group.net_id, group.security_group_name)
    same = [row.security_group_id for row in engine.state.find_by("security_group", "name", key)]
    return None if len(same) == 1 else f"{', '.join(same)} are all named {group.security_group_name}"


@law("PIP-008", "public_ip")
def a_public_ip_has_at_most_one_link(engine: Engine, ip: PublicIp) -> str | None:
    """A public IP is not linked, or linked to one VM outside Nets that shows it, or to one address of a NIC."""
    state = engine.state
    if ip.link_public_ip_id is None:
        free = (ip.nic_account_id, ip.nic_id, ip.private_ip, ip.vm_id) == (None,) * 4
        return None if free else f"{ip.public_ip_id} has no link, but names a NIC or a VM"
    linked_ips = state.find_by("public_ip", "holder", ip.nic_id or ip.vm_id)
    same_address = [row for row in linked_ips if row.private_ip == ip.private_ip]
    nic: Nic | None = state.get("nic", ip.nic_id or "")
    vm: Vm | None = state.get("vm", ip.vm_id or "")
    on_nic = nic is not None and any(address.private_ip == ip.private_ip for address in nic.private_ips)
    is_shown = vm is not None and vm.net_id is None and ip.public_ip == vm.public_ip
    if (on_nic, vm is not None) not in ((True, False), (False, True)) or len(same_address) > 1:
        return (
            f"{ip.public_ip_id} is linked to {ip.nic_id} at {ip.private_ip} and {ip.vm_id}, {len(same_address)} links"
        )
    is_stable = vm is None or vm.state in (VmState.RUNNING, VmState.STOPPED)
    return f"{ip.vm_id} does not show {ip.public_ip}" if vm is not None and is_stable and not is_shown else None


@law("NET-012", "subnet")
def subnets_do_not_overlap(engine: Engine, subnet: Subnet) -> str | None:
    """A Subnet is inside its Net, and overlaps no other Subnet."""
    network = IPv4Network(subnet.ip_range)
    net: Net = engine.state.get("net", subnet.net_id)
    if not network.subnet_of(IPv4Network(net.ip_range)):
        return f"{subnet.subnet_id} has {subnet.ip_range}, which is not in {net.ip_range}"
    for other in engine.state.rows("subnet").values():
        if other.net_id == subnet.net_id and other is not subnet and network.overlaps(IPv4Network(other.ip_range)):
            return f"{subnet.subnet_id} and {other.subnet_id} overlap"
    return None


@law("RTB-008", "net")
def a_net_keeps_its_default_resources(engine: Engine, net: Net) -> str | None:
    """A Net has one default security group, one main route table, and at most one internet service.

    One that is being deleted has none of them any more.
    """
    state, own = engine.state, int(net.state is NetState.AVAILABLE)
    groups = state.find_by("security_group", "name", (net.account_id, net.net_id, "default"))
    tables = [row for row in state.rows("route_table").values() if row.net_id == net.net_id]
    mains = [link for table in tables for link in table.link_route_tables if link.main]
    services = [row for row in state.rows("internet_service").values() if row.net_id == net.net_id]
    counts = (len(groups), len(mains), len(services))
    if counts[:2] != (own, own) or counts[2] > own:
        return f"{net.net_id} has {counts[0]} default groups, {counts[1]} main tables and {counts[2]} services"
    return None


@law("RTB-005", "route_table")
def a_subnet_has_one_route_table(engine: Engine, table: RouteTable) -> str | None:
    """Each Subnet linked to a route table exists, is in the same Net, and has no other link."""
    tables = engine.state.rows("route_table").values()
    linked = [link.subnet_id for row in tables for link in row.link_route_tables if link.subnet_id]
    for link in table.link_route_tables:
        subnet: Subnet | None = engine.state.get("subnet", link.subnet_id or "")
        if link.main:
            continue
        if subnet is None or subnet.net_id != table.net_id or linked.count(link.subnet_id) != 1:
            return f"{table.route_table_id} is linked to {link.subnet_id}, missing, in another Net, or linked twice"
    return None
