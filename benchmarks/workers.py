"""Measure how `pytest -n` scales: `python -m benchmarks.workers [--tests N]`.

A suite of 2,000 tests, each with a cloud, an account and a few calls, runs with one and with two workers in turn. The
time is that of the clock: nothing else measures what two cores bring. So the machine must have two idle cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROUNDS = 3
FILES = 20  # the tests are distributed by file
LIMIT = 1.6  # the least by which two workers are faster than one
SUITE = """
import pytest


@pytest.mark.parametrize("number", range({count}))
def test_launches(omi_account, omi_cloud, number):
    for _ in range(5):
        omi_account.create_vms(image_id=omi_cloud.images.official("debian").image_id)
    vm = omi_account.read_vms()[0]
    omi_account.create_image(vm_id=vm.vm_id, image_name="golden")
    assert len(omi_account.read_volumes()) == 5
"""


def measure_seconds(folder: Path, workers: int) -> float:
    """Return the duration of a run of the suite."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider", str(folder)]
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(words: list[str]) -> int:
    """Print the figures; return 1 if two workers bring too little."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(words)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "pytest.ini").write_text("[pytest]\n")
        for number in range(FILES):
            (folder / f"test_{number}.py").write_text(SUITE.format(count=options.tests // FILES))
        for _ in range(options.rounds):
            for workers, times in seconds.items():
                times.append(measure_seconds(folder, workers))
    ratio = median(one / two for one, two in zip(seconds[1], seconds[2], strict=True))
    for workers, times in seconds.items():
        print(f"{options.tests} tests with {workers} workers  {median(times):7.1f} s")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"two workers are {ratio:.2f} times as fast (at least {LIMIT}){load}")
    return int(ratio < LIMIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
