"""`cloud.images`: the platform's official OMIs."""

from __future__ import annotations

from omisim.engine.engine import Engine
from omisim.model import Image
from omisim.state.image_origins import add_origin
from omisim.state.official_images import find_newest_official, list_official_images, renew

__all__ = ["Images"]


class Images:
    """The official OMIs of a cloud."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def official(self, family: str, region: str | None = None) -> Image:
        """Return the newest official OMI of a family in a Region, for example `official("debian")` (SHR-017).

        `family` is the beginning of the OMI's name, in any case. The default Region is that of `Cloud.account`. Raises
        ValueError that lists the families if no name begins with it, and ValueError for an unknown Region.
        """
        with self._engine.lock:
            image = find_newest_official(self._engine.state, family, self._choose(region))
            return add_origin(self._engine.state, image)

    def all(self, region: str | None = None) -> tuple[Image, ...]:
        """Return the official OMIs of a Region, sorted by name. Raises ValueError for an unknown Region."""
        with self._engine.lock:
            official = list_official_images(self._engine.state, self._choose(region))
            images = sorted(official, key=lambda image: image.image_name)
            return add_origin(self._engine.state, tuple(images))

    def renew(self, family: str, region: str | None = None, *, retire: bool = False) -> Image:
        """Publish a newer official OMI of a family, as OUTSCALE does to keep them up to date (SHR-017/renewed).

        The OMI has a new id, name, date and snapshot, and everything else of the newest one, which `retire` deletes.
        VMs and copies that were created from the earlier one stay as they are. Raises ValueError like `official`.
        """
        with self._engine.transaction("renew") as tx:
            return add_origin(tx.state, renew(tx, family, self._choose(region), retired=retire))

    def _choose(self, region: str | None) -> str:
        return self._engine.settings.default_region if region is None else region
