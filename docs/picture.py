"""Draws the pictures of the documentation: `python docs/picture.py` writes demo.svg, lineage.svg and lifecycles/."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console

from omisim import Cloud
from omisim.spec.diagrams import render_svg
from omisim.spec.lifecycle import LIFECYCLES
from omisim.tools.demo import StoryStep, play, show

__all__ = ["LIFECYCLE_PICTURES", "LINEAGE", "PICTURE", "draw", "draw_lineage"]

PICTURE = Path(__file__).with_name("demo.svg")
LINEAGE = Path(__file__).with_name("lineage.svg")
LIFECYCLE_PICTURES = {kind: Path(__file__).parent / "lifecycles" / f"{kind}.svg" for kind in LIFECYCLES}
COLUMNS = 126
CALLS = {("alice", "CreateImage"), ("alice", "UpdateImage"), ("bob", "CreateVms")}  # shown, beside the refusals


def draw() -> str:
    """Return an excerpt of the demo as SVG: an OMI is shared and no longer shared, then the lineage."""
    console = Console(record=True, file=StringIO(), width=COLUMNS, highlight=False, soft_wrap=True)
    story = play()
    show(replace(story, steps=list(filter(_is_shown, story.steps))), console)
    svg = console.export_svg(title="omisim demo (excerpt)", unique_id="omisim")
    return re.sub(r"\s*@font-face \{[^}]*\}", "", svg)  # rich's fonts come from another host


def _is_shown(step: StoryStep) -> bool:
    return (step.who, step.action) in CALLS or (step.who == "alice" and step.refusal is not None)


def draw_lineage() -> str:
    """Return the lineage of an OMI that alice shares with bob, who copies it and launches a VM from the copy."""
    cloud = Cloud.from_scenario("shared-image")
    bob, golden = cloud.account("bob"), cloud.named("golden")
    copy = bob.create_image(source_image_id=golden, source_region_name=bob.region)
    bob.create_vms(image_id=copy.image_id)
    return cloud.lineage(golden).svg()


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
    LINEAGE.write_text(draw_lineage(), "utf-8")
    for kind, path in LIFECYCLE_PICTURES.items():
        path.write_text(render_svg(LIFECYCLES[kind]), "utf-8")
