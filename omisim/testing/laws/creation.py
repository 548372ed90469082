"""Laws about what is made: from what, for whom, with which licences, disks and content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from omisim.model import (
    Content,
    ExportState,
    Image,
    ImageExportTask,
    ImageState,
    Origin,
    PermissionsOnResource,
    Snapshot,
    StoredObject,
    Vm,
    Volume,
    VolumeLink,
)
from omisim.state.state import Change
from omisim.testing.laws.images import ROOT, snapshots_of
from omisim.testing.laws.table import Step, on_change, on_creation
from omisim.testing.laws.visibility import granted, may_see

__all__ = ["FINISHED"]

FINISHED: Mapping[str, tuple[str, ...]] = {
    "image": ("available",),
    "snapshot": ("completed",),
    "volume": ("available", "in-use"),
}


@on_creation("OMI-037", "image", "snapshot")
def what_is_new_is_private(step: Step, change: Change) -> str | None:
    """A new OMI or snapshot is shared with nobody, a copy too, and has no tags (OMI-039, SNP-022, CPY-002)."""
    row = step.now(change.kind, change.id)
    kept = step.engine.settings.switch("copy_keeps_public") and granted(row) == PermissionsOnResource(
        global_permission=True
    )
    if (granted(row) != PermissionsOnResource() and not kept) or row.tags:
        return f"{change.id} is new, shared as {granted(row)}, and has the tags {row.tags}"
    return None


@on_creation("LIC-004", "image", "vm")
def licences_are_handed_on(step: Step, change: Change) -> str | None:
    """A VM has the product codes of its OMI; a copy and an OMI made from a VM have at least those of their source."""
    row: Image | Vm = change.after
    if isinstance(row, Vm):
        image: Image = step.now("image", row.image_id)
        same = row.product_codes == image.product_codes
        return None if same else f"{row.vm_id} has {row.product_codes}, its OMI {image.product_codes}"
    how, source = _source(step, row.image_id)
    kind = {"made from": "vm", "copied from": "image"}.get(how)
    codes = set(step.now(kind, source).product_codes) if kind else set()
    return (
        f"{row.image_id} has lost the codes {codes - set(row.product_codes)}"
        if codes - set(row.product_codes)
        else None
    )


@on_change("LIC-012", "origin")
def disks_remember_their_licences(step: Step, change: Change) -> str | None:
    """A snapshot and a volume remember the licences of what they were made from."""
    origin: Origin = change.after
    if origin.kind not in ("snapshot", "volume") or "#" not in change.cause:
        return None
    parents = (parent for how, parent in origin.parents if how != "part of")
    had = next((codes for parent in parents if (codes := _codes(step, parent))), ())
    return f"{origin.id} remembers {origin.codes}, and comes of {had}" if origin.codes != had else None


@on_creation("SHR-012", "image", "image_export", "snapshot", "snapshot_export", "vm", "volume")
def only_what_one_may_use_is_used(step: Step, change: Change) -> str | None:
    """What is launched, copied or restored is visible to the caller, and what is exported is its own (EXP-003)."""
    row: Any = change.after
    for kind, row_id in _sources(step, row):
        used = step.was(kind, row_id) or step.now(kind, row_id)
        if used is None:
            return f"{row.id} is made from {row_id}, which does not exist"
        exported = row.kind.endswith("export")
        mine = used.account_id == row.account_id
        if not (mine if exported else may_see(step.account(row.account_id), used, step.account(used.account_id))):
            return f"{row.id} of {row.account_id} is made from {row_id}, which is not for that account"
    return None


def _sources(step: Step, row: Any) -> list[tuple[str, str]]:
    """Return what a new resource uses that its account must be allowed to use; disks may come with an OMI (SHR-001)."""
    origin: Origin | None = step.engine.state.get("origin", row.id)
    if isinstance(row, Vm):
        return [("image", row.image_id)]
    if origin is not None and any(how in ("part of", "made with") for how, _ in origin.parents):
        return []
    if isinstance(row, Volume):
        return [("snapshot", row.snapshot_id)] if row.snapshot_id else []
    if row.kind in ("image_export", "snapshot_export"):
        return [("image", row.image_id)] if row.kind == "image_export" else [("snapshot", row.snapshot_id)]
    how, source = _source(step, row.id)
    kinds = {"made from": "vm", "copied from": row.kind, "cut from": "volume", "registered from": "snapshot"}
    return [(kinds[how], source)] if how in kinds else []


@on_creation("OMI-063", "image")
def a_copy_is_independent(step: Step, change: Change) -> str | None:
    """A copy has snapshots of its own, completed at once, one for each of its source's."""
    copy: Image = change.after
    if _source(step, copy.image_id)[0] != "copied from":
        return None
    source: Image = step.now("image", _source(step, copy.image_id)[1])
    own, theirs = snapshots_of(copy), snapshots_of(source)
    made = [step.now("snapshot", row_id) for row_id in own]
    alone = not set(own) & set(theirs) and all(s is not None and s.account_id == copy.account_id for s in made)
    if not alone or len(own) != len(theirs) or copy.state is not ImageState.AVAILABLE:
        return f"{copy.image_id}, {copy.state}, maps {', '.join(own)}; its source {', '.join(theirs)}"
    return None


def _failed(step: Step, vm_id: str) -> bool:
    """Whether a VM has failed within the step, in eager timing: its disks are gone."""
    return bool(step.now("vm", vm_id).state == "terminated")


@on_creation("OMI-061", "image")
def an_omi_of_a_vm_has_all_its_disks(step: Step, change: Change) -> str | None:
    """An OMI made from a VM maps each of its volumes: device, size, and a snapshot of that volume."""
    image: Image = change.after
    how, vm_id = _source(step, image.image_id)
    if how != "made from" or _failed(step, vm_id):
        return None
    links: list[VolumeLink] = step.engine.state.find_by("volume_link", "vm", vm_id)
    wanted = {
        link.device_name: (link.volume_id, step.now("volume", link.volume_id).size)
        for link in links
        if link.state != "detaching"
    }
    mapped = {
        m.device_name: (step.now("snapshot", m.bsu.snapshot_id).volume_id, m.bsu.volume_size)
        for m in image.block_device_mappings
        if m.bsu is not None
    }
    return None if mapped == wanted else f"{image.image_id} maps {mapped}; {vm_id} has {wanted}"


@on_creation("BDM-005", "vm")
def a_vm_boots_from_its_omi(step: Step, change: Change) -> str | None:
    """The root volume of a new VM is made from the root snapshot of its OMI."""
    vm: Vm = change.after
    if _failed(step, vm.vm_id):
        return None
    roots = [m.bsu.snapshot_id for m in step.now("image", vm.image_id).block_device_mappings if m.device_name == ROOT]
    links: list[VolumeLink] = step.engine.state.find_by("volume_link", "vm", vm.vm_id)
    got = [step.now("volume", link.volume_id).snapshot_id for link in links if link.device_name == ROOT]
    return None if got == roots else f"the root of {vm.vm_id} is made from {got}, that of its OMI is {roots}"


@on_creation("SNP-008", "snapshot", "volume")
def a_disk_begins_with_what_it_is_made_from(step: Step, change: Change) -> str | None:
    """A new snapshot or volume has the size of what it was made from at least, and its content."""
    row: Snapshot | Volume = change.after
    how, source = _source(step, row.id)
    if how not in ("cut from", "copied from", "restored from"):
        return None
    mine, theirs = _content(step, row.id), _content(step, source)
    return None if mine == theirs else f"{row.id} has other content than {source}, which it is made from"


@on_creation("VM-003", "image", "image_export", "snapshot", "snapshot_export", "vm", "volume")
def only_what_is_finished_is_used(step: Step, change: Change) -> str | None:
    """What is launched, copied, restored or exported is finished: an available OMI, a completed snapshot."""
    for kind, row_id in _sources(step, change.after):
        used = step.was(kind, row_id) and step.then(change, kind, row_id)
        if used is not None and used.state not in FINISHED.get(kind, (used.state,)):
            return f"{change.id} is made from {row_id}, which is {used.state}"
    return None


@on_change("EXP-048", "image_export")
def a_manifest_carries_the_licences(step: Step, change: Change) -> str | None:
    """The manifest of an exported OMI names the product codes that the OMI had."""
    task: ImageExportTask = change.after
    if task.state is not ExportState.COMPLETED or task.osu_export.osu_manifest_url is None or task.source is None:
        return None
    _, _, place = task.osu_export.osu_manifest_url.partition(".outscale.com/")
    region = step.account(task.account_id).region
    manifest: StoredObject | None = step.now("object", f"{region}/{place}")
    codes = json.loads(manifest.body)["Image"]["ProductTypes"] if manifest else "nothing: it is not there"
    return None if codes == list(task.source.product_codes) else f"the manifest of {task.task_id} names {codes}"


def _source(step: Step, row_id: str) -> tuple[str, str]:
    """Return how a resource came to be, and from what: its last parent, for the first of a disk is its whole."""
    origin: Origin | None = step.engine.state.get("origin", row_id)
    if origin is None or not origin.parents:
        return "", ""
    return origin.parents[-1] if origin.parents[0][0] == "part of" else origin.parents[0]


def _codes(step: Step, row_id: str) -> tuple[str, ...]:
    image: Image | None = step.now("image", row_id)
    origin: Origin | None = step.engine.state.get("origin", row_id)
    return image.product_codes if image is not None else origin.codes if origin is not None else ()


def _content(step: Step, row_id: str) -> Content | None:
    content: Content | None = step.was("content", row_id) or step.engine.state.get("content", row_id)
    return content
