"""The words of the lifecycles: each event has a cause, no table contradicts itself, and all fits a terminal."""

from __future__ import annotations

import pytest
from support.snapshots import WIDTHS, check_snapshot, check_width

from omisim.spec.diagrams import render_mermaid, render_svg, render_text
from omisim.spec.legend import NOTES, find_kind, get_cause
from omisim.spec.lifecycle import LIFECYCLES

DELETIONS = {"vm": "DeleteVms", "volume": "DeleteVolume", "snapshot": "DeleteSnapshot", "image": "DeleteImage"}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", LIFECYCLES)
def test_text_fits_a_terminal(kind: str, width: int) -> None:
    """The text has causes, durations with units, and a legend, at two widths."""
    text = render_text(LIFECYCLES[kind], width)
    check_width(text, width)
    check_snapshot(f"lifecycle-{kind}-{width}.txt", text)


@pytest.mark.parametrize("kind", LIFECYCLES)
def test_every_event_has_a_cause(kind: str) -> None:
    """No event is left unexplained."""
    lifecycle = LIFECYCLES[kind]
    assert all(get_cause(lifecycle, state, event) for state, events in lifecycle.moves.items() for event in events)


@pytest.mark.parametrize(("kind", "action"), DELETIONS.items())
def test_a_deletion_that_is_refused_names_another_cause(kind: str, action: str) -> None:
    """Where a state refuses the action, an event `delete` is not said to be caused by it."""
    lifecycle = LIFECYCLES[kind]
    for state in lifecycle.refused[action]:
        if "delete" in lifecycle.moves.get(state, {}):
            assert "refused" in get_cause(lifecycle, state, "delete")


def test_restarting_is_explained() -> None:
    """The additional column of VMs has a note."""
    assert NOTES["vm"].startswith("restarting is")


@pytest.mark.parametrize("kind", LIFECYCLES)
def test_diagrams_show_every_state(kind: str) -> None:
    """Mermaid and SVG have each state, and mermaid's names have only letters, digits and underscores."""
    lifecycle = LIFECYCLES[kind]
    mermaid, svg = render_mermaid(lifecycle), render_svg(lifecycle)
    assert all(f">{state}</text>" in svg for state in lifecycle.moves)
    for line in mermaid.splitlines():
        if "-->" in line:
            source, _, rest = line.strip().partition(" --> ")
            assert all(name == "[*]" or name.isidentifier() for name in (source, rest.partition(":")[0])), line


@pytest.mark.parametrize(
    ("name", "kind"),
    [("OMI", "image"), ("image-export", "image_export"), ("Volumes", "volume"), ("nothing", None), ("", None)],
)
def test_names_of_kinds(name: str, kind: str | None) -> None:
    """People say OMI; an unknown name is None."""
    assert find_kind(name, LIFECYCLES) == kind
