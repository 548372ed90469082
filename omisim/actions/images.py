"""Creating OMIs from a VM, from another OMI, from snapshots or from a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from omisim.actions.framework.call import Call, as_parsed_list
from omisim.actions.framework.registry import action
from omisim.actions.imports import find_source, import_disk, read_manifest, strip_secrets
from omisim.actions.new_images import add_image, check_codes, check_tpm, check_unique
from omisim.actions.quotas import check_quotas
from omisim.actions.registrations import check_disk_sources, register_image
from omisim.actions.sharing import get_usable
from omisim.actions.snapshots import check_not_updated, clone_snapshot, cut_snapshot
from omisim.actions.volumes import find_links
from omisim.base.frozen import replace
from omisim.model import (
    BlockDeviceMappingImage,
    BsuToCreate,
    Image,
    ImageId,
    ImageState,
    OrDict,
    PermissionsOnResource,
    Snapshot,
    TextOrEmpty,
    Vm,
    VmId,
    VmState,
    Volume,
    VolumeLink,
)
from omisim.model.base import BOOT_MODES
from omisim.spec.limits import ROOT
from omisim.spec.rules import refuse
from omisim.state.image_names import find_images_by_name

MIN_NAME_LENGTH, MAX_NAME_LENGTH = 3, 128
NAME_CHARACTERS = re.compile(r"[A-Za-z0-9_ ()/.\-]*")
COPY_CHARACTERS = re.compile(r"[A-Za-z0-9_ ()/.:+=\-]*")  # Packer's chroot builder puts a time into the name of a copy
# inherited from the source VM (OMI-067) or the source OMI unless the request overrides them
INHERITED_FIELDS = ("architecture", "deletion_protection", "vm_initiated_shutdown_behavior")
MODES: Mapping[str, tuple[str, ...]] = {  # the source of an OMI → the parameters that name it
    "vm": ("vm_id",),
    "copy": ("source_image_id", "source_region_name"),
    "snapshots": ("root_device_name", "block_device_mappings"),
    "manifest": ("file_location",),
}
FORBIDDEN: Mapping[str, tuple[str, ...]] = {  # the source of an OMI → the other parameters that it excludes
    "vm": ("architecture",),
    "copy": ("no_reboot", "architecture"),
    "snapshots": ("no_reboot",),
    "manifest": ("no_reboot", "architecture"),
}


def _check_one_source(call: Call, parameters: Mapping[str, Any]) -> None:
    """Refuse a request with no source, with several, with an incomplete one, or with parameters that it excludes."""
    modes = [mode for mode, names in MODES.items() if not parameters.keys().isdisjoint(names)]
    if not modes:
        raise refuse("OMI-001", given=_spell_names(call, parameters))
    mode = modes[0]
    excluded = [name for other in modes[1:] for name in MODES[other] if name in parameters]
    excluded += [name for name in FORBIDDEN[mode] if name in parameters and name not in excluded]
    if len(modes) == 1:  # with several sources, the missing parameters are ambiguous
        _check_complete(call, mode, parameters)
    call.check(not excluded, "OMI-003", mode=mode, parameters=_spell_names(call, excluded))
    call.check(mode != "vm" or "image_name" in parameters, "OMI-002", parameter=call.spell("image_name"), mode=mode)
    if mode == "snapshots":
        check_disk_sources(
            call, as_parsed_list(parameters.get("block_device_mappings")), parameters.get("root_device_name", "")
        )


def _check_complete(call: Call, mode: str, parameters: Mapping[str, Any]) -> None:
    """Refuse an incomplete source, and a registration or an import without a name (OMI-004, OMI-006, IMP-007)."""
    for name in MODES[mode]:
        call.check(
            name in parameters, "OMI-006" if mode == "snapshots" else "OMI-004", parameter=call.spell(name), mode=mode
        )
    if mode in ("snapshots", "manifest"):
        rule = "OMI-006" if mode == "snapshots" else "IMP-007"
        call.check("image_name" in parameters, rule, parameter=call.spell("image_name"), mode=mode)


def _spell_names(call: Call, names: Iterable[str]) -> list[str]:
    return [call.spell(name) for name in names]


@action("CreateImage", "Image", combinations=_check_one_source)
def create_image(
    call: Call,
    *,
    architecture: str | None = None,
    block_device_mappings: Sequence[OrDict[BlockDeviceMappingImage]] | None = None,
    boot_modes: Sequence[str] | None = None,
    description: TextOrEmpty | None = None,
    file_location: str | None = None,
    image_name: str | None = None,
    no_reboot: bool = False,
    product_codes: Sequence[str] | None = None,
    root_device_name: str | None = None,
    source_image_id: ImageId | None = None,
    source_region_name: str | None = None,
    tpm_mandatory: bool | None = None,
    vm_id: VmId | None = None,
) -> Image:
    """Create an OMI from a VM, from another OMI of the Region, from snapshots, or from the manifest of an export.

    Returns the OMI: pending from a VM or a manifest, available from another OMI or from snapshots (OMI-040).
    """
    _check_name(call, image_name, COPY_CHARACTERS if source_image_id else NAME_CHARACTERS)
    for mode in boot_modes or ():
        call.check(mode in BOOT_MODES, "OMI-030", boot_mode=mode)
    modes = tuple(dict.fromkeys(boot_modes or ())) or None  # an OMI without boot modes could not be launched
    requested = {"description": description, "boot_modes": modes, "tpm_mandatory": tpm_mandatory}
    requested = {name: value for name, value in requested.items() if value is not None}
    codes = tuple(dict.fromkeys(product_codes or ()))
    if source_image_id is not None:
        return _copy_image(call, source_image_id, source_region_name, image_name, codes, requested)
    assert image_name is not None  # OMI-002, OMI-006, IMP-007
    if file_location is not None:
        return _create_from_manifest(call, file_location, image_name, codes, requested)
    if vm_id is not None:
        return _create_from_vm(call, vm_id, image_name, codes, requested, no_reboot=no_reboot)
    assert root_device_name is not None  # OMI-006
    mappings = as_parsed_list(block_device_mappings)
    requested["architecture"] = architecture or "x86_64"
    return register_image(call, mappings, root_device_name, image_name, codes, requested)


def _check_name(call: Call, name: str | None, characters: re.Pattern[str]) -> None:
    """Check the length and the characters of a name, if one is given (OMI-020, OMI-021, OMI-025)."""
    if name is not None and call.check(
        MIN_NAME_LENGTH <= len(name) <= MAX_NAME_LENGTH, "OMI-020", image_name=name, length=len(name)
    ):
        call.check(characters.fullmatch(name), "OMI-021", image_name=name)


def _create_from_vm(
    call: Call, vm_id: str, name: str, codes: tuple[str, ...], requested: Mapping[str, Any], *, no_reboot: bool
) -> Image:
    vm = call.get_owned(Vm, vm_id, "OMI-010")
    check_codes(call, codes, vm.product_codes)
    modes = (vm.boot_mode,)
    check_tpm(call, {"boot_modes": modes}, requested)
    call.check_state(vm)
    links = find_links(call.state, vm_id)
    for link in links:
        check_not_updated(call, call.state.get("volume", link.volume_id))
    check_unique(call, name)
    image_id = call.new_id("image")
    mappings = tuple(_snapshot_volume(call, link, image_id) for link in links)
    call.check(any(mapping.device_name == ROOT for mapping in mappings), "OMI-066", vm_id=vm_id)
    inherited = {field: getattr(vm, field) for field in INHERITED_FIELDS} | {
        "boot_modes": modes,
        "product_codes": _merge_codes(vm.product_codes, codes),
    }
    image = add_image(call, image_id, name, mappings, ImageState.PENDING, {**inherited, **requested})
    call.record_origin(image, name, ("made from", vm_id))
    if vm.state is VmState.RUNNING and not no_reboot:  # OMI-017: stopped for the snapshot, then restarted
        call.move(vm, "stop", after_stop="start", state_reason="Client.ApiGracefulShutdown")
    return image


def _snapshot_volume(call: Call, link: VolumeLink, image_id: str) -> BlockDeviceMappingImage:
    """Create a snapshot of a linked volume, and return its mapping with the volume's values (OMI-061)."""
    volume: Volume = call.state.get("volume", link.volume_id)
    snapshot = cut_snapshot(call, volume, f"Created by CreateImage for {image_id}", image_id=image_id)
    bsu = BsuToCreate(
        delete_on_vm_deletion=link.delete_on_vm_deletion,
        iops=volume.iops if volume.volume_type == "io1" else None,
        snapshot_id=snapshot.snapshot_id,
        volume_size=volume.size,
        volume_type=volume.volume_type,
    )
    return BlockDeviceMappingImage(bsu=bsu, device_name=link.device_name)


def _copy_image(
    call: Call,
    source_id: str,
    region: str | None,
    name: str | None,
    codes: tuple[str, ...],
    requested: Mapping[str, Any],
) -> Image:
    source = get_usable(call, Image, source_id, "OMI-011")
    check_codes(call, codes, source.product_codes)
    check_tpm(call, {"boot_modes": source.boot_modes, "tpm_mandatory": source.tpm_mandatory}, requested)
    call.check_state(source)
    call.check(region == call.region, "OMI-005", region=region, own=call.region)
    name = name or _find_free_copy_name(call, source.image_name)
    check_unique(call, name)
    check_quotas(call, {"snapshot_limit": len(source.snapshot_ids)})
    image_id = call.new_id("image")
    mappings = tuple(_clone_mapping(call, mapping, image_id) for mapping in source.block_device_mappings)
    keeps_public = source.permissions_to_launch.global_permission and call.switch("copy_keeps_public") is True
    fields = (*INHERITED_FIELDS, "boot_modes", "description", "secure_boot", "tpm_mandatory")
    inherited = {field: getattr(source, field) for field in fields} | {
        "permissions_to_launch": PermissionsOnResource(global_permission=keeps_public),
        "product_codes": _merge_codes(source.product_codes, codes),
    }
    image = add_image(call, image_id, name, mappings, ImageState.AVAILABLE, {**inherited, **requested})
    call.record_origin(image, name, ("copied from", source_id))
    return image


def _clone_mapping(call: Call, mapping: BlockDeviceMappingImage, image_id: str) -> BlockDeviceMappingImage:
    """Clone the snapshot of a mapping, so that a copied OMI is independent of its source (OMI-063)."""
    if mapping.bsu is None or mapping.bsu.snapshot_id is None:
        return mapping
    source: Snapshot = call.state.get("snapshot", mapping.bsu.snapshot_id)
    snapshot = clone_snapshot(call, source, f"Created by CreateImage for {image_id}", image_id=image_id)
    return replace(mapping, bsu=replace(mapping.bsu, snapshot_id=snapshot.snapshot_id))


def _find_free_copy_name(call: Call, name: str) -> str:
    """Return `<name>-copyN` with the smallest free N from 1 up (OMI-024). A long name is truncated."""
    ends = (f"-copy{number}" for number in count(1))
    names = (name[: MAX_NAME_LENGTH - len(end)] + end for end in ends)
    return next(free for free in names if not find_images_by_name(call.state, call.account.account_id, free))


def _create_from_manifest(
    call: Call, location: str, name: str, codes: tuple[str, ...], requested: Mapping[str, Any]
) -> Image:
    """Import an OMI from its manifest. Requested values override the manifest's."""
    manifest = read_manifest(call, location)
    check_codes(call, codes, manifest.product_types)
    check_tpm(call, {"boot_modes": manifest.boot_modes, "tpm_mandatory": manifest.tpm_mandatory}, requested)
    check_unique(call, name)
    check_quotas(call, {"snapshot_limit": len(manifest.disks), "concurrent_snapshot_limit": len(manifest.disks)})
    image_id = call.new_id("image")
    inherited = {
        "architecture": manifest.architecture,
        "boot_modes": manifest.boot_modes,
        "description": manifest.description,
        "file_location": strip_secrets(location),  # every account that sees the OMI sees it
        "product_codes": _merge_codes(manifest.product_types, codes),
        "tpm_mandatory": manifest.tpm_mandatory,
    }
    mappings = tuple(import_disk(call, disk, image_id) for disk in manifest.disks)
    image = add_image(call, image_id, name, mappings, ImageState.PENDING, {**inherited, **requested})
    call.record_origin(image, name, *find_source(call, location))
    return image


def _merge_codes(codes: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Add product codes to the inherited ones, which are never dropped (OMI-073)."""
    return tuple(dict.fromkeys((*codes, *more)))
