"""How `pytest -n` scales: a suite of 2,000 tests with one worker and with two, beside one that does not use omisim.

The time is that of the clock: nothing else measures what two cores bring. How much that is depends on the machine, and
pytest-xdist collects the tests in each worker, so the gain is compared with that of a suite with a fixed workload.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.goal import Goal, Limit, Round, elapsed

TESTS, FILES = 2000, 20  # the tests are distributed by file
OMISIM = """
def test_launches(omi_account, omi_cloud, number):
    for _ in range(5):
        omi_account.create_vms(image_id=omi_cloud.images.official("debian").image_id)
    vm = omi_account.read_vms()[0]
    omi_account.create_image(vm_id=vm.vm_id, image_name="golden")
    assert len(omi_account.read_volumes()) == 5
"""
NULL = """
def test_works(number):
    for _ in range(6):
        work()
"""


def write_suite(folder: Path, test: str) -> Path:
    """Write a suite of copies of a test, with many numbers, into a folder. Return the folder."""
    folder.mkdir()
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {Path(__file__).parents[1]}\n")
    head = "import pytest\nfrom benchmarks.goal import work\n"
    for number in range(FILES):
        parametrized = f'@pytest.mark.parametrize("number", range({TESTS // FILES})){test}'
        (folder / f"test_{number}.py").write_text(f"{head}\n\n{parametrized}")
    return folder


def run_suite(folder: Path, workers: int) -> None:
    """Run a suite."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider", "-p", "no:asyncio"]
    subprocess.run([*command, str(folder)], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def compare_gains(sides: Round) -> float:
    """Return what a second worker gains for omisim, over what it gains for the fixed workload."""
    return (sides["omisim, one"] / sides["omisim, two"]) / (sides["null, one"] / sides["null, two"])


def goals() -> Iterator[Goal]:
    """Yield the goal of two workers."""
    with TemporaryDirectory() as directory:
        tests = {"omisim": OMISIM, "null": NULL}
        suites = {name: write_suite(Path(directory) / name, test) for name, test in tests.items()}
        sides = {
            f"{name}, {text}": elapsed(partial(run_suite, folder, workers))
            for name, folder in suites.items()
            for text, workers in (("two", 2), ("one", 1))
        }
        gain = Limit("gain of a second worker, over that of a fixed workload", compare_gains, 0.9, least=True)
        yield Goal(f"{TESTS:,} tests with two workers", sides, (gain,), rounds=5, warm=False)
