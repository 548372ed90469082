"""What a call costs in Python, without a client, and what a cloud costs.

Times are relative to a fixed workload of the same round (`goal.work`), and shown as long as they would take where the
goals were set. So figures of different machines compare.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, cycle
from typing import Any

from benchmarks.goal import Goal, Limit, calibrated, cpu, over, work
from benchmarks.processes import child_cpu
from omisim import Account, Cloud
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest

IMAGES = 1000
ZONE = "eu-west-2a"
HOST = "api.eu-west-2.outscale.com"
WRITES = 100  # that a rollback undoes


def goals() -> Iterator[Goal]:
    """Yield the goals of calls, of clouds and of the import."""
    cloud = Cloud(auth="off")
    alice = cloud.account("alice")
    for name, microseconds, call in [*list_calls(cloud, alice), *list_clouds(cloud)]:
        sides = {"omisim": cpu(call, 20), "workload": cpu(work)}
        yield Goal(name, sides, (Limit("µs", calibrated("omisim", 1e6), microseconds),))
    undone = {"omisim": lambda: measure_rollback(cloud), "workload": cpu(work)}
    yield Goal("a rollback, each write", undone, (Limit("µs", calibrated("omisim", 1e6), 0.3),))
    imported = {"import": child_cpu("-c", "from omisim import Cloud"), "bare": child_cpu("-c", "")}
    yield Goal(
        "from omisim import Cloud",
        {**imported, "workload": cpu(work, 5)},
        (Limit("ms", calibrated("import", 1e3, beyond="bare"), 120),),
        rounds=7,
    )
    yield from list_images_goals()


def list_calls(cloud: Cloud, alice: Account) -> Iterator[tuple[str, float, Callable[[], object]]]:
    """Yield calls: their names, their limits in microseconds, and what makes them."""
    source = cloud.images.official("ubuntu").image_id
    (vm,) = alice.create_vms(image_id=source)
    volumes = [alice.create_volume(subregion_name=ZONE, size=10).volume_id for _ in range(1000)]
    ids, names, door = cycle(volumes), count(), FrontDoor(cloud.engine)

    def send() -> None:
        body = b'{"Filters": {"VolumeIds": ["%s"]}}' % next(ids).encode()
        door.handle("api", HttpRequest("POST", HOST, "/api/v1/ReadVolumes", {}, body), dt.datetime.now(dt.UTC))

    create_image = partial(alice.create_image, vm_id=vm.vm_id, no_reboot=True)
    yield "ReadVolumes, bytes to bytes, all different", 20, send
    yield "read_volumes by id", 10, lambda: alice.read_volumes(filters={"volume_ids": [next(ids)]})
    yield "create_volume", 25, lambda: alice.create_volume(subregion_name=ZONE, size=10)
    yield "create_snapshot", 40, lambda: alice.create_snapshot(volume_id=volumes[0])
    yield "create_vms", 100, lambda: alice.create_vms(image_id=source)
    yield "create_image from a VM", 130, lambda: create_image(image_name=f"golden-{next(names)}")


def list_clouds(cloud: Cloud) -> Iterator[tuple[str, float, Callable[[], object]]]:
    """Yield what a test does with clouds."""

    def begin() -> Account:
        account = Cloud().account("alice")
        account.create_volume(subregion_name=ZONE, size=10)
        return account

    yield "a fresh cloud, an account and a write", 60, begin
    yield "the same and read_images", 90, lambda: begin().read_images()
    yield "a fork", 2, cloud.fork


def measure_rollback(cloud: Cloud) -> float:
    """Return the CPU time of a rollback, divided by the writes that it undoes."""
    state = cloud.engine.state
    mark = cloud.mark()
    start_position = state.position
    for _ in range(WRITES):
        cloud.account("alice").create_volume(subregion_name=ZONE, size=10)
    writes = state.position - start_position
    start = time.process_time()
    cloud.rollback(mark)
    return (time.process_time() - start) / writes


def list_images_goals() -> Iterator[Goal]:
    """Yield the goals of a list of 1,000 OMIs from bytes to bytes, over encoding the same rows with `json`."""
    cloud = Cloud(auth="off")
    alice = cloud.account("alice")
    (vm,) = alice.create_vms(image_id=cloud.images.official("ubuntu").image_id)
    create = partial(alice.create_image, vm_id=vm.vm_id, no_reboot=True)
    ids = [create(image_name=f"image-{number}").image_id for number in range(IMAGES)]
    texts, door = count(), FrontDoor(cloud.engine)
    body = json.dumps({"Filters": {"AccountIds": [alice.account_id]}}).encode()

    def read() -> bytes:
        request = HttpRequest("POST", HOST, "/api/v1/ReadImages", {}, body)
        return bytes(door.handle("api", request, dt.datetime.now(dt.UTC)).body)

    def read_changed() -> float:
        for image_id in ids:
            alice.update_image(image_id=image_id, description=str(next(texts)))
        start = time.process_time()
        read()
        return time.process_time() - start

    rows: Any = json.loads(read())
    sides = {"omisim": read_changed, "polled": cpu(read), "json": cpu(partial(json.dumps, rows))}
    limits = [Limit(f"{text} over json.dumps", over(side, "json"), 1.3)
              for text, side in (("first", "omisim"), ("polled", "polled"))]  # fmt: skip
    yield Goal("ReadImages of 1,000, bytes to bytes", sides, tuple(limits), rounds=9)
