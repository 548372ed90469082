"""The tutorial breaks its test on purpose, and shows what pytest and omisim print."""

from __future__ import annotations

import pytest
from support.pages import ROOT, list_blocks
from support.plugged import run_plugin

pytest_plugins = ["pytester"]

BLOCKS = [block for block in list_blocks() if block.page == ROOT / "docs" / "tutorial.md"]


def test_shows_the_failure_of_the_broken_code(pytester: pytest.Pytester) -> None:
    """Without the lines that the page deletes, the run prints the error and the report that it shows."""
    code = next(block.text for block in BLOCKS if block.language == "python")
    at = next(index for index, block in enumerate(BLOCKS) if block.language == "diff")
    for line in BLOCKS[at].text.splitlines():
        if line.startswith("-"):
            code = code.replace(line.removeprefix("-") + "\n", "", 1)
    printed = [line.split() for line in run_plugin(pytester, code).stdout.lines]
    error, report = BLOCKS[at + 1 : at + 3]
    assert [line for line in (error.text + report.text).splitlines() if line.split() not in printed] == []
