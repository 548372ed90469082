"""The origin of an OMI, and who supports it (SHR-017/support)."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TypeVar, cast

from omisim.base.frozen import replace
from omisim.model import AccountRow, Image
from omisim.model.base import keep_view
from omisim.spec.catalog import MARKETPLACE, OUTSCALE, make_platform_name
from omisim.state.initial_state import initial_state
from omisim.state.state import State

__all__ = ["add_origin", "explain_origin", "find_origin"]

V = TypeVar("V")


def find_origin(state: State, image: Image, account_id: str | None = None) -> tuple[str, str]:
    """Return the origin of an OMI and who supports it, as an account sees them, by default its owner.

    The origin is "official", "Marketplace", or for the OMIs of other accounts "shared"; an account's own OMI is
    "imported" if it was created from a manifest, else "own".
    """
    return _derive_origin(image, _list_parts(state, image.account_id, account_id))


def _list_parts(state: State, owner_id: str, account_id: str | None) -> tuple[AccountRow | None, bool]:
    """Return what the origin of an OMI depends on: its owner, and whether an account sees it as its owner does.

    The owner is None if another thread has undone its creation since the call was answered.
    """
    return state.get("account", owner_id), account_id in (None, owner_id)


def _derive_origin(image: Image, parts: tuple[AccountRow | None, bool]) -> tuple[str, str]:
    owner, for_owner = parts
    if owner is not None and owner.alias is not None and owner.name == make_platform_name(owner.alias, owner.region):
        if owner.alias == OUTSCALE:
            return "official", "OUTSCALE"
        if owner.alias == MARKETPLACE:
            return "Marketplace", f"vendor {image.image_name.partition('-pty-')[0]}"
    support = f"account {image.account_id}"
    if not for_owner:
        return "shared", support
    return "imported" if "://" in image.file_location else "own", support


def explain_origin(state: State, image: Image, account_id: str) -> str:
    """Return the origin of an OMI as a sentence."""
    origin, support = find_origin(state, image, account_id)
    guarantee = "" if origin == "official" else ", without a guarantee by OUTSCALE"
    return f"{image.image_id} is {origin}, supported by {support}{guarantee}"


def _fill_in(image: Image, parts: tuple[AccountRow | None, bool]) -> Image:
    origin, supported_by = _derive_origin(image, parts)
    return replace(image, origin=origin, supported_by=supported_by)


_fill_in_once = keep_view(_fill_in)


def add_origin(state: State, value: V, account_id: str | None = None) -> V:
    """Return a result with the origin of each OMI filled in. Any other result is returned unchanged.

    OMIs of the platform, which all clouds share, keep the filled form: nearly every list has them.
    """
    if isinstance(value, Image):
        return cast("V", add_origin(state, (value,), account_id)[0])
    if not isinstance(value, tuple) or not value or not isinstance(value[0], Image):
        return value
    platform, filled = initial_state().rows("account"), []
    for owner_id, images in groupby(value, key=attrgetter("account_id")):
        fill_in, parts = _fill_in_once if owner_id in platform else _fill_in, _list_parts(state, owner_id, account_id)
        filled += [fill_in(image, parts) for image in images]
    return cast("V", tuple(filled))
