"""NICs with their addresses, and public IPs."""

from __future__ import annotations

from typing import ClassVar

from omisim.base.frozen import frozen
from omisim.model.base import Address, Entity, LinkNicId, internal
from omisim.model.parts import ResourceTag, SecurityGroupLight


@frozen(kw_only=True)
class LinkNic:
    """The link of a NIC to a VM."""

    delete_on_vm_deletion: bool
    device_number: int
    link_nic_id: str
    state: str = "attached"
    vm_account_id: str
    vm_id: str


@frozen(kw_only=True)
class LinkPublicIp:
    """The link of a public IP to a private one."""

    link_public_ip_id: str
    public_dns_name: str
    public_ip: Address
    public_ip_account_id: str
    public_ip_id: str


@frozen(kw_only=True)
class PrivateIp:
    """An address of a NIC. `link_public_ip` is filled in its answered form."""

    is_primary: bool
    link_public_ip: LinkPublicIp | None = None
    private_dns_name: str
    private_ip: Address


@frozen(kw_only=True)
class Nic(Entity):
    """A NIC: the network interface of a VM in a Subnet. The first of its addresses is the primary one."""

    kind: ClassVar[str] = "nic"
    key: ClassVar[str] = "nic_id"
    account_id: str
    description: str = ""
    is_source_dest_checked: bool = True
    link_nic: LinkNic | None = None
    link_public_ip: LinkPublicIp | None = None
    mac_address: str
    net_id: str
    nic_id: str
    private_dns_name: str
    private_ips: tuple[PrivateIp, ...]
    security_groups: tuple[SecurityGroupLight, ...]
    state: str = "available"
    subnet_id: str
    subregion_name: str
    tags: tuple[ResourceTag, ...] = ()


@frozen(kw_only=True)
class PublicIp(Entity):
    """A public IP of an account. A linked one refers to a NIC and one of its addresses, or to a VM outside Nets."""

    kind: ClassVar[str] = "public_ip"
    key: ClassVar[str] = "public_ip_id"
    link_public_ip_id: str | None = None
    nic_account_id: str | None = None
    nic_id: str | None = None
    private_ip: Address | None = None
    public_ip: Address
    public_ip_id: str
    tags: tuple[ResourceTag, ...] = ()
    vm_id: str | None = None  # with a NIC: its VM, filled in the answered form
    account_id: str = internal("")


# --- as a VM shows them


@frozen(kw_only=True)
class LinkNicLight:
    """The link of a NIC, as its VM shows it."""

    delete_on_vm_deletion: bool
    device_number: int
    link_nic_id: str
    state: str


@frozen(kw_only=True)
class LinkPublicIpLightForVm:
    """The link of a public IP, as a VM shows it."""

    public_dns_name: str
    public_ip: Address
    public_ip_account_id: str


@frozen(kw_only=True)
class PrivateIpLightForVm:
    """An address of a NIC, as its VM shows it."""

    is_primary: bool
    link_public_ip: LinkPublicIpLightForVm | None = None
    private_dns_name: str
    private_ip: Address


@frozen(kw_only=True)
class NicLight:
    """A NIC, as its VM shows it."""

    account_id: str
    description: str
    is_source_dest_checked: bool
    link_nic: LinkNicLight
    link_public_ip: LinkPublicIpLightForVm | None = None
    mac_address: str
    net_id: str
    nic_id: str
    private_dns_name: str
    private_ips: tuple[PrivateIpLightForVm, ...]
    security_groups: tuple[SecurityGroupLight, ...]
    state: str
    subnet_id: str


# --- values in requests


@frozen(kw_only=True)
class LinkNicToUpdate:
    """The changes of UpdateNic to a link."""

    delete_on_vm_deletion: bool | None = None
    link_nic_id: LinkNicId | None = None
