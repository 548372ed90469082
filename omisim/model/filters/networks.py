"""Filters of the reads of Nets and what stands in them, security groups, NICs and public IPs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omisim.model.filters.declaration import Integers, Strings, by_tag, by_tag_key, by_tag_value, none, of
from omisim.model.filters.match import Filters

__all__ = [
    "FiltersInternetService",
    "FiltersNet",
    "FiltersNic",
    "FiltersPublicIp",
    "FiltersRouteTable",
    "FiltersSecurityGroup",
    "FiltersSubnet",
]


def _each(many: Callable[[Any], Any], name: str) -> Any:
    """Declare a filter on one field of each of several parts."""
    return of(lambda entity: tuple(getattr(part, name) for part in many(entity)))


def _inbound(name: str) -> Any:
    return _each(lambda group: group.inbound_rules, name)


def _outbound(name: str) -> Any:
    return _each(lambda group: group.outbound_rules, name)


def _ranges(flow: str) -> Any:
    return of(lambda group: tuple(text for rule in getattr(group, flow) for text in rule.ip_ranges or ()))


def _members(flow: str, name: str) -> Any:
    return _each(
        lambda group: [member for rule in getattr(group, flow) for member in rule.security_groups_members or ()], name
    )


def _linked(name: str) -> Any:
    return of(lambda nic: nic.link_nic and getattr(nic.link_nic, name))


def _public(name: str) -> Any:
    return of(lambda nic: nic.link_public_ip and getattr(nic.link_public_ip, name))


def _publics(name: str) -> Any:
    return _each(lambda nic: [ip.link_public_ip for ip in nic.private_ips if ip.link_public_ip], name)


def _routes(name: str) -> Any:
    return _each(lambda table: table.routes, name)


def _links(name: str) -> Any:
    return _each(lambda table: table.link_route_tables, name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersSecurityGroup(Filters):
    """Filters of ReadSecurityGroups."""

    descriptions: Strings = of(lambda g: g.description)
    inbound_rule_account_ids: Strings = _members("inbound_rules", "account_id")
    inbound_rule_from_port_ranges: Integers = _inbound("from_port_range")
    inbound_rule_ip_ranges: Strings = _ranges("inbound_rules")
    inbound_rule_protocols: Strings = _inbound("ip_protocol")
    inbound_rule_security_group_ids: Strings = _members("inbound_rules", "security_group_id")
    inbound_rule_security_group_names: Strings = _members("inbound_rules", "security_group_name")
    inbound_rule_to_port_ranges: Integers = _inbound("to_port_range")
    net_ids: Strings = of(lambda g: g.net_id)
    outbound_rule_account_ids: Strings = _members("outbound_rules", "account_id")
    outbound_rule_from_port_ranges: Integers = _outbound("from_port_range")
    outbound_rule_ip_ranges: Strings = _ranges("outbound_rules")
    outbound_rule_protocols: Strings = _outbound("ip_protocol")
    outbound_rule_security_group_ids: Strings = _members("outbound_rules", "security_group_id")
    outbound_rule_security_group_names: Strings = _members("outbound_rules", "security_group_name")
    outbound_rule_to_port_ranges: Integers = _outbound("to_port_range")
    security_group_ids: Strings = of(lambda g: g.security_group_id)
    security_group_names: Strings = of(lambda g: g.security_group_name)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersNet(Filters):
    """Filters of ReadNets. No Net is a default one."""

    dhcp_options_set_ids: Strings = of(lambda n: n.dhcp_options_set_id)
    ip_ranges: Strings = of(lambda n: n.ip_range)
    is_default: bool | None = of(lambda _: False)
    net_ids: Strings = of(lambda n: n.net_id)
    states: Strings = of(lambda n: n.state)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersSubnet(Filters):
    """Filters of ReadSubnets."""

    available_ips_counts: Integers = of(lambda s: s.available_ips_count)
    ip_ranges: Strings = of(lambda s: s.ip_range)
    net_ids: Strings = of(lambda s: s.net_id)
    states: Strings = of(lambda s: s.state)
    subnet_ids: Strings = of(lambda s: s.subnet_id)
    subregion_names: Strings = of(lambda s: s.subregion_name)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersNic(Filters):
    """Filters of ReadNics."""

    descriptions: Strings = of(lambda n: n.description)
    is_source_dest_check: bool | None = of(lambda n: n.is_source_dest_checked)
    link_nic_delete_on_vm_deletion: bool | None = _linked("delete_on_vm_deletion")
    link_nic_device_numbers: Integers = _linked("device_number")
    link_nic_link_nic_ids: Strings = _linked("link_nic_id")
    link_nic_states: Strings = _linked("state")
    link_nic_vm_account_ids: Strings = _linked("vm_account_id")
    link_nic_vm_ids: Strings = _linked("vm_id")
    link_public_ip_account_ids: Strings = _public("public_ip_account_id")
    link_public_ip_link_public_ip_ids: Strings = _public("link_public_ip_id")
    link_public_ip_public_dns_names: Strings = _public("public_dns_name")
    link_public_ip_public_ip_ids: Strings = _public("public_ip_id")
    link_public_ip_public_ips: Strings = _public("public_ip")
    mac_addresses: Strings = of(lambda n: n.mac_address)
    net_ids: Strings = of(lambda n: n.net_id)
    nic_ids: Strings = of(lambda n: n.nic_id)
    private_dns_names: Strings = of(lambda n: n.private_dns_name)
    private_ips_link_public_ip_account_ids: Strings = _publics("public_ip_account_id")
    private_ips_link_public_ip_public_ips: Strings = _publics("public_ip")
    private_ips_primary_ip: bool | None = _each(lambda n: n.private_ips, "is_primary")
    private_ips_private_ips: Strings = _each(lambda n: n.private_ips, "private_ip")
    security_group_ids: Strings = _each(lambda n: n.security_groups, "security_group_id")
    security_group_names: Strings = _each(lambda n: n.security_groups, "security_group_name")
    states: Strings = of(lambda n: n.state)
    subnet_ids: Strings = of(lambda n: n.subnet_id)
    subregion_names: Strings = of(lambda n: n.subregion_name)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersPublicIp(Filters):
    """Filters of ReadPublicIps. A linked public IP is placed in a Net ("vpc") or in the public Cloud ("standard")."""

    link_public_ip_ids: Strings = of(lambda p: p.link_public_ip_id)
    nic_account_ids: Strings = of(lambda p: p.nic_account_id)
    nic_ids: Strings = of(lambda p: p.nic_id)
    placements: Strings = of(lambda p: "vpc" if p.nic_id else "standard")
    private_ips: Strings = of(lambda p: p.private_ip)
    public_ip_ids: Strings = of(lambda p: p.public_ip_id)
    public_ips: Strings = of(lambda p: p.public_ip)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()
    vm_ids: Strings = of(lambda p: p.vm_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersInternetService(Filters):
    """Filters of ReadInternetServices."""

    internet_service_ids: Strings = of(lambda i: i.internet_service_id)
    link_net_ids: Strings = of(lambda i: i.net_id)
    link_states: Strings = of(lambda i: i.state)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersRouteTable(Filters):
    """Filters of ReadRouteTables."""

    link_route_table_ids: Strings = _links("route_table_id")
    link_route_table_link_route_table_ids: Strings = _links("link_route_table_id")
    link_route_table_main: bool | None = _links("main")
    link_subnet_ids: Strings = _links("subnet_id")
    net_ids: Strings = of(lambda t: t.net_id)
    route_creation_methods: Strings = _routes("creation_method")
    route_destination_ip_ranges: Strings = _routes("destination_ip_range")
    route_destination_service_ids: Strings = none()
    route_gateway_ids: Strings = _routes("gateway_id")
    route_nat_service_ids: Strings = none()
    route_net_peering_ids: Strings = none()
    route_states: Strings = _routes("state")
    route_table_ids: Strings = of(lambda t: t.route_table_id)
    route_vm_ids: Strings = _routes("vm_id")
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()
