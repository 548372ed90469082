"""VMs: creating them from OMIs (domain 6.3, 6.4), and reading them."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from omisim.actions.call import Call, Stop, parsed, parsed_all
from omisim.actions.devices import ROOT, VM_DEVICE, check_disk, check_shapes, filled
from omisim.actions.quotas import check_quotas, disk_costs, room
from omisim.actions.registry import action
from omisim.actions.sharing import visible
from omisim.actions.snapshots import usable
from omisim.actions.vm_types import PERFORMANCES, VmShape, find_vm_shape
from omisim.actions.volumes import MOST_VOLUMES_PER_VM, add_link, check_subregion, new_volume
from omisim.ids import Id
from omisim.model import (
    ActionsOnNextBoot,
    BlockDeviceMappingCreated,
    BlockDeviceMappingVmCreation,
    BsuCreated,
    BsuToCreate,
    Image,
    NicForVmCreation,
    OrDict,
    Placement,
    SecurityGroupLight,
    ShutdownBehaviorConfiguration,
    Snapshot,
    SubnetId,
    Vm,
    VmState,
    VolumeState,
)
from omisim.plain import api_name
from omisim.rules import refuse
from omisim.state import State

SecurityGroupId = Annotated[str, Id("security_group")]
ImageId = Annotated[str, Id("image")]
LONGEST_USER_DATA = 512_000
SECURE_BOOT_ACTIONS = ("enable", "disable", "setup-mode", "none", "restore-factory-keys")
WINDOWS_CODES = {"0002", "0005"}
WINDOWS_LEAST = (3, 2, 4)  # generation, vCores, GiB (LIC-014)


def view(state: State, vm: Vm) -> Vm:
    """Return a VM with its disks, as it is answered."""
    links = state.found("volume_link", "vm", vm.vm_id)
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


@dataclass(frozen=True, slots=True)
class Disk:
    """A volume that a VM is to have."""

    device_name: str
    bsu: BsuToCreate
    size: int


def _nics_alone(call: Call, given: Mapping[str, Any]) -> None:
    """Refuse what Nics excludes (VM-010)."""
    if "nics" in given:
        excluded = [api_name(n) for n in ("subnet_id", "security_group_ids", "private_ips") if n in given]
        call.check(not excluded, "VM-010", parameters=excluded)


@action("CreateVms", "Vms", combinations=_nics_alone)
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
    """Launch VMs from an OMI: as many as there is room for between min and max (VM-004).

    Returns them pending, each with the volumes its OMI and the request ask for, the links attaching.
    """
    mappings = parsed_all(block_device_mappings)
    place = parsed(placement) or Placement()
    behavior = parsed(shutdown_behavior_configuration)
    request = {
        "image": image_id, "type": vm_type, "devices": mappings, "min": min_vms_count, "max": max_vms_count,
        "keypair": keypair_name, "user_data": user_data, "placement": place, "boot": boot_on_creation,
        "protection": deletion_protection, "behavior": (behavior, vm_initiated_shutdown_behavior),
    }  # fmt: skip
    made = call.repeated(client_token, **request)
    if made:
        return tuple(view(call.state, call.own(Vm, vm_id, "VM-041")) for vm_id in made)
    call.check(1 <= min_vms_count <= max_vms_count, "VM-004", minimum=min_vms_count, maximum=max_vms_count)
    check_attributes(call, performance, user_data, vm_initiated_shutdown_behavior, behavior)
    _check_tenancy(call, place.tenancy, nested_virtualization=nested_virtualization)
    call.check(not bsu_optimized, "VM-026")
    check_shapes(call, mappings, "BDM-014")
    _check_networks(call, nics, subnet_id, private_ips)
    # checks that do not depend on each other, before an unknown OMI ends the call
    image = _launchable(call, image_id)
    shape = find_vm_shape(vm_type)
    call.check(shape is not None, "VMT-001", vm_type=vm_type)
    check_keypair(call, keypair_name)
    groups = check_groups(call, security_groups, security_group_ids)
    subregion = place.subregion_name or f"{call.region}a"
    check_subregion(call, subregion)
    if image is None or shape is None:
        raise Stop
    call.may(image)
    mode = _boot_mode(call, image, boot_mode, parsed(actions_on_next_boot), tpm_enabled=tpm_enabled)
    disks = _disks(call, image, mappings)
    _check_windows(call, image, shape)
    count = _count(call, shape, disks, min_vms_count, max_vms_count)
    count = min(count, _capacity(call, subregion, min_vms_count, count))
    guest, host, legacy = shutdown(image.vm_initiated_shutdown_behavior, vm_initiated_shutdown_behavior, behavior)
    vm = Vm(
        account_id=call.account.account_id,
        actions_on_next_boot=parsed(actions_on_next_boot) or ActionsOnNextBoot(secure_boot="none"),
        architecture=image.architecture,
        boot_mode=mode,
        boot_modes=image.boot_modes,
        client_token=client_token,
        creation_date=call.now,
        deletion_protection=image.deletion_protection if deletion_protection is None else deletion_protection,
        image_id=image_id,
        keypair_name=keypair_name,
        nested_virtualization=nested_virtualization,
        os_family="windows" if WINDOWS_CODES & set(image.product_codes) else "linux",
        performance=shape.performance if shape.flagged else performance or "high",
        placement=Placement(subregion_name=subregion, tenancy=place.tenancy or "default"),
        product_codes=image.product_codes,
        reservation_id=call.new_id("reservation"),
        security_groups=groups,
        shutdown_behavior_configuration=ShutdownBehaviorConfiguration(guest_action=guest, host_action=host),
        state=VmState.PENDING,
        tpm_enabled=image.tpm_mandatory or bool(tpm_enabled),
        user_data=user_data or "",
        vm_id="",
        vm_initiated_shutdown_behavior=legacy,
        vm_type=typed(shape, performance),
    )  # fmt: skip
    vms = tuple(
        _launch(call, replace(vm, launch_number=number), disks, boot=boot_on_creation) for number in range(count)
    )
    call.use_token(client_token, tuple(vm.vm_id for vm in vms), **request)
    return vms


def _launch(call: Call, vm: Vm, disks: Sequence[Disk], *, boot: bool) -> Vm:
    """Create one VM with its volumes and links."""
    vm = replace(vm, vm_id=call.new_id("vm"), private_ip=private_ip(call.tx.next_number("private_ip")))
    vm = replace(vm, private_dns_name=private_dns(vm.private_ip, call.region))
    call.add(vm, then=None if boot else "park")
    call.remember(vm, vm.vm_type, ("launched from", vm.image_id))
    for disk in disks:
        bsu = disk.bsu
        volume = new_volume(
            call, disk.size, bsu.volume_type or "standard", bsu.iops, vm.placement.subregion_name or "",
            bsu.snapshot_id, state=VolumeState.IN_USE, vm_id=vm.vm_id,
        )  # fmt: skip
        keep = bsu.delete_on_vm_deletion is False
        add_link(call, volume.volume_id, vm.vm_id, disk.device_name, delete_on_vm_deletion=not keep)
    return view(call.state, vm)


def private_ip(number: int) -> str:
    """Return the number-th private address of the public cloud."""
    return f"10.{number // 62500 % 250}.{number // 250 % 250}.{number % 250 + 4}"


def public_ip(number: int) -> str:
    """Return the number-th public address, of those that are kept for documentation and tests."""
    return f"198.51.{100 + number // 250 % 100}.{number % 250 + 1}"


def private_dns(ip: str | None, region: str) -> str:
    """Return the name of a private address."""
    return f"ip-{str(ip).replace('.', '-')}.{region}.compute.internal"


def _launchable(call: Call, image_id: str) -> Image | None:
    image: Image | None = call.state.get("image", image_id)
    if image is None or not visible(call, image):
        call.report(refuse("VM-002", image_id=image_id))
        return None
    return image


def check_attributes(
    call: Call,
    performance: str | None,
    user_data: str | None,
    behavior: str | None,
    configuration: ShutdownBehaviorConfiguration | None,
) -> None:
    """Check the values that CreateVms and UpdateVm share (VM-019, VM-024, VM-025, VM-027)."""
    call.check(performance is None or performance in PERFORMANCES, "VM-027", performance=performance)
    known = behavior is None or behavior in ("stop", "restart", "terminate")
    call.check(known, "VM-024", behavior=behavior)
    if configuration is not None:
        guest, host = configuration.guest_action, configuration.host_action
        call.check(guest in (None, "stop", "terminate"), "VM-025", parameter="GuestAction", value=guest)
        call.check(host in (None, "restart", "stop"), "VM-025", parameter="HostAction", value=host)
    if user_data is not None and call.check(
        len(user_data) <= LONGEST_USER_DATA, "VM-019/length", length=len(user_data)
    ):
        call.check(_is_base64(user_data), "VM-019")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _check_tenancy(call: Call, tenancy: str | None, *, nested_virtualization: bool) -> None:
    known = tenancy is None or tenancy in ("default", "dedicated") or tenancy.startswith("ded-")
    call.check(known, "VM-017", tenancy=tenancy)
    dedicated = tenancy is not None and tenancy != "default"
    call.check(dedicated or not nested_virtualization, "VM-018", tenancy=tenancy or "default")


def _check_networks(
    call: Call,
    nics: Sequence[OrDict[NicForVmCreation]] | None,
    subnet_id: str | None,
    private_ips: Sequence[str] | None,
) -> None:
    """Refuse Subnets and NICs: none can exist, for Nets are not served yet."""
    for nic in parsed_all(nics):
        call.check(nic.nic_id is None, "VM-010/nic", nic_id=nic.nic_id)
        call.check(nic.subnet_id is None, "VM-012/subnet", subnet_id=nic.subnet_id)
        call.check(nic.nic_id or nic.subnet_id, "VM-011")
    call.check(subnet_id is None, "VM-012/subnet", subnet_id=subnet_id)
    call.check(not private_ips or subnet_id is not None, "VM-013", private_ips=private_ips)


def check_keypair(call: Call, name: str | None) -> None:
    """Refuse a keypair that the caller does not have (VM-014)."""
    found = name is None or call.state.found("keypair", "name", (call.account.account_id, name))
    call.check(found, "VM-014", keypair_name=name)


def check_groups(call: Call, names: Sequence[str] | None, ids: Sequence[str] | None) -> tuple[SecurityGroupLight, ...]:
    """Return the security groups of a VM: the account's default one, until others are served (VM-009)."""
    own = call.account.security_group_id
    for name in names or ():
        call.check(name == "default", "VM-009", security_group=name)
    for group_id in ids or ():
        call.check(group_id == own, "VM-009", security_group=group_id)
    return (SecurityGroupLight(security_group_id=own, security_group_name="default"),)


def _boot_mode(
    call: Call, image: Image, asked: str | None, actions: ActionsOnNextBoot | None, *, tpm_enabled: bool | None
) -> str:
    """Return how the VM boots (VM-020), checked against its OMI, the vTPM (VM-021) and Secure Boot (VM-022)."""
    mode = asked or ("legacy" if "legacy" in image.boot_modes else "uefi")
    call.check(mode in image.boot_modes, "VM-020", boot_mode=mode, offered=image.boot_modes)
    call.check(not (image.tpm_mandatory and tpm_enabled is False), "VM-021", image_id=image.image_id)
    secure_boot = actions.secure_boot if actions else None
    check_secure_boot(call, secure_boot, mode)
    return mode


def check_secure_boot(call: Call, secure_boot: str | None, mode: str) -> None:
    """Check what a VM is to do to its Secure Boot keys (VM-022)."""
    known = secure_boot is None or secure_boot in SECURE_BOOT_ACTIONS
    if call.check(known, "VM-022", secure_boot=secure_boot) and secure_boot not in (None, "none"):
        call.check(mode == "uefi", "VM-022/legacy", secure_boot=secure_boot)


def _disks(call: Call, image: Image, mappings: Sequence[BlockDeviceMappingVmCreation]) -> list[Disk]:
    """Return the disks of a VM: those of its OMI, with those of the request over them (BDM-001 to BDM-005)."""
    devices = {str(m.device_name): m.bsu for m in image.block_device_mappings if m.bsu is not None}
    for mapping in mappings:
        name = str(mapping.device_name)
        if mapping.no_device is not None:
            call.check(name != ROOT, "BDM-003", device_name=name)
            devices.pop(name, None)
        elif mapping.bsu is not None:
            other = name == ROOT and mapping.bsu.snapshot_id not in (None, devices[ROOT].snapshot_id)
            call.check(not other, "BDM-005", snapshot_id=mapping.bsu.snapshot_id)
            if mapping.bsu.snapshot_id is not None and name != ROOT:
                call.may(usable(call, mapping.bsu.snapshot_id, "OMI-012"))
            devices[name] = filled(mapping.bsu, devices.get(name) or BsuToCreate())
    call.check(len(devices) <= MOST_VOLUMES_PER_VM, "BDM-013", count=len(devices), most=MOST_VOLUMES_PER_VM)
    return [_disk(call, name, bsu) for name, bsu in devices.items()]


def _disk(call: Call, name: str, bsu: BsuToCreate) -> Disk:
    snapshot: Snapshot | None = call.state.get("snapshot", bsu.snapshot_id or "")
    smallest = snapshot.volume_size if snapshot else 1
    size = bsu.volume_size
    if size is None and snapshot is not None:
        size = smallest
    call.check(size is not None, "OMI-059", device_name=name)
    check_disk(call, VM_DEVICE, bsu.volume_type or "standard", size, bsu.iops)
    call.check(size is None or size >= smallest, "BDM-004", device_name=name, size=size, smallest=smallest)
    return Disk(name, bsu, size or smallest)


def _check_windows(call: Call, image: Image, shape: VmShape) -> None:
    """Warn of a VM that is too small for Windows, or refuse it under `strict_windows` (LIC-014)."""
    generation, vcores, memory = WINDOWS_LEAST
    too_small = shape.generation < generation or shape.vcores < vcores or shape.memory < memory
    if too_small and WINDOWS_CODES & set(image.product_codes):
        call.check(not call.switch("strict_windows"), "LIC-014", vm_type=shape.name)
        call.warn(f"{shape.name} is too small for Windows: v3, 2 vCores and 4 GiB are the least (LIC-014)")


def _count(call: Call, shape: VmShape, disks: Sequence[Disk], least: int, most: int) -> int:
    """Return how many VMs there is room for; refuse when it is less than the least (VM-004, QTA-019)."""
    costs = Counter({"vm_limit": 1, "core_limit": shape.vcores, "memory_limit": int(shape.memory)})
    for disk in disks:
        costs.update(disk_costs(disk.bsu.volume_type or "standard", disk.size, disk.bsu.iops))
    count = most
    for name, cost in costs.items():
        left = room(call, name)
        if left is not None and cost:
            count = min(count, max(left, 0) // cost)
            if count < least:
                check_quotas(call, {name: cost * least})
    return count


def _capacity(call: Call, subregion: str, least: int, wanted: int) -> int:
    """Return how many VMs the Subregion has room for; refuse when it is less than the least (VM-005)."""
    capacity = call.tx.settings.capacity.get(subregion)
    if capacity is None:
        return wanted
    ended = (VmState.SHUTTING_DOWN, VmState.TERMINATED)
    living = sum(vm.placement.subregion_name == subregion and vm.state not in ended for vm in call.rows(Vm))
    left = max(capacity - living, 0)
    call.check(least <= left, "VM-005", subregion_name=subregion, least=least, left=left)
    return left


def shutdown(
    inherited: str | None, behavior: str | None, configuration: ShutdownBehaviorConfiguration | None
) -> tuple[str, str, str]:
    """Return GuestAction, HostAction and the old single field; the new field wins over the old one (VM-025)."""
    legacy = behavior or inherited or "stop"
    guest = "terminate" if legacy == "terminate" else "stop"
    host = "restart"
    if configuration is not None:
        guest = configuration.guest_action or guest
        host = configuration.host_action or host
        if configuration.guest_action is not None:
            legacy = configuration.guest_action
    return guest, host, legacy


def typed(shape: VmShape, performance: str | None) -> str:
    """Return the type as it is answered: a TINA name with its flag, an AWS name as it was typed (VMT-003, VMT-005)."""
    if shape.flagged:
        return shape.name
    return f"{shape.name}p{PERFORMANCES.index(performance or 'high') + 1}"
