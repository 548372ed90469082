"""OMIs: reading, sharing and deleting them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Annotated, Any

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.new_images import check_codes
from omisim.actions.sharing import (
    apply_change,
    check_permission_change,
    find_visible,
    get_usable,
    visible_permissions,
)
from omisim.base.frozen import replace
from omisim.model import (
    Image,
    ImageId,
    MayBeEmpty,
    OrDict,
    Origin,
    PermissionsOnResourceCreation,
    ProductType,
    TextOrEmpty,
)
from omisim.model.filters import FiltersImage, match_all
from omisim.model.filters.dicts import FiltersImageDict
from omisim.spec.catalog import LINUX, load_catalog
from omisim.spec.rules import refuse


@action("ReadImages", "Images", paged=True)
def read_images(call: Call, *, filters: FiltersImage | FiltersImageDict | None = None) -> tuple[Image, ...]:
    """List the OMIs that the caller owns, that are shared with it, or that are public, in creation order (OMI-080)."""
    parsed_filters = _resolve_code_names(call, as_parsed(filters) or match_all(FiltersImage))
    me, images = call.account.account_id, find_visible(call, Image, parsed_filters)
    views = (
        image if image.permissions_to_launch.global_permission or image.account_id == me else _view_shared(call, image)
        for image in images
    )
    return call.select(views, parsed_filters)


def _view_shared(call: Call, image: Image) -> Image:
    """Return a private OMI of another account with the permissions that the caller may see (OMI-085)."""
    return replace(image, permissions_to_launch=visible_permissions(call, image.permissions_to_launch, owner=False))


def _resolve_code_names(call: Call, filters: FiltersImage) -> FiltersImage:
    """Convert ProductCodeNames, which match the descriptions of product types, to ProductCodes (OMI-091).

    The product types are those that the caller can read: the built-in ones and its own (CAT-002).
    """
    if filters.product_code_names is None:
        return filters
    types = chain(load_catalog().product_types.values(), call.own_rows(ProductType, None))
    codes = tuple(t.product_type_id for t in types if t.description in filters.product_code_names)
    if filters.product_codes is not None:
        codes = tuple(code for code in codes if code in filters.product_codes)
    return filters.replace(product_code_names=None, product_codes=codes)


def _check_has_changes(call: Call, parameters: Mapping[str, Any]) -> None:
    call.check(parameters.keys() - {"image_id"}, "OMI-101")
    check_permission_change(call, "permissions_to_launch", parameters)


@action("UpdateImage", "Image", combinations=_check_has_changes)
def update_image(
    call: Call,
    *,
    description: TextOrEmpty | None = None,
    image_id: ImageId,
    permissions_to_launch: Annotated[OrDict[PermissionsOnResourceCreation] | None, MayBeEmpty()] = None,
    product_codes: Annotated[Sequence[str] | None, MayBeEmpty()] = None,
) -> Image:
    """Change the permissions, the description or the product codes of an OMI of the caller. Returns the OMI."""
    image = call.get_owned(Image, image_id, "OMI-106")
    call.check_state(image)
    check_codes(call, product_codes or (), image.product_codes)
    change = as_parsed(permissions_to_launch)
    codes = image.product_codes if product_codes is None else tuple(dict.fromkeys(product_codes)) or (LINUX,)
    dropped = [code for code in image.product_codes if code != LINUX and code not in codes]
    if dropped:
        call.check(not call.switch("strict_licences"), "OMI-114", image_id=image_id, codes=dropped)
        call.warn(f"{image_id} loses the licence codes {', '.join(dropped)} (OMI-114)")
    updated = replace(
        image,
        description=image.description if description is None else description,
        permissions_to_launch=apply_change(image.permissions_to_launch, change),
        product_codes=codes,
    )
    if updated.permissions_to_launch.global_permission and not image.permissions_to_launch.global_permission:
        call.warn(f"{image_id} is public now: every account of {call.region} can launch it (SHR-010)")
    _record_codes(call, image.image_id, codes)
    return call.put(updated)


def _record_codes(call: Call, image_id: str, codes: Sequence[str]) -> None:
    """Add new product codes to the origin of an OMI: they stay with its disks when the OMI has lost them (LIC-012)."""
    origin: Origin | None = call.state.get("origin", image_id)
    if origin is not None and not set(codes).issubset(origin.codes):
        call.stop_if_refused()
        call.tx.write("origin", image_id, replace(origin, codes=tuple(dict.fromkeys((*origin.codes, *codes)))))


@action("DeleteImage")
def delete_image(call: Call, *, image_id: ImageId) -> None:
    """Delete an OMI. Its VMs, copies and snapshots are unaffected (OMI-123, OMI-124).

    Export tasks that have started continue. Queued ones fail (OMI-126).
    """
    image = get_usable(call, Image, image_id, "OMI-122")
    if not call.owns(image):
        raise refuse("OMI-121", image_id=image_id, owner=image.account_id)
    call.check_state(image)
    call.move(image, "delete")
