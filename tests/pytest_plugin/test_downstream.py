"""Two downstream teams' code and suites, in fixtures/downstream: the suites pass, and catch what they should.

One is a sequential pipeline, the other is asynchronous and multi-threaded, with a client and threads for all tests.
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from omisim import Cloud

pytest_plugins = ["pytester"]
HERE = Path(__file__).parents[2] / "fixtures" / "downstream"
SAMPLES = {"pipeline": "bugs.toml", "fleet": "fleet_bugs.toml"}  # module → its planted bugs
BUGS: list[tuple[str, dict[str, Any]]] = [
    (module, bug) for module, name in SAMPLES.items() for bug in tomllib.loads((HERE / name).read_text())["bugs"]
]


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """Load in this process what each run would load again, the SDK and its description first of all."""
    account = Cloud().account("alice")
    with account.environment(), account.cloud.sleeping():
        account.gateway().ReadVms()


@pytest.fixture(name="project")
def _project(pytester: pytest.Pytester) -> pytest.Pytester:
    """The project in a directory of its own."""
    for module in SAMPLES:
        for name in (f"{module}.py", f"test_{module}.py"):
            shutil.copy(HERE / name, pytester.path / name)
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.syspathinsert()
    return pytester


def run(project: pytest.Pytester, module: str, *tests: str) -> dict[str, str]:
    """Run the suite of a module, or some of its tests; return their outcomes."""
    chosen = [f"test_{module}.py::{test}" for test in tests] or [f"test_{module}.py"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # each run would load all plugins again
        result = project.inline_run("-q", "-p", "no:cacheprovider", "-p", "omisim.plugin", *chosen)
    reports = [report for report in result.getreports("pytest_runtest_logreport") if report.when == "call"]
    return {report.nodeid.partition("::")[2]: report.outcome for report in reports}


@pytest.mark.parametrize("module", SAMPLES)
def test_downstream_suite_passes_without_a_bug(project: pytest.Pytester, module: str) -> None:
    """The code without a planted bug passes its suite."""
    assert set(run(project, module).values()) == {"passed"}


@pytest.mark.parametrize(("module", "bug"), BUGS, ids=[str(bug["says"]) for _, bug in BUGS])
def test_downstream_suite_catches_each_planted_bug(project: pytest.Pytester, module: str, bug: dict[str, Any]) -> None:
    """A planted bug makes the tests fail that are named with it."""
    code = project.path / f"{module}.py"
    text = code.read_text()
    assert text.count(bug["replace"]) == 1
    code.write_text(text.replace(bug["replace"], bug["by"]))
    caught_by = bug["caught_by"]
    assert run(project, module, *caught_by) == dict.fromkeys(caught_by, "failed")
