"""Filters of the reads of Nets, Subnets, route tables, internet services, security groups, NICs and public IPs."""

from __future__ import annotations

from omisim.model.filters.declaration import FiltersTagged, Integers, Strings, field_equals, unmatchable
from omisim.model.networks import InternetService, Net, RouteTable, SecurityGroup, Subnet
from omisim.model.nics import Nic, PublicIp

__all__ = [
    "FiltersInternetService", "FiltersNet", "FiltersNic", "FiltersPublicIp", "FiltersRouteTable",
    "FiltersSecurityGroup", "FiltersSubnet",
]  # fmt: skip


class FiltersSecurityGroup(FiltersTagged[SecurityGroup]):
    """Filters of ReadSecurityGroups."""

    descriptions: Strings = None
    inbound_rule_account_ids: Strings = field_equals("inbound_rules.security_groups_members.account_id")
    inbound_rule_from_port_ranges: Integers = None
    inbound_rule_ip_ranges: Strings = None
    inbound_rule_protocols: Strings = field_equals("inbound_rules.ip_protocol")
    inbound_rule_security_group_ids: Strings = field_equals("inbound_rules.security_groups_members.security_group_id")
    inbound_rule_security_group_names: Strings = field_equals(
        "inbound_rules.security_groups_members.security_group_name"
    )
    inbound_rule_to_port_ranges: Integers = None
    net_ids: Strings = None
    outbound_rule_account_ids: Strings = field_equals("outbound_rules.security_groups_members.account_id")
    outbound_rule_from_port_ranges: Integers = None
    outbound_rule_ip_ranges: Strings = None
    outbound_rule_protocols: Strings = field_equals("outbound_rules.ip_protocol")
    outbound_rule_security_group_ids: Strings = field_equals("outbound_rules.security_groups_members.security_group_id")
    outbound_rule_security_group_names: Strings = field_equals(
        "outbound_rules.security_groups_members.security_group_name"
    )
    outbound_rule_to_port_ranges: Integers = None
    security_group_ids: Strings = None
    security_group_names: Strings = None


class FiltersNet(FiltersTagged[Net]):
    """Filters of ReadNets. No Net is a default one."""

    dhcp_options_set_ids: Strings = None
    ip_ranges: Strings = None
    is_default: bool | None = field_equals(lambda _: False)
    net_ids: Strings = None
    states: Strings = None


class FiltersSubnet(FiltersTagged[Subnet]):
    """Filters of ReadSubnets."""

    available_ips_counts: Integers = None
    ip_ranges: Strings = None
    net_ids: Strings = None
    states: Strings = None
    subnet_ids: Strings = None
    subregion_names: Strings = None


class FiltersNic(FiltersTagged[Nic]):
    """Filters of ReadNics."""

    descriptions: Strings = None
    is_source_dest_check: bool | None = field_equals("is_source_dest_checked")
    link_nic_delete_on_vm_deletion: bool | None = None
    link_nic_device_numbers: Integers = None
    link_nic_link_nic_ids: Strings = None
    link_nic_states: Strings = None
    link_nic_vm_account_ids: Strings = None
    link_nic_vm_ids: Strings = None
    link_public_ip_account_ids: Strings = field_equals("link_public_ip.public_ip_account_id")
    link_public_ip_link_public_ip_ids: Strings = None
    link_public_ip_public_dns_names: Strings = None
    link_public_ip_public_ip_ids: Strings = None
    link_public_ip_public_ips: Strings = None
    mac_addresses: Strings = None
    net_ids: Strings = None
    nic_ids: Strings = None
    private_dns_names: Strings = None
    private_ips_link_public_ip_account_ids: Strings = field_equals("private_ips.link_public_ip.public_ip_account_id")
    private_ips_link_public_ip_public_ips: Strings = None
    private_ips_primary_ip: bool | None = field_equals("private_ips.is_primary")
    private_ips_private_ips: Strings = None
    security_group_ids: Strings = field_equals("security_groups.security_group_id")
    security_group_names: Strings = field_equals("security_groups.security_group_name")
    states: Strings = None
    subnet_ids: Strings = None
    subregion_names: Strings = None


class FiltersPublicIp(FiltersTagged[PublicIp]):
    """Filters of ReadPublicIps. A linked public IP has the placement "vpc" (in a Net) or "standard"."""

    link_public_ip_ids: Strings = None
    nic_account_ids: Strings = None
    nic_ids: Strings = None
    placements: Strings = field_equals(lambda p: "vpc" if p.nic_id else "standard")
    private_ips: Strings = None
    public_ip_ids: Strings = None
    public_ips: Strings = None
    vm_ids: Strings = None


class FiltersInternetService(FiltersTagged[InternetService]):
    """Filters of ReadInternetServices."""

    internet_service_ids: Strings = None
    link_net_ids: Strings = field_equals("net_id")
    link_states: Strings = field_equals("state")


class FiltersRouteTable(FiltersTagged[RouteTable]):
    """Filters of ReadRouteTables."""

    link_route_table_ids: Strings = field_equals("link_route_tables.route_table_id")
    link_route_table_link_route_table_ids: Strings = None
    link_route_table_main: bool | None = None
    link_subnet_ids: Strings = field_equals("link_route_tables.subnet_id")
    net_ids: Strings = None
    route_creation_methods: Strings = None
    route_destination_ip_ranges: Strings = None
    route_destination_service_ids: Strings = unmatchable()
    route_gateway_ids: Strings = None
    route_nat_service_ids: Strings = None
    route_net_peering_ids: Strings = None
    route_states: Strings = None
    route_table_ids: Strings = None
    route_vm_ids: Strings = None
