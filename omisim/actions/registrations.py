"""Registration of OMIs from snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omisim.actions.devices import (
    IMAGE_DEVICE_RULES,
    check_device_names,
    check_duplicates,
    check_pair,
    check_shapes,
    check_size,
    merge_disks,
)
from omisim.actions.framework.call import Call
from omisim.actions.new_images import add_image, check_codes, check_tpm, check_unique
from omisim.actions.sharing import get_usable, is_visible
from omisim.base.frozen import replace
from omisim.model import BlockDeviceMappingImage, BsuToCreate, Image, ImageState, Snapshot
from omisim.model.base import ARCHITECTURES
from omisim.spec.catalog import LINUX
from omisim.spec.limits import ROOT
from omisim.state.licences import find_licences

__all__ = ["check_disk_sources", "register_image"]

_LINUX = (LINUX,)  # one tuple for all OMIs: a tuple of each would take 48 bytes


def register_image(
    call: Call,
    mappings: Sequence[BlockDeviceMappingImage],
    root: str,
    name: str,
    codes: tuple[str, ...],
    requested: Mapping[str, Any],
) -> Image:
    """Register an OMI from snapshots. Returns it, available. `requested` must hold the architecture."""
    roots = [mapping for mapping in mappings if mapping.device_name == root]
    architecture = requested["architecture"]
    call.check(architecture in ARCHITECTURES, "OMI-027", architecture=architecture)
    call.check(root == ROOT, "OMI-009", root_device_name=root)
    check_tpm(call, {"boot_modes": ("legacy",)}, requested)
    check_shapes(call, mappings, IMAGE_DEVICE_RULES)
    call.check(roots, "OMI-008", root_device_name=root)
    for mapping in mappings:
        _check_requested_disk(call, mapping.bsu)
    licences = _find_origin_licences(call, mappings)
    check_codes(call, codes, licences)
    disks = [replace(m, bsu=_complete_disk(call, m.bsu)) for m in mappings if m.bsu is not None]
    check_duplicates(call, mappings, "OMI-054")
    check_unique(call, name)
    defaults = {"boot_modes": ("legacy",), "product_codes": codes or _LINUX}
    image = add_image(call, call.new_id("image"), name, tuple(disks), ImageState.AVAILABLE, {**defaults, **requested})
    snapshot_ids = dict.fromkeys(image.snapshot_ids)
    call.record_origin(image, name, *(("registered from", snapshot_id) for snapshot_id in snapshot_ids))
    dropped = [code for code in licences if code not in image.product_codes]
    if dropped:
        call.warn(f"{image.image_id} drops the licence codes {', '.join(dropped)} of its snapshots' origin (LIC-012)")
    return image


def _find_origin_licences(call: Call, mappings: Sequence[BlockDeviceMappingImage]) -> Mapping[str, None]:
    """Return the licences of the snapshots and of what they were made from, in their order (LIC-012).

    Snapshots that the caller cannot see are left out: which codes are accepted would tell that they exist (ID-018).
    """
    ids = dict.fromkeys(mapping.bsu.snapshot_id for mapping in mappings if mapping.bsu and mapping.bsu.snapshot_id)
    snapshots = (call.state.get("snapshot", snapshot_id) for snapshot_id in ids)
    visible = (row for row in snapshots if row is not None and is_visible(call, row))
    return dict.fromkeys(code for row in visible for code in find_licences(call.state, row.snapshot_id))


def check_disk_sources(call: Call, mappings: Sequence[BlockDeviceMappingImage], root: str) -> None:
    """Check that each disk has a device name and a content source or a size (OMI-007, OMI-050, OMI-051, OMI-059)."""
    check_device_names(call, mappings)
    for mapping in mappings:
        name, bsu = mapping.device_name, mapping.bsu
        has_snapshot = bsu is not None and bsu.snapshot_id is not None
        if name == root:
            call.check(has_snapshot, "OMI-007", root_device_name=root)
        elif bsu is not None:
            call.check(has_snapshot or bsu.volume_size is not None, "OMI-059", device_name=name)
        else:
            call.check(mapping.virtual_device_name is not None, "OMI-050/neither", device_name=name)


def _check_requested_disk(call: Call, bsu: BsuToCreate | None) -> None:
    """Check the requested values of one disk, before its snapshot adds others (OMI-057, OMI-060)."""
    if bsu is not None:
        volume_type = bsu.volume_type or "standard"
        check_pair(call, IMAGE_DEVICE_RULES, volume_type, bsu.iops)
        if bsu.volume_size is not None:
            check_size(call, IMAGE_DEVICE_RULES, volume_type, bsu.volume_size, bsu.iops)


def _complete_disk(call: Call, bsu: BsuToCreate) -> BsuToCreate:
    """Check one disk and fill in the values that it inherits from its snapshot (OMI-055 to OMI-060)."""
    if bsu.snapshot_id is None:
        return merge_disks(bsu, BsuToCreate())
    snapshot = get_usable(call, Snapshot, bsu.snapshot_id, "OMI-012")
    size, smallest = bsu.volume_size, snapshot.volume_size
    if size is None:
        check_size(call, IMAGE_DEVICE_RULES, bsu.volume_type or "standard", smallest, bsu.iops)
    else:
        call.check(size >= smallest, "OMI-055", size=size, snapshot_id=bsu.snapshot_id, smallest=smallest)
    call.check_state(snapshot)
    return merge_disks(bsu, BsuToCreate(volume_size=smallest))
