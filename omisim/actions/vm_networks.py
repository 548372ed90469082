"""The requested networks of a new VM: its Subnet, NICs and security groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from omisim.actions.addresses import count_free_addresses
from omisim.actions.framework.call import Call, as_parsed_list
from omisim.actions.nic_links import LAST_DEVICE, make_nic_link
from omisim.actions.nics import add_nic, check_requested_ips, check_unlinked, choose_addresses, read_count
from omisim.actions.security_groups import resolve_groups
from omisim.base.frozen import frozen, replace
from omisim.model import Nic, NicForVmCreation, OrDict, PrivateIpLight, SecurityGroupLight, Subnet, Vm
from omisim.spec.rules import refuse

__all__ = ["Networks", "PlannedNic", "add_nics", "check_network_parameters", "limit_by_addresses", "plan_networks"]

PRIMARY = "Primary network interface"


@frozen()
class PlannedNic:
    """A NIC for a new VM: an existing one (`nic`), or one to create in a Subnet.

    `extra_count` is the number of free addresses to add to the requested ones.
    """

    subnet: Subnet
    nic: Nic | None = None
    device_number: int = 0
    requested_ips: tuple[PrivateIpLight, ...] = ()
    extra_count: int = 0
    groups: tuple[SecurityGroupLight, ...] = ()
    description: str = ""
    delete_on_vm_deletion: bool = True

    @property
    def needs(self) -> int:
        """The number of Subnet addresses that each VM takes."""
        if self.nic is not None:
            return 0
        has_primary = any(ip.is_primary for ip in self.requested_ips)
        return len(self.requested_ips) + self.extra_count + (not has_primary)


@frozen()
class Networks:
    """The location of a new VM: the public Cloud with groups, or a Net with NICs, the primary one first."""

    groups: tuple[SecurityGroupLight, ...] = ()
    nics: tuple[PlannedNic, ...] = ()

    @property
    def group_ids(self) -> tuple[str, ...]:
        """The ids of the groups of the VM and of its new NICs."""
        groups = dict.fromkeys(group for part in (self.groups, *(nic.groups for nic in self.nics)) for group in part)
        return tuple(group.security_group_id for group in groups)

    @property
    def subnet(self) -> Subnet | None:
        """The Subnet of the primary NIC."""
        return self.nics[0].subnet if self.nics else None


def check_network_parameters(call: Call, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that Nics excludes (VM-010), and a fixed address for several VMs (VM-013/several)."""
    names = ("subnet_id", "security_group_ids", "security_groups", "private_ips")
    excluded = [call.spell(name) for name in names if parameters.get("nics") and parameters.get(name)]
    call.check(not excluded, "VM-010", parameters=excluded)
    is_fixed = parameters.get("private_ips") or any(nic.nic_id or nic.private_ips for nic in parameters.get("nics", ()))
    max_count = parameters.get("max_vms_count", 1)
    call.check(not is_fixed or max_count <= 1, "VM-013/several", max_vms_count=max_count)


def plan_networks(
    call: Call,
    nics: Sequence[OrDict[NicForVmCreation]] | None,
    subnet_id: str | None,
    private_ips: Sequence[str] | None,
    group_ids: Sequence[str] | None,
    group_names: Sequence[str] | None,
) -> Networks:
    """Return the networks of a new VM, or refuse them."""
    if nics:
        return Networks(nics=_plan_nics(call, as_parsed_list(nics)))
    if subnet_id is None:
        call.check(not private_ips, "VM-013/subnet", private_ips=private_ips)
        groups = resolve_groups(call, None, group_ids, group_names or ())
        return Networks(groups=groups)
    requested_ips = tuple(PrivateIpLight(is_primary=not n, private_ip=ip) for n, ip in enumerate(private_ips or ()))
    check_requested_ips(call, requested_ips)
    subnet = call.get_owned(Subnet, subnet_id, "VM-012/subnet")
    groups = resolve_groups(call, subnet.net_id, group_ids, group_names or ())
    if requested_ips:
        choose_addresses(call, subnet, requested_ips)
    return Networks(nics=(PlannedNic(subnet, requested_ips=requested_ips, groups=groups, description=PRIMARY),))


def _plan_nics(call: Call, nics: Sequence[NicForVmCreation]) -> tuple[PlannedNic, ...]:
    """Return the NICs of the parameter Nics, ordered by device number, or refuse them.

    They must share one Net and one Subregion, and include the primary one with number 0.
    """
    numbers = [nic.device_number for nic in nics]
    if None in numbers:
        raise refuse("VM-011/number")
    fits = all(number is not None and 0 <= number <= LAST_DEVICE for number in numbers)
    call.check(fits and len(set(numbers)) == len(numbers), "VM-011/device", device_numbers=numbers)
    plans = [_plan_nic(call, nic) for nic in nics]
    call.check(0 in numbers, "VM-011")
    given_ids = Counter(nic.nic_id for nic in nics if nic.nic_id is not None)
    for nic_id, count in given_ids.items():
        call.check(count == 1, "VM-010/twice", nic_id=nic_id)
    first = plans[0].subnet
    for other in [plan.subnet for plan in plans[1:]]:
        net, first_net = other.net_id, first.net_id
        call.check(net == first_net, "NIC-022", nic=other.subnet_id, net_id=net, other=first_net)
        place, first_place = other.subregion_name, first.subregion_name
        call.check(place == first_place, "NIC-023", nic=other.subnet_id, subregion_name=place, other=first_place)
    return tuple(sorted(plans, key=lambda plan: plan.device_number))


def _plan_nic(call: Call, request: NicForVmCreation) -> PlannedNic:
    number = request.device_number or 0
    if request.nic_id is not None:
        new_only = (
            "delete_on_vm_deletion", "description", "private_ips", "secondary_private_ip_count",
            "security_group_ids", "subnet_id",
        )  # fmt: skip
        excluded = [call.spell(name) for name in new_only if getattr(request, name) is not None]
        call.check(not excluded, "VM-010/existing", parameters=excluded)
        nic = call.get_owned(Nic, request.nic_id, "VM-010/nic")
        check_unlinked(call, nic)
        return PlannedNic(call.state.get("subnet", nic.subnet_id), nic, number, delete_on_vm_deletion=False)
    if request.subnet_id is None:
        raise refuse("VM-011/subnet")
    ips = request.private_ips or ()
    more = read_count(call, ips, request.secondary_private_ip_count)
    check_requested_ips(call, ips)
    subnet = call.get_owned(Subnet, request.subnet_id, "VM-012/subnet")
    groups = resolve_groups(call, subnet.net_id, request.security_group_ids)
    if ips:
        choose_addresses(call, subnet, ips, more)
    description = request.description or ("" if number else PRIMARY)
    is_deleted = request.delete_on_vm_deletion is not False
    return PlannedNic(subnet, None, number, ips, more, groups, description, is_deleted)


def limit_by_addresses(call: Call, plans: Sequence[PlannedNic], least: int, requested_count: int) -> int:
    """Return how many of the requested VMs the Subnets have addresses for. Refuses fewer than `least` (NIC-005)."""
    needs: Counter[str] = Counter()
    for plan in plans:
        needs[plan.subnet.subnet_id] += plan.needs
    for plan in plans:
        subnet_id = plan.subnet.subnet_id
        free = count_free_addresses(call.state, plan.subnet)
        call.check(least * needs[subnet_id] <= free, "NIC-005", subnet_id=subnet_id)
        if needs[subnet_id]:
            requested_count = min(requested_count, free // needs[subnet_id])
    return requested_count


def add_nics(call: Call, vm: Vm, plans: Sequence[PlannedNic]) -> None:
    """Create or link the planned NICs of a new VM."""
    requested = [ip.private_ip for plan in plans for ip in plan.requested_ips if ip.private_ip is not None]
    for plan in plans:
        link = make_nic_link(call, vm, plan.device_number, delete_on_vm_deletion=plan.delete_on_vm_deletion)
        if plan.nic is not None:
            call.put(replace(plan.nic, link_nic=link, state="in-use"))
        else:
            addresses = choose_addresses(call, plan.subnet, plan.requested_ips, plan.extra_count, requested)
            add_nic(call, plan.subnet, addresses, plan.groups, plan.description, link)
