"""Measure the cost of the pytest plugin, per start and test, and of moto's `mock_aws`: `python benchmarks/plugin.py`.

Each figure is a median over interleaved tests or starts, so that a busy machine affects all of them alike.
Starts are measured in CPU time. The extra `omisim[oos]` installs all that moto's EC2 needs.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pytest

STARTS, TESTS, PEERS = 25, 1000, 15
START_LIMIT = 5.0  # ms per start, when the plugin is installed but not used
CLOUD_LIMIT, GATEWAY_LIMIT = 0.2, 1.0  # ms of the set-up and tear-down of a test
FASTER_LIMIT = 300  # how many times faster than a test with mock_aws and a client

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

@turns
def test_environment(omi_env, turn): pass

@pytest.mark.parametrize("turn", range({PEERS}))
def test_mock_aws(mocked, turn): pass
"""


class Stopwatch:
    """Times the setup, call and teardown of each test, and interleaves the tests."""

    def __init__(self) -> None:
        self.spent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Interleave the tests of each kind."""
        items.sort(key=lambda item: item.callspec.params["turn"])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up the durations of a test's phases."""
        assert report.passed, report.longreprtext
        name, _, turn = report.nodeid.partition("::")[2].partition("[")
        self.spent[name][turn] += report.duration

    def get_milliseconds(self, name: str) -> float:
        """Return the median duration of a test of this name, without its first run, in milliseconds."""
        return median(list(self.spent[name].values())[1:]) * 1e3


def measure_start(directory: Path, *arguments: str) -> float:
    """Return the CPU milliseconds of a run of pytest with one empty test."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def main() -> int:
    """Print the figures; return 1 if one exceeds its limit."""
    with TemporaryDirectory() as directory:
        directory_path = Path(directory)
        (directory_path / "test_empty.py").write_text("def test_nothing(): pass\n")
        pairs = [
            (measure_start(directory_path), measure_start(directory_path, "-p", "omisim.plugin")) for _ in range(STARTS)
        ]
        overhead = median(with_it for _, with_it in pairs) - median(without for without, _ in pairs)
        (directory_path / "test_suite.py").write_text(SUITE)
        stopwatch = Stopwatch()
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        started_at = time.perf_counter()
        options = ["-p", "no:cacheprovider", "-p", "omisim.plugin"]
        with redirect_stdout(StringIO()):
            pytest.main([*options, str(directory_path / "test_suite.py")], plugins=[stopwatch])
        total = time.perf_counter() - started_at
    nothing = stopwatch.get_milliseconds("test_nothing")
    cloud, gateway, environment = (
        stopwatch.get_milliseconds(f"test_{name}") - nothing for name in ("cloud", "gateway", "environment")
    )
    peer = stopwatch.get_milliseconds("test_mock_aws") - nothing
    print(f"pytest start, CPU                  {median(without for without, _ in pairs):8.1f} ms")
    print(f"  the plugin installed, not used   {overhead:+8.1f} ms  (limit {START_LIMIT:.0f})")
    print(f"a test with an empty fixture       {nothing:8.3f} ms")
    print(f"  omi_cloud                        {cloud:+8.3f} ms  (limit {CLOUD_LIMIT})")
    print(f"  omi_gateway                      {gateway:+8.3f} ms  (limit {GATEWAY_LIMIT:.0f})")
    print(f"  omi_env                          {environment:+8.3f} ms")
    print(f"  mock_aws and a client of EC2     {peer:+8.1f} ms")
    print(
        f"mock_aws and its client : omi_gateway  {peer / gateway:.0f}x  (limit {FASTER_LIMIT}x); {total:.0f} s in all"
    )
    over = overhead > START_LIMIT or cloud > CLOUD_LIMIT or gateway > GATEWAY_LIMIT or peer / gateway < FASTER_LIMIT
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
