"""Shrinking of histories, with the internals of Hypothesis that it uses and without them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from omisim.testing import shrinking


class Counter(RuleBasedStateMachine):
    """Fails at the third of its steps that count."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    @rule()
    def add(self) -> None:
        """Count."""
        self.count += 1
        assert self.count < 3

    @rule()
    def rest(self) -> None:
        """Do nothing."""


def fail(*_: object) -> None:
    """Stand for a method that takes other arguments."""
    raise TypeError


MISSING: dict[str, dict[str, Any]] = {
    "nothing": {},
    "modules": {"engine": None, "shrinker": None},
    "limit": {"engine": SimpleNamespace()},
    "class": {"shrinker": SimpleNamespace()},
    "method": {"shrinker": SimpleNamespace(Shrinker=Counter)},
    "label": {"_STEP": None},
    "spans": {"_list_steps": lambda target: target.no_such_attribute},
    "cache": {"_try": fail},
}


class TestQuickShrinking:
    @pytest.mark.parametrize("missing", MISSING)
    def test_does_without_what_a_version_lacks(self, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
        """Whichever internal is missing, the failure is found and shrunk, if need be as Hypothesis does by itself."""
        for name, value in MISSING[missing].items():
            monkeypatch.setattr(shrinking, name, value)
        options = settings(database=None, deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
        with shrinking.quick_shrinking(60), pytest.raises(AssertionError) as failure:
            run_state_machine_as_test(Counter, settings=options)
        report = "\n".join(failure.value.__notes__)
        assert (report.count("state.add()"), report.count("state.rest()")) == (3, 0)
