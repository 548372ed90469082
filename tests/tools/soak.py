"""Serve a cloud for long under load and faults, and watch its memory, threads and files: `python tests/tools/soak.py`.

`--minutes N` (default 60) is the time. A random machine makes its calls, and clients use FCU and object storage; others
send malformed requests, open slow and silent connections, and set faults, resets and the clock through the control
plane. The server keeps a short history, so that it has all of it after seconds, and what still grows is a leak. A
sample of the process is taken every second. In the first tenth, the whole cloud is read and loaded all the time,
because a process keeps the size of its largest coincidence. After that, the run fails if the median of the last third
exceeds that of the first by more than 5 % of memory, or by more than two threads or files. It needs Linux.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Thread

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.soak_load import Target, disturb, load, reach_peak, run_machine, use_services

CLIENTS = 3
GROWTH, MORE = 1.05, 2  # of memory; of threads and files


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


def start_server() -> tuple[subprocess.Popen[str], Target]:
    """Start `omisim serve`."""
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
    return server, Target(variables["OMISIM_URL"], variables["OMISIM_TOKEN"])


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
    server, target = start_server()
    control = target.control()
    load(control, control.get("dump", secrets="true"))
    threads = [Thread(target=use_services, args=(target, number)) for number in range(CLIENTS)]
    threads += [Thread(target=disturb, args=(target,)), Thread(target=run_machine, args=(target,))]
    threads += [Thread(target=reach_peak, args=(target, number, seconds / 10)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    samples, end = [], time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        time.sleep(min(1, seconds / 60))
        samples.append(take_sample(server.pid))
    target.stop.set()
    for thread in threads:
        thread.join()
    server.terminate()
    ok, figures = judge(samples)
    ended = server.wait(timeout=30)
    print(*target.findings, *sorted(target.answers.items()), sep="\n")
    tenths = [samples[len(samples) * i // 10 : len(samples) * (i + 1) // 10] for i in range(10)]
    print("MB in each tenth:", *(f"{median(sample.memory for sample in tenth):.0f}" for tenth in tenths if tenth))
    print(f"{target.answers.total():,} requests in {seconds / 60:g} minutes: {figures}; the server ended with {ended}")
    return int((not ok and not options.no_judgement) or ended != 0 or bool(target.findings))


if __name__ == "__main__":
    sys.exit(main())
