"""How a `CloudMachine` is run: how long it shrinks, and how its failures are printed."""

from __future__ import annotations

import re
import traceback
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import engine
from hypothesis.reporting import with_reporter
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from omisim.testing.exploration import in_rounds
from omisim.testing.machine import CloudMachine

FEW = settings(
    max_examples=20, stateful_step_count=10, database=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)  # fmt: skip


class Failing(CloudMachine):
    """A machine with two bugs to find."""

    accounts: ClassVar = {"alice": "eu-west-2"}
    actions: ClassVar = frozenset({"CreateVolume", "ReadVolumes", "ReadRegions"})
    starts_with: ClassVar = {"volume": 1}
    platform = False
    shrink_seconds = 1

    @rule(number=st.integers(0, 1000))
    def first(self, number: int) -> None:
        """Fail for large numbers."""
        self.account("alice").read_regions()
        assert number < 500

    @rule(volume=CloudMachine.volumes)
    def second(self, volume: str) -> None:
        """Fail for any volume."""
        raise LookupError(volume)


class FailingAtOnce(CloudMachine):
    """A machine with an error for each timing, the first value drawn: Hypothesis finds both before it shrinks."""

    accounts: ClassVar = Failing.accounts
    actions: ClassVar = Failing.actions
    starts_with: ClassVar = Failing.starts_with
    timings = ("eager", "manual")
    platform = False
    shrink_seconds = 0

    @invariant()
    def look(self) -> None:
        """Fail in any cloud."""
        self.account("alice").read_regions()
        if self.cloud.engine.settings.timing == "eager":
            raise LookupError
        raise AssertionError


class TestFailureOfSeveralErrors:
    def test_is_printed_shortly(self) -> None:
        """Each error comes with the frames of the code under test and one script."""
        FailingAtOnce.TestCase.settings = settings(FEW, max_examples=100, print_blob=False)
        with pytest.raises(ExceptionGroup, match="2 distinct failures") as failure:
            FailingAtOnce.TestCase("runTest").debug()
        text = "".join(traceback.format_exception(failure.value))
        assert text.count("# --- reproduction script") == 2
        assert "Draw 1" not in text
        frames = [line for error in failure.value.exceptions for line in traceback.format_tb(error.__traceback__)]
        assert len(frames) == 2
        assert all(__file__ in frame for frame in frames)
        assert len(text.splitlines()) < 70

    def test_has_the_blob_of_each_error_if_it_is_wanted(self) -> None:
        """With `print_blob`, the default in CI, each error comes with the line that reproduces it in Hypothesis."""
        FailingAtOnce.TestCase.settings = settings(FEW, max_examples=100, print_blob=True)
        with pytest.raises(ExceptionGroup, match="2 distinct failures") as failure:
            FailingAtOnce.TestCase("runTest").debug()
        for error in failure.value.exceptions:
            assert "@reproduce_failure(" in "".join(error.__notes__)

    def test_shows_the_rules_of_the_machine_in_the_scripts(self) -> None:
        """A script contains the rules of the subclass as comments, with their arguments."""
        # a group, if shrinking takes no longer than its second
        with pytest.raises((ExceptionGroup, AssertionError, LookupError)) as failure:
            in_rounds(Failing, settings(FEW, max_examples=100))
        for error in getattr(failure.value, "exceptions", [failure.value]):
            rule_of = {
                AssertionError: r"\n# first\(number=\d+\)\ncloud.account\('alice'\).call\('ReadRegions'\)",
                LookupError: r"\n# second\(volume='vol-",
            }
            assert re.search(rule_of[type(error)], "\n".join(error.__notes__))


class TestInRounds:
    def test_shrinks_what_it_finds(self) -> None:
        """The failure is the simplest one, whatever round finds it."""

        class Rarely(Failing):
            second = None  # type: ignore[assignment]
            shrink_seconds = 60

        with pytest.raises(AssertionError) as failure:
            in_rounds(Rarely, settings(FEW, max_examples=100))
        assert "# first(number=500)" in "\n".join(failure.value.__notes__)

    def test_ends_soon_after_a_failure(self) -> None:
        """Shrinking stops after `shrink_seconds`, says so, and Hypothesis's own limit is as before."""
        usual, failures = engine.MAX_SHRINKING_SECONDS, list[object]()

        class Slow(Failing):
            second = None  # type: ignore[assignment]
            shrink_seconds = 0

        with with_reporter(failures.append), pytest.raises(AssertionError):
            in_rounds(Slow, settings(FEW, max_examples=100))
        assert usual == engine.MAX_SHRINKING_SECONDS
        assert any(str(line).startswith("Shrinking stopped after 0 seconds (shrink_seconds)") for line in failures)

    def test_has_no_deadline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A history of many calls may take longer than Hypothesis's default deadline."""
        runs: list[Any] = []
        monkeypatch.setattr(
            "hypothesis.stateful.run_state_machine_as_test",
            lambda _, settings: runs.append((settings.deadline, settings.max_examples)),
        )
        in_rounds(Failing, settings(deadline=200, max_examples=12))
        assert runs == [(None, 10), (None, 2)]

    def test_runs_any_state_machine(self) -> None:
        """A machine that is not a CloudMachine runs in rounds too."""
        runs = []

        class Other(RuleBasedStateMachine):
            @rule()
            def step(self) -> None:
                runs.append(1)

        in_rounds(Other, FEW)
        assert runs


class TestTestCase:
    def test_is_one_class_with_its_own_settings(self) -> None:
        """Settings that are assigned to `TestCase` stay, and another machine has its own."""

        class One(Failing):
            pass

        class Other(One):
            pass

        One.TestCase.settings = FEW
        assert One.TestCase is One.TestCase
        assert One.TestCase.settings is FEW
        assert Other.TestCase.settings.max_examples != FEW.max_examples
        assert Other.TestCase.settings.deadline is None
        assert One.TestCase.__name__ == "One.TestCase"


class TestShrinking:
    def test_removes_steps_that_a_failure_does_not_need(self) -> None:
        """Of a long history, the steps remain that lead to the failure, and no calls of other rules."""

        class Counting(CloudMachine):
            accounts: ClassVar = {"alice": "eu-west-2"}
            platform = False
            shrink_seconds = 600  # more than the default, for a busy machine

            @rule()
            def count(self) -> None:
                self.counted = getattr(self, "counted", 0) + 1

            @invariant()
            def look(self) -> None:
                assert getattr(self, "counted", 0) < 2

        Counting.TestCase.settings = settings(FEW, max_examples=50, stateful_step_count=30)
        with pytest.raises(AssertionError) as failure:
            Counting.TestCase("runTest").debug()
        script = next(note for note in failure.value.__notes__ if "reproduction script" in note)
        assert script.count("# count()") == 2
        assert ".call(" not in script

    @pytest.mark.parametrize("kind", [-1, "20", None])
    def test_with_a_wrong_limit_is_refused(self, kind: object) -> None:
        """The limit is a number of seconds."""
        with pytest.raises(ValueError, match="shrink_seconds must be a number of seconds from 0"):
            type("Wrong", (CloudMachine,), {"shrink_seconds": kind})
