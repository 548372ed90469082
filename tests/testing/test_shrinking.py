"""Shrinking of histories, with the internals of Hypothesis that it uses and without them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase
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


class Adder(RuleBasedStateMachine):
    """Fails at a sum of 1,000: in few histories, and with that sum only when they are shrunk."""

    histories: ClassVar[int] = 0
    failures: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.sum = 0
        Adder.histories += 1

    @rule(number=st.integers(0, 500))
    def add(self, number: int) -> None:
        """Add."""
        self.sum += number
        Adder.failures += self.sum >= 1_000
        assert self.sum < 1_000, f"the sum is {self.sum}"


class Interrupted(Adder):
    """Is interrupted once, as by Ctrl-C, soon after the first failure."""

    def teardown(self) -> None:
        """Interrupt the third failure."""
        if Adder.failures == 3:
            Adder.failures += 1
            raise KeyboardInterrupt


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
    "runner": {"_store_unshrunk": lambda runner: runner.no_such_attribute},
}
OPTIONS = settings(database=None, deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))


class TestQuickShrinking:
    @pytest.mark.parametrize("missing", MISSING)
    def test_does_without_what_a_version_lacks(self, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
        """Whichever internal is missing, the failure is found and shrunk, if need be as Hypothesis does by itself."""
        for name, value in MISSING[missing].items():
            monkeypatch.setattr(shrinking, name, value)
        with shrinking.quick_shrinking(60), pytest.raises(AssertionError) as failure:
            run_state_machine_as_test(Counter, settings=OPTIONS)
        report = "\n".join(failure.value.__notes__)
        assert (report.count("state.add()"), report.count("state.rest()")) == (3, 0)

    @pytest.mark.parametrize(
        ("machine", "seconds", "phases"),
        [(Adder, 0, set(Phase)), (Adder, 60, set(Phase) - {Phase.shrink}), (Interrupted, 60, set(Phase))],
        ids=["limit", "phases", "Ctrl-C"],
    )
    def test_goes_on_in_the_next_run(self, machine: type[Adder], seconds: float, phases: set[Phase]) -> None:
        """A failure whose shrinking was ended by its limit, turned off or interrupted is shrunk by the next run."""
        options, Adder.failures = settings(OPTIONS, database=InMemoryExampleDatabase()), 0
        with shrinking.quick_shrinking(seconds), pytest.raises((AssertionError, KeyboardInterrupt)):
            run_state_machine_as_test(machine, settings=settings(options, phases=phases))
        with shrinking.quick_shrinking(60), pytest.raises(AssertionError, match="the sum is 1000"):
            run_state_machine_as_test(machine, settings=options)

    def test_ends_when_a_failure_is_shrunk(self) -> None:
        """The next run only repeats a failure that is shrunk already, and again to report it."""
        options = settings(OPTIONS, database=InMemoryExampleDatabase())
        for _ in range(2):
            Adder.histories = 0
            with shrinking.quick_shrinking(60), pytest.raises(AssertionError, match="the sum is 1000"):
                run_state_machine_as_test(Adder, settings=options)
        assert Adder.histories == 2
