"""Nets, Subnets, internet services, route tables, and security groups."""

from __future__ import annotations

from typing import ClassVar

from omisim.base.frozen import frozen
from omisim.model.base import Entity, IpRange, NetRange, NetState, internal
from omisim.model.parts import ResourceTag


@frozen(kw_only=True)
class Net(Entity):
    """A Net: a private network of an account."""

    kind: ClassVar[str] = "net"
    key: ClassVar[str] = "net_id"
    dhcp_options_set_id: str
    ip_range: NetRange
    net_id: str
    state: NetState = NetState.AVAILABLE
    tags: tuple[ResourceTag, ...] = ()
    tenancy: str = "default"
    account_id: str = internal("")
    has_dns_hostnames: bool = internal(False)  # FCU alone shows it (FCU-049)

    @property
    def is_gone(self) -> bool:
        """Whether the Net is being deleted."""
        return self.state is NetState.DELETING


@frozen(kw_only=True)
class Subnet(Entity):
    """A part of a Net in one Subregion. `available_ips_count` is computed for its answered form."""

    kind: ClassVar[str] = "subnet"
    key: ClassVar[str] = "subnet_id"
    available_ips_count: int = 0
    ip_range: NetRange
    map_public_ip_on_launch: bool = False
    net_id: str
    state: str = "available"
    subnet_id: str
    subregion_name: str
    tags: tuple[ResourceTag, ...] = ()
    account_id: str = internal("")


@frozen(kw_only=True)
class InternetService(Entity):
    """A connection of a Net to the Internet. It has a state only while it is attached."""

    kind: ClassVar[str] = "internet_service"
    key: ClassVar[str] = "internet_service_id"
    internet_service_id: str
    net_id: str | None = None
    state: str | None = None
    tags: tuple[ResourceTag, ...] = ()
    account_id: str = internal("")


@frozen(kw_only=True)
class Route:
    """A route: an IP range and one target, which is the gateway "local" for the Net's local route."""

    creation_method: str
    destination_ip_range: IpRange
    gateway_id: str | None = None
    nat_service_id: str | None = None
    net_peering_id: str | None = None
    nic_id: str | None = None
    state: str = "active"
    vm_account_id: str | None = None
    vm_id: str | None = None


@frozen(kw_only=True)
class LinkRouteTable:
    """The link of a route table to a Subnet, or (`main`) to each Subnet of the Net without another table."""

    link_route_table_id: str
    main: bool
    net_id: str | None = None
    route_table_id: str
    subnet_id: str | None = None


@frozen(kw_only=True)
class RouteTable(Entity):
    """A route table of a Net."""

    kind: ClassVar[str] = "route_table"
    key: ClassVar[str] = "route_table_id"
    link_route_tables: tuple[LinkRouteTable, ...] = ()
    net_id: str
    route_propagating_virtual_gateways: tuple[str, ...] = ()
    route_table_id: str
    routes: tuple[Route, ...]
    tags: tuple[ResourceTag, ...] = ()
    account_id: str = internal("")


@frozen(kw_only=True)
class SecurityGroupsMember:
    """A security group whose members a rule allows."""

    account_id: str | None = None
    security_group_id: str | None = None
    security_group_name: str | None = None


@frozen(kw_only=True)
class SecurityGroupRule:
    """A rule of a security group: a protocol, ports, and the allowed IP ranges and groups."""

    from_port_range: int | None = None
    ip_protocol: str | None = None
    ip_ranges: tuple[IpRange, ...] | None = None
    security_group_rule_id: str | None = None
    security_groups_members: tuple[SecurityGroupsMember, ...] | None = None
    service_ids: tuple[str, ...] | None = None
    to_port_range: int | None = None


@frozen(kw_only=True)
class SecurityGroup(Entity):
    """A security group of the public Cloud (`net_id` None) or of a Net."""

    kind: ClassVar[str] = "security_group"
    key: ClassVar[str] = "security_group_id"
    account_id: str
    description: str
    inbound_rules: tuple[SecurityGroupRule, ...] = ()
    net_id: str | None = None
    outbound_rules: tuple[SecurityGroupRule, ...] = ()
    security_group_id: str
    security_group_name: str
    tags: tuple[ResourceTag, ...] = ()


@frozen(kw_only=True)
class GroupHold(Entity):
    """The security groups of a terminated VM, which count as used for some time (SG-011)."""

    kind: ClassVar[str] = "group_hold"
    key: ClassVar[str] = "vm_id"
    security_group_ids: tuple[str, ...]
    state: str = "releasing"
    vm_id: str
