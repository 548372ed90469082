"""The notebook fixtures/notebooks/omi_model.ipynb: every cell runs, and the objects show themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.notebooks import load_notebook, run_notebook

from omisim import teach

NOTEBOOK = Path(__file__).parents[2] / "fixtures" / "notebooks" / "omi_model.ipynb"


@pytest.fixture(name="outputs", scope="module")
def _outputs() -> list[list[dict[str, Any]]]:
    """The outputs of the notebook's cells."""
    return run_notebook(load_notebook(NOTEBOOK))


def test_every_cell_shows_something(outputs: list[list[dict[str, Any]]]) -> None:
    """No cell fails, and none is silent."""
    assert all(outputs)


def test_has_every_lesson(outputs: list[list[dict[str, Any]]]) -> None:
    """Each lesson is played in the notebook, with answers to its questions."""
    html = "".join(output["data"].get("text/html", "") for cell in outputs for output in cell if "data" in output)
    for lesson in teach.lessons():
        assert f"<h2>{lesson}</h2>" in html
    assert html.count("<summary>Answer</summary>") == sum(bool(s.ask) for each in teach.lessons() for s in each.steps)


def test_shows_objects_as_html(outputs: list[list[dict[str, Any]]]) -> None:
    """A cloud and an OMI are tables, a lineage is a picture."""
    html = [output["data"].get("text/html", "") for cell in outputs for output in cell if "data" in output]
    assert any(text.startswith("<table><caption>&lt;cloud at") for text in html)
    assert any(text.startswith("<table><caption>image ami-") for text in html)
    assert any(text.startswith("<svg ") for text in html)


def test_is_stored_without_outputs() -> None:
    """The file has the sources alone, so that a change of a text is not a change of the notebook."""
    notebook = load_notebook(NOTEBOOK)
    assert (notebook["nbformat"], len({cell["id"] for cell in notebook["cells"]})) == (4, len(notebook["cells"]))
    assert all(not cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code")
