"""Routes: the targets of a route table by destination."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omisim.actions.addresses import parse_range
from omisim.actions.framework.call import Call
from omisim.actions.framework.registry import action
from omisim.actions.internet_services import find_attached_service
from omisim.actions.quotas import check_each
from omisim.actions.route_tables import LOCAL, RouteTableId
from omisim.base.frozen import replace
from omisim.model import InternetService, Nic, NicId, Route, RouteTable, Vm, VmId
from omisim.spec.rules import refuse

__all__ = ["create_route", "delete_route", "update_route"]

TARGETS = ("gateway_id", "nat_service_id", "net_peering_id", "nic_id", "vm_id")
NOT_SERVED = {"nat_service_id": "RTB-015/nat", "net_peering_id": "RTB-015/peering"}


def _check_one_target(call: Call, parameters: Mapping[str, Any]) -> None:
    """Refuse a route without a target (RTB-010) and one with several (RTB-011)."""
    targets = [call.spell(name) for name in TARGETS if name in parameters]
    call.check(targets, "RTB-010")
    call.check(len(targets) <= 1, "RTB-011", parameters=targets)


@action("CreateRoute", "RouteTable", combinations=_check_one_target)
def create_route(
    call: Call,
    *,
    destination_ip_range: str,
    gateway_id: str | None = None,
    nat_service_id: str | None = None,
    net_peering_id: str | None = None,
    nic_id: NicId | None = None,
    route_table_id: RouteTableId,
    vm_id: VmId | None = None,
) -> RouteTable:
    """Add a route with one target in the table's Net. Returns the table."""
    ip_range = str(parse_range(call, destination_ip_range))
    table = call.get_owned(RouteTable, route_table_id, "RTB-001")
    route = _make_route(call, table, ip_range)
    taken = [other for other in table.routes if other.destination_ip_range == ip_range]
    call.check(not taken, "RTB-012", destination_ip_range=destination_ip_range)
    check_each(call, "rtb_rule_limit", table, 1)
    return call.put(replace(table, routes=(*table.routes, route)))


@action("UpdateRoute", "RouteTable", combinations=_check_one_target)
def update_route(
    call: Call,
    *,
    destination_ip_range: str,
    gateway_id: str | None = None,
    nat_service_id: str | None = None,
    net_peering_id: str | None = None,
    nic_id: NicId | None = None,
    route_table_id: RouteTableId,
    vm_id: VmId | None = None,
) -> RouteTable:
    """Change the target of a route. Returns the table."""
    ip_range = str(parse_range(call, destination_ip_range))
    table = call.get_owned(RouteTable, route_table_id, "RTB-001")
    old = _get_route(call, table, ip_range)
    route = _make_route(call, table, ip_range)
    return call.put(replace(table, routes=tuple(route if other is old else other for other in table.routes)))


@action("DeleteRoute", "RouteTable")
def delete_route(call: Call, *, destination_ip_range: str, route_table_id: RouteTableId) -> RouteTable:
    """Delete a route. Returns the table."""
    ip_range = str(parse_range(call, destination_ip_range))
    table = call.get_owned(RouteTable, route_table_id, "RTB-001")
    old = _get_route(call, table, ip_range)
    return call.put(replace(table, routes=tuple(other for other in table.routes if other is not old)))


def _get_route(call: Call, table: RouteTable, ip_range: str) -> Route:
    """Return the route of a table to a range, or refuse. The local route cannot be changed (RTB-014)."""
    route = next((route for route in table.routes if route.destination_ip_range == ip_range), None)
    if route is None:
        raise refuse("RTB-013", destination_ip_range=ip_range, route_table_id=table.route_table_id)
    call.check(route.creation_method != LOCAL, "RTB-014", destination_ip_range=ip_range)
    return route


def _make_route(call: Call, table: RouteTable, ip_range: str) -> Route:
    """Return a route to the requested target, which must be in the table's Net, or refuse it."""
    parameter = next(name for name in TARGETS if name in call.values)
    target = call.values[parameter]
    route = Route(creation_method="CreateRoute", destination_ip_range=ip_range, **{parameter: target})
    if parameter in NOT_SERVED:
        raise refuse(NOT_SERVED[parameter], **{parameter: target})
    if parameter == "gateway_id":
        _check_gateway(call, table, target)
        return route
    if parameter == "nic_id":
        nic = call.get_owned(Nic, target, "NIC-001")
        call.check(nic.net_id == table.net_id, "RTB-016", target=target, net_id=table.net_id)
        return route
    vm = call.get_owned(Vm, target, "VM-041")
    nics = call.state.find_by("nic", "link_nic.vm_id", vm.vm_id)
    call.check(vm.net_id == table.net_id, "RTB-016", target=target, net_id=table.net_id)
    call.check(len(nics) <= 1, "RTB-017", vm_id=target, nics=[nic.nic_id for nic in nics])
    return replace(route, vm_account_id=vm.account_id)


def _check_gateway(call: Call, table: RouteTable, gateway_id: str) -> None:
    if gateway_id.startswith("vgw-"):
        raise refuse("RTB-015/gateway", gateway_id=gateway_id)
    service = call.get_owned(InternetService, gateway_id, "IGW-001")
    attached = find_attached_service(call.state, table.net_id) is service
    call.check(attached, "IGW-004", internet_service_id=gateway_id, net_id=table.net_id)
