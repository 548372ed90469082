"""NICs: the network interfaces of VMs in Subnets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from omisim.actions.addresses import check_address, find_free_addresses, is_taken, make_private_dns, parse_address
from omisim.actions.framework.call import Call, as_parsed, as_parsed_list
from omisim.actions.framework.registry import action
from omisim.actions.nic_views import view_nic
from omisim.actions.public_ips import unlink_public_ips
from omisim.actions.security_groups import resolve_groups
from omisim.base.frozen import replace
from omisim.model import (
    LinkNic,
    LinkNicToUpdate,
    MayBeEmpty,
    Nic,
    NicId,
    OrDict,
    PrivateIp,
    PrivateIpLight,
    SecurityGroupId,
    SecurityGroupLight,
    Subnet,
    SubnetId,
    TextOrEmpty,
    ids,
)
from omisim.model.filters import FiltersNic
from omisim.model.filters.dicts import FiltersNicDict
from omisim.spec.rules import refuse

__all__ = [
    "add_nic", "check_one_change", "check_requested_ips", "check_unlinked", "choose_addresses",
    "create_nic_with_addresses", "make_nic_address", "read_count", "update_nic",
]  # fmt: skip


def read_count(call: Call, private_ips: Sequence[object], count: int | None) -> int:
    """Return the number of addresses to choose besides a primary one. Refuses one beside more addresses, and 0."""
    call.check(len(private_ips) <= 1 or not count, "NIC-030")
    call.check(count is None or count > 0, "NIC-031", secondary_private_ip_count=count)
    return count or 0


def check_requested_ips(call: Call, requested_ips: Sequence[PrivateIpLight]) -> None:
    """Refuse malformed addresses for a new NIC (NIC-003/address, NIC-034), and several primary ones (NIC-003)."""
    for ip in requested_ips:
        if ip.private_ip is None:
            raise refuse("NIC-003/address")
        parse_address(ip.private_ip, "NIC-034", "private_ip")
    primary = [ip.private_ip for ip in requested_ips if ip.is_primary]
    call.check(len(primary) <= 1, "NIC-003", private_ips=primary)


def choose_addresses(
    call: Call, subnet: Subnet, requested_ips: Sequence[PrivateIpLight], more: int = 0, reserved: Iterable[str] = ()
) -> list[str]:
    """Return the addresses for a new NIC, the primary one first: the requested ones, then `more` free ones.

    Without a requested primary address, a free one becomes primary (NIC-002). Those in `reserved`, which other NICs of
    the request have, do not count as free.
    """
    chosen: dict[str, None] = {}
    primary = [ip for ip in requested_ips if ip.is_primary]
    for ip in (*primary, *(ip for ip in requested_ips if not ip.is_primary)):
        assert ip.private_ip is not None
        address = check_address(call, subnet, ip.private_ip)
        is_free = not is_taken(call.state, subnet, address) and address not in chosen
        call.check(is_free, "NIC-004", private_ip=address, subnet_id=subnet.subnet_id)
        chosen[address] = None
    missing_count = more + (not primary)
    free_addresses = find_free_addresses(call.state, subnet, missing_count, (*chosen, *reserved))
    call.check(len(free_addresses) == missing_count, "NIC-005", subnet_id=subnet.subnet_id)
    return [*chosen, *free_addresses] if primary else [*free_addresses[:1], *chosen, *free_addresses[1:]]


def make_nic_address(call: Call, address: str, *, primary: bool) -> PrivateIp:
    """Return a private IP with its DNS name, for a NIC."""
    return PrivateIp(is_primary=primary, private_dns_name=make_private_dns(address, call.region), private_ip=address)


def check_unlinked(call: Call, nic: Nic) -> None:
    """Refuse a NIC that is linked to a VM (NIC-010)."""
    call.check(nic.link_nic is None, "NIC-010", nic_id=nic.nic_id, vm_id=nic.link_nic and nic.link_nic.vm_id)


def add_nic(
    call: Call,
    subnet: Subnet,
    addresses: Sequence[str],
    groups: tuple[SecurityGroupLight, ...],
    description: str,
    link: LinkNic | None = None,
) -> Nic:
    """Create a NIC, linked to a VM if `link` is given."""
    nic_id = call.new_id("nic")
    digits = ids.derive_hex(f"{nic_id}:mac")[:10].upper()
    return call.add(
        Nic(
            account_id=call.account.account_id,
            description=description,
            link_nic=link,
            mac_address=":".join(["AA", *(digits[at : at + 2] for at in range(0, 10, 2))]),
            net_id=subnet.net_id,
            nic_id=nic_id,
            private_dns_name=make_private_dns(addresses[0], call.region),
            private_ips=tuple(make_nic_address(call, ip, primary=ip == addresses[0]) for ip in addresses),
            security_groups=groups,
            state="in-use" if link else "available",
            subnet_id=subnet.subnet_id,
            subregion_name=subnet.subregion_name,
        )
    )


@action("CreateNic", "Nic")
def create_nic(
    call: Call,
    *,
    description: TextOrEmpty | None = None,
    private_ips: Sequence[OrDict[PrivateIpLight]] | None = None,
    security_group_ids: Sequence[SecurityGroupId] | None = None,
    subnet_id: SubnetId,
) -> Nic:
    """Create a NIC in a Subnet. Returns it in the state available."""
    return create_nic_with_addresses(call, subnet_id, as_parsed_list(private_ips), 0, security_group_ids, description)


def create_nic_with_addresses(
    call: Call,
    subnet_id: str,
    private_ips: Sequence[PrivateIpLight],
    more: int,
    security_group_ids: Sequence[str] | None,
    description: str | None,
) -> Nic:
    """Create a NIC with the requested addresses and `more` free ones."""
    check_requested_ips(call, private_ips)
    subnet = call.get_owned(Subnet, subnet_id, "NET-014")
    groups = resolve_groups(call, subnet.net_id, security_group_ids)
    addresses = choose_addresses(call, subnet, private_ips, more)
    call.stop_if_refused()
    return add_nic(call, subnet, addresses, groups, description or "")


@action("ReadNics", "Nics", paged=True)
def read_nics(call: Call, *, filters: FiltersNic | FiltersNicDict | None = None) -> tuple[Nic, ...]:
    """List the caller's NICs in creation order."""
    return call.read_own(Nic, as_parsed(filters), view_nic)


def check_one_change(call: Call, parameters: Mapping[str, Any]) -> None:
    """Refuse an update without a change (NIC-006), and one with several changes (NIC-007)."""
    changes = [call.spell(name) for name in parameters if name != "nic_id"]
    call.check(changes, "NIC-006")
    call.check(len(changes) <= 1, "NIC-007", parameters=changes)
    call.check(parameters.get("security_group_ids") != (), "NIC-008")


@action("UpdateNic", "Nic", combinations=check_one_change)
def update_nic(
    call: Call,
    *,
    description: TextOrEmpty | None = None,
    link_nic: OrDict[LinkNicToUpdate] | None = None,
    nic_id: NicId,
    security_group_ids: Annotated[Sequence[SecurityGroupId] | None, MayBeEmpty()] = None,
) -> Nic:
    """Change the description of a NIC, its security groups, or whether it is deleted with its VM. Returns the NIC."""
    nic = call.get_owned(Nic, nic_id, "NIC-001")
    change = as_parsed(link_nic)
    if change is not None:
        link = nic.link_nic
        if change.link_nic_id is None:
            raise refuse("NIC-009/id")
        if link is None or link.link_nic_id != change.link_nic_id:
            raise refuse("NIC-009", nic_id=nic_id, link_nic_id=change.link_nic_id)
        if change.delete_on_vm_deletion is not None:
            nic = replace(nic, link_nic=replace(link, delete_on_vm_deletion=change.delete_on_vm_deletion))
    elif security_group_ids is not None:
        nic = replace(nic, security_groups=resolve_groups(call, nic.net_id, security_group_ids))
    else:
        nic = replace(nic, description=description or "")
    return view_nic(call.state, call.put(nic))


@action("DeleteNic")
def delete_nic(call: Call, *, nic_id: NicId) -> None:
    """Delete a NIC that is not linked to a VM. Its public IPs are unlinked."""
    nic = call.get_owned(Nic, nic_id, "NIC-001")
    check_unlinked(call, nic)
    call.drop(nic)
    unlink_public_ips(call.tx, nic_id)
