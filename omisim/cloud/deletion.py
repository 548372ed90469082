"""What deleting a resource would free, and what uses it now. The rules themselves say whether it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omisim.actions.volumes import find_links
from omisim.base.frozen import frozen
from omisim.doors import oapi
from omisim.engine.calls import why_not
from omisim.engine.engine import Engine
from omisim.model import AccountRow, Image, Snapshot, Vm, Volume, VolumeLink
from omisim.state.state import State

__all__ = ["Deletion", "describe_deletion"]


@frozen()
class Deletion:
    """What the deletion of a resource would do.

    Attributes:
        action: the action that deletes it.
        refused: why the owner's call would be refused now, with the rule; "" if it would succeed.
        removes: the ids of the resources that are deleted with it.
        frees: the ids of the resources that could be deleted afterwards, because nothing else uses them.
        gib: the GiB of storage that are freed, by the resource and those in `removes`.
        used_by: what depends on it now, a sentence for each.
        keeps: what was created from it and does not depend on it, a sentence or "".
    """

    action: str
    refused: str = ""
    removes: tuple[str, ...] = ()
    frees: tuple[str, ...] = ()
    gib: int = 0
    used_by: tuple[str, ...] = ()
    keeps: str = ""

    def lines(self) -> Iterator[str]:
        """Yield what deleting the resource would do, as lines of text."""
        yield from (f"used by: {sentence}" for sentence in self.used_by)
        if self.refused:
            yield f"{self.action} is refused now: {self.refused}"
        freed = [f"frees {self.gib} GiB of storage"] if self.gib else []
        use = "be deleted or linked to another VM" if self.action == "DeleteVms" else "be deleted"
        freed += [f"lets {', '.join(self.frees)} {use}"] if self.frees else []
        removed = f"deletes {', '.join(self.removes)} too, " if self.removes else ""
        condition = "once allowed, " if self.refused else ""
        yield f"{condition}{self.action} {removed}{' and '.join(freed) or 'frees nothing'}"
        if self.keeps:
            yield self.keeps


def describe_deletion(engine: Engine, row: Any) -> Deletion | None:
    """Return what deleting a resource would do; None for a kind that no action deletes."""
    match row:
        case Image():
            return _delete_image(engine, row)
        case Snapshot():
            return _delete_snapshot(engine, row)
        case Volume():
            return _delete_volume(engine, row)
        case Vm():
            return _delete_vm(engine, row)
        case _:
            return None


def _delete_image(engine: Engine, image: Image) -> Deletion:
    state = engine.state
    frees = [
        i
        for i in dict.fromkeys(image.snapshot_ids)
        if [r.image_id for r in state.find_by("image", "block_device_mappings.bsu.snapshot_id", i)] == [image.image_id]
    ]
    granted = image.permissions_to_launch
    used_by = [f"account {_name_account(state, account_id)} may launch it" for account_id in granted.account_ids]
    used_by += ["every account of its Region may launch it"] if granted.global_permission else []
    keeps = "VMs and copies that were created from it remain (OMI-123)"
    refused = _explain_refusal(engine, image, "DeleteImage", ImageId=image.image_id)
    return Deletion("DeleteImage", refused, frees=tuple(frees), used_by=tuple(used_by), keeps=keeps)


def _delete_snapshot(engine: Engine, snapshot: Snapshot) -> Deletion:
    images = engine.state.find_by("image", "block_device_mappings.bsu.snapshot_id", snapshot.snapshot_id)
    used_by = tuple(f"OMI {image.image_id} {image.image_name} maps it" for image in images)
    refused = _explain_refusal(engine, snapshot, "DeleteSnapshot", SnapshotId=snapshot.snapshot_id)
    keeps = "volumes that were created from it remain"
    return Deletion("DeleteSnapshot", refused, gib=snapshot.volume_size, used_by=used_by, keeps=keeps)


def _delete_volume(engine: Engine, volume: Volume) -> Deletion:
    link: VolumeLink | None = engine.state.get("volume_link", volume.volume_id)
    used_by = (f"VM {link.vm_id} has it as {link.device_name}",) if link is not None else ()
    refused = _explain_refusal(engine, volume, "DeleteVolume", VolumeId=volume.volume_id)
    keeps = "snapshots that were created from it remain"
    return Deletion("DeleteVolume", refused, gib=volume.size, used_by=used_by, keeps=keeps)


def _delete_vm(engine: Engine, vm: Vm) -> Deletion:
    state = engine.state
    links = find_links(state, vm.vm_id)
    removed = [link.volume_id for link in links if link.delete_on_vm_deletion]
    kept_volume_ids = [link.volume_id for link in links if not link.delete_on_vm_deletion]
    gib = sum(state.get("volume", volume_id).size for volume_id in removed)
    refused = _explain_refusal(engine, vm, "DeleteVms", VmIds=[vm.vm_id])
    keeps = "OMIs and snapshots that were created from it remain"
    return Deletion("DeleteVms", refused, tuple(removed), tuple(kept_volume_ids), gib, keeps=keeps)


def _explain_refusal(engine: Engine, row: Any, action: str, **parameters: Any) -> str:
    """Return why the owner's call would be refused now, or ""."""
    owner: AccountRow = engine.state.get("account", row.account_id)
    errors = why_not(engine, oapi.make_request(action, parameters), owner.account_id, owner.region)
    return f"{errors[0].details} ({errors[0].rule})" if errors else ""


def _name_account(state: State, account_id: str) -> str:
    account: AccountRow | None = state.get("account", account_id)
    return account.name if account is not None else account_id
