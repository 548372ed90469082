"""Nets: private networks, each created with a main route table and a default security group."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network

from omisim.actions.addresses import parse_range
from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.new_account import add_default_group
from omisim.actions.quotas import check_quotas
from omisim.actions.route_tables import add_main_table
from omisim.actions.security_groups import get_default_group
from omisim.model import Net, NetId, RouteTable, SecurityGroup, ids
from omisim.model.filters import FiltersNet
from omisim.model.filters.dicts import FiltersNetDict
from omisim.spec.limits import TENANCY
from omisim.spec.rules import refuse

__all__ = ["create_net", "delete_net", "read_nets", "update_net"]

RANGES: Mapping[object, tuple[str, ...]] = {  # the switch net_ranges → the ranges that a Net may use
    "172": ("10.0.0.0/8", "172.0.0.0/8", "192.168.0.0/16"),
    "rfc1918": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
}
MIN_PREFIX, MAX_PREFIX = 16, 28  # lengths


@action("CreateNet", "Net")
def create_net(call: Call, *, ip_range: str, tenancy: str | None = None) -> Net:
    """Create a Net with its main route table and its default security group. Returns it in the state available."""
    network = parse_range(call, ip_range)
    if network is not None:
        length = network.prefixlen
        allowed = RANGES[call.switch("net_ranges")]
        is_private = any(network.subnet_of(IPv4Network(block)) for block in allowed)
        call.check(is_private or length < MIN_PREFIX, "NET-004", ip_range=ip_range, allowed=allowed)
        call.check(MIN_PREFIX <= length <= MAX_PREFIX, "NET-001", ip_range=ip_range)
    call.check(tenancy is None or TENANCY.fullmatch(tenancy), "NET-005", tenancy=tenancy)
    check_quotas(call, {"vpc_limit": 1})
    me = call.account.account_id
    net = call.add(
        Net(
            account_id=me,
            dhcp_options_set_id=_make_dhcp_options_id(call),
            ip_range=str(network),
            net_id=call.new_id("net"),
            tenancy=tenancy or "default",
        )
    )
    add_default_group(call.tx, me, net.net_id)
    add_main_table(call, net)
    return net


def _make_dhcp_options_id(call: Call) -> str:
    """Return the id of the account's only set of DHCP options, the default one."""
    return ids.make_id("dhcp_options", call.tx.settings.seed, int(call.account.account_id))


@action("ReadNets", "Nets", paged=True)
def read_nets(call: Call, *, filters: FiltersNet | FiltersNetDict | None = None) -> tuple[Net, ...]:
    """List the caller's Nets in creation order."""
    return call.read_own(Net, as_parsed(filters))


@action("UpdateNet", "Net")
def update_net(call: Call, *, dhcp_options_set_id: str, net_id: NetId) -> Net:
    """Assign a set of DHCP options to a Net. Only the default set exists. Returns the Net."""
    net = call.get_owned(Net, net_id, "NET-002")
    is_known = dhcp_options_set_id in ("default", net.dhcp_options_set_id)
    call.check(is_known, "NET-007", dhcp_options_set_id=dhcp_options_set_id)
    return net


@action("DeleteNet")
def delete_net(call: Call, *, net_id: NetId) -> None:
    """Delete a Net that contains only its main route table and its default security group.

    ReadNets shows it as deleting for some seconds (NET-018).
    """
    net = call.get_owned(Net, net_id, "NET-002")
    own = get_default_group(call.state, net.account_id, net_id)
    tables: list[RouteTable] = call.state.find_by("route_table", "net_id", net_id)
    groups: list[SecurityGroup] = call.state.find_by("security_group", "net_id", net_id)
    others = [row for kind in ("subnet", "internet_service") for row in call.state.find_by(kind, "net_id", net_id)]
    if others:
        raise refuse("NET-006", net_id=net_id, left=[row.id for row in others])
    custom = [table for table in tables if not any(link.main for link in table.link_route_tables)]
    remaining_ids = [row.id for row in (*custom, *groups) if row is not own]
    if remaining_ids:
        raise refuse("NET-006/own", net_id=net_id, left=remaining_ids)
    call.move(net, "delete")
    call.drop(own)
    for table in tables:
        call.drop(table)
