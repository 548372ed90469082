"""The platform's OMIs: find the newest of a family, adopt an id that the code under test uses, renew or retire one."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

from omisim.base.frozen import replace
from omisim.base.suggest import check_known, suggest
from omisim.base.texts import iter_texts
from omisim.model import (
    AccountRow,
    BlockDeviceMappingImage,
    Image,
    Origin,
    PermissionsOnResource,
    Snapshot,
    SnapshotState,
)
from omisim.model.ids import Id
from omisim.spec.catalog import OUTSCALE, load_catalog, make_platform_name
from omisim.state.image_names import find_images_by_name
from omisim.state.initial_state import initial_state
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = [
    "adopt", "copy_disk", "find_newest_official", "find_unknown_images", "list_official_images", "renew", "retire",
]  # fmt: skip

_IMAGE = Id("image")
SHORT = dt.timedelta(milliseconds=1)
_DATE = re.compile(r"(-\d{4}\.\d{2}\.\d{2}(-\d+)?)?$")
_WORD = re.compile(r"[A-Za-z]+")


def list_official_images(state: State, region: str) -> list[Image]:
    """Return the official OMIs of a Region in creation order. Raises ValueError for an unknown Region."""
    check_known("region", region, load_catalog().regions)
    owners = state.find_by("account", "name", make_platform_name(OUTSCALE, region))
    return list(state.find_narrowest("image", [[("account_id", owner.account_id) for owner in owners]]))


def find_newest_official(state: State, family: str, region: str) -> Image:
    """Return the newest official OMI whose name starts with `family`.

    Raises ValueError, with the known families, if there is none.
    """
    images = list_official_images(state, region)
    prefix = str(family or "").lower()
    matching_images = [image for image in images if image.image_name.lower().startswith(prefix)]
    if not prefix or not matching_images:
        words = {word[0] for image in images if (word := _WORD.match(image.image_name))}
        known = sorted({word.lower(): word for word in sorted(words, reverse=True)}.values(), key=str.lower)
        families = f"{region} ({', '.join(known)})"
        raise ValueError(f"family must match an official OMI in {families}, not {family!r}{suggest(family, known)}")
    return max(matching_images, key=lambda image: image.creation_date)


def adopt(tx: Transaction, image_id: str, region: str, like: str) -> Image:
    """Copy the newest official OMI of a family under this id, public in the Region. Returns an existing OMI unchanged.

    Raises ValueError for a malformed id and for an unknown family.
    """
    if not image_id.startswith("ami-") or not _IMAGE.is_well_formed(image_id):
        raise ValueError(f"image_id must be ami- and 8 hex digits, not {image_id!r}")
    image: Image | None = tx.state.get("image", image_id)
    if image is not None:
        return image
    model = find_newest_official(tx.state, like, region)
    name = f"adopted-{image_id}"
    owner: AccountRow = tx.state.get("account", model.account_id)
    tx.write("origin", image_id, Origin("image", owner.account_id, name, (), model.product_codes))
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


def renew(tx: Transaction, family: str, region: str, *, retired: bool) -> Image:
    """Publish a newer official OMI of a family, with snapshots of its own, and retire the newest so far if asked to.

    Raises ValueError for an unknown family.
    """
    old = find_newest_official(tx.state, family, region)
    created = max(tx.at, old.creation_date + SHORT)
    name = _make_newer_name(tx.state, old, created)
    owner: AccountRow = tx.state.get("account", old.account_id)
    image_id = tx.new_id("image")
    mappings = tuple(
        copy_disk(tx, mapping, image_id, owner, created, f"{name} {mapping.device_name}", "renewal of")
        for mapping in old.block_device_mappings
    )
    image = tx.add(
        replace(
            old,
            block_device_mappings=mappings,
            creation_date=created,
            file_location=f"{owner.alias}/{name}",
            image_id=image_id,
            image_name=name,
            tags=(),
        )
    )
    parents = (("renewal of", old.image_id),)
    tx.write("origin", image_id, Origin("image", old.account_id, name, parents, old.product_codes))
    if retired:
        retire(tx, old.image_id)
    return image


def _make_newer_name(state: State, old: Image, created: dt.datetime) -> str:
    """Return the name of the earlier OMI with the new date, and a number that makes it unique."""
    base = _DATE.sub("", old.image_name)
    names = (f"{base}-{created:%Y.%m.%d}-{number}" for number in count())
    return next(name for name in names if not find_images_by_name(state, old.account_id, name))


def copy_disk(
    tx: Transaction,
    mapping: BlockDeviceMappingImage,
    image_id: str,
    owner: AccountRow,
    created: dt.datetime,
    description: str,
    relation: str,
) -> BlockDeviceMappingImage:
    """Return a disk of a new OMI of the platform: a new snapshot with the content of another OMI's.

    `relation` is that of the new snapshot to the other one. A disk without a snapshot is returned unchanged.
    """
    if mapping.bsu is None or mapping.bsu.snapshot_id is None:
        return mapping
    source: Snapshot = tx.state.get("snapshot", mapping.bsu.snapshot_id)
    snapshot = tx.add(
        Snapshot(
            account_alias=owner.alias,
            account_id=owner.account_id,
            creation_date=created,
            description=description,
            progress=100,
            snapshot_id=tx.new_id("snapshot"),
            state=SnapshotState.COMPLETED,
            volume_size=source.volume_size,
        )
    )
    content = tx.state.get("content", source.snapshot_id)
    if content is not None:
        tx.write("content", snapshot.snapshot_id, content)
    parents = (("part of", image_id), (relation, source.snapshot_id))
    tx.write("origin", snapshot.snapshot_id, Origin("snapshot", owner.account_id, "", parents))
    return replace(mapping, bsu=replace(mapping.bsu, snapshot_id=snapshot.snapshot_id))


def retire(tx: Transaction, image_id: str) -> None:
    """Delete an OMI as its owner would. Resources made from it are unaffected (OMI-123).

    Raises ValueError for an unknown OMI.
    """
    image: Image | None = tx.state.get("image", image_id)
    if image is None:
        raise ValueError(f"image_id must be the id of an OMI in this cloud, not {image_id!r}")
    tx.move(image, "delete")


def find_unknown_images(state: State, parameters: Any) -> Iterator[str]:
    """Yield the well-formed OMI ids in a request that have never existed in the cloud."""
    for text in iter_texts(parameters):
        if text.startswith("ami-") and _IMAGE.is_well_formed(text) and not _has_existed(state, text):
            yield text


def _has_existed(state: State, image_id: str) -> bool:
    rows = (state.get("image", image_id), state.get("origin", image_id), initial_state().get("image", image_id))
    return any(row is not None for row in rows)
