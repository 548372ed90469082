"""Measure lineages in a cloud of 100,000 resources, and the start of `omisim explain`: `python benchmarks/look.py`.

All figures are CPU time, because the machine may be busy. The large cloud gets its VMs as copies of one row, each with
an origin; a small cloud of ten VMs is measured beside it, in turns: the ratio says how the cost grows with the cloud.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from dataclasses import replace
from statistics import median

from omisim import Cloud

RESOURCES, ROUNDS = 100_000, 15
LINEAGE_LIMIT, EXPLAIN_LIMIT = 50.0, 300.0  # ms
WORDS = ("OMI-022", "9029", "CreateImage", "product code")


def build(count: int) -> tuple[Cloud, dict[str, str]]:
    """Return a cloud with `count` VMs from one OMI, and the ids of the resources to ask about."""
    cloud = Cloud(history=1)
    alice = cloud.account("alice")
    source = cloud.images.official("debian").image_id
    (vm,) = alice.create_vms(image_id=source)
    golden = alice.create_image(vm_id=vm.vm_id, image_name="golden").image_id
    state = cloud.engine.state
    row, origin = state.get("vm", vm.vm_id), state.get("origin", vm.vm_id)
    for start in range(0, count, 1000):
        with cloud.engine.transaction("write") as tx:
            for number in range(start, min(start + 1000, count)):
                vm_id = f"i-{number:08x}"
                tx.write("vm", vm_id, replace(row, vm_id=vm_id))
                tx.write("origin", vm_id, replace(origin, id=vm_id))
    return cloud, {"a VM": vm.vm_id, "an OMI": golden, "the OMI of all VMs": source}


def measure(cloud: Cloud, resource_id: str) -> float:
    """Return the CPU time of a lineage in milliseconds."""
    start = time.process_time()
    cloud.lineage(resource_id)
    return 1000 * (time.process_time() - start)


def measure_explain(word: str) -> float:
    """Return the CPU time of a process that explains a word, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "omisim", "explain", word], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> int:
    """Print the figures, and return 1 if a limit is exceeded."""
    large, ids = build(RESOURCES)
    small, same_ids = build(10)
    over = False
    for name, resource_id in ids.items():
        pairs = [(measure(large, resource_id), measure(small, same_ids[name])) for _ in range(ROUNDS)]
        slow, fast = (median(times) for times in zip(*pairs, strict=True))
        over = over or slow > LINEAGE_LIMIT
        print(
            f"lineage of {name:<20} {slow:6.1f} ms in {RESOURCES:,} resources (limit {LINEAGE_LIMIT:.0f}),"
            f" {slow / fast:.1f} times that in a small cloud"
        )
    for word in WORDS:
        taken = median(measure_explain(word) for _ in range(5))
        over = over or taken > EXPLAIN_LIMIT
        print(f"omisim explain {word:<14} {taken:6.0f} ms (limit {EXPLAIN_LIMIT:.0f})")
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
