"""Route tables, and their links to Subnets."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.quotas import check_each
from omisim.base.frozen import replace
from omisim.model import LinkRouteTable, Net, NetId, Route, RouteTable, Subnet, SubnetId
from omisim.model.filters import FiltersRouteTable, select_matching
from omisim.model.filters.dicts import FiltersRouteTableDict
from omisim.model.ids import Id
from omisim.spec.rules import refuse

__all__ = ["LOCAL", "RouteTableId", "add_main_table"]

LOCAL = "CreateRouteTable"  # creation method of the local route, which keeps the Net's own traffic inside it
RouteTableId = Annotated[str, Id("route_table")]
LinkRouteTableId = Annotated[str, Id("link_route_table")]


def _make_table(call: Call, net: Net) -> RouteTable:
    """Return a new table with its local route."""
    local = Route(creation_method=LOCAL, destination_ip_range=net.ip_range, gateway_id="local")
    return RouteTable(
        account_id=net.account_id, net_id=net.net_id, route_table_id=call.new_id("route_table"), routes=(local,)
    )


def add_main_table(call: Call, net: Net) -> None:
    """Create the main route table of a new Net."""
    table = _make_table(call, net)
    call.add(replace(table, link_route_tables=(_make_link(call, table, main=True, net_id=net.net_id),)))


def _make_link(
    call: Call, table: RouteTable, *, main: bool, net_id: str | None = None, subnet_id: str | None = None
) -> LinkRouteTable:
    """Return a new link of a table: to a Subnet, or as the main table of a Net."""
    link_id = call.new_id("link_route_table")
    return LinkRouteTable(
        link_route_table_id=link_id, main=main, net_id=net_id, route_table_id=table.route_table_id, subnet_id=subnet_id
    )


@action("CreateRouteTable", "RouteTable")
def create_route_table(call: Call, *, net_id: NetId) -> RouteTable:
    """Create a route table in a Net. Returns it with its local route."""
    net = call.get_owned(Net, net_id, "NET-002")
    check_each(call, "rtb_limit", net, 1)
    return call.add(_make_table(call, net))


@action("ReadRouteTables", "RouteTables", paged=True)
def read_route_tables(
    call: Call, *, filters: FiltersRouteTable | FiltersRouteTableDict | None = None
) -> tuple[RouteTable, ...]:
    """List the caller's route tables in creation order, including the main ones. Routes are sorted by destination."""
    parsed_filters = as_parsed(filters)
    tables = select_matching(call.own_rows(RouteTable, parsed_filters), parsed_filters)
    return call.take(replace(table, routes=tuple(sorted(table.routes, key=_get_destination))) for table in tables)


def _get_destination(route: Route) -> IPv4Network:
    return IPv4Network(route.destination_ip_range)


@action("DeleteRouteTable")
def delete_route_table(call: Call, *, route_table_id: RouteTableId) -> None:
    """Delete a route table that is neither linked to a Subnet nor the main one of its Net."""
    table = call.get_owned(RouteTable, route_table_id, "RTB-001")
    main = any(link.main for link in table.link_route_tables)
    call.check(not main, "RTB-002", route_table_id=route_table_id)
    subnets = [link.subnet_id for link in table.link_route_tables if not link.main]
    call.check(not subnets, "RTB-003", route_table_id=route_table_id, subnets=subnets)
    call.drop(table)


@action("LinkRouteTable", "LinkRouteTableId")
def link_route_table(call: Call, *, route_table_id: RouteTableId, subnet_id: SubnetId) -> str:
    """Link a route table to a Subnet of its Net, in place of the main one. Returns the id of the link."""
    table = call.get_owned(RouteTable, route_table_id, "RTB-001")
    subnet = call.get_owned(Subnet, subnet_id, "NET-014")
    same = subnet.net_id == table.net_id
    call.check(same, "RTB-004", route_table_id=route_table_id, net_id=table.net_id, other=subnet.net_id)
    others: list[RouteTable] = call.state.find_by("route_table", "link_route_tables.subnet_id", subnet_id)
    linked = [other.route_table_id for other in others]
    call.check(not linked, "RTB-005", subnet_id=subnet_id, linked=linked)
    return _add_link(call, table, _make_link(call, table, main=False, subnet_id=subnet_id))


def _add_link(call: Call, table: RouteTable, link: LinkRouteTable) -> str:
    """Add a link to a table. Returns its id."""
    call.put(replace(table, link_route_tables=(*table.link_route_tables, link)))
    return link.link_route_table_id


def _get_link(call: Call, link_id: str) -> tuple[RouteTable, LinkRouteTable]:
    """Return a link of the caller and its table, or refuse (RTB-006)."""
    tables: list[RouteTable] = call.state.find_by("route_table", "link_route_tables.link_route_table_id", link_id)
    for table in tables:
        for link in table.link_route_tables:
            if link.link_route_table_id == link_id and call.owns(table):
                return table, link
    raise refuse("RTB-006", link_route_table_id=link_id)


def _remove_link(table: RouteTable, link: LinkRouteTable) -> RouteTable:
    return replace(table, link_route_tables=tuple(other for other in table.link_route_tables if other is not link))


@action("UnlinkRouteTable")
def unlink_route_table(call: Call, *, link_route_table_id: LinkRouteTableId) -> None:
    """Unlink a route table from its Subnet, which uses the main one of its Net again."""
    table, link = _get_link(call, link_route_table_id)
    call.check(not link.main, "RTB-007", link_route_table_id=link_route_table_id)
    call.put(_remove_link(table, link))


@action("UpdateRouteTableLink", "LinkRouteTableId")
def update_route_table_link(call: Call, *, link_route_table_id: LinkRouteTableId, route_table_id: RouteTableId) -> str:
    """Replace the route table of a Subnet, or the main one of a Net by its main link. Returns the new link's id.

    If the link has this table already, it stays as it is (RTB-009).
    """
    table = call.get_owned(RouteTable, route_table_id, "RTB-001")
    old, link = _get_link(call, link_route_table_id)
    same = old.net_id == table.net_id
    call.check(same, "RTB-004", route_table_id=route_table_id, net_id=table.net_id, other=old.net_id)
    if old is table:
        return link_route_table_id
    call.put(_remove_link(old, link))
    new_link = _make_link(call, table, main=link.main, net_id=link.net_id, subnet_id=link.subnet_id)
    return _add_link(call, table, new_link)
