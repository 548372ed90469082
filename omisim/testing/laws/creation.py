"""Laws about new resources: their sources, permissions, licences, disks and content."""

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
from omisim.state.buckets import parse_object_url
from omisim.state.state import Change
from omisim.testing.laws.images import ROOT
from omisim.testing.laws.table import Step, on_change, on_creation
from omisim.testing.laws.visibility import get_permissions, may_see

FINISHED: Mapping[str, tuple[str, ...]] = {
    "image": ("available",),
    "snapshot": ("completed",),
    "volume": ("available", "in-use"),
}


@on_creation("OMI-037", "image", "snapshot")
def new_omis_and_snapshots_are_private(step: Step, change: Change) -> str | None:
    """A new OMI or snapshot, also a copy, is private and has no tags (OMI-039, SNP-022, CPY-002)."""
    row = step.get_latest(change.kind, change.id)
    permissions = get_permissions(row)
    is_kept_public = step.engine.settings.switch("copy_keeps_public") and permissions.global_permission
    if permissions != PermissionsOnResource(global_permission=bool(is_kept_public)) or row.tags:
        return f"{change.id} is new, shared as {permissions}, and has the tags {row.tags}"
    return None


@on_creation("LIC-004", "image", "vm")
def licences_are_inherited(step: Step, change: Change) -> str | None:
    """A VM has the product codes of its OMI; a copied OMI and an OMI of a VM have at least those of their source."""
    row: Image | Vm = change.after
    if isinstance(row, Vm):
        image: Image = step.get_latest("image", row.image_id)
        same = row.product_codes == image.product_codes
        return None if same else f"{row.vm_id} has {row.product_codes}, its OMI {image.product_codes}"
    how, source = _get_source(step, row.image_id)
    kind = {"made from": "vm", "copied from": "image"}.get(how)
    lost = set(step.get_latest(kind, source).product_codes if kind else ()).difference(row.product_codes)
    if lost:
        return f"{row.image_id} has lost the codes {lost}"
    return None


@on_change("LIC-012", "origin")
def disks_record_inherited_licences(step: Step, change: Change) -> str | None:
    """A snapshot and a volume record the licences of their source."""
    origin: Origin = change.after
    if origin.kind not in ("snapshot", "volume") or "#" not in change.cause:
        return None
    parents = (parent for how, parent in origin.parents if how != "part of")
    inherited = next((codes for parent in parents if (codes := _get_codes(step, parent))), ())
    return f"{change.id} records {origin.codes}, but its source has {inherited}" if origin.codes != inherited else None


@on_creation("SHR-012", "image", "image_export", "snapshot", "snapshot_export", "vm", "volume")
def sources_are_usable_by_the_account(step: Step, change: Change) -> str | None:
    """The source of a launch, copy or restore is visible to the account; an export is of its own resource (EXP-003)."""
    row: Any = change.after
    for kind, row_id in _list_sources(step, row):
        used = step.get_before(kind, row_id) or step.get_latest(kind, row_id)
        if used is None:
            return f"{row.id} is created from {row_id}, which does not exist"
        is_export = row.kind.endswith("export")
        is_own = used.account_id == row.account_id
        if not (is_own if is_export else may_see(step.account(row.account_id), used, step.account(used.account_id))):
            return f"{row.id} of {row.account_id} is created from {row_id}, which that account must not use"
    return None


def _list_sources(step: Step, row: Any) -> list[tuple[str, str]]:
    """Return the sources that the account must be allowed to use; disks of an OMI are exempt (SHR-001)."""
    origin: Origin | None = step.engine.state.get("origin", row.id)
    if isinstance(row, Vm):
        return [("image", row.image_id)]
    if origin is not None and any(how in ("part of", "made with") for how, _ in origin.parents):
        return []
    if isinstance(row, Volume):
        return [("snapshot", row.snapshot_id)] if row.snapshot_id else []
    if row.kind in ("image_export", "snapshot_export"):
        return [("image", row.image_id)] if row.kind == "image_export" else [("snapshot", row.snapshot_id)]
    how, source = _get_source(step, row.id)
    kinds = {"made from": "vm", "copied from": row.kind, "cut from": "volume", "registered from": "snapshot"}
    return [(kinds[how], source)] if how in kinds else []


@on_creation("OMI-063", "image")
def a_copy_is_independent(step: Step, change: Change) -> str | None:
    """A copied OMI is available at once, and has one snapshot of its own for each snapshot of its source."""
    copy: Image = change.after
    if _get_source(step, copy.image_id)[0] != "copied from":
        return None
    source: Image = step.get_latest("image", _get_source(step, copy.image_id)[1])
    own, source_ids = copy.snapshot_ids, source.snapshot_ids
    copies = [step.get_latest("snapshot", row_id) for row_id in own]
    is_separate = not set(own) & set(source_ids) and all(
        s is not None and s.account_id == copy.account_id for s in copies
    )
    if not is_separate or len(own) != len(source_ids) or copy.state is not ImageState.AVAILABLE:
        return f"{copy.image_id}, {copy.state}, maps {', '.join(own)}; its source {', '.join(source_ids)}"
    return None


def _has_failed(step: Step, vm_id: str) -> bool:
    """Whether a VM failed within the step (eager timing), so that its disks no longer exist."""
    return bool(step.get_latest("vm", vm_id).state == "terminated")


@on_creation("OMI-061", "image")
def an_omi_maps_all_volumes_of_its_vm(step: Step, change: Change) -> str | None:
    """An OMI of a VM maps each volume of the VM with its device, its size and a snapshot of it."""
    image: Image = change.after
    how, vm_id = _get_source(step, image.image_id)
    if how != "made from" or _has_failed(step, vm_id):
        return None
    links: list[VolumeLink] = step.engine.state.find_by("volume_link", "vm_id", vm_id)
    expected = {
        link.device_name: (link.volume_id, step.get_latest("volume", link.volume_id).size)
        for link in links
        if link.state != "detaching"
    }
    mapped = {
        m.device_name: (step.get_latest("snapshot", m.bsu.snapshot_id).volume_id, m.bsu.volume_size)
        for m in image.block_device_mappings
        if m.bsu is not None
    }
    return None if mapped == expected else f"{image.image_id} maps {mapped}; {vm_id} has {expected}"


@on_creation("BDM-005", "vm")
def a_vm_boots_from_its_omi(step: Step, change: Change) -> str | None:
    """The root volume of a new VM is created from the root snapshot of its OMI."""
    vm: Vm = change.after
    if _has_failed(step, vm.vm_id):
        return None
    roots = [
        m.bsu.snapshot_id for m in step.get_latest("image", vm.image_id).block_device_mappings if m.device_name == ROOT
    ]
    links: list[VolumeLink] = step.engine.state.find_by("volume_link", "vm_id", vm.vm_id)
    sources = [step.get_latest("volume", link.volume_id).snapshot_id for link in links if link.device_name == ROOT]
    if sources != roots:
        return f"the root of {vm.vm_id} is created from {sources}, the root of its OMI is {roots}"
    return None


@on_creation("SNP-008", "snapshot", "volume")
def a_new_disk_has_the_content_of_its_source(step: Step, change: Change) -> str | None:
    """A new snapshot or volume has the content of its source."""
    row: Snapshot | Volume = change.after
    how, source = _get_source(step, row.id)
    if how not in ("cut from", "copied from", "restored from"):
        return None
    content, source_content = _get_content(step, row.id), _get_content(step, source)
    return None if content == source_content else f"{row.id} has other content than its source {source}"


@on_creation("VM-003", "image", "image_export", "snapshot", "snapshot_export", "vm", "volume")
def sources_are_finished(step: Step, change: Change) -> str | None:
    """The source of a launch, copy, restore or export is an available OMI or a completed snapshot."""
    for kind, row_id in _list_sources(step, change.after):
        used = step.get_before(kind, row_id) and step.get_at(change, kind, row_id)
        if used is not None and used.state not in FINISHED.get(kind, (used.state,)):
            return f"{change.id} is created from {row_id}, which is {used.state}"
    return None


@on_change("EXP-048", "image_export")
def a_manifest_lists_the_licences(step: Step, change: Change) -> str | None:
    """The manifest of an exported OMI lists the product codes of the OMI."""
    task: ImageExportTask = change.after
    if task.state is not ExportState.COMPLETED or task.osu_export.osu_manifest_url is None or task.source is None:
        return None
    place = parse_object_url(task.osu_export.osu_manifest_url)
    manifest: StoredObject | None = step.get_latest("object", place and place.object_id)
    codes = json.loads(manifest.body)["Image"]["ProductTypes"] if manifest else "nothing, since it does not exist"
    return None if codes == list(task.source.product_codes) else f"the manifest of {task.task_id} names {codes}"


def _get_source(step: Step, row_id: str) -> tuple[str, str]:
    """Return how a resource was created, and its source; a disk of an OMI has its own source, not the OMI."""
    origin: Origin | None = step.engine.state.get("origin", row_id)
    if origin is None or not origin.parents:
        return "", ""
    return origin.parents[-1] if origin.parents[0][0] == "part of" else origin.parents[0]


def _get_codes(step: Step, row_id: str) -> tuple[str, ...]:
    image: Image | None = step.get_latest("image", row_id)
    origin: Origin | None = step.engine.state.get("origin", row_id)
    if image is not None:
        return image.product_codes
    if origin is None:
        return ()
    is_part = not origin.codes and origin.parents and origin.parents[0][0] == "part of"
    return _get_codes(step, origin.parents[0][1]) if is_part else origin.codes


def _get_content(step: Step, row_id: str) -> Content | None:
    content: Content | None = step.get_before("content", row_id) or step.engine.state.get("content", row_id)
    return content
