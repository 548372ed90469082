"""Creating VMs from OMIs, and the answered form of VMs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from omisim.actions.addresses import make_private_dns, make_private_ip
from omisim.actions.devices import VM_DEVICE_RULES, check_device_names, check_duplicates, check_shapes
from omisim.actions.framework.call import Call, Stop, as_parsed, as_parsed_list
from omisim.actions.framework.registry import action
from omisim.actions.new_images import warn_without_system
from omisim.actions.nic_views import view_vm_in_net
from omisim.actions.quotas import check_quotas, compute_disk_costs, compute_shape_costs, get_remaining
from omisim.actions.sharing import is_visible
from omisim.actions.vm_attributes import (
    add_section_tags,
    check_attributes,
    check_keypair,
    check_nested_virtualization,
    check_windows,
    choose_boot_mode,
    format_vm_type,
    get_os_family,
    get_shutdown_actions,
    merge_shutdown_behavior,
    show_boot_actions,
)
from omisim.actions.vm_disks import PlannedDisk, plan_disks
from omisim.actions.vm_networks import PlannedNic, add_nics, check_network_parameters, limit_by_addresses, plan_networks
from omisim.actions.volumes import add_link, add_volume, check_subregion
from omisim.base.frozen import replace
from omisim.model import (
    ActionsOnNextBoot,
    BlockDeviceMappingCreated,
    BlockDeviceMappingVmCreation,
    BsuCreated,
    Image,
    ImageId,
    Net,
    NicForVmCreation,
    OrDict,
    Placement,
    SecurityGroupId,
    ShutdownBehaviorConfiguration,
    Subnet,
    SubnetId,
    Vm,
    VmState,
    VolumeLink,
    VolumeState,
)
from omisim.model.base import BOOT_MODES, keep_view
from omisim.spec.limits import TENANCY
from omisim.spec.rules import refuse
from omisim.spec.vm_types import VmShape, find_vm_shape
from omisim.state.state import State

MAX_VMS_PER_LAUNCH = 1000


def view_vm(state: State, vm: Vm, links: Sequence[VolumeLink] | None = None) -> Vm:
    """Return the answered form of a VM, with its disks, and in a Net with its NICs.

    `links` are those of its volumes, if they are known.
    """
    view = _view_with_disks(vm, state.find_by("volume_link", "vm_id", vm.vm_id) if links is None else links)
    return view if vm.net_id is None else view_vm_in_net(state, view)


@keep_view
def _view_with_disks(vm: Vm, links: Sequence[VolumeLink]) -> Vm:
    disks = tuple(
        BlockDeviceMappingCreated(
            bsu=BsuCreated(
                delete_on_vm_deletion=link.delete_on_vm_deletion,
                link_date=link.link_date,
                state=link.state,
                volume_id=link.volume_id,
            ),
            device_name=link.device_name,
        )
        for link in links
    )
    return replace(vm, block_device_mappings=disks)


@action("CreateVms", "Vms", combinations=check_network_parameters)
def create_vms(
    call: Call,
    *,
    actions_on_next_boot: OrDict[ActionsOnNextBoot] | None = None,
    block_device_mappings: Sequence[OrDict[BlockDeviceMappingVmCreation]] | None = None,
    boot_mode: str | None = None,
    boot_on_creation: bool = True,
    bsu_optimized: bool = False,
    client_token: str | None = None,
    deletion_protection: bool | None = None,
    image_id: ImageId,
    keypair_name: str | None = None,
    max_vms_count: int = 1,
    min_vms_count: int = 1,
    nested_virtualization: bool = False,
    nics: Sequence[OrDict[NicForVmCreation]] | None = None,
    performance: str | None = None,
    placement: OrDict[Placement] | None = None,
    private_ips: Sequence[str] | None = None,
    security_group_ids: Sequence[SecurityGroupId] | None = None,
    security_groups: Sequence[str] | None = None,
    shutdown_behavior_configuration: OrDict[ShutdownBehaviorConfiguration] | None = None,
    subnet_id: SubnetId | None = None,
    tpm_enabled: bool | None = None,
    user_data: str | None = None,
    vm_initiated_shutdown_behavior: str | None = None,
    vm_type: str = "t2.small",
) -> tuple[Vm, ...]:
    """Launch VMs from an OMI: as many between the minimum and the maximum as quotas and capacity allow (VM-004).

    Returns the VMs pending, each with the volumes of its OMI and of the request, whose links are attaching.
    """
    mappings = as_parsed_list(block_device_mappings)
    place = as_parsed(placement) or Placement()
    behavior = as_parsed(shutdown_behavior_configuration)
    next_boot = as_parsed(actions_on_next_boot)
    repeated = call.find_repeated(Vm, client_token)
    if repeated:
        return tuple(view_vm(call.state, vm) for vm in repeated)
    check_device_names(call, mappings)
    call.check(1 <= min_vms_count <= max_vms_count, "VM-004", minimum=min_vms_count, maximum=max_vms_count)
    check_attributes(call, performance, user_data, vm_initiated_shutdown_behavior, behavior)
    call.check(boot_mode in (None, *BOOT_MODES), "OMI-030", boot_mode=boot_mode)
    call.check(place.tenancy is None or TENANCY.fullmatch(place.tenancy), "VM-017", tenancy=place.tenancy)
    is_public = subnet_id is None and not nics
    check_nested_virtualization(call, place.tenancy, enabled=is_public and nested_virtualization)
    check_shapes(call, mappings, VM_DEVICE_RULES)
    check_duplicates(call, mappings, "BDM-014")
    # independent checks come before an unknown OMI ends the call
    image = _find_launchable_image(call, image_id)
    shape = find_vm_shape(vm_type)
    call.check(shape is not None, "VMT-001", vm_type=vm_type)
    check_keypair(call, keypair_name)
    networks = plan_networks(call, nics, subnet_id, private_ips, security_group_ids, security_groups)
    subnet = networks.subnet
    subregion = _choose_subregion(call, place.subregion_name, subnet)
    tenancy = _choose_tenancy(call, place.tenancy, subnet)
    check_nested_virtualization(call, tenancy, enabled=not is_public and nested_virtualization)
    if image is None or shape is None:
        raise Stop
    mode = choose_boot_mode(call, image, boot_mode, next_boot, tpm_enabled=tpm_enabled)
    disks = plan_disks(call, image, mappings)
    call.check_state(image)
    check_windows(call, image, shape)
    warn_without_system(call, image_id, image.block_device_mappings)
    count = _limit_by_quotas(call, shape, disks, min_vms_count, max_vms_count)
    count = _limit_by_capacity(call, subregion, min_vms_count, count)
    count = limit_by_addresses(call, networks.nics, min_vms_count, count)
    legacy = vm_initiated_shutdown_behavior or image.vm_initiated_shutdown_behavior or "stop"
    defaults = (*get_shutdown_actions(call, legacy), legacy)
    guest, host, legacy = merge_shutdown_behavior(call, defaults, None, behavior)
    plan = partial(
        Vm,
        account_id=call.account.account_id,
        actions_on_next_boot=show_boot_actions(mode, next_boot),
        architecture=image.architecture,
        boot_mode=mode,
        client_token=client_token,
        creation_date=call.now,
        deletion_protection=image.deletion_protection if deletion_protection is None else deletion_protection,
        image_id=image_id,
        is_source_dest_checked=subnet is not None,
        keypair_name=keypair_name,
        launch_group_ids=networks.group_ids,
        nested_virtualization=nested_virtualization,
        net_id=subnet.net_id if subnet else None,
        os_family=get_os_family(image) if call.switch("os_family") == "sent" else None,
        has_flagged_type=shape.flagged,
        performance=shape.performance if shape.flagged else performance or "high",
        placement=Placement(subregion_name=subregion, tenancy=tenancy),
        product_codes=image.product_codes,
        reservation_id=call.new_id("reservation"),
        security_groups=networks.groups,
        shutdown_behavior_configuration=ShutdownBehaviorConfiguration(guest_action=guest, host_action=host),
        state=VmState.PENDING,
        subnet_id=subnet.subnet_id if subnet else None,
        tags=add_section_tags(call, (), user_data or ""),
        tpm_enabled=image.tpm_mandatory or bool(tpm_enabled),
        user_data=user_data or "",
        vm_initiated_shutdown_behavior=legacy,
        vm_type=format_vm_type(shape, performance),
    )  # fmt: skip
    vms = tuple(_launch(call, plan, number, disks, networks.nics, boot=boot_on_creation) for number in range(count))
    call.use_token(client_token, *vms)
    return vms


def _choose_subregion(call: Call, requested_name: str | None, subnet: Subnet | None) -> str:
    """Return where VMs are created: as requested, else with their Subnet, which must agree (VM-012), else in "a"."""
    name = requested_name or (subnet.subregion_name if subnet else f"{call.region}a")
    check_subregion(call, name)
    fits = subnet is None or name == subnet.subregion_name
    call.check(fits, "VM-012", subregion_name=name, subnet_id=subnet and subnet.subnet_id)
    return name


def _choose_tenancy(call: Call, requested_tenancy: str | None, subnet: Subnet | None) -> str:
    """Return where a VM runs: what its Net says comes first (NET-005/vm)."""
    net: Net | None = call.state.get("net", subnet.net_id) if subnet else None
    return net.tenancy if net is not None and net.tenancy != "default" else requested_tenancy or "default"


def _launch(
    call: Call,
    plan: Callable[..., Vm],
    number: int,
    disks: Sequence[PlannedDisk],
    nics: Sequence[PlannedNic],
    *,
    boot: bool,
) -> Vm:
    """Create one of the VMs of a launch with its NICs, its volumes and their links. `plan` makes it."""
    vm_id = call.new_id("vm")
    address = None if nics else make_private_ip(call.tx.next_number("private_ip"))
    name = None if address is None else make_private_dns(address, call.region)
    vm = plan(launch_number=number, vm_id=vm_id, private_ip=address, private_dns_name=name)
    call.add(vm, then=None if boot else "park")
    add_nics(call, vm, nics)
    call.record_origin(vm, vm.vm_type, ("launched from", vm.image_id))
    links = []
    for disk in disks:
        bsu = disk.bsu
        volume = add_volume(
            call, disk.size, bsu.volume_type or "standard", bsu.iops, vm.placement.subregion_name or "",
            bsu.snapshot_id, state=VolumeState.IN_USE, vm_id=vm.vm_id, values=disk.values,
        )  # fmt: skip
        is_deleted = bsu.delete_on_vm_deletion is not False
        links.append(add_link(call, volume.volume_id, vm.vm_id, disk.device_name, delete_on_vm_deletion=is_deleted))
    return view_vm(call.state, vm, links)


def _find_launchable_image(call: Call, image_id: str) -> Image | None:
    image: Image | None = call.state.get("image", image_id)
    if image is None or not is_visible(call, image):
        call.report(refuse("VM-002", image_id=image_id))
        return None
    return image


def _limit_by_quotas(call: Call, shape: VmShape, disks: Sequence[PlannedDisk], least: int, most: int) -> int:
    """Return how many VMs, `most` at most, the quotas allow. Refuses fewer than `least` (VM-004, QTA-019)."""
    costs = compute_shape_costs(shape)
    for disk in disks:
        for name, cost in compute_disk_costs(disk.bsu.volume_type or "standard", disk.size, disk.bsu.iops).items():
            costs[name] = costs.get(name, 0) + cost
    count = most
    for name, rest in get_remaining(call, costs).items():
        if cost := costs[name]:
            count = min(count, rest // cost)
            if count < least:
                check_quotas(call, {name: cost * least})
    return count


def _limit_by_capacity(call: Call, subregion: str, least: int, requested_count: int) -> int:
    """Return how many of the requested VMs the Subregion has capacity for. Refuses fewer than `least` (VM-005)."""
    call.check(least <= MAX_VMS_PER_LAUNCH, "VM-005/launch", least=least, most=MAX_VMS_PER_LAUNCH)
    count = min(requested_count, MAX_VMS_PER_LAUNCH)
    capacity = call.tx.settings.capacity.get(subregion)
    if capacity is None:
        return count
    free_places = max(capacity - call.state.count("vm", "living in", subregion), 0)
    call.check(least <= free_places, "VM-005", subregion_name=subregion, least=least, left=free_places)
    return min(count, free_places)
