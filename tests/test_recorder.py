"""The verdict on how much of the official description the suite shows, as `support/recorder.py` reports it."""

from __future__ import annotations

import pytest
from support import surface
from support.plugged import run_plugin
from support.recorder import VERDICT

pytest_plugins = ["pytester"]

SUITE = """
    def test_volume(omi_account): omi_account.create_volume(subregion_name="eu-west-2a", size=1)
    def test_vms(omi_account): omi_account.read_vms()
"""
SHOWN = {"answered CreateVolumeResponse.Volume", "answered ReadVmsResponse.Vms"}


def run(pytester: pytest.Pytester, workers: str, *arguments: str) -> pytest.RunResult:
    """Run a suite of two tests, which together show SHOWN, with the recorder."""
    pytester.makeini("[pytest]\ntestpaths = .")
    return run_plugin(pytester, SUITE, "-p", "support.recorder", "-p", "xdist", "-n", workers, *arguments)


@pytest.mark.parametrize("workers", ["0", "2"])
class TestVerdict:
    def test_passes_as_a_test_when_everything_is_shown(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
    ) -> None:
        """The notes of all workers count together."""
        monkeypatch.setattr(surface, "find_gaps", lambda names: sorted(SHOWN - set(names)))
        result = run(pytester, workers, "-v")
        result.assert_outcomes(passed=3)
        assert result.ret == pytest.ExitCode.OK

    def test_fails_as_a_test_that_lists_what_is_not_shown(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
    ) -> None:
        """The suite fails by a test of the summary, whose report lists what no test shows."""
        monkeypatch.setattr(surface, "find_gaps", lambda names: sorted({"answered Vm.Missing"} - set(names)))
        result = run(pytester, workers)
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(["The official description is not shown as a whole:", "answered Vm.Missing"])
        result.stdout.fnmatch_lines([f"FAILED {VERDICT}*"])
        assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("part", [["-k", "vms"], ["."]])
def test_verdict_is_left_out_for_a_part_of_the_suite(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, part: list[str]
) -> None:
    """A run that selects tests or paths shows less, and is not judged."""
    monkeypatch.setattr(surface, "find_gaps", lambda _: ["never called"])
    result = run(pytester, "0", *part)
    assert "failed" not in result.parseoutcomes()
    assert VERDICT not in result.stdout.str()


def test_verdict_is_left_out_after_a_failure(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed test may have shown something, so the suite is not judged."""
    monkeypatch.setattr(surface, "find_gaps", lambda _: ["never called"])
    pytester.makepyfile(test_other="def test_fails(): assert False")
    result = run(pytester, "0")
    result.assert_outcomes(passed=2, failed=1)
    assert VERDICT not in result.stdout.str()
