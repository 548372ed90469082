"""`cloud.images`: the platform's official OMIs."""

from __future__ import annotations

from omisim.base.hosts import DEFAULT_REGION
from omisim.engine.engine import Engine
from omisim.model import Image
from omisim.state.official_images import find_newest_official, list_official_images

__all__ = ["Images"]


class Images:
    """The official OMIs of a cloud."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def official(self, family: str, region: str = DEFAULT_REGION) -> Image:
        """Return the newest official OMI of a family in a Region, for example `official("debian")` (SHR-017).

        `family` is the beginning of the OMI's name, in any case. Raises ValueError that lists the families if no name
        begins with it, and ValueError for an unknown Region.
        """
        with self._engine.lock:
            return find_newest_official(self._engine.state, family, region)

    def all(self, region: str = DEFAULT_REGION) -> tuple[Image, ...]:
        """Return the official OMIs of a Region, sorted by name. Raises ValueError for an unknown Region."""
        with self._engine.lock:
            return tuple(sorted(list_official_images(self._engine.state, region), key=lambda image: image.image_name))
