"""OMIs by the name that is unique in their account (OMI-022)."""

from __future__ import annotations

from omisim.model import Image
from omisim.state.state import State

__all__ = ["find_images_by_name"]


def find_images_by_name(state: State, account_id: str, name: str) -> list[Image]:
    """Return the OMIs of an account with a name.

    It visits the OMIs of all accounts with the name, or those of the account if they are fewer: an index on both would
    take an eighth of the memory of an OMI.
    """
    lookups = [("image_name", name)], [("account_id", account_id)]
    images = state.find_narrowest("image", lookups)
    return [image for image in images if image.image_name == name and image.account_id == account_id]
