"""The checks and the creation of a new OMI that all its sources share."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from omisim.actions.framework.call import Call
from omisim.actions.product_types import is_code
from omisim.base.sharing import share
from omisim.model import BlockDeviceMappingImage, Image, ImageState
from omisim.spec.limits import ROOT
from omisim.state.image_names import find_images_by_name
from omisim.state.lineage import has_system

__all__ = ["add_image", "check_codes", "check_tpm", "check_unique", "warn_without_system"]


def check_tpm(call: Call, inherited: Mapping[str, Any], requested: Mapping[str, Any]) -> None:
    """Refuse an OMI that requires a vTPM but does not boot with UEFI, whether requested or inherited (OMI-034)."""
    fields = {**inherited, **requested}
    modes = fields["boot_modes"]
    call.check(not fields.get("tpm_mandatory") or "uefi" in modes, "OMI-034", boot_modes=modes)


def check_unique(call: Call, name: str) -> None:
    """Refuse a name that another OMI of the account uses (OMI-022)."""
    taken = find_images_by_name(call.state, call.account.account_id, name)
    call.check(not taken, "OMI-022", image_name=name, taken_by=taken[0].image_id if taken else None)


def check_codes(call: Call, codes: Iterable[str], carried: Container[str]) -> None:
    """Refuse product codes that do not exist, except those that the OMI or its source already carries (OMI-074).

    Their product type may belong to another account, or have been deleted (LIC-008).
    """
    for code in codes:
        call.check(code in carried or is_code(call, code), "OMI-074", product_code=code)


def warn_without_system(call: Call, image_id: str, mappings: Sequence[BlockDeviceMappingImage]) -> None:
    """Warn of an OMI whose root disk has neither an operating system nor any content (OMI-076)."""
    roots = [m.bsu.snapshot_id for m in mappings if m.device_name == ROOT and m.bsu is not None and m.bsu.snapshot_id]
    if roots and not has_system(call.state, roots[0]):
        call.warn(f"the root disk of {image_id} has no operating system and no content: VMs cannot boot it (OMI-076)")


def add_image(
    call: Call,
    image_id: str,
    name: str,
    mappings: tuple[BlockDeviceMappingImage, ...],
    state: ImageState,
    fields: Mapping[str, Any],
) -> Image:
    """Add an OMI of the caller. `fields` holds the values that depend on its source."""
    call.stop_if_refused()
    me = call.account
    warn_without_system(call, image_id, mappings)
    return call.add(
        Image(
            account_alias=me.alias,
            account_id=me.account_id,
            block_device_mappings=share(tuple, mappings),
            creation_date=call.now,
            image_id=image_id,
            image_name=name,
            state=state,
            **{"file_location": f"{me.account_id}/{name}", **fields},
        )
    )
