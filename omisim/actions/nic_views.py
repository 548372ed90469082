"""The answered form of NICs, public IPs and VMs in Nets, with their linked resources."""

from __future__ import annotations

from collections.abc import Sequence

from omisim.actions.addresses import make_public_dns
from omisim.base.frozen import replace
from omisim.model import (
    LinkNicLight,
    LinkPublicIp,
    LinkPublicIpLightForVm,
    Nic,
    NicLight,
    PrivateIpLightForVm,
    PublicIp,
    Vm,
    view_as,
)
from omisim.model.base import keep_view
from omisim.state.state import State

__all__ = ["find_nics", "view_nic", "view_public_ip", "view_vm_in_net"]


def find_nics(state: State, vm_id: str) -> list[Nic]:
    """Return the NICs of a VM in order of device number, the primary one first."""
    nics: list[Nic] = state.find_by("nic", "link_nic.vm_id", vm_id)
    return sorted(nics, key=lambda nic: nic.link_nic.device_number if nic.link_nic else 0)


def view_nic(state: State, nic: Nic) -> Nic:
    """Return a NIC with the public IPs linked to its addresses."""
    linked = {ip.private_ip: _view_link(state, ip) for ip in state.find_by("public_ip", "holder", nic.nic_id)}
    if not linked:
        return nic
    addresses = tuple(replace(ip, link_public_ip=linked.get(ip.private_ip)) for ip in nic.private_ips)
    return replace(nic, link_public_ip=addresses[0].link_public_ip, private_ips=addresses)


def _view_link(state: State, ip: PublicIp) -> LinkPublicIp:
    region = state.get("account", ip.account_id).region
    return LinkPublicIp(
        link_public_ip_id=ip.link_public_ip_id or "",
        public_dns_name=make_public_dns(ip.public_ip, region),
        public_ip=ip.public_ip,
        public_ip_account_id=ip.account_id,
        public_ip_id=ip.public_ip_id,
    )


def view_public_ip(state: State, ip: PublicIp) -> PublicIp:
    """Return a public IP with the VM of its NIC."""
    nic: Nic | None = state.get("nic", ip.nic_id or "")
    return ip if nic is None or nic.link_nic is None else replace(ip, vm_id=nic.link_nic.vm_id)


def view_vm_in_net(state: State, vm: Vm) -> Vm:
    """Return a VM in a Net with its NICs, and with the addresses and groups of its primary NIC."""
    return _view_with_nics(vm, [view_nic(state, nic) for nic in find_nics(state, vm.vm_id)])


@keep_view
def _view_with_nics(vm: Vm, nics: Sequence[Nic]) -> Vm:
    primary = nics[0]
    link = primary.link_public_ip
    return replace(
        vm,
        is_source_dest_checked=primary.is_source_dest_checked,
        nics=tuple(_view_light_nic(nic) for nic in nics),
        private_dns_name=primary.private_dns_name,
        private_ip=primary.private_ips[0].private_ip,
        public_dns_name=link.public_dns_name if link else vm.public_dns_name,
        public_ip=link.public_ip if link else vm.public_ip,
        security_groups=primary.security_groups,
    )


def _view_light_nic(nic: Nic) -> NicLight:
    return view_as(
        NicLight,
        nic,
        link_nic=view_as(LinkNicLight, nic.link_nic),
        link_public_ip=_view_light_link(nic.link_public_ip),
        private_ips=tuple(
            view_as(PrivateIpLightForVm, ip, link_public_ip=_view_light_link(ip.link_public_ip))
            for ip in nic.private_ips
        ),
    )


def _view_light_link(link: LinkPublicIp | None) -> LinkPublicIpLightForVm | None:
    return None if link is None else view_as(LinkPublicIpLightForVm, link)
