"""The picture of the demo: an excerpt as SVG, which needs nothing from another host."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO

from rich.console import Console

from omisim.tools.demo.show import show
from omisim.tools.demo.story import Story, StoryStep

__all__ = ["draw"]

COLUMNS = 126
CALLS = {("alice", "CreateImage"), ("alice", "UpdateImage"), ("bob", "CreateVms")}  # shown, beside the refusals


def draw(story: Story) -> str:
    """Return an excerpt of the demo as SVG: an OMI is shared and no longer shared, then the lineage."""
    console = Console(record=True, file=StringIO(), width=COLUMNS, highlight=False, soft_wrap=True)
    show(replace(story, steps=list(filter(_is_shown, story.steps))), console)
    svg = console.export_svg(title="omisim demo (excerpt)", unique_id="omisim")
    return re.sub(r"\s*@font-face \{[^}]*\}", "", svg)  # rich's fonts come from another host


def _is_shown(step: StoryStep) -> bool:
    return (step.who, step.action) in CALLS or (step.who == "alice" and step.refusal is not None)
