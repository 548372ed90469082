"""The probe tells mutated servers from ours: a share of `noticed.py`."""

from __future__ import annotations

import pytest
from tools.noticed import find_differences

from omisim.probe.loading import load_experiments


@pytest.mark.parametrize(
    ("bug", "rule"),
    [
        ("moto: two OMIs of one name", "OMI-022"),
        ("a pending OMI is launched", "image/CreateVms/pending"),
        ("a shared OMI stays visible", "SHR-012"),
        ("quotas are off by one", "QTA-010"),
    ],
)
def test_planted_bug_is_noticed(bug: str, rule: str) -> None:
    """The experiments of the broken rule differ on a server with the bug, and agree on one without it."""
    chosen = [one for one in load_experiments() if rule in one.rules]
    assert rule in {name for one in find_differences(chosen, bug=bug) for name in one.rules}
    assert find_differences(chosen) == []
