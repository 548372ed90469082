"""Lineages in a cloud of 100,000 resources, beside one of ten, and processes of `omisim explain`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.goal import Goal, Limit, calibrated, cpu, work
from benchmarks.processes import child_cpu
from omisim import Cloud
from omisim.base.frozen import replace

RESOURCES = 100_000
LINEAGE, EXPLAIN = 50, 300  # ms
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
                tx.write("origin", vm_id, origin)
    return cloud, {"a VM": vm.vm_id, "an OMI": golden, "the OMI of all VMs": source}


def goals() -> Iterator[Goal]:
    """Yield the goals of what looks at a cloud."""
    cloud, ids = build(RESOURCES)
    for name, resource_id in ids.items():
        sides = {"omisim": cpu(partial(cloud.lineage, resource_id)), "workload": cpu(work)}
        yield Goal(f"lineage of {name} in {RESOURCES:,}", sides, (Limit("ms", calibrated("omisim", 1e3), LINEAGE),))
    for word in WORDS:
        sides = {"omisim": child_cpu("-m", "omisim", "explain", word), "workload": cpu(work, 5)}
        yield Goal(f"omisim explain {word}", sides, (Limit("ms", calibrated("omisim", 1e3), EXPLAIN),), rounds=5)
