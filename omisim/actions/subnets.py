"""Subnets: IP ranges within a Net, each in one Subregion."""

from __future__ import annotations

from ipaddress import IPv4Network

from omisim.actions.addresses import count_free_addresses, may_overlap, parse_range
from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.quotas import check_each
from omisim.actions.volumes import check_subregion
from omisim.base.frozen import replace
from omisim.model import Net, NetId, RouteTable, Subnet, SubnetId
from omisim.model.filters import FiltersSubnet
from omisim.model.filters.dicts import FiltersSubnetDict
from omisim.state.state import State

__all__ = ["create_subnet", "delete_subnet", "read_subnets", "update_subnet"]

MIN_PREFIX, MAX_PREFIX = 16, 29  # lengths


def view_subnet(state: State, subnet: Subnet) -> Subnet:
    """Return the answered form of a Subnet, with the number of its free addresses."""
    return replace(subnet, available_ips_count=count_free_addresses(state, subnet))


@action("CreateSubnet", "Subnet")
def create_subnet(call: Call, *, ip_range: str, net_id: NetId, subregion_name: str | None = None) -> Subnet:
    """Create a Subnet from a part of its Net's range that no other Subnet overlaps. Returns it, available."""
    network = parse_range(call, ip_range)
    if network is not None:
        call.check(MIN_PREFIX <= network.prefixlen <= MAX_PREFIX, "NET-010", ip_range=ip_range)
    net = call.get_owned(Net, net_id, "NET-002")
    subregion = subregion_name or f"{call.region}a"
    check_subregion(call, subregion)
    if network is not None:
        inside = network.subnet_of(IPv4Network(net.ip_range))
        call.check(inside, "NET-011", ip_range=ip_range, net_range=net.ip_range)
        overlapping = _list_overlapping(call.state, net_id, network)
        call.check(not overlapping, "NET-012", ip_range=ip_range, overlapping=overlapping)
    check_each(call, "subnet_limit", net, 1)
    subnet = call.add(
        Subnet(
            account_id=call.account.account_id,
            ip_range=str(network),
            net_id=net_id,
            subnet_id=call.new_id("subnet"),
            subregion_name=subregion,
        )
    )
    return view_subnet(call.state, subnet)


def _list_overlapping(state: State, net_id: str, network: IPv4Network) -> list[str]:
    """Return the ids of the Subnets of a Net that have addresses in common with a range."""
    if network.prefixlen >= MIN_PREFIX and not may_overlap(state, net_id, network):
        return []
    subnets: list[Subnet] = state.find_by("subnet", "net_id", net_id)
    return [subnet.subnet_id for subnet in subnets if network.overlaps(IPv4Network(subnet.ip_range))]


@action("ReadSubnets", "Subnets", paged=True)
def read_subnets(call: Call, *, filters: FiltersSubnet | FiltersSubnetDict | None = None) -> tuple[Subnet, ...]:
    """List the caller's Subnets in creation order."""
    return call.read_own(Subnet, as_parsed(filters), view_subnet)


@action("UpdateSubnet", "Subnet")
def update_subnet(call: Call, *, map_public_ip_on_launch: bool, subnet_id: SubnetId) -> Subnet:
    """Change whether running VMs in a Subnet get a temporary public address. Returns the Subnet."""
    subnet = call.get_owned(Subnet, subnet_id, "NET-014")
    return view_subnet(call.state, call.put(replace(subnet, map_public_ip_on_launch=map_public_ip_on_launch)))


@action("DeleteSubnet")
def delete_subnet(call: Call, *, subnet_id: SubnetId) -> None:
    """Delete a Subnet without NICs, together with its link to a route table."""
    subnet = call.get_owned(Subnet, subnet_id, "NET-014")
    nics = [nic.nic_id for nic in call.state.find_by("nic", "subnet_id", subnet_id)]
    call.check(not nics, "NET-015", subnet_id=subnet_id, nics=nics)
    call.drop(subnet)
    tables: list[RouteTable] = call.state.find_by("route_table", "link_route_tables.subnet_id", subnet_id)
    for table in tables:
        links = tuple(link for link in table.link_route_tables if link.subnet_id != subnet_id)
        call.put(replace(table, link_route_tables=links))
