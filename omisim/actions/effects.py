"""What makes an event fail, and what follows when an entity enters a state: (kind, state) → function; None: it is gone.

The one table of couplings between lifecycles. Effects write through the same Transaction as the transition they follow.
"""

from __future__ import annotations

from dataclasses import replace

from omisim.actions.addresses import private_dns, private_ip
from omisim.actions.new_account import DEFAULT
from omisim.actions.nic_links import detached
from omisim.actions.nic_views import nics_of
from omisim.actions.public_ips import addressed, released, stopped
from omisim.actions.uploads import export_failed, image_uploaded, refused_upload, snapshot_uploaded
from omisim.actions.vm_diagnostics import after_first_boot, boot_password, stop_of
from omisim.model import (
    ActionsOnNextBoot,
    GroupHold,
    Image,
    ImageState,
    LinkState,
    Snapshot,
    SnapshotState,
    StateComment,
    Vm,
    VmState,
    Volume,
    VolumeLink,
    VolumeUpdateTask,
)
from omisim.state.transaction import Effects, Transaction

__all__ = ["EFFECTS"]


def _snapshot_completed(tx: Transaction, snapshot: Snapshot, _comment: str) -> None:
    """A completed snapshot is done to 100 %, and may be the last that an OMI waits for (ST-OMI-5)."""
    tx.put(replace(snapshot, progress=100))
    if tx.settings.switch("snapshot_cut") == "completion" and snapshot.volume_id is not None:
        content = tx.state.get("content", snapshot.volume_id)
        if content != tx.state.get("content", snapshot.snapshot_id) and tx.state.get("volume", snapshot.volume_id):
            tx.write("content", snapshot.snapshot_id, content)
    for image in _waiting(tx, snapshot):
        ids = [m.bsu.snapshot_id for m in image.block_device_mappings if m.bsu and m.bsu.snapshot_id]
        if all(tx.state.get("snapshot", row_id).state is SnapshotState.COMPLETED for row_id in ids):
            tx.move(image, "finish")


def _snapshot_failed(tx: Transaction, snapshot: Snapshot, comment: str) -> None:
    """An OMI fails with the first of its snapshots, and says why (ST-OMI-6)."""
    reason = comment or f"The snapshot {snapshot.snapshot_id} failed."
    for image in _waiting(tx, snapshot):
        said = StateComment(state_code="snapshot-error", state_message=reason)
        tx.move(image, "fail", state_comment=said)


def _waiting(tx: Transaction, snapshot: Snapshot) -> list[Image]:
    images = tx.state.find_by("image", "snapshot", snapshot.snapshot_id)
    return [image for image in images if image.state is ImageState.PENDING]


def _without_content(tx: Transaction, entity: Snapshot | Volume, _comment: str) -> None:
    """What was on a disk goes with it."""
    if tx.state.get("content", entity.id) is not None:
        tx.write("content", entity.id, None)


def _without_console(tx: Transaction, vm: Vm, _comment: str) -> None:
    """What a VM has printed goes with it."""
    if tx.state.get("console", vm.id) is not None:
        tx.write("console", vm.id, None)


def _link_gone(tx: Transaction, link: VolumeLink, _comment: str) -> None:
    """A volume whose link is gone is available again, or goes with its VM (ST-VOL-5, ST-VOL-7, ST-VOL-8)."""
    volume: Volume = tx.state.get("volume", link.volume_id)
    vm: Vm = tx.state.get("vm", link.vm_id)
    goes = vm.state is VmState.TERMINATED and link.delete_on_vm_deletion and link.state is not LinkState.DETACHING
    tx.move(volume, "delete" if goes else "unlink")


def _vm_running(tx: Transaction, vm: Vm, _comment: str) -> None:
    """A running VM has its public address (VM-030); its boot action is done (VM-078)."""
    booted = replace(
        vm,
        admin_password=boot_password(tx, vm),
        actions_on_next_boot=ActionsOnNextBoot(secure_boot="none"),
        started=True,
        state_reason="",
    )
    tx.put(addressed(tx, booted))


def _vm_stopped(tx: Transaction, vm: Vm, _comment: str) -> None:
    """A stopped VM has lost its addresses (VM-030), but for a linked public IP, and in a Net the private ones (VM-050).

    One that restarts starts by itself.
    """
    if vm.started:
        vm = after_first_boot(replace(vm, stops=(*vm.stops, stop_of(vm, tx.at))))
    vm = tx.put(replace(stopped(tx, vm), private_dns_name=None, private_ip=None))
    if vm.restarts:
        tx.schedule(vm, "start", 0)


def _vm_pending(tx: Transaction, vm: Vm, _comment: str) -> None:
    """A VM of the public Cloud that starts again gets a new private address (VM-030)."""
    if vm.net_id is None:
        ip = private_ip(tx.next_number("private_ip"))
        region = tx.state.get("account", vm.account_id).region
        vm = replace(vm, private_dns_name=private_dns(ip, region), private_ip=ip)
    tx.put(replace(vm, restarts=False))


def _vm_terminated(tx: Transaction, vm: Vm, comment: str) -> None:
    """A terminated VM has let go of addresses, NICs and volumes (VM-047, FLD-005); a failed one says why (VM-051)."""
    nics = nics_of(tx.state, vm.vm_id)
    groups = {*vm.security_groups, *(group for nic in nics for group in nic.security_groups)}
    tx.put(
        replace(
            vm,
            net_id=None,
            private_dns_name=None,
            private_ip=None,
            public_dns_name=None,
            public_ip=None,
            security_groups=(),
            state_reason=comment,
            subnet_id=None,
        )
    )
    released(tx, vm.vm_id)
    for nic in nics:
        released(tx, nic.nic_id)
        if nic.link_nic is not None and nic.link_nic.delete_on_vm_deletion:
            tx.drop(nic)
        else:
            tx.put(detached(nic))
    held = sorted(group.security_group_id for group in groups if group.security_group_name != DEFAULT)
    if held:  # the default group is never deleted
        tx.add(GroupHold(security_group_ids=tuple(held), vm_id=vm.vm_id))
    for link in tx.state.find_by("volume_link", "vm", vm.vm_id):
        tx.move(link, "drop")


def _updated(tx: Transaction, task: VolumeUpdateTask, _comment: str) -> None:
    """A finished task has changed its volume (VOL-047)."""
    tx.put(replace(task, completion_date=tx.at, progress=100))
    volume: Volume | None = tx.state.get("volume", task.volume_id)
    if volume is not None:  # it may be going already
        to = task.volume_update.target
        tx.put(replace(volume, iops=to.iops or None, size=to.size, task_id=None, volume_type=to.volume_type))


def _not_updated(tx: Transaction, task: VolumeUpdateTask, comment: str) -> None:
    """A failed task leaves its volume as it was, and says why."""
    tx.put(replace(task, comment=comment or "The update failed.", completion_date=tx.at))
    volume: Volume | None = tx.state.get("volume", task.volume_id)
    if volume is not None:
        tx.put(replace(volume, task_id=None))


EFFECTS = Effects(
    before={
        ("snapshot", "start"): lambda _tx, snapshot: snapshot.import_error,
        ("image_export", "start"): refused_upload,
        ("image_export", "finish"): refused_upload,
        ("snapshot_export", "start"): refused_upload,
        ("snapshot_export", "activate"): refused_upload,
        ("snapshot_export", "finish"): refused_upload,
    },
    after={
        ("snapshot", "completed"): _snapshot_completed,
        ("snapshot", "error"): _snapshot_failed,
        ("snapshot", None): _without_content,
        ("volume", None): _without_content,
        ("volume_link", None): _link_gone,
        ("volume_update", "completed"): _updated,
        ("volume_update", "failed"): _not_updated,
        ("vm", None): _without_console,
        ("vm", "running"): _vm_running,
        ("vm", "stopped"): _vm_stopped,
        ("vm", "pending"): _vm_pending,
        ("vm", "terminated"): _vm_terminated,
        ("image_export", "completed"): image_uploaded,
        ("image_export", "failed"): export_failed,
        ("snapshot_export", "completed"): snapshot_uploaded,
        ("snapshot_export", "failed"): export_failed,
    },
)
