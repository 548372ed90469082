"""Sweeps of the sample project: the cost of a world, and which planted mistakes they find.

A world is compared with the code of a clean run alone, in turns. Worlds that run the code several times or make it poll
for hours are not compared. `python -m benchmarks.sweep` prints the table of the mistakes in
fixtures/downstream/bugs.toml instead; those about lost answers and about cleaning up must be found.
"""

from __future__ import annotations

import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

from benchmarks.goal import Goal, Limit, single
from omisim import Cloud
from omisim.testing import sweep
from omisim.testing.sweeps import Kind, Options
from omisim.testing.sweeps.worlds import Sweep

HERE = Path(__file__).parents[1] / "fixtures" / "downstream"
EXTRA = 0.001  # seconds that a world may take beside its run
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


def goals() -> Iterator[Goal]:
    """Yield the goals of a sweep."""
    module, base = load(), Cloud(timing="clock")
    base.account("alice").gateway()  # loads the SDK

    def code(_: Cloud) -> object:
        return module.run(module.Plan("7"))

    def sweep_all() -> float:
        start = time.process_time()
        sweep(lambda: base, code, expected=module.BuildFailed)
        return time.process_time() - start

    spent: dict[str, float] = {}

    def compare() -> float:
        spent["clean"], spent["world"] = measure_worlds(base, code, module)
        return spent["world"]

    with base.account("alice").environment():
        sides = {"omisim": compare, "clean": lambda: spent["clean"]}
        ratio = Limit("less 1 ms, over a clean run", lambda s: (s["omisim"] - EXTRA) / s["clean"], 1.3)
        yield Goal("a world of a sweep", sides, (ratio,), rounds=1, warm=False)
        yield Goal("all single deviations", {"omisim": sweep_all}, (Limit("s", single(), 10),), rounds=1, warm=False)


def measure_worlds(base: Cloud, code: Callable[[Cloud], object], module: ModuleType) -> tuple[float, float]:
    """Return the median CPU seconds of a clean run and of a world."""
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
    return median(clean), median(worlds)


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


if __name__ == "__main__":
    sys.exit(not print_table())
