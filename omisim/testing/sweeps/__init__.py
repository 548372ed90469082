"""Sweep: run code in every way in which the cloud could have answered.

    from omisim.testing import sweep

    report = sweep(setup, code)
    assert not report.findings, report

The pytest marker `omisim_sweep` does the same with a test.
"""

from __future__ import annotations

from omisim.testing.sweeps.deviations import KINDS, Deviation, Kind
from omisim.testing.sweeps.report import OUTCOMES, Outcome, SweepReport, World
from omisim.testing.sweeps.worlds import Options, Sweep, sweep

__all__ = [
    "KINDS", "OUTCOMES", "Deviation", "Kind", "Options", "Outcome", "Sweep", "SweepReport", "World", "sweep",
]  # fmt: skip
