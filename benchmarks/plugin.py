"""Measure the cost of the pytest plugin, per start and test, and of moto's `mock_aws`: `python benchmarks/plugin.py`.

Each figure is a median over interleaved tests or starts in CPU time, so that a busy machine affects all of them alike.
A start with the plugin is compared with a start with an empty plugin: with any `-p` pytest reads the metadata of every
installed distribution (3 % of a start), as it does for autoloaded plugins too.
With a commit as its argument, the plugin of that commit is measured too, in turn with this one. The extra `omisim[oos]`
installs all that moto's EC2 needs.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
STARTS, ROUNDS, TESTS, PEERS = 25, 3, 400, 5
EMPTY = "empty_plugin"
KINDS = ("cloud", "gateway", "environment", "mock_aws")
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


def run_tests(directory: Path) -> dict[str, float]:
    """Return the CPU milliseconds of a test of each kind above one with an empty fixture, which is "nothing"."""
    stopwatch = Stopwatch()
    options = ["-p", "no:cacheprovider", "-p", "omisim.plugin"]
    with redirect_stdout(StringIO()):
        pytest.main([*options, str(directory / "test_suite.py")], plugins=[stopwatch])
    spent = stopwatch.get_milliseconds()
    return {"nothing": spent["nothing"]} | {name: spent[name] - spent["nothing"] for name in KINDS}


def measure_start(directory: Path, tree: Path, plugin: str) -> float:
    """Return the CPU milliseconds of a run of pytest with one empty test and one plugin, and the omisim of a tree."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", plugin, "test_empty.py"]
    environment = _make_environment(tree) | {"PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def measure_tests(directory: Path, tree: Path) -> dict[str, float]:
    """Return what `run_tests` returns in another process, with the omisim of a tree."""
    command = [sys.executable, __file__, "--tests", str(directory)]
    run = subprocess.run(
        command, cwd=directory, env=_make_environment(tree), check=True, capture_output=True, text=True
    )
    figures: dict[str, float] = json.loads(run.stdout)
    return figures


def measure(directory: Path, trees: list[Path]) -> list[dict[str, float]]:
    """Return the figures of each tree: those of `run_tests`, of a "start" of pytest, and what the plugin adds to it."""
    (directory / "test_empty.py").write_text("def test_nothing(): pass\n")
    (directory / f"{EMPTY}.py").write_text("")
    (directory / "test_suite.py").write_text(SUITE)
    starts: list[list[float]] = [[] for _ in (None, *trees)]  # the first with an empty plugin
    for _ in range(STARTS):
        starts[0].append(measure_start(directory, trees[0], EMPTY))
        for tree, values in zip(trees, starts[1:], strict=True):
            values.append(measure_start(directory, tree, "omisim.plugin"))
    rounds = [[measure_tests(directory, tree) for tree in trees] for _ in range(ROUNDS)]
    differences = [[ours - empty for ours, empty in zip(values, starts[0], strict=True)] for values in starts[1:]]
    return [
        {name: median(figures[number][name] for figures in rounds) for name in rounds[0][0]}
        | {"start": median(starts[0]), "plugin": median(differences[number])}
        for number in range(len(trees))
    ]


@contextmanager
def check_out(commit: str) -> Iterator[Path]:
    """Yield a directory with the tree of a commit."""
    with TemporaryDirectory() as directory:
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", directory], input=archive, check=True)
        yield Path(directory)


def report(label: str, figures: dict[str, float]) -> bool:
    """Print the figures of a tree; return whether one exceeds its limit."""
    faster = figures["mock_aws"] / figures["gateway"]
    print(f"{label}: CPU time")
    print(f"pytest start                       {figures['start']:8.1f} ms")
    print(f"  the plugin installed, not used   {figures['plugin']:+8.1f} ms  (limit {START_LIMIT:.0f})")
    print(f"a test with an empty fixture       {figures['nothing']:8.3f} ms")
    print(f"  omi_cloud                        {figures['cloud']:+8.3f} ms  (limit {CLOUD_LIMIT})")
    print(f"  omi_gateway                      {figures['gateway']:+8.3f} ms  (limit {GATEWAY_LIMIT:.0f})")
    print(f"  omi_env                          {figures['environment']:+8.3f} ms")
    print(f"  mock_aws and a client of EC2     {figures['mock_aws']:+8.1f} ms")
    print(f"mock_aws and its client : omi_gateway  {faster:.0f}x  (limit {FASTER_LIMIT}x)")
    return (
        figures["plugin"] > START_LIMIT
        or figures["cloud"] > CLOUD_LIMIT
        or figures["gateway"] > GATEWAY_LIMIT
        or faster < FASTER_LIMIT
    )


def main(arguments: list[str]) -> int:
    """Print the figures; return 1 if one of this tree exceeds its limit."""
    if arguments[:1] == ["--tests"]:
        print(json.dumps(run_tests(Path(arguments[1]))))
        return 0
    with TemporaryDirectory() as name:
        if not arguments:
            (figures,) = measure(Path(name), [ROOT])
            return int(report("this tree", figures))
        with check_out(arguments[0]) as earlier:
            figures, before = measure(Path(name), [ROOT, earlier])
    report(arguments[0], before)
    return int(report("this tree", figures))


def _make_environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(tree)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
