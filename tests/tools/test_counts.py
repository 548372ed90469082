"""What calls cost: deterministic counts against the committed table."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest
from tools import counts

ONE_PYTHON = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or platform.python_implementation() != "CPython",
    reason="another Python executes other lines",
)


@ONE_PYTHON
def test_no_call_costs_a_tenth_more_than_in_the_table() -> None:
    """Each call takes at most 10 % more lines and rows than tests/tools/counts.toml says.

    A process of its own counts: plugins of this one look at each call.
    """
    command = [sys.executable, counts.__file__]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONHASHSEED": "0"})
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_regression_names_its_call() -> None:
    """A call that costs a tenth more is named with both numbers; one that costs a little more, or less, is not."""
    table = {"fast": 100, "slow": 100, "gone": 1}
    assert sorted(counts.find_regressions({"fast": 110, "slow": 111, "new": 1}, table)) == [
        "gone: in one of the two alone",
        "new: in one of the two alone",
        "slow: 111 lines and rows, 11% more than the 100 of the table",
    ]
