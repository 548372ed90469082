"""What comes with a transition: a reason to fail, the values of the new state, and side effects on other entities.

`EFFECTS` is the only table of couplings between lifecycles. A side effect writes through the same Transaction as its
transition.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from omisim.actions.addresses import make_private_dns, make_private_ip
from omisim.actions.new_account import DEFAULT
from omisim.actions.nic_links import detach_nic
from omisim.actions.nic_views import find_nics
from omisim.actions.public_ips import assign_public_address, attach_tagged_ip, keep_public_address, unlink_public_ips
from omisim.actions.uploads import find_upload_error, upload_image, upload_snapshot
from omisim.actions.vm_attributes import show_boot_actions
from omisim.actions.vm_diagnostics import end_first_boot, make_boot_password, make_stop_entry
from omisim.base.frozen import replace
from omisim.model import (
    ActionsOnNextBoot,
    Entity,
    ExportState,
    GroupHold,
    Image,
    ImageExportTask,
    ImageState,
    LinkState,
    Origin,
    Snapshot,
    SnapshotExportTask,
    SnapshotState,
    StateComment,
    Vm,
    VmState,
    Volume,
    VolumeLink,
    VolumeUpdateTask,
)
from omisim.state.state import State
from omisim.state.transaction import Effects, Transaction

__all__ = ["EFFECTS", "find_waiting_image"]

Values = Mapping[str, Any]
NOT_BOOTED = "Client.NotStartedAtCreation"  # invented: only the length of the real text is known (FLD-013)


def _finish_image(tx: Transaction, snapshot: Snapshot, _comment: str) -> None:
    """Finish the OMI that a completed snapshot was made for, if it waited for no other (ST-OMI-5)."""
    if tx.settings.switch("snapshot_cut") == "completion" and snapshot.volume_id is not None:
        content = tx.state.get("content", snapshot.volume_id)
        if content != tx.state.get("content", snapshot.snapshot_id) and tx.state.get("volume", snapshot.volume_id):
            tx.write("content", snapshot.snapshot_id, content)
    image = find_waiting_image(tx.state, snapshot.snapshot_id)
    if image is not None:
        snapshots = (tx.state.get("snapshot", snapshot_id) for snapshot_id in image.snapshot_ids)
        if all(row.state is SnapshotState.COMPLETED for row in snapshots):
            tx.move(image, "finish")


def _fail_image(tx: Transaction, snapshot: Snapshot, comment: str) -> None:
    """Fail the OMI that a failed snapshot was made for, with its reason (ST-OMI-6)."""
    image = find_waiting_image(tx.state, snapshot.snapshot_id)
    if image is not None:
        reason = comment or f"The snapshot {snapshot.snapshot_id} failed."
        tx.move(image, "fail", state_comment=StateComment(state_code="snapshot-error", state_message=reason))


def find_waiting_image(state: State, snapshot_id: str) -> Image | None:
    """Return the pending OMI that a snapshot was made for, or None. No other OMI is pending with this snapshot."""
    origin: Origin | None = state.get("origin", snapshot_id)
    parents = origin.parents if origin is not None else ()
    images = (state.get("image", parent) for relation, parent in parents if relation == "part of")
    return next((image for image in images if image is not None and image.state is ImageState.PENDING), None)


def _fail_queued_exports(tx: Transaction, image: Image, _comment: str) -> None:
    """Fail the export tasks of a deleted OMI that have not started (OMI-126)."""
    tasks: list[ImageExportTask] = tx.state.find_by("image_export", "image_id", image.image_id)
    for task in tasks:
        if task.state is ExportState.QUEUED:
            tx.move(task, "fail", f"The OMI {image.image_id} was deleted.")


def _drop_row(tx: Transaction, entity: Entity, _comment: str, *, kind: str) -> None:
    """Delete what a resource that is gone has left: the content of a disk, or the console output of a VM."""
    if tx.state.get(kind, entity.id) is not None:
        tx.write(kind, entity.id, None)


def _fail_update(tx: Transaction, volume: Volume, _comment: str, *, reason: str) -> None:
    """Fail the unfinished update of a volume that has failed or is being deleted: nothing may change it any more."""
    if volume.task_id is not None:
        tx.move(tx.state.get("volume_update", volume.task_id), "fail", f"The volume {volume.volume_id} {reason}.")


def _free_volume(tx: Transaction, link: VolumeLink, _comment: str) -> None:
    """Make the volume of a removed link available, or delete it with its VM (ST-VOL-5, ST-VOL-7, ST-VOL-8)."""
    volume: Volume = tx.state.get("volume", link.volume_id)
    vm: Vm = tx.state.get("vm", link.vm_id)
    is_deleted = vm.state is VmState.TERMINATED and link.delete_on_vm_deletion and link.state is not LinkState.DETACHING
    tx.move(volume, "delete" if is_deleted else "unlink")


def _run_vm(tx: Transaction, vm: Vm, _comment: str) -> Values:
    """Give a running VM its public address (VM-030, PIP-017), and clear its boot action (VM-078)."""
    attach_tagged_ip(tx, vm)
    return {
        **assign_public_address(tx, vm),
        "admin_password": make_boot_password(tx, vm),
        "actions_on_next_boot": show_boot_actions(vm.boot_mode),
        "started": True,
        "state_reason": "",
    }


def _stop_vm(tx: Transaction, vm: Vm, _comment: str) -> Values:
    """Remove the addresses of a stopped VM (VM-030), except a linked public IP, and in a Net its private ones (VM-050).

    One that was not booted at its creation stores why it is stopped (FLD-013).
    """
    addresses = {**keep_public_address(tx, vm), "private_dns_name": None, "private_ip": None}
    if not vm.started:
        return {**addresses, "state_reason": NOT_BOOTED}
    return {**addresses, **end_first_boot(vm), "stops": (*vm.stops, make_stop_entry(vm, tx.at))}


def _follow_stop(tx: Transaction, vm: Vm, _comment: str) -> None:
    """Start a stopped VM again, or delete it, if it was stopped for this."""
    if vm.after_stop:
        tx.schedule(vm, vm.after_stop, 0)


def _start_vm(tx: Transaction, vm: Vm, _comment: str) -> Values:
    """Give a restarted VM of the public Cloud a new private address (VM-030)."""
    values: Values = {"after_stop": "", "state_reason": ""}
    if vm.net_id is not None:
        return values
    ip = make_private_ip(tx.next_number("private_ip"))
    region = tx.state.get("account", vm.account_id).region
    return {**values, "private_dns_name": make_private_dns(ip, region), "private_ip": ip}


def _terminate_vm(tx: Transaction, vm: Vm, comment: str) -> Values:
    """Release the addresses and NICs of a terminated VM, and hold the groups of its launch (VM-047, FLD-005, SG-011).

    A failed VM stores its reason (VM-051); any other keeps that of its last state (FLD-013).
    """
    nics = find_nics(tx.state, vm.vm_id)
    groups = {*vm.security_groups, *(group for nic in nics for group in nic.security_groups)}
    unlink_public_ips(tx, vm.vm_id)
    for nic in nics:
        unlink_public_ips(tx, nic.nic_id)
        if nic.link_nic is not None and nic.link_nic.delete_on_vm_deletion:
            tx.drop(nic)
        else:
            tx.put(detach_nic(nic))
    held_ids = sorted(
        group.security_group_id
        for group in groups
        if group.security_group_id in vm.launch_group_ids and group.security_group_name != DEFAULT
    )
    if held_ids:  # the default group is never deleted
        tx.add(GroupHold(security_group_ids=tuple(held_ids), vm_id=vm.vm_id))
    gone = ("net_id", "private_dns_name", "private_ip", "public_dns_name", "public_ip", "subnet_id")
    return {
        **dict.fromkeys(gone),
        "actions_on_next_boot": ActionsOnNextBoot(),
        "is_source_dest_checked": nics[0].is_source_dest_checked if nics else vm.is_source_dest_checked,
        "security_groups": (),
        "state_reason": comment or vm.state_reason,
    }


def _drop_links(tx: Transaction, vm: Vm, _comment: str) -> None:
    """Release the volumes of a terminated VM (ST-VOL-7, ST-VOL-8)."""
    for link in tx.state.find_by("volume_link", "vm_id", vm.vm_id):
        tx.move(link, "drop")


def _apply_update(tx: Transaction, task: VolumeUpdateTask, _comment: str) -> None:
    """Apply a completed update task to its volume (VOL-047)."""
    volume: Volume | None = tx.state.get("volume", task.volume_id)
    if volume is not None:  # it may have been deleted
        target = task.volume_update.target
        tx.put(
            replace(volume, iops=target.iops or None, size=target.size, task_id=None, volume_type=target.volume_type)
        )


def _drop_update(tx: Transaction, task: VolumeUpdateTask, _comment: str) -> None:
    """Leave the volume of a failed update task unchanged."""
    volume: Volume | None = tx.state.get("volume", task.volume_id)
    if volume is not None:
        tx.put(replace(volume, task_id=None))


def _explain_export(_tx: Transaction, _task: ImageExportTask | SnapshotExportTask, comment: str) -> Values:
    """Store the reason of a failed export task (ST-IXT-4)."""
    return {"comment": comment or "The export failed."}


EFFECTS = Effects(
    before={
        ("snapshot", "start"): lambda _tx, snapshot: snapshot.import_error,
        ("image_export", "start"): find_upload_error,
        ("image_export", "finish"): find_upload_error,
        ("snapshot_export", "start"): find_upload_error,
        ("snapshot_export", "activate"): find_upload_error,
        ("snapshot_export", "finish"): find_upload_error,
    },
    entering={
        ("snapshot", "completed"): lambda *_: {"progress": 100},
        ("volume_update", "completed"): lambda tx, *_: {"completion_date": tx.at, "progress": 100},
        ("volume_update", "failed"): lambda tx, _, why: {
            "comment": why or "The update failed.",
            "completion_date": tx.at,
        },
        ("vm", "pending"): _start_vm,
        ("vm", "running"): _run_vm,
        ("vm", "stopped"): _stop_vm,
        ("vm", "terminated"): _terminate_vm,
        ("image_export", "completed"): upload_image,
        ("image_export", "failed"): _explain_export,
        ("snapshot_export", "completed"): upload_snapshot,
        ("snapshot_export", "failed"): _explain_export,
    },
    after={
        ("image", None): _fail_queued_exports,
        ("snapshot", "completed"): _finish_image,
        ("snapshot", "error"): _fail_image,
        ("snapshot", None): partial(_drop_row, kind="content"),
        ("volume", "error"): partial(_fail_update, reason="could not be created"),
        ("volume", "deleting"): partial(_fail_update, reason="was deleted"),
        ("volume", None): partial(_drop_row, kind="content"),
        ("volume_link", None): _free_volume,
        ("volume_update", "completed"): _apply_update,
        ("volume_update", "failed"): _drop_update,
        ("vm", None): partial(_drop_row, kind="console"),
        ("vm", "stopped"): _follow_stop,
        ("vm", "terminated"): _drop_links,
    },
)
