"""Measure sweeps of the sample project: the cost of a world, the time of all, and which planted mistakes they find.

    python benchmarks/sweep.py            # the cost alone
    python benchmarks/sweep.py --table    # also the table of the mistakes in fixtures/downstream/bugs.toml

A world is compared with the code of a clean run alone, in turns. The limit is 1.3 times its time plus 1 ms; worlds that
run the code several times or make it poll for hours are not compared. All single deviations must take less than 10 s.
Mistakes about lost answers and about cleaning up must be found.
"""

from __future__ import annotations

import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

from omisim import Cloud
from omisim.testing import sweep
from omisim.testing.sweeps import Kind, Options
from omisim.testing.sweeps.worlds import Sweep

HERE = Path(__file__).parents[1] / "fixtures" / "downstream"
MAX_RATIO, EXTRA, MAX_SECONDS = 1.3, 0.001, 10.0
COMPARED = ("refused", "lost", "delayed", "cut", "failed", "switch")
MUST_FIND = ("lost answers", "clean-up")


def load(bug: dict[str, Any] | None = None) -> ModuleType:
    """Return the sample's pipeline as a new module, with a mistake planted in it."""
    text = (HERE / "pipeline.py").read_text()
    if bug is not None:
        assert text.count(bug["replace"]) == 1, bug["says"]
        text = text.replace(bug["replace"], bug["by"])
    module = sys.modules["pipeline"] = ModuleType("pipeline")
    exec(compile(text, "pipeline.py", "exec"), vars(module))
    return module


def setup() -> Cloud:
    """Return a cloud with the images of two earlier builds, and a team to share with."""
    cloud = Cloud(timing="clock")
    alice, _ = cloud.account("alice"), cloud.account("web")
    (vm,) = alice.create_vms(image_id=cloud.images.official("Ubuntu-24.04").image_id)
    cloud.settle()
    for name in ("golden-5", "golden-6"):
        alice.create_image(vm_id=vm.vm_id, image_name=name, no_reboot=True)
        cloud.settle()
    alice.delete_vms(vm_ids=[vm.vm_id])
    cloud.settle()
    return cloud


def make_code(module: ModuleType) -> Callable[[Cloud], object]:
    """Return the job that is swept: build, share, and retire all but the newest image."""

    def code(cloud: Cloud) -> object:
        plan = module.Plan("7", teams=(cloud.account("web").account_id,), keep=1)
        return module.run(plan)

    return code


def measure(module: ModuleType) -> bool:
    """Print the cost of a world relative to a clean run, and the time of all; return whether both are in the limit."""
    base = Cloud(timing="clock")
    base.account("alice").gateway()  # loads the SDK

    def code(_: Cloud) -> object:
        return module.run(module.Plan("7"))

    with base.account("alice").environment():
        start = time.process_time()
        report = sweep(lambda: base, code, expected=module.BuildFailed)
        total = time.process_time() - start
        ratio, allowed, clean = compare(base, code, module)
    print(f"all single deviations: {len(report.worlds)} worlds of {report.calls} calls in {total:.2f} s of CPU time")
    print(f"a world costs {ratio:.2f} of a clean run of {clean * 1000:.1f} ms; the limit is {allowed:.2f}")
    print(report)
    return ratio <= allowed and total < MAX_SECONDS


def compare(base: Cloud, code: Callable[[Cloud], object], module: ModuleType) -> tuple[float, float, float]:
    """Return the ratio of a world to a clean run, the limit of the ratio, and the seconds of a clean run."""
    clean, worlds = [], []

    def run_clean() -> None:
        cloud = base.fork()
        with cloud.intercept(), cloud.sleeping():
            start = time.process_time()
            code(cloud)
            clean.append(time.process_time() - start)

    swept = Sweep.over_forks(base, code, Options(expected=module.BuildFailed))
    with base.intercept(), base.sleeping():
        for deviation in [deviation for deviation in swept.deviations if deviation.kind in COMPARED]:
            run_clean()
            start = time.process_time()
            swept.try_deviations((deviation,))
            worlds.append(time.process_time() - start)
    once = median(clean)
    return median(worlds) / once, MAX_RATIO + EXTRA / once, once


def judge(bug: dict[str, Any]) -> str:
    """Return how a sweep alone finds a planted mistake, "" if it does not."""
    module, base = load(bug), setup()
    parts: list[tuple[tuple[Kind, ...], Any]] = [
        (("lost", "delayed", "cut"), ()),  # the job has to succeed
        (("refused", "killed", "failed", "stalled"), module.BuildFailed),
    ]
    findings = []
    with base.account("alice").environment():
        for kinds, expected in parts:
            try:
                findings += sweep(lambda: base, make_code(module), kinds=kinds, expected=expected).findings
            except Exception as error:  # noqa: BLE001 - a mistake may raise anything
                return f"the clean run raises {type(error).__name__}"
    return f"{len(findings)} findings: {findings[0].title}: {findings[0].outcome}" if findings else ""


def print_table() -> bool:
    """Print what a sweep says about each planted mistake; return whether it finds those that it must find."""
    counts: Counter[tuple[bool, bool]] = Counter()  # (must be found, is found) → number of mistakes
    print("| mistake | about | finding |\n|---|---|---|")
    for bug in tomllib.loads((HERE / "bugs.toml").read_text())["bugs"]:
        verdict, about = judge(bug), bug.get("about", "")
        counts[about in MUST_FIND, bool(verdict)] += 1
        print(f"| {bug['says']} | {about} | {verdict or 'not found'} |", flush=True)
    for must, name in ((True, "about lost answers and clean-up"), (False, "about something else")):
        print(f"{name}: {counts[must, True]} of {counts[must, True] + counts[must, False]} found")
    return not counts[True, False]


def main() -> None:
    """Print everything; exit with 1 where a limit is exceeded or a mistake is missed."""
    ok = measure(load())
    if "--table" in sys.argv:
        ok = print_table() and ok
    sys.exit(not ok)


if __name__ == "__main__":
    main()
