"""What a state file costs, beside clouds in memory only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from benchmarks.goal import Goal, Limit, calibrated, cpu, elapsed, over, typical, work
from benchmarks.processes import run_server
from omisim import Account, Cloud, SystemClock
from omisim.server.state_file import open_state_file

CONNECTIONS, REQUESTS, COMMITS = 8, 100, 100
RESOURCES = 100_000
VOLUME = {"SubregionName": "eu-west-2a", "Size": 1}


def create(account: Account) -> None:
    """Commit one change."""
    account.create_volume(subregion_name="eu-west-2a", size=1)


def send_requests(address: str) -> None:
    """Send requests on one connection; half of them commit."""
    line = HTTPConnection(address, timeout=60)
    for number in range(REQUESTS):
        action, body = ("CreateVolume", VOLUME) if number % 2 else ("ReadVolumes", {"Filters": {"VolumeSizes": [7]}})
        line.request("POST", f"/api/v1/{action}", json.dumps(body), {"Content-Type": "application/json"})
        answer = line.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    line.close()


def send_from_threads(address: str) -> None:
    """Send requests on several connections at once."""
    threads = [Thread(target=send_requests, args=(address,)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def list_server_goals(folder: Path) -> Iterator[Goal]:
    """Yield the goal of a server with a state file."""
    with ExitStack() as stack:
        sides = {}
        for side, options in {"omisim": ("--state", str(folder / "requests.db")), "memory": ()}.items():
            url = stack.enter_context(run_server("-m", "omisim", "serve", "--port", "0", "--auth", "off", *options))
            sides[side] = elapsed(partial(send_from_threads, url.removeprefix("http://")))
        rate = Limit("requests a second of those in memory", over("memory", "omisim"), 0.5, least=True)
        yield Goal("requests with a state file", sides, (rate,), rounds=8)


def goals() -> Iterator[Goal]:
    """Yield the goals of the state file."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        yield from list_server_goals(folder)
        with open_state_file(str(folder / "commits.db"), Cloud, lambda _: None) as kept:
            clouds = {"omisim": kept, "memory": Cloud()}
            sides = {side: typical(partial(create, cloud.account("alice")), COMMITS) for side, cloud in clouds.items()}
            added = Limit("µs of CPU time more than in memory", calibrated("omisim", 1e6, beyond="memory"), 150)
            yield Goal("a commit to a state file", sides | {"workload": cpu(work)}, (added,))
        cloud = Cloud(clock=SystemClock())
        for _ in range(RESOURCES):
            create(cloud.account("alice"))
        name = str(folder / "start.db")
        with open_state_file(name, lambda: cloud, lambda _: None):
            pass

        def open_again() -> float:
            start = time.process_time()
            with open_state_file(name, Cloud, lambda _: None):
                return time.process_time() - start

        dump = cloud.dump()
        for done, side in {"dump": cpu(cloud.dump), "load": cpu(partial(Cloud.load, dump))}.items():
            sides = {"omisim": side, "workload": cpu(work, 5)}
            limit = Limit("s", calibrated("omisim", 1), 1.5)
            yield Goal(f"{done} {RESOURCES:,} volumes", sides, (limit,), rounds=3, warm=False)
        sides = {"omisim": open_again, "workload": cpu(work, 5)}
        limit = Limit("s", calibrated("omisim", 1), 3)
        yield Goal(f"open a state file with {RESOURCES:,} volumes", sides, (limit,), rounds=3, warm=False)
