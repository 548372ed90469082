"""Parts of the catalogue that tests use: a Subregion, and official OMIs by name."""

from __future__ import annotations

from omisim import Account
from omisim.model import Image

__all__ = ["SUBREGION", "find_official"]

SUBREGION = "eu-west-2a"


def find_official(account: Account, name: str) -> Image:
    """Return the first official OMI of this name."""
    return account.read_images(filters={"account_aliases": ["Outscale"], "image_names": [name]})[0]
