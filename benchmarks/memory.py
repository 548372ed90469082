"""The memory of a volume, a snapshot and an OMI in a cloud with 10,000 of them, indexes and origins included.

The bytes are those of `tracemalloc`, so a busy machine makes no difference. The history of the cloud is short.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.goal import Goal, Limit, single
from omisim import Account, Cloud
from omisim.model import Entity

RESOURCES, FIRST = 10_000, 2_000  # the first ones fill the caches
SUBREGION = "eu-west-2a"
Create = Callable[[int], Entity]


def _create_volumes(account: Account) -> Create:
    return lambda _: account.create_volume(subregion_name=SUBREGION, size=1)


def _create_snapshots(account: Account) -> Create:
    volume_id = account.create_volume(subregion_name=SUBREGION, size=1).volume_id
    return lambda _: account.create_snapshot(volume_id=volume_id)


def _create_images(account: Account) -> Create:
    volume_id = account.create_volume(subregion_name=SUBREGION, size=1).volume_id
    disk = {"snapshot_id": account.create_snapshot(volume_id=volume_id).snapshot_id}
    return lambda number: account.create_image(
        image_name=f"golden {number}",
        root_device_name="/dev/sda1",
        block_device_mappings=[{"device_name": "/dev/sda1", "bsu": disk}],
    )


# what is created → the function that returns how, and the limit in bytes
LIMITS: dict[str, tuple[Callable[[Account], Create], int]] = {
    "a volume": (_create_volumes, 420),
    "a snapshot": (_create_snapshots, 440),
    "an OMI": (_create_images, 800),
}


def measure(make_creation: Callable[[Account], Create]) -> float:
    """Return the bytes that a resource takes."""
    account = Cloud(history=1).account("alice")
    create = make_creation(account)
    tracemalloc.start()
    traced = []
    for numbers in (range(FIRST), range(FIRST, RESOURCES)):
        for number in numbers:
            resource = create(number)
        account.cloud.lineage(resource.id)
        account.read_images(filters={"states": ["failed"]})  # a search brings the indexes up to date
        account.read_snapshots(filters={"states": ["error"]})
        account.read_volumes(filters={"volume_states": ["error"]})
        gc.collect()
        traced.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return (traced[1] - traced[0]) / (RESOURCES - FIRST)


def goals() -> Iterator[Goal]:
    """Yield the goals of the memory."""
    for name, (make_creation, limit) in LIMITS.items():
        sides = {"omisim": partial(measure, make_creation)}
        yield Goal(f"the memory of {name}", sides, (Limit("bytes", single(), limit),), rounds=1, warm=False)
