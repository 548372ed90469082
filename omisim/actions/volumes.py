"""Volumes and their links to VMs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omisim.actions.devices import (
    VOLUME_RULES,
    check_device,
    check_disk,
    check_pair,
    check_size,
    check_values,
    compute_gp2_iops,
)
from omisim.actions.framework.call import Call, Stop, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.quotas import check_quotas, compute_disk_costs
from omisim.actions.sharing import get_usable
from omisim.base.frozen import replace
from omisim.model import (
    Content,
    LinkedVolume,
    LinkState,
    Snapshot,
    SnapshotId,
    UpdateState,
    Vm,
    VmId,
    VmState,
    Volume,
    VolumeId,
    VolumeLink,
    VolumeState,
    VolumeUpdate,
    VolumeUpdateParameters,
    VolumeUpdateTask,
)
from omisim.model.base import keep_view
from omisim.model.filters import FiltersReadVolumeUpdateTask, FiltersVolume
from omisim.model.filters.dicts import FiltersReadVolumeUpdateTaskDict, FiltersVolumeDict
from omisim.spec.catalog import load_catalog
from omisim.spec.limits import ROOT
from omisim.state.state import State

MAX_VOLUMES_PER_VM = 40


def find_links(state: State, vm_id: str) -> list[VolumeLink]:
    """Return the links of a VM's volumes, without those that are detaching (OMI-061, LNK-011)."""
    return [link for link in state.find_by("volume_link", "vm_id", vm_id) if link.state is not LinkState.DETACHING]


def view_volume(state: State, volume: Volume) -> Volume:
    """Return the answered form of a volume, with its link."""
    link: VolumeLink | None = state.get("volume_link", volume.volume_id)
    return volume if link is None else _view_with_link(volume, link)


@keep_view
def _view_with_link(volume: Volume, link: VolumeLink) -> Volume:
    linked = LinkedVolume(
        delete_on_vm_deletion=link.delete_on_vm_deletion,
        device_name=link.device_name,
        link_date=link.link_date,
        state=link.state,
        vm_id=link.vm_id,
        volume_id=link.volume_id,
    )
    return replace(volume, linked_volumes=(linked,))


def _check_size_or_snapshot(call: Call, parameters: Mapping[str, Any]) -> None:
    call.check("size" in parameters or "snapshot_id" in parameters, "VOL-003")


@action("CreateVolume", "Volume", combinations=_check_size_or_snapshot)
def create_volume(
    call: Call,
    *,
    client_token: str | None = None,
    iops: int | None = None,
    size: int | None = None,
    snapshot_id: SnapshotId | None = None,
    subregion_name: str,
    volume_type: str | None = None,
) -> Volume:
    """Create an empty volume, or one with the content of a snapshot. Returns it in the state creating (ST-VOL-1).

    `size` is in GiB.
    """
    repeated = call.find_repeated(Volume, client_token)
    if repeated:
        return view_volume(call.state, repeated[0])
    volume_type = volume_type or "standard"
    check_disk(call, VOLUME_RULES, volume_type, size, iops)
    check_subregion(call, subregion_name)
    if snapshot_id is not None:
        size = _choose_size(call, snapshot_id, size, volume_type, iops)
    assert size is not None  # VOL-003
    check_quotas(call, compute_disk_costs(volume_type, size, iops))
    volume = add_volume(call, size, volume_type, iops, subregion_name, snapshot_id, client_token)
    call.use_token(client_token, volume)
    return volume


def check_subregion(call: Call, name: str) -> None:
    """Refuse a Subregion outside the caller's Region (VOL-002)."""
    subregions = load_catalog().regions[call.region].subregions
    call.check(name in subregions, "VOL-002", subregion_name=name, known=tuple(subregions))


def _choose_size(call: Call, snapshot_id: str, size: int | None, volume_type: str, iops: int | None) -> int:
    snapshot = get_usable(call, Snapshot, snapshot_id, "VOL-014")
    smallest = snapshot.volume_size
    if size is None:
        check_size(call, VOLUME_RULES, volume_type, smallest, iops)
    else:
        call.check(size >= smallest, VOLUME_RULES.shrinks, size=size, snapshot_id=snapshot_id, smallest=smallest)
    call.check_state(snapshot)
    return smallest if size is None else size


def add_volume(
    call: Call,
    size: int,
    volume_type: str,
    iops: int | None,
    subregion_name: str,
    snapshot_id: str | None,
    client_token: str | None = None,
    *,
    state: VolumeState = VolumeState.CREATING,
    vm_id: str | None = None,
    values: tuple[tuple[str, str, str], ...] = (),
) -> Volume:
    """Create a volume with the content of its snapshot. `size` is in GiB.

    `vm_id` is the VM that it is made for, `values` tell where that VM's values come from (`Origin`).
    """
    volume = call.add(
        Volume(
            account_id=call.account.account_id,
            client_token=client_token,
            creation_date=call.now,
            iops=compute_gp2_iops(size) if volume_type == "gp2" else iops,
            size=size,
            snapshot_id=snapshot_id,
            state=state,
            subregion_name=subregion_name,
            volume_id=call.new_id("volume"),
            volume_type=volume_type,
        )
    )
    content: Content | None = call.state.get("content", snapshot_id or "")
    if content is not None:
        call.tx.write("content", volume.volume_id, content)
    parents = [("restored from", snapshot_id)] if snapshot_id else []
    parents = [("made with", vm_id), *parents] if vm_id else parents
    call.record_origin(volume, f"{size} GiB {volume_type}", *parents, values=values)
    return volume


@action("ReadVolumes", "Volumes", paged=True)
def read_volumes(call: Call, *, filters: FiltersVolume | FiltersVolumeDict | None = None) -> tuple[Volume, ...]:
    """List the caller's volumes in creation order."""
    return call.read_own(Volume, as_parsed(filters), view_volume)


def _check_has_changes(call: Call, parameters: Mapping[str, Any]) -> None:
    call.check(parameters.keys() - {"volume_id"}, "VOL-040")


@action("UpdateVolume", "Volume", combinations=_check_has_changes)
def update_volume(
    call: Call,
    *,
    iops: int | None = None,
    size: int | None = None,
    volume_id: VolumeId,
    volume_type: str | None = None,
) -> Volume:
    """Change the size (GiB), the type or the IOPS of a volume. The size can only grow.

    The change is immediate for an available volume and for a stopped VM. Otherwise a task makes it (VOL-047), and the
    returned volume has its old values and the id of the task.
    """
    for name, value in (("size", size), ("iops", iops)):
        call.check(value != 0, "VOL-042", parameter=call.spell(name))
    check_values(call, VOLUME_RULES, volume_type, size or None, iops or None)
    volume = call.get_owned(Volume, volume_id, "VOL-020")
    target = _plan_update(call, volume, size, volume_type, iops)
    call.check_state(volume)
    call.check(volume.task_id is None, "VOL-048", volume_id=volume_id, task_id=volume.task_id)
    _check_growth(call, volume, target)
    link: VolumeLink | None = call.state.get("volume_link", volume_id)
    vm: Vm | None = call.state.get("vm", link.vm_id) if link else None
    if volume.state is not VolumeState.CREATING and (vm is None or vm.state is VmState.STOPPED):
        return view_volume(call.state, call.put(target))
    if vm is not None and vm.state is VmState.RUNNING:
        hot = call.switch("hot_volume_update") or (size is None and volume_type is None)
        call.check(hot, "VOL-046", volume_id=volume_id, vm_id=vm.vm_id)
    return view_volume(call.state, call.put(replace(volume, task_id=_add_task(call, volume, target).task_id)))


def _plan_update(call: Call, volume: Volume, size: int | None, volume_type: str | None, iops: int | None) -> Volume:
    """Return the volume after an update, or refuse the update (VOL-041 to VOL-045)."""
    new_type, new_size = volume_type or volume.volume_type, size or volume.size
    new_iops = iops or (volume.iops if new_type == volume.volume_type == "io1" else None)
    call.check(volume.size <= new_size, "VOL-041", size=new_size, now=volume.size)
    check_pair(call, VOLUME_RULES, new_type, new_iops)
    check_size(call, VOLUME_RULES, new_type, new_size, new_iops)
    if new_type == "gp2":
        new_iops = compute_gp2_iops(new_size)
    return replace(volume, iops=new_iops, size=new_size, volume_type=new_type)


def _check_growth(call: Call, volume: Volume, target: Volume) -> None:
    before, after = (compute_disk_costs(v.volume_type, v.size, v.iops) for v in (volume, target))
    check_quotas(call, {name: more for name in after if (more := after[name] - before.get(name, 0)) > 0})


def _add_task(call: Call, volume: Volume, target: Volume) -> VolumeUpdateTask:
    origin, after = (
        VolumeUpdateParameters(iops=v.iops or 0, size=v.size, volume_type=v.volume_type) for v in (volume, target)
    )
    return call.add(
        VolumeUpdateTask(
            account_id=volume.account_id,
            start_date=call.now,
            state=UpdateState.PENDING,
            task_id=call.new_id("volume_update"),
            volume_id=volume.volume_id,
            volume_update=VolumeUpdate(origin=origin, target=after),
        )
    )


@action("ReadVolumeUpdateTasks", "VolumeUpdateTasks", paged=True)
def read_volume_update_tasks(
    call: Call, *, filters: FiltersReadVolumeUpdateTask | FiltersReadVolumeUpdateTaskDict | None = None
) -> tuple[VolumeUpdateTask, ...]:
    """List the update tasks of the caller's volumes in order of their start, including finished ones (VOL-050)."""
    return call.read_own(VolumeUpdateTask, as_parsed(filters))


@action("DeleteVolume")
def delete_volume(call: Call, *, volume_id: VolumeId) -> None:
    """Delete an unlinked volume (VOL-021). Its snapshots are unaffected (VOL-022)."""
    volume = call.get_owned(Volume, volume_id, "VOL-020")
    if volume.state is not VolumeState.CREATING or volume.task_id is None:  # VOL-021/updated
        call.check_state(volume)
    call.move(volume, "delete")


@action("LinkVolume")
def link_volume(call: Call, *, device_name: str, vm_id: VmId, volume_id: VolumeId) -> None:
    """Link a volume to a VM of its Subregion under a device name. The link starts attaching."""
    check_device(call, device_name)
    vm = call.get_owned(Vm, vm_id, "LNK-002/vm")
    volume = call.get_owned(Volume, volume_id, "LNK-002")
    call.check_state(vm)
    call.check_state(volume)
    links: list[VolumeLink] = call.state.find_by("volume_link", "vm_id", vm_id)
    used = next((link.volume_id for link in links if link.device_name == device_name), None)
    call.check(used is None, "LNK-005", device_name=device_name, vm_id=vm_id, used_by=used)
    there, here = vm.placement.subregion_name, volume.subregion_name
    call.check(there == here, "LNK-003", volume_id=volume_id, subregion=here, vm_subregion=there)
    call.check(len(links) < MAX_VOLUMES_PER_VM, "LNK-008", vm_id=vm_id, most=MAX_VOLUMES_PER_VM)
    call.move(volume, "link")
    add_link(call, volume_id, vm_id, device_name, delete_on_vm_deletion=False)


def add_link(call: Call, volume_id: str, vm_id: str, device_name: str, *, delete_on_vm_deletion: bool) -> VolumeLink:
    """Add a link of a volume to a VM, in the state attaching."""
    return call.add(
        VolumeLink(
            delete_on_vm_deletion=delete_on_vm_deletion,
            device_name=device_name,
            link_date=call.now,
            state=LinkState.ATTACHING,
            vm_id=vm_id,
            volume_id=volume_id,
        )
    )


@action("UnlinkVolume")
def unlink_volume(call: Call, *, force_unlink: bool = False, volume_id: VolumeId) -> None:
    """Unlink a volume from its VM. The link is detaching, then the volume becomes available.

    `force_unlink` has the same result (LNK-024).
    """
    volume = call.get_owned(Volume, volume_id, "LNK-020")
    call.check_state(volume)
    link: VolumeLink | None = call.state.get("volume_link", volume_id)
    if link is None:
        raise Stop
    call.check_state(link)
    vm: Vm = call.state.get("vm", link.vm_id)
    state = "restarting" if vm.state is VmState.STOPPED and vm.after_stop == "start" else vm.state
    free = link.device_name != ROOT or state == VmState.STOPPED
    call.check(free, "LNK-022", volume_id=volume_id, vm_id=vm.vm_id, state=state)
    call.move(link, "detach")
