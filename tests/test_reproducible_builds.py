"""The same command with pinned versions runs the suite, wherever it is written down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMAND = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e '.[dev]' && .venv/bin/pytest"


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_the_command_that_runs_the_suite_takes_the_pinned_versions(path: str) -> None:
    """README, CONTRIBUTING and .ci/run run the suite by the same command, and install all it needs from constraints."""
    text = (ROOT / path).read_text()
    assert COMMAND in text
    assert all("-c constraints.txt" in line for line in text.splitlines() if "[dev]" in line)


def test_constraints_pin_exact_versions() -> None:
    """Every line of constraints.txt names one version, so that the same packages are installed at any time."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+(; .+)?", line)] == []
