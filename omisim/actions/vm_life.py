"""VMs after their creation: read, start, stop, reboot, update and delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from omisim.actions.framework.call import Call, as_parsed, as_parsed_list
from omisim.actions.framework.registry import action
from omisim.actions.nic_views import find_nics
from omisim.actions.quotas import check_quotas, compute_shape_costs
from omisim.actions.security_groups import resolve_groups
from omisim.actions.vm_attributes import (
    add_section_tags,
    check_attributes,
    check_keypair,
    check_nested_virtualization,
    check_secure_boot,
    check_windows,
    format_vm_type,
    merge_shutdown_behavior,
    show_boot_actions,
)
from omisim.actions.vm_diagnostics import end_first_boot
from omisim.actions.vms import view_vm
from omisim.actions.volumes import find_links
from omisim.base.frozen import replace
from omisim.model import (
    ENDED_VM_STATES,
    ActionsOnNextBoot,
    BlockDeviceMappingVmUpdate,
    MayBeEmpty,
    OrDict,
    SecurityGroupId,
    ShutdownBehaviorConfiguration,
    Vm,
    VmId,
    VmState,
    VmStateChange,
    VmStates,
    VolumeLink,
)
from omisim.model.filters import FiltersVm, FiltersVmsState, match_all
from omisim.model.filters.dicts import FiltersVmDict, FiltersVmsStateDict
from omisim.spec.limits import ROOT
from omisim.spec.rules import refuse
from omisim.spec.vm_types import VmShape, find_vm_shape, get_vm_shape, strip_flag

AFTER_STOP = {"restart": "start", "terminate": "delete"}  # shutdown behavior → the event after a stop (VM-024/stop)


@action("ReadVms", "Vms", paged=True)
def read_vms(call: Call, *, filters: FiltersVm | FiltersVmDict | None = None) -> tuple[Vm, ...]:
    """List the caller's VMs in creation order, including terminated ones while they are retained (VM-053)."""
    parsed_filters = as_parsed(filters) or match_all(FiltersVm)
    _check_prefixes(call, parsed_filters.vm_ids)
    return call.read_own(Vm, parsed_filters, view_vm)


@action("ReadVmsState", "VmStates", paged=True)
def read_vms_state(
    call: Call, *, all_vms: bool = False, filters: FiltersVmsState | FiltersVmsStateDict | None = None
) -> tuple[VmStates, ...]:
    """List the states of the caller's running VMs, or with `all_vms` of all of them (VM-054)."""
    parsed_filters = as_parsed(filters) or match_all(FiltersVmsState)
    _check_prefixes(call, parsed_filters.vm_ids)
    listed = parsed_filters.vm_states if all_vms else (VmState.RUNNING,)
    states = (
        VmStates(subregion_name=vm.placement.subregion_name or "", vm_id=vm.vm_id, vm_state=vm.state)
        for vm in call.own_rows(Vm, FiltersVm(vm_ids=parsed_filters.vm_ids, vm_state_names=listed))
        if all_vms or vm.state is VmState.RUNNING
    )
    return call.select(states, parsed_filters)


def _check_prefixes(call: Call, ids: Sequence[str] | None) -> None:
    """Refuse ids without the prefix of VM ids. Only the two reads of VMs do so (VM-055)."""
    for vm_id in ids or ():
        call.check(not vm_id or vm_id.startswith("i-"), "VM-055", vm_id=vm_id)


def _get_all_owned(call: Call, ids: Sequence[str]) -> list[Vm]:
    """Return the VMs of a batch, each once, or refuse the batch if the caller does not own one of them (VM-041)."""
    return [call.get_owned(Vm, vm_id, "VM-041") for vm_id in dict.fromkeys(ids)]


def _move_all(call: Call, vms: Sequence[Vm], move: Callable[[Vm], Vm]) -> tuple[VmStateChange, ...]:
    return tuple(VmStateChange(current_state=move(vm).state, previous_state=vm.state, vm_id=vm.vm_id) for vm in vms)


@action("StartVms", "Vms")
def start_vms(call: Call, *, vm_ids: Sequence[VmId]) -> tuple[VmStateChange, ...]:
    """Start stopped VMs, all or none. Returns the states of each before and after (pending)."""
    vms = _get_all_owned(call, vm_ids)
    idle = call.switch("start_running") == "no-op"
    for vm in vms:
        if not (idle and vm.state is VmState.RUNNING):
            call.check_state(vm)
        has_root = vm.state is not VmState.STOPPED or any(
            link.device_name == ROOT for link in find_links(call.state, vm.vm_id)
        )
        call.check(has_root, "LNK-011", vm_id=vm.vm_id)
    return _move_all(call, vms, lambda vm: call.move(vm, "start") if vm.state is VmState.STOPPED else vm)


@action("StopVms", "Vms")
def stop_vms(call: Call, *, force_stop: bool = False, vm_ids: Sequence[VmId]) -> tuple[VmStateChange, ...]:
    """Stop running VMs, all or none. Stopping and stopped VMs keep their states.

    `force_stop` powers the VMs off. A VM with the shutdown behavior restart or terminate is started again, or
    terminated, as soon as it has stopped (VM-024/stop). Returns the states of each before and after (stopping).
    """
    vms = _get_all_owned(call, vm_ids)
    for vm in vms:
        call.check_state(vm)
    reason = "" if force_stop else "Client.ApiGracefulShutdown"
    followed = call.switch("stop_behavior") == "followed"

    def stop(vm: Vm) -> Vm:
        after_stop = AFTER_STOP.get(vm.vm_initiated_shutdown_behavior, "") if followed else ""
        if vm.state is VmState.RUNNING:
            return call.move(vm, "stop", after_stop=after_stop, state_reason=reason)
        if vm.state is VmState.STOPPING:  # perhaps by CreateImage, which would start it again
            return call.put(replace(vm, after_stop=after_stop))
        if vm.after_stop:  # stopped, but not to stay so
            vm = call.put(replace(vm, after_stop=after_stop))
            if after_stop:
                call.tx.schedule(vm, after_stop, 0)
            else:
                call.tx.cancel(vm)
        return vm

    return _move_all(call, vms, stop)


@action("RebootVms")
def reboot_vms(call: Call, *, vm_ids: Sequence[VmId]) -> None:
    """Reboot running VMs, all or none. They stay running (ST-VM-8)."""
    vms = _get_all_owned(call, vm_ids)
    for vm in vms:
        call.check_state(vm)
    for vm in vms:
        call.put(replace(vm, **end_first_boot(vm)))


@action("DeleteVms", "Vms")
def delete_vms(call: Call, *, vm_ids: Sequence[VmId]) -> tuple[VmStateChange, ...]:
    """Delete VMs, all or none. A protected VM refuses the batch. Returns the states of each before and after.

    Volumes with DeleteOnVmDeletion are deleted with their VM. The others become available (VM-047).
    """
    vms = _get_all_owned(call, vm_ids)
    for vm in vms:
        call.check_state(vm)
        call.check(vm.state in ENDED_VM_STATES or not vm.deletion_protection, "VM-045", vm_id=vm.vm_id)
    return _move_all(
        call, vms, lambda vm: vm if vm.state in ENDED_VM_STATES else call.move(vm, "delete", after_stop="")
    )


def _check_has_changes(call: Call, parameters: Mapping[str, Any]) -> None:
    call.check(parameters.keys() - {"vm_id"}, "VM-071")


@action("UpdateVm", "Vm", combinations=_check_has_changes)
def update_vm(
    call: Call,
    *,
    actions_on_next_boot: OrDict[ActionsOnNextBoot] | None = None,
    block_device_mappings: Sequence[OrDict[BlockDeviceMappingVmUpdate]] | None = None,
    bsu_optimized: bool | None = None,
    deletion_protection: bool | None = None,
    is_source_dest_checked: bool | None = None,
    keypair_name: str | None = None,
    nested_virtualization: bool | None = None,
    performance: str | None = None,
    security_group_ids: Annotated[Sequence[SecurityGroupId] | None, MayBeEmpty()] = None,
    shutdown_behavior_configuration: OrDict[ShutdownBehaviorConfiguration] | None = None,
    user_data: str | None = None,
    vm_id: VmId,
    vm_initiated_shutdown_behavior: str | None = None,
    vm_type: str | None = None,
) -> Vm:
    """Change a VM. Returns it.

    The type, performance, user data and nested virtualization of a VM can be changed only while it is stopped (VM-072).
    """
    behavior, boot = as_parsed(shutdown_behavior_configuration), as_parsed(actions_on_next_boot)
    check_attributes(call, performance, user_data, vm_initiated_shutdown_behavior, behavior)
    call.check(security_group_ids is None or security_group_ids, "VM-079")
    vm = call.get_owned(Vm, vm_id, "VM-070")
    shape = find_vm_shape(vm_type) if vm_type is not None else get_vm_shape(vm.vm_type)
    call.check(shape is not None, "VMT-001", vm_type=vm_type)
    check_keypair(call, keypair_name)
    groups = resolve_groups(call, vm.net_id, security_group_ids) if security_group_ids else None
    check_secure_boot(call, boot.secure_boot if boot else None, vm.boot_mode)
    stop_only = (nested_virtualization, performance, user_data, vm_type, bsu_optimized)
    links = _update_links(call, vm, as_parsed_list(block_device_mappings))
    call.check_state(vm, "UpdateVm (stopped only)" if any(value is not None for value in stop_only) else "UpdateVm")
    check_nested_virtualization(call, vm.placement.tenancy, enabled=nested_virtualization)
    call.check(not bsu_optimized, "VM-026")
    call.check(is_source_dest_checked is None or vm.net_id, "VM-075", vm_id=vm_id)
    if vm_type is not None and shape is not None:
        _check_new_type(call, vm, shape)
    call.stop_if_refused()
    for link in links:
        call.put(link)
    if vm.net_id is not None:
        primary = find_nics(call.state, vm_id)[0]
        checked = primary.is_source_dest_checked if is_source_dest_checked is None else is_source_dest_checked
        call.put(replace(primary, is_source_dest_checked=checked, security_groups=groups or primary.security_groups))
    requested = {
        "actions_on_next_boot": boot and show_boot_actions(vm.boot_mode, boot),
        "deletion_protection": deletion_protection,
        "keypair_name": keypair_name,
        "nested_virtualization": nested_virtualization,
        "security_groups": groups if vm.net_id is None else None,
        "tags": add_section_tags(call, vm.tags, user_data or ""),
        "user_data": user_data,
    }
    changes: dict[str, Any] = {name: value for name, value in requested.items() if value is not None}
    if vm_type is not None or (performance is not None and not vm.has_flagged_type):
        changes |= _change_type(vm_type or strip_flag(vm.vm_type), performance or vm.performance)
    changes |= _change_shutdown(call, vm, vm_initiated_shutdown_behavior, behavior)
    return view_vm(call.state, call.put(replace(vm, **changes)))


def _check_new_type(call: Call, vm: Vm, shape: VmShape) -> None:
    """Check a new type of a VM against its licences (LIC-014) and the caller's quotas (VM-006)."""
    check_windows(call, vm, shape)
    before, after = (compute_shape_costs(s) for s in (get_vm_shape(vm.vm_type), shape))
    check_quotas(call, {name: more for name in after if (more := after[name] - before[name]) > 0})


def _change_type(vm_type: str, performance: str) -> dict[str, Any]:
    """Return the type and the performance after a change. A flag in the type takes precedence (VMT-004)."""
    shape = get_vm_shape(vm_type)
    return {
        "has_flagged_type": shape.flagged and vm_type == shape.name,
        "vm_type": format_vm_type(shape, performance),
        "performance": shape.performance if shape.flagged else performance,
    }


def _change_shutdown(
    call: Call, vm: Vm, behavior: str | None, configuration: ShutdownBehaviorConfiguration | None
) -> dict[str, Any]:
    """Return the new and the old field of a VM's shutdown behavior after a change of either (VM-025)."""
    stored = vm.shutdown_behavior_configuration
    current = (stored.guest_action or "stop", stored.host_action or "restart", vm.vm_initiated_shutdown_behavior)
    guest, host, legacy = merge_shutdown_behavior(call, current, behavior, configuration)
    return {
        "shutdown_behavior_configuration": ShutdownBehaviorConfiguration(guest_action=guest, host_action=host),
        "vm_initiated_shutdown_behavior": legacy,
    }


def _update_links(call: Call, vm: Vm, mappings: Sequence[BlockDeviceMappingVmUpdate]) -> list[VolumeLink]:
    """Return the links with their new DeleteOnVmDeletion. A mapping names its device, its volume, or both (VM-076)."""
    updated_links = []
    links: list[VolumeLink] = call.state.find_by("volume_link", "vm_id", vm.vm_id)
    for mapping in mappings:
        volume_id = mapping.bsu.volume_id if mapping.bsu else None
        matching_links = [
            link
            for link in links
            if mapping.device_name in (None, link.device_name) and volume_id in (None, link.volume_id)
        ]
        if (mapping.device_name is None and volume_id is None) or not matching_links:
            rule = "VM-076" if volume_id is None else "VM-076/volume"
            facts = {"device_name": mapping.device_name, "volume_id": volume_id}
            texts = [f"{call.spell(name)} {value}" for name, value in facts.items() if value is not None]
            call.report(refuse(rule, vm_id=vm.vm_id, mapping=" and ".join(texts) or "a mapping without names", **facts))
        elif mapping.bsu and mapping.bsu.delete_on_vm_deletion is not None:
            updated_links.append(replace(matching_links[0], delete_on_vm_deletion=mapping.bsu.delete_on_vm_deletion))
    return updated_links
