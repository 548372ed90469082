"""The runner of the benchmarks: how figures are made of measurements, judged and shown. No test here measures time."""

from __future__ import annotations

import dataclasses
import errno
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks import core
from benchmarks.goal import WORKLOAD, Goal, Limit, calibrated, measure, over, share, single, work


def count_up(*numbers: float) -> Callable[[], float]:
    """Return a side whose measurements are these numbers."""
    left = iter(numbers)
    return lambda: next(left)


def make_goal(limit: float, *, least: bool = False) -> Goal:
    """Return a goal of two sides, whose ratios are 9 in the first round, and 2, 4 and 3 in the others."""
    sides = {"omisim": count_up(9, 2, 8, 9), "null": count_up(1, 1, 2, 3)}
    return Goal("a call", sides, (Limit("over nothing", over("omisim", "null"), limit, least=least),), rounds=3)


@pytest.fixture(name="goals")
def _goals(monkeypatch: pytest.MonkeyPatch) -> list[Goal]:
    """The goals of a topic, in place of those that take time."""
    goals: list[Goal] = []
    monkeypatch.setattr(core, "goals", lambda: iter(goals))
    return goals


class TestMeasure:
    def test_returns_the_median_of_the_ratios_of_rounds_with_its_quartiles(self) -> None:
        """Each round gives a ratio; the first fills caches and does not count."""
        (figure,) = measure(make_goal(3), 15, "core")
        assert (figure.goal, figure.text) == ("core: a call", "over nothing")
        assert (figure.low, figure.median, figure.high) == (2, 3, 4)

    def test_runs_the_sides_in_turn(self) -> None:
        """A busy machine affects all sides alike, because each round has all."""
        turns: list[str] = []

        def note(name: str) -> Callable[[], float]:
            def side() -> float:
                turns.append(name)
                return 1

            return side

        measure(Goal("turns", {"a": note("a"), "b": note("b")}, ()), 2, "core")
        assert turns == ["a", "b"] * 3

    @pytest.mark.parametrize(("limit", "least", "reached"), [(3, 0, 1), (2.9, 0, 0), (3, 1, 1), (3.1, 1, 0)])
    def test_compares_the_median_with_the_limit(self, limit: float, least: int, reached: int) -> None:
        """A figure may be at most its limit, or must be at least that."""
        (figure,) = measure(make_goal(limit, least=bool(least)), 15, "core")
        assert figure.reached == bool(reached)


class TestFigures:
    def test_are_made_of_the_sides_of_a_round(self) -> None:
        """A ratio, a share, one side alone, and one side as on the machine of the goals."""
        sides = {"omisim": 6.0, "null": 4.0, "plain": 8.0, "workload": 2 * WORKLOAD}
        assert over("omisim", "null")(sides) == 1.5
        assert share("omisim", "null", "plain")(sides) == 0.25
        assert single("null", 1000)(sides) == 4000
        assert calibrated("omisim", 1)(sides) == 3

    def test_are_relative_to_a_workload_that_never_changes(self) -> None:
        """The workload has a fixed result: figures of all versions of omisim are relative to the same work."""
        result = work()
        assert (len(result), result["vol-000001f3"]) == (356, (2, "AVAILABLE"))


class TestCommand:
    def test_prints_a_line_for_each_limit(self, goals: list[Goal], capsys: pytest.CaptureFixture[str]) -> None:
        """A goal that is not reached is marked, and the exit status is 1."""
        goals += [make_goal(5), make_goal(2)]
        assert runner.main(["core"]) == 1
        reached, failed = capsys.readouterr().out.splitlines()
        assert re.fullmatch(r"core: a call +3 \(2 to 4\) over nothing \(at most 5\)", reached)
        assert failed.endswith("(at most 2)  NOT REACHED")

    def test_prints_json_on_request(self, goals: list[Goal], capsys: pytest.CaptureFixture[str]) -> None:
        """Data has the figures, their limits and whether they are reached."""
        goals.append(make_goal(5))
        assert runner.main(["core", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == [
            {
                "goal": "core: a call", "text": "over nothing", "median": 3, "low": 2, "high": 4, "limit": 5,
                "least": False, "reached": True,
            }
        ]  # fmt: skip

    def test_names_a_page_that_cannot_be_written(
        self, goals: list[Goal], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """`--table` ends with one line that has the file and the reason."""
        goals.append(make_goal(5))
        (tmp_path / "page.md").touch()
        monkeypatch.setattr(runner, "PAGE", tmp_path / "page.md")

        def write_text(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_text", write_text)
        with pytest.raises(SystemExit, match=r"^python -m benchmarks: .*page\.md: No space left on device$"):
            runner.main(["core", "--table"])

    def test_measures_only_what_is_named(self, goals: list[Goal], capsys: pytest.CaptureFixture[str]) -> None:
        """`--only` selects goals by a part of their names."""
        goals += [make_goal(5), dataclasses.replace(make_goal(5), name="another")]
        assert runner.main(["core", "--only", "core: another"]) == 0
        assert re.fullmatch(r"core: another .*\n", capsys.readouterr().out)

    def test_refuses_a_text_that_no_goal_has(
        self, goals: list[Goal], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Nothing is measured then, and `--table` leaves the table alone."""
        goals.append(make_goal(5))
        monkeypatch.setattr(runner, "PAGE", tmp_path / "missing.md")
        with pytest.raises(SystemExit):
            runner.main(["core", "--only", "creat_volume", "--table"])
        assert "no goal of core has 'creat_volume' in its name" in capsys.readouterr().err

    def test_a_plot_of_one_size_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A line has two ends, so the largest of the sizes is not the smallest one."""
        with pytest.raises(SystemExit):
            runner.main(["--plot", "--most", "99"])
        assert "argument --most: must be at least 100, for a line, not 99" in capsys.readouterr().err

    @pytest.mark.parametrize("option", ["--rounds", "--most"])
    def test_refuses_numbers_below_one(self, option: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A run without a round, or a plot without a size, has nothing to measure and is refused."""
        with pytest.raises(SystemExit):
            runner.main([option, "0"])
        assert f"{option}: must be a number of at least 1, not 0" in capsys.readouterr().err

    def test_measures_every_topic_for_all(self, goals: list[Goal], monkeypatch: pytest.MonkeyPatch) -> None:
        """`all` stands for every topic, also beside one of them."""
        goals.append(make_goal(5))
        monkeypatch.setattr(runner, "TOPICS", ("core",))
        assert runner.main(["core", "all"]) == 0

    def test_refuses_an_unknown_topic(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A mistyped topic is an error that names all."""
        with pytest.raises(SystemExit):
            runner.main(["cor"])
        assert "unknown topic: cor; known: sdk, core" in capsys.readouterr().err

    def test_writes_a_table_between_its_markers(self) -> None:
        """The rest of the page stays, and what is not reached says so."""
        page = "before\n<!-- written by python -m benchmarks --table -->\nold\n<!-- end -->\nafter\n"
        table = runner.render_table(measure(make_goal(2), 15, "core"))
        assert runner.replace_table(page, table) == (
            "before\n<!-- written by python -m benchmarks --table -->\n"
            "| goal | figure | of | limit |\n|---|---|---|---|\n"
            "| core: a call | 3 (2 to 4) | over nothing | at most 2, not reached |\n"
            "<!-- end -->\nafter\n"
        )


@pytest.mark.parametrize("topic", runner.TOPICS)
def test_every_topic_has_goals(topic: str) -> None:
    """Each topic is a module with a generator of goals."""
    assert (runner.PAGE.parents[2] / "benchmarks" / f"{topic}.py").read_text("utf-8").count("\ndef goals() -> ") == 1


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the limits are those of CPython 3.11")
def test_a_resource_takes_no_more_memory_than_its_limit() -> None:
    """A volume, a snapshot and an OMI take at most so many bytes, which are counted, in a process without pytest."""
    done = subprocess.run([sys.executable, "-m", "benchmarks", "memory"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
