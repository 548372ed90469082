"""The origin of an OMI, and who supports it (SHR-017/support)."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar, cast

from omisim.base.frozen import replace
from omisim.model import AccountRow, Image
from omisim.spec.catalog import MARKETPLACE, OUTSCALE, make_platform_name
from omisim.state.state import State

__all__ = ["add_origin", "explain_origin", "find_origin"]

V = TypeVar("V")


def find_origin(state: State, image: Image, account_id: str | None = None) -> tuple[str, str]:
    """Return the origin of an OMI and who supports it, as an account sees them, by default its owner.

    The origin is "official", "Marketplace", or for the OMIs of other accounts "shared"; an account's own OMI is
    "imported" if it was created from a manifest, else "own".
    """
    owner: AccountRow = state.get("account", image.account_id)
    is_platform = owner.alias is not None and owner.name == make_platform_name(owner.alias, owner.region)
    if is_platform and owner.alias == OUTSCALE:
        return "official", "OUTSCALE"
    if is_platform and owner.alias == MARKETPLACE:
        return "Marketplace", f"vendor {image.image_name.partition('-pty-')[0]}"
    support = f"account {image.account_id}"
    if account_id not in (None, image.account_id):
        return "shared", support
    return "imported" if "://" in image.file_location else "own", support


def explain_origin(state: State, image: Image, account_id: str) -> str:
    """Return the origin of an OMI as a sentence."""
    origin, support = find_origin(state, image, account_id)
    guarantee = "" if origin == "official" else ", without a guarantee by OUTSCALE"
    return f"{image.image_id} is {origin}, supported by {support}{guarantee}"


class _Row:
    """A row as a key of a cache: equal to itself only, which is faster than comparing all fields."""

    __slots__ = ("image",)

    def __init__(self, image: Image) -> None:
        self.image = image

    def __hash__(self) -> int:
        return id(self.image)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Row) and self.image is other.image


@lru_cache(maxsize=1024)  # a read returns the same rows again and again
def _fill_in(row: _Row, origin: str, supported_by: str) -> Image:
    return replace(row.image, origin=origin, supported_by=supported_by)


def add_origin(state: State, value: V, account_id: str | None = None) -> V:
    """Return a result with the origin of each OMI filled in. Any other result is returned unchanged."""
    if isinstance(value, Image):
        return cast("V", _fill_in(_Row(value), *find_origin(state, value, account_id)))
    if isinstance(value, tuple) and value and isinstance(value[0], Image):
        return cast("V", tuple([add_origin(state, image, account_id) for image in value]))
    return value
