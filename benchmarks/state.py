"""Measure what a state file costs, against clouds in memory only: `python benchmarks/state.py [--quick]`.

It prints the requests per second over HTTP at eight connections as a ratio, the median time that a commit takes longer
than in memory, in CPU time, and the CPU time of a start with 100,000 volumes. Rounds are interleaved.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread

from omisim import Account, Cloud, SystemClock
from omisim.server.state_file import open_state_file

CONNECTIONS, REQUESTS, ROUNDS = 8, 100, 8
COMMITS = 1500
RESOURCES = 100_000
RATIO, MICROSECONDS, SECONDS = 0.5, 150, 3
VOLUME = {"SubregionName": "eu-west-2a", "Size": 1}


def measure_commits(place: Path) -> float:
    """Return the microseconds of CPU time that the median commit takes longer with a state file."""
    with open_state_file(str(place / "commits.db"), Cloud, lambda _: None) as kept:
        accounts = [cloud.account("alice") for cloud in (Cloud(), kept)]
        times: list[list[int]] = [[], []]
        for _ in range(COMMITS):
            for account, spent in zip(accounts, times, strict=True):
                start = time.thread_time_ns()
                _create(account)
                spent.append(time.thread_time_ns() - start)
    return (median(times[1]) - median(times[0])) / 1e3


def _create(account: Account) -> None:
    account.create_volume(subregion_name="eu-west-2a", size=1)


@contextmanager
def run_server(*words: str) -> Iterator[str]:
    """Run `omisim serve` with these options as a process; yield its address."""
    command = [sys.executable, "-m", "omisim", "serve", "--port", "0", "--auth", "off", *words]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    try:
        yield next(line for line in run.stdout if "ready at" in line).rpartition("/")[2].strip()
    finally:
        run.terminate()
        run.communicate()


def measure_requests(place: Path) -> float:
    """Return the requests per second with a state file, as a ratio to those without; half of them commit."""
    rates: list[list[float]] = [[], []]
    with ExitStack() as stack:
        options = ((), ("--state", str(place / "requests.db")))
        addresses = [stack.enter_context(run_server(*words)) for words in options]
        for _ in range(ROUNDS):
            for address, found in zip(addresses, rates, strict=True):
                found.append(_measure_rate(address))
    return median(rates[1]) / median(rates[0])


def _measure_rate(address: str) -> float:
    threads = [Thread(target=_send_requests, args=(address,)) for _ in range(CONNECTIONS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return CONNECTIONS * REQUESTS / (time.perf_counter() - start)


def _send_requests(address: str) -> None:
    line = HTTPConnection(address, timeout=60)
    for number in range(REQUESTS):
        action, body = ("CreateVolume", VOLUME) if number % 2 else ("ReadVolumes", {"Filters": {"VolumeSizes": [7]}})
        line.request("POST", f"/api/v1/{action}", json.dumps(body), {"Content-Type": "application/json"})
        answer = line.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    line.close()


def measure_start(place: Path, resources: int) -> float:
    """Return the seconds of CPU time in which a state file with so many volumes is opened."""
    cloud = Cloud(clock=SystemClock())
    account = cloud.account("alice")
    for _ in range(resources):
        _create(account)
    name = str(place / "start.db")
    with open_state_file(name, lambda: cloud, lambda _: None):
        pass
    start = time.process_time()
    with open_state_file(name, Cloud, lambda _: None):
        return time.process_time() - start


def main(words: list[str]) -> int:
    """Print the figures; return 1 if one is beyond its limit."""
    quick = "--quick" in words
    with TemporaryDirectory() as directory:
        place = Path(directory)
        figures: list[tuple[str, float, float, Callable[[float, float], bool]]] = [
            ("requests per second of memory", measure_requests(place), RATIO, float.__ge__),
            ("microseconds of CPU time a commit", measure_commits(place), MICROSECONDS, float.__le__),
        ]
        if not quick:
            start = measure_start(place, RESOURCES)
            figures.append((f"seconds to open {RESOURCES:,} volumes", start, SECONDS, float.__le__))
    print("; ".join(f"{figure:.2f} {name} (limit {limit})" for name, figure, limit, _ in figures))
    return int(not all(holds(figure, float(limit)) for _, figure, limit, holds in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
