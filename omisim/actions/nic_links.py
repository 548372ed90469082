"""Links of NICs to VMs, and of secondary private IPs to NICs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omisim.actions.addresses import check_address, find_free_addresses, parse_address
from omisim.actions.framework.call import Call
from omisim.actions.framework.registry import action
from omisim.actions.nic_views import find_nics
from omisim.actions.nics import check_unlinked, make_nic_address
from omisim.actions.public_ips import unlink_public_ips
from omisim.base.frozen import replace
from omisim.model import LinkNic, LinkNicId, Nic, NicId, Subnet, Vm, VmId
from omisim.spec.rules import refuse

__all__ = ["LAST_DEVICE", "detach_nic", "make_nic_link"]

LAST_DEVICE = 7


def make_nic_link(call: Call, vm: Vm, device_number: int, *, delete_on_vm_deletion: bool) -> LinkNic:
    """Return a new link to a VM, to be stored in a NIC."""
    return LinkNic(
        delete_on_vm_deletion=delete_on_vm_deletion,
        device_number=device_number,
        link_nic_id=call.new_id("link_nic"),
        vm_account_id=vm.account_id,
        vm_id=vm.vm_id,
    )


def detach_nic(nic: Nic) -> Nic:
    """Return an available copy of a NIC, without its link to a VM."""
    return replace(nic, link_nic=None, state="available")


@action("LinkNic", "LinkNicId")
def link_nic(call: Call, *, device_number: int, nic_id: NicId, vm_id: VmId) -> str:
    """Link a NIC to a VM in the same Net and Subregion. Returns the id of the link."""
    call.check(1 <= device_number <= LAST_DEVICE, "NIC-020", device_number=device_number)
    nic = call.get_owned(Nic, nic_id, "NIC-001")
    vm = call.get_owned(Vm, vm_id, "VM-041")
    call.check_state(vm)
    check_unlinked(call, nic)
    if call.check(vm.net_id is not None, "NIC-021", vm_id=vm_id):
        call.check(vm.net_id == nic.net_id, "NIC-022", nic=nic_id, net_id=nic.net_id, other=vm.net_id)
    place = vm.placement.subregion_name
    call.check(place == nic.subregion_name, "NIC-023", nic=nic_id, subregion_name=nic.subregion_name, other=place)
    used = [row.link_nic.device_number for row in find_nics(call.state, vm_id) if row.link_nic]
    call.check(device_number not in used, "NIC-024", device_number=device_number, vm_id=vm_id)
    link = make_nic_link(call, vm, device_number, delete_on_vm_deletion=False)
    call.put(replace(nic, link_nic=link, state="in-use"))
    return link.link_nic_id


@action("UnlinkNic")
def unlink_nic(call: Call, *, link_nic_id: LinkNicId) -> None:
    """Unlink a secondary NIC from its VM. Public IPs stay linked to the NIC."""
    nics: list[Nic] = call.state.find_by("nic", "link_nic.link_nic_id", link_nic_id)
    if not nics or not call.owns(nics[0]):
        raise refuse("NIC-025", link_nic_id=link_nic_id)
    nic = nics[0]
    call.check(nic.link_nic is not None and nic.link_nic.device_number > 0, "NIC-026", link_nic_id=link_nic_id)
    call.put(detach_nic(nic))


def _check_ips_or_count(call: Call, parameters: Mapping[str, Any]) -> None:
    call.check(not ("private_ips" in parameters and "secondary_private_ip_count" in parameters), "NIC-030")
    count = parameters.get("secondary_private_ip_count")
    call.check(count is None or count > 0, "NIC-031", secondary_private_ip_count=count)


@action("LinkPrivateIps", combinations=_check_ips_or_count)
def link_private_ips(
    call: Call,
    *,
    allow_relink: bool = False,
    nic_id: NicId,
    private_ips: Sequence[str] | None = None,
    secondary_private_ip_count: int | None = None,
) -> None:
    """Link secondary private IPs of the Subnet to a NIC: the given ones, a given number of them, or one.

    `allow_relink` also accepts a secondary address of another NIC, which loses it.
    """
    nic = call.get_owned(Nic, nic_id, "NIC-001")
    subnet: Subnet = call.state.get("subnet", nic.subnet_id)
    if private_ips is None:
        count = secondary_private_ip_count or 1
        requested_addresses = find_free_addresses(call.state, subnet, count)
        call.check(len(requested_addresses) == count, "NIC-005/secondary", subnet_id=subnet.subnet_id, count=count)
    else:
        requested_addresses = list(dict.fromkeys(check_address(call, subnet, ip) for ip in private_ips))
    own_addresses = {ip.private_ip for ip in nic.private_ips}
    new_addresses = [ip for ip in requested_addresses if ip not in own_addresses]
    holders: dict[str, Nic] = {}
    for address in new_addresses:
        for other in call.state.find_by("nic", "address", (subnet.subnet_id, address)):
            holders[other.nic_id] = other
            may_link = allow_relink and address != other.private_ips[0].private_ip
            call.check(may_link, "NIC-033/taken", private_ip=address, subnet_id=subnet.subnet_id)
    for other in sorted(holders.values(), key=lambda nic: call.state.order("nic", nic.nic_id)):
        call.put(_remove_addresses(other, new_addresses))
        unlink_public_ips(call.tx, other.nic_id, new_addresses)
    added = (make_nic_address(call, ip, primary=False) for ip in new_addresses)
    call.put(replace(nic, private_ips=(*nic.private_ips, *added)))


@action("UnlinkPrivateIps")
def unlink_private_ips(call: Call, *, nic_id: NicId, private_ips: Sequence[str]) -> None:
    """Unlink secondary private IPs from a NIC, and the public IPs that are linked to them."""
    nic = call.get_owned(Nic, nic_id, "NIC-001")
    for ip in private_ips:
        parse_address(ip, "NIC-034", "private_ip")
    secondary = {ip.private_ip for ip in nic.private_ips if not ip.is_primary}
    unknown = [ip for ip in private_ips if ip not in secondary]
    call.check(not unknown, "NIC-032", nic_id=nic_id, private_ips=unknown)
    call.put(_remove_addresses(nic, private_ips))
    unlink_public_ips(call.tx, nic_id, private_ips)


def _remove_addresses(nic: Nic, addresses: Sequence[str]) -> Nic:
    return replace(nic, private_ips=tuple(ip for ip in nic.private_ips if ip.private_ip not in addresses))
