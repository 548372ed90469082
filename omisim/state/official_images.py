"""The platform's OMIs: find the newest of a family, adopt an id that the code under test uses, or retire one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from omisim.model import AccountRow, Image, PermissionsOnResource
from omisim.model.ids import Id
from omisim.spec.catalog import OUTSCALE, load_catalog
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = ["adopt", "find_newest_official", "find_unknown_images", "list_official_images", "retire"]

_IMAGE = Id("image")
_WORD = re.compile(r"[A-Za-z]+")


def list_official_images(state: State, region: str) -> list[Image]:
    """Return the official OMIs of a Region in creation order. Raises ValueError for an unknown Region."""
    if region not in load_catalog().regions:
        raise ValueError(f"region must be one of {', '.join(load_catalog().regions)}, not {region!r}")
    owners = state.find_by("account", "name", f"{OUTSCALE.lower()}@{region}")
    ids = {owner.account_id for owner in owners}
    return [image for image in state.rows("image").values() if image.account_id in ids]


def find_newest_official(state: State, family: str, region: str) -> Image:
    """Return the newest official OMI whose name starts with `family`.

    Raises ValueError, with the known families, if there is none.
    """
    images = list_official_images(state, region)
    prefix = str(family or "").lower()
    matching_images = [image for image in images if image.image_name.lower().startswith(prefix)]
    if not prefix or not matching_images:
        known = sorted({word[0] for image in images if (word := _WORD.match(image.image_name))})
        raise ValueError(f"family must match an official OMI in {region} ({', '.join(known)}), not {family!r}")
    return max(matching_images, key=lambda image: image.creation_date)


def adopt(tx: Transaction, image_id: str, region: str, like: str) -> Image:
    """Copy the newest official OMI of a family under this id, public in the Region. Returns an existing OMI unchanged.

    Raises ValueError for a malformed id and for an unknown family.
    """
    if not str(image_id).startswith("ami-") or not _IMAGE.is_well_formed(image_id):
        raise ValueError(f"image_id must be ami- and 8 hex digits, not {image_id!r}")
    known: Image | None = tx.state.get("image", image_id)
    if known is not None:
        return known
    model = find_newest_official(tx.state, like, region)
    name = f"adopted-{image_id}"
    owner: AccountRow = tx.state.get("account", model.account_id)
    return tx.add(
        replace(
            model,
            creation_date=tx.at,
            description=f"Adopted in place of {image_id}",
            file_location=f"{owner.alias}/{name}",
            image_id=image_id,
            image_name=name,
            permissions_to_launch=PermissionsOnResource(global_permission=True),
        )
    )


def retire(tx: Transaction, image_id: str) -> None:
    """Delete an OMI as its owner would. Resources made from it are unaffected (OMI-123).

    Raises ValueError for an unknown OMI.
    """
    image: Image | None = tx.state.get("image", image_id)
    if image is None:
        raise ValueError(f"image_id must be the id of an OMI in this cloud, not {image_id!r}")
    tx.move(image, "delete")


def find_unknown_images(state: State, given: Any) -> Iterable[str]:
    """Yield the well-formed OMI ids in a request that have never existed in the cloud."""
    if isinstance(given, str):
        new = given.startswith("ami-") and _IMAGE.is_well_formed(given)
        if new and state.get("image", given) is None and state.get("origin", given) is None:
            yield given
    elif isinstance(given, Mapping | list | tuple):
        for item in given.values() if isinstance(given, Mapping) else given:
            yield from find_unknown_images(state, item)
