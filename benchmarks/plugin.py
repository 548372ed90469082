"""The cost of the pytest plugin per start and per test, beside an empty plugin and moto's `mock_aws`.

Tests of each kind are interleaved in one process. A start is compared with a start with an empty plugin: with any `-p`
pytest reads the metadata of every installed distribution, as it does for autoloaded plugins too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from benchmarks.goal import Goal, Limit, Side, single
from benchmarks.processes import ROOT, child_cpu

TESTS, PEERS = 400, 5
OPTIONS = ("-q", "-p", "no:cacheprovider")
SUITE = f"""
import boto3
import pytest
from moto import mock_aws

@pytest.fixture
def nothing():
    yield

@pytest.fixture
def mocked():
    with mock_aws():
        yield boto3.client("ec2", "eu-west-2", aws_access_key_id="a", aws_secret_access_key="b")

turns = pytest.mark.parametrize("turn", range({TESTS}))

@turns
def test_nothing(nothing, turn): pass

@turns
def test_cloud(omi_cloud, turn): pass

@turns
def test_gateway(omi_gateway, turn): pass

@pytest.mark.parametrize("turn", range({PEERS}))
def test_moto(mocked, turn): pass
"""


class Stopwatch:
    """Measures the CPU time of each test with its fixtures, and interleaves the tests."""

    def __init__(self) -> None:
        self._spent: dict[str, list[float]] = defaultdict(list)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Interleave the tests of each kind."""
        items.sort(key=lambda item: item.callspec.params["turn"])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Generator[None, object, object]:
        """Measure one test."""
        start = time.process_time()
        result = yield
        self._spent[item.originalname.removeprefix("test_")].append(time.process_time() - start)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Accept no failure."""
        assert report.passed, report.longreprtext

    def get_milliseconds(self) -> dict[str, float]:
        """Return the median CPU milliseconds of a test of each kind, without its first run."""
        return {name: median(values[1:]) * 1e3 for name, values in self._spent.items()}


def run_tests(folder: str) -> dict[str, float]:
    """Run the suite in this process; return the CPU milliseconds of a test of each kind."""
    stopwatch = Stopwatch()
    with redirect_stdout(StringIO()):
        pytest.main([*OPTIONS, "-p", "omisim.plugin", f"{folder}/test_suite.py"], plugins=[stopwatch])
    return stopwatch.get_milliseconds()


def goals() -> Iterator[Goal]:
    """Yield the goals of the plugin."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "test_empty.py").write_text("def test_nothing(): pass\n")
        (folder / "empty_plugin.py").write_text("")
        (folder / "test_suite.py").write_text(SUITE)
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
        sides = {
            side: child_cpu("-m", "pytest", *OPTIONS, "-p", plugin, "test_empty.py", cwd=folder, environment=alone)
            for side, plugin in {"omisim": "omisim.plugin", "empty": "empty_plugin"}.items()
        }
        added = Limit("ms more than an empty plugin", lambda s: (s["omisim"] - s["empty"]) * 1e3, 5)
        yield Goal("a start of pytest, the plugin not used", sides, (added,))
        spent: dict[str, float] = {}

        def run() -> float:
            command = [sys.executable, "-m", "benchmarks.plugin", directory]
            output = subprocess.check_output(command, text=True, cwd=folder, env={**os.environ, **alone})
            spent.update(json.loads(output))
            return spent["nothing"]

        def added_by(kind: str) -> float:
            return spent[kind] - spent["nothing"]

        kinds = {"omi_cloud": "cloud", "omi_gateway": "gateway", "mock_aws": "moto"}
        tests: dict[str, Side] = {
            "empty": run,
            **{name: partial(added_by, kind) for name, kind in kinds.items()},
        }
        limits = (
            Limit("ms with omi_cloud", single("omi_cloud"), 0.2),
            Limit("ms with omi_gateway", single("omi_gateway"), 1),
            Limit("mock_aws over omi_gateway", lambda s: s["mock_aws"] / s["omi_gateway"], 300, least=True),
        )
        yield Goal("a test over one with an empty fixture", tests, limits, rounds=3, warm=False)


if __name__ == "__main__":
    print(json.dumps(run_tests(sys.argv[1])))
