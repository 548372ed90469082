"""How `pytest -n` scales: a suite of 2,000 tests with one worker and with two, in turn.

The time is that of the clock: nothing else measures what two cores bring. So the machine must have two idle cores.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.goal import Goal, Limit, elapsed, over

TESTS, FILES = 2000, 20  # the tests are distributed by file
SUITE = f"""
import pytest


@pytest.mark.parametrize("number", range({TESTS // FILES}))
def test_launches(omi_account, omi_cloud, number):
    for _ in range(5):
        omi_account.create_vms(image_id=omi_cloud.images.official("debian").image_id)
    vm = omi_account.read_vms()[0]
    omi_account.create_image(vm_id=vm.vm_id, image_name="golden")
    assert len(omi_account.read_volumes()) == 5
"""


def run_suite(folder: Path, workers: int) -> None:
    """Run the suite."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider", "-p", "no:asyncio"]
    subprocess.run([*command, str(folder)], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def goals() -> Iterator[Goal]:
    """Yield the goal of two workers."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "pytest.ini").write_text("[pytest]\n")
        for number in range(FILES):
            (folder / f"test_{number}.py").write_text(SUITE)
        sides = {"two": elapsed(partial(run_suite, folder, 2)), "one": elapsed(partial(run_suite, folder, 1))}
        faster = Limit("one worker over two", over("one", "two"), 1.6, least=True)
        yield Goal(f"{TESTS:,} tests with two workers", sides, (faster,), rounds=3, warm=False)
