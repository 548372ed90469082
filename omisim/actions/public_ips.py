"""Public IPs: acquired by an account, linked to a VM of the public Cloud or to a NIC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from omisim.actions.addresses import make_public_dns, make_public_ip, parse_address
from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.internet_services import find_attached_service
from omisim.actions.nic_views import find_nics, view_public_ip
from omisim.actions.quotas import check_quotas
from omisim.base.frozen import replace
from omisim.formats.user_data import parse_section
from omisim.model import Nic, NicId, PublicIp, Vm, VmId, VmState
from omisim.model.filters import FiltersPublicIp
from omisim.model.filters.dicts import FiltersPublicIpDict
from omisim.model.ids import Id
from omisim.spec.rules import refuse
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = [
    "PublicIpId", "assign_public_address", "attach_tagged_ip", "check_id_or_ip", "delete_public_ip",
    "keep_public_address", "unlink_public_ip", "unlink_public_ips",
]  # fmt: skip

_NO_ADDRESS = {"public_dns_name": None, "public_ip": None}
ATTACH_TAG = "osc.fcu.eip.auto-attach"  # key of the tag that names the public IP of a VM

PublicIpId = Annotated[str, Id("public_ip")]
LinkPublicIpId = Annotated[str, Id("link_public_ip")]


def _find_linked_ips(state: State, holder_id: str) -> list[PublicIp]:
    """Return the public IPs that are linked to a NIC or to a VM of the public Cloud."""
    return state.find_by("public_ip", "holder", holder_id)


def unlink_public_ips(tx: Transaction, holder_id: str, addresses: Sequence[str] | None = None) -> None:
    """Unlink public IPs from a NIC or a VM: all, or those linked to the given private addresses."""
    for ip in _find_linked_ips(tx.state, holder_id):
        if addresses is None or ip.private_ip in addresses:
            tx.put(_clear_link(ip))


def _clear_link(ip: PublicIp) -> PublicIp:
    return replace(ip, link_public_ip_id=None, nic_account_id=None, nic_id=None, private_ip=None, vm_id=None)


def attach_tagged_ip(tx: Transaction, vm: Vm) -> None:
    """Link the public IP that a tag of a starting VM names, if neither has another link (PIP-017)."""
    addresses = [tag.value for tag in vm.tags if tag.key == ATTACH_TAG]
    if not addresses:
        return
    named: list[PublicIp] = tx.state.find_by("public_ip", "public_ip", addresses[0])
    free_ips = [ip for ip in named if ip.account_id == vm.account_id and ip.link_public_ip_id is None]
    nic = next(iter(find_nics(tx.state, vm.vm_id)), None)
    address = nic.private_ips[0].private_ip if nic else None
    is_reachable = nic is None or find_attached_service(tx.state, nic.net_id) is not None
    if free_ips and is_reachable and not _find_ips_at(tx.state, vm.vm_id, nic, address):
        _add_link(tx, free_ips[0], vm.vm_id, nic, address)


def _find_ips_at(state: State, vm_id: str | None, nic: Nic | None, address: str | None) -> list[PublicIp]:
    """Return the public IPs that are linked to a private IP of a NIC, or to a VM of the public Cloud."""
    if nic is None:
        return _find_linked_ips(state, vm_id or "")
    return state.find_by("public_ip", "address of NIC", (nic.nic_id, address))


def _add_link(tx: Transaction, ip: PublicIp, vm_id: str | None, nic: Nic | None, address: str | None) -> str:
    """Link a public IP to a private IP of a NIC, or to a VM of the public Cloud. Returns the id of the link."""
    link_id = tx.new_id("link_public_ip")
    holder = {"vm_id": vm_id} if nic is None else {"nic_account_id": nic.account_id, "nic_id": nic.nic_id}
    tx.put(replace(_clear_link(ip), link_public_ip_id=link_id, private_ip=address, **holder))
    return link_id


def assign_public_address(tx: Transaction, vm: Vm) -> Mapping[str, str | None]:
    """Return the public address of a running VM, by field: the linked public IP, or a temporary one (VM-030).

    A VM in a Net gets a temporary address only if its Subnet maps public IPs on launch (NET-016), and none if its user
    data says so (VM-034).
    """
    linked = _find_linked_ips(tx.state, vm.vm_id)
    if linked:
        address = linked[0].public_ip
    elif _gets_temporary_address(tx.state, vm):
        address = make_public_ip(tx.next_number("public_ip"))
    else:
        return _NO_ADDRESS
    region = tx.state.get("account", vm.account_id).region
    return {"public_dns_name": make_public_dns(address, region), "public_ip": address}


def _gets_temporary_address(state: State, vm: Vm) -> bool:
    is_public = vm.net_id is None or state.get("subnet", vm.subnet_id or "").map_public_ip_on_launch
    return is_public and parse_section(vm.user_data).get("private_only") != "true"


def keep_public_address(tx: Transaction, vm: Vm) -> Mapping[str, str | None]:
    """Return the public address of a stopped VM, by field: the public IP that stays linked to it, if any (VM-050)."""
    if tx.settings.switch("stopped_public_ip") == "released":
        tagged = [tag.value for tag in vm.tags if tag.key == ATTACH_TAG]
        for holder in (vm.vm_id, *(nic.nic_id for nic in find_nics(tx.state, vm.vm_id))):
            for ip in _find_linked_ips(tx.state, holder):
                if ip.public_ip not in tagged:
                    tx.put(_clear_link(ip))
    return assign_public_address(tx, vm) if _find_linked_ips(tx.state, vm.vm_id) else _NO_ADDRESS


@action("CreatePublicIp", "PublicIp")
def create_public_ip(call: Call) -> PublicIp:
    """Acquire an unlinked public IP. Returns it."""
    check_quotas(call, {"ip_limit": 1})
    return call.add(
        PublicIp(
            account_id=call.account.account_id,
            public_ip=make_public_ip(call.tx.next_number("public_ip")),
            public_ip_id=call.new_id("public_ip"),
        )
    )


@action("ReadPublicIps", "PublicIps", paged=True)
def read_public_ips(
    call: Call, *, filters: FiltersPublicIp | FiltersPublicIpDict | None = None
) -> tuple[PublicIp, ...]:
    """List the caller's public IPs in creation order."""
    return call.read_own(PublicIp, as_parsed(filters), view_public_ip)


def _get_public_ip(call: Call, address: str | None, ip_id: str | None) -> PublicIp:
    """Return a public IP of the caller by id or by address, or refuse."""
    if ip_id is not None:
        return call.get_owned(PublicIp, ip_id, "PIP-001")
    parse_address(address or "", "PIP-016", "public_ip")
    matching_ips: list[PublicIp] = [ip for ip in call.state.find_by("public_ip", "public_ip", address) if call.owns(ip)]
    if not matching_ips:
        raise refuse("PIP-002", public_ip=address)
    return matching_ips[0]


def _check_ip_and_target(call: Call, parameters: Mapping[str, Any]) -> None:
    check_id_or_ip(call, parameters)
    call.check("vm_id" in parameters or "nic_id" in parameters, "PIP-004")
    call.check(not ("vm_id" in parameters and "nic_id" in parameters), "PIP-005")


@action("LinkPublicIp", "LinkPublicIpId", combinations=_check_ip_and_target)
def link_public_ip(
    call: Call,
    *,
    allow_relink: bool | None = None,
    nic_id: NicId | None = None,
    private_ip: str | None = None,
    public_ip: str | None = None,
    public_ip_id: PublicIpId | None = None,
    vm_id: VmId | None = None,
) -> str:
    """Link a public IP to a VM of the public Cloud or to a private IP of a NIC. Returns the id of the link.

    For a VM with a single NIC, the NIC is used. A public IP that was linked to the address before is unlinked.
    """
    vm = call.get_owned(Vm, vm_id, "VM-041") if vm_id is not None else None
    nic = call.get_owned(Nic, nic_id or "", "NIC-001") if vm is None else None
    ip = _get_public_ip(call, public_ip, public_ip_id)
    if vm is not None:
        call.check_state(vm)
        nics = find_nics(call.state, vm.vm_id)
        call.check(len(nics) <= 1, "PIP-006", vm_id=vm_id, nics=[row.nic_id for row in nics])
        nic = nics[0] if nics else None
    address = _choose_private_ip(call, nic, private_ip)
    relink = nic is None if allow_relink is None else allow_relink
    linked_before = _find_ips_at(call.state, vm_id, nic, address)
    elsewhere = ip.link_public_ip_id is not None and ip not in linked_before
    call.check(relink or not elsewhere, "PIP-008", public_ip=ip.public_ip)
    other_ips = [row.public_ip for row in linked_before if row is not ip]
    call.check(relink or not other_ips, "PIP-008/address", public_ip=ip.public_ip, others=other_ips)
    call.stop_if_refused()
    for row in {row.public_ip_id: row for row in (*linked_before, ip)}.values():
        _unlink(call.tx, row)
    link_id = _add_link(call.tx, ip, vm_id, nic, address)
    if nic is None:
        holder: Vm = call.state.get("vm", vm_id or "")
        call.put(replace(holder, **assign_public_address(call.tx, holder)))
    return link_id


def _choose_private_ip(call: Call, nic: Nic | None, requested_ip: str | None) -> str | None:
    """Return the private IP of a NIC to link a public IP to: the requested or the primary one. None outside Nets."""
    if nic is None:
        call.check(requested_ip is None, "PIP-007", private_ip=requested_ip)
        return None
    call.check(find_attached_service(call.state, nic.net_id) is not None, "PIP-010", net_id=nic.net_id)
    addresses = [ip.private_ip for ip in nic.private_ips]
    call.check(requested_ip is None or requested_ip in addresses, "PIP-011", private_ip=requested_ip, nic_id=nic.nic_id)
    return requested_ip or addresses[0]


def _unlink(tx: Transaction, ip: PublicIp) -> None:
    """Unlink a public IP. A running VM of the public Cloud gets a temporary address in its place."""
    vm: Vm | None = tx.state.get("vm", ip.vm_id or "")
    tx.put(_clear_link(ip))
    if vm is not None:
        tx.put(replace(vm, **(assign_public_address(tx, vm) if vm.state is VmState.RUNNING else _NO_ADDRESS)))


def _check_link_or_ip(call: Call, parameters: Mapping[str, Any]) -> None:
    call.check("link_public_ip_id" in parameters or "public_ip" in parameters, "PIP-012")
    call.check(not ("link_public_ip_id" in parameters and "public_ip" in parameters), "PIP-012/both")


@action("UnlinkPublicIp", combinations=_check_link_or_ip)
def unlink_public_ip(
    call: Call, *, link_public_ip_id: LinkPublicIpId | None = None, public_ip: str | None = None
) -> None:
    """Unlink a public IP, given by the id of its link or by its address."""
    if link_public_ip_id is not None:
        linked: list[PublicIp] = call.state.find_by("public_ip", "link_public_ip_id", link_public_ip_id)
        if not linked or not call.owns(linked[0]):
            raise refuse("PIP-013", link_public_ip_id=link_public_ip_id)
        ip = linked[0]
    else:
        ip = _get_public_ip(call, public_ip, None)
        call.check(ip.link_public_ip_id is not None, "PIP-013/ip", public_ip=public_ip)
    call.stop_if_refused()
    _unlink(call.tx, ip)


def check_id_or_ip(call: Call, parameters: Mapping[str, Any]) -> None:
    """Refuse a request that names no public IP."""
    call.check("public_ip" in parameters or "public_ip_id" in parameters, "PIP-003")


def _check_id_xor_ip(call: Call, parameters: Mapping[str, Any]) -> None:
    check_id_or_ip(call, parameters)
    call.check(not ("public_ip" in parameters and "public_ip_id" in parameters), "PIP-003/both")


@action("DeletePublicIp", combinations=_check_id_xor_ip)
def delete_public_ip(call: Call, *, public_ip: str | None = None, public_ip_id: PublicIpId | None = None) -> None:
    """Release a public IP, given by its id or its address; it is unlinked from a VM outside Nets (PIP-014/vm)."""
    ip = _get_public_ip(call, public_ip, public_ip_id)
    call.check(ip.nic_id is None, "PIP-014", public_ip=ip.public_ip, link_public_ip_id=ip.link_public_ip_id)
    call.stop_if_refused()
    if ip.vm_id is not None:
        _unlink(call.tx, ip)
    call.drop(ip)
