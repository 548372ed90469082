"""A downstream team's pipeline and its suite, in fixtures/downstream: the suite passes, and catches what it should."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from omisim import Cloud

pytest_plugins = ["pytester"]
HERE = Path(__file__).parents[2] / "fixtures" / "downstream"
BUGS: list[dict[str, Any]] = tomllib.loads((HERE / "bugs.toml").read_text())["bugs"]


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """Load in this process what each run would load again, the SDK and its description first of all."""
    account = Cloud().account("alice")
    with account.environment(), account.cloud.sleeping():
        account.gateway().ReadVms()


@pytest.fixture(name="project")
def _project(pytester: pytest.Pytester) -> pytest.Pytester:
    """The project in a directory of its own."""
    for name in ("pipeline.py", "test_pipeline.py"):
        shutil.copy(HERE / name, pytester.path / name)
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.syspathinsert()
    return pytester


def run(project: pytest.Pytester, *tests: str) -> dict[str, str]:
    """Run the suite, or some of its tests; return their outcomes."""
    chosen = [f"test_pipeline.py::{test}" for test in tests]
    result = project.inline_run("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:asyncio", *chosen)
    reports = [report for report in result.getreports("pytest_runtest_logreport") if report.when == "call"]
    return {report.nodeid.partition("::")[2]: report.outcome for report in reports}


def test_downstream_suite_passes_without_a_bug(project: pytest.Pytester) -> None:
    """The pipeline without a planted bug passes its suite."""
    assert set(run(project).values()) == {"passed"}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: str(bug["says"]))
def test_downstream_suite_catches_each_planted_bug(project: pytest.Pytester, bug: dict[str, Any]) -> None:
    """A planted bug makes the tests fail that are named with it."""
    pipeline = project.path / "pipeline.py"
    text = pipeline.read_text()
    assert text.count(bug["replace"]) == 1
    pipeline.write_text(text.replace(bug["replace"], bug["by"]))
    caught_by = bug["caught_by"]
    assert run(project, *caught_by) == dict.fromkeys(caught_by, "failed")
