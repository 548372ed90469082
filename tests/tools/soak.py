"""Serve a cloud for long under load and faults, and watch its memory, threads and files: `python tests/tools/soak.py`.

`--minutes N` (default 60) is the time. Clients send signed and malformed requests, open slow and silent connections,
and set faults and resets through the control plane. A sample of the process is taken every second. The first tenth is
warm-up: a server keeps 10,000 calls and changes, which takes a few minutes. The run fails if the median of the last
third exceeds that of the first by more than 5 % of memory, or by more than two threads or files. It needs Linux.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event, Thread

import requests
from osc_sdk_python.authentication import Authentication
from osc_sdk_python.credentials import Profile

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from omisim.server.client import Client

CLIENTS = 4
GROWTH, MORE = 1.05, 2  # of memory; of threads and files
GARBAGE = (b"", b"GET", b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", b"\x16\x03\x01\0")


@dataclass(frozen=True)
class Sample:
    """The size of a process: its memory in MB, its threads and its open files."""

    memory: float
    threads: int
    files: int


def take_sample(pid: int) -> Sample:
    """Read the size of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    memory = int(status["VmRSS"].split()[0]) / 1e3
    return Sample(memory, int(status["Threads"]), len(list(Path(f"/proc/{pid}/fd").iterdir())))


def start_server() -> tuple[subprocess.Popen[str], dict[str, str]]:
    """Start `omisim serve` and return it with its variables."""
    command = [sys.executable, "-m", "omisim", "serve", "--port", "0", "--account", "alice"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    variables = {}
    for line in server.stdout:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            variables[name] = value
        if "is ready" in line:
            break
    return server, variables


def send_requests(variables: dict[str, str], stop: Event, counts: list[int]) -> None:
    """Create, tag, read and delete volumes until the stop; faults make some calls fail."""
    url = variables["OMISIM_URL"]
    keys = {"access_key": variables["OSC_ACCESS_KEY"], "secret_key": variables["OSC_SECRET_KEY"]}
    sign = Authentication(Profile(**keys, region="eu-west-2"), url.partition("//")[2]).forge_headers_signed
    session, ids = requests.Session(), []

    def call(action: str, **parameters: object) -> dict[str, object]:
        body = json.dumps(parameters)
        path = f"/api/v1/{action}"
        counts[0] += 1
        with suppress(requests.RequestException, ValueError):
            answer = session.post(url + path, data=body, headers=sign(path, body), timeout=30)
            return dict(answer.json()) if answer.ok else {}
        return {}

    while not stop.is_set():
        volume = call("CreateVolume", Size=1, SubregionName="eu-west-2a").get("Volume")
        ids += [volume["VolumeId"]] if isinstance(volume, dict) else []
        call("ReadVolumes", Filters={"VolumeIds": ids[-1:]})
        call("CreateTags", ResourceIds=ids[-1:], Tags=[{"Key": "a", "Value": "b" * 100}])
        call("DeleteVolume", VolumeId=ids.pop() if ids else "vol-00000000")
        call("Nothing", Deep={"a": [1]})


def disturb(variables: dict[str, str], stop: Event) -> None:
    """Send garbage, leave connections open, and set faults, until the stop."""
    host, _, port = variables["OMISIM_URL"].partition("//")[2].partition(":")
    control = Client(variables["OMISIM_URL"], variables["OMISIM_TOKEN"])
    numbers, lines = random.Random(0), []
    while not stop.wait(0.2):
        with suppress(OSError):
            line = socket.create_connection((host, int(port)), timeout=5)
            line.sendall(numbers.choice(GARBAGE))
            lines.append(line)
        for line in lines[:-20]:
            line.close()
        del lines[:-20]
        with suppress(OSError, ValueError):
            control.post("faults", action="CreateVolume", times=1, status=numbers.choice((503, 429)))
            control.post("faults", action="ReadVolumes", times=1, drop=True)
            if numbers.random() < 0.01:
                control.post("reset")


def judge(samples: list[Sample]) -> tuple[bool, str]:
    """Return whether the last third is as small as the first, and the figures."""
    kept = samples[len(samples) // 10 :]
    first, last = kept[: len(kept) // 3], kept[-(len(kept) // 3) :]
    figures, ok = [], True
    for name, unit in (("memory", " MB"), ("threads", ""), ("files", "")):
        before, after = (median(getattr(sample, name) for sample in part) for part in (first, last))
        ok &= after <= (before * GROWTH if name == "memory" else before + MORE)
        figures.append(f"{name} {before:g} → {after:g}{unit}")
    return ok, ", ".join(figures)


def main() -> int:
    """Run the load; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--no-judgement", action="store_true", help="for runs too short to fill the history")
    options = parser.parse_args()
    seconds = options.minutes * 60
    server, variables = start_server()
    stop, counts = Event(), [0]
    threads = [Thread(target=send_requests, args=(variables, stop, counts)) for _ in range(CLIENTS)]
    threads.append(Thread(target=disturb, args=(variables, stop)))
    for thread in threads:
        thread.start()
    samples, end = [], time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        time.sleep(min(1, seconds / 60))
        samples.append(take_sample(server.pid))
    stop.set()
    for thread in threads:
        thread.join()
    server.terminate()
    ok, figures = judge(samples)
    ended = server.wait(timeout=30)
    print(f"{counts[0]:,} requests in {seconds / 60:g} minutes: {figures}; the server ended with {ended}")
    return int((not ok and not options.no_judgement) or ended != 0)


if __name__ == "__main__":
    sys.exit(main())
