"""Draws the pictures of the documentation: `python docs/picture.py` writes demo.svg, lineage.svg and lifecycles/."""

from __future__ import annotations

from pathlib import Path

from omisim import Cloud
from omisim.spec.diagrams import render_svg
from omisim.spec.lifecycle import LIFECYCLES
from omisim.tools.demo import play
from omisim.tools.demo.picture import draw

__all__ = ["LIFECYCLE_PICTURES", "LINEAGE", "PICTURE", "draw_lineage"]

PICTURE = Path(__file__).with_name("demo.svg")
LINEAGE = Path(__file__).with_name("lineage.svg")
LIFECYCLE_PICTURES = {kind: Path(__file__).parent / "lifecycles" / f"{kind}.svg" for kind in LIFECYCLES}


def draw_lineage() -> str:
    """Return the lineage of an OMI that alice shares with bob, who copies it and launches a VM from the copy."""
    cloud = Cloud.from_scenario("shared-image")
    bob, golden = cloud.account("bob"), cloud.named("golden")
    copy = bob.create_image(source_image_id=golden, source_region_name=bob.region)
    bob.create_vms(image_id=copy.image_id)
    return cloud.lineage(golden).svg()


if __name__ == "__main__":
    PICTURE.write_text(draw(play()), "utf-8")
    LINEAGE.write_text(draw_lineage(), "utf-8")
    for kind, path in LIFECYCLE_PICTURES.items():
        path.write_text(render_svg(LIFECYCLES[kind]), "utf-8")
