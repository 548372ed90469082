"""What the tests of waiting in a cloud's time share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from support.catalogue import SUBREGION

from omisim import Account, Cloud


def measure(cloud: Cloud, act: Callable[[], object], **options: Any) -> float:
    """Return how long something took in the cloud's time, to the second."""
    before = cloud.now
    with cloud.sleeping(**options):
        act()
    return round((cloud.now - before).total_seconds())


def work(seconds: float = 0.05) -> str:
    """Work for a while, really."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return "done"


def bake(account: Account) -> str:
    """Create a volume, and poll until it is available: code under test."""
    volume = account.create_volume(subregion_name=SUBREGION, size=1)
    while account.read_volumes(filters={"volume_ids": [volume.volume_id]})[0].state != "available":
        time.sleep(10)
    return volume.volume_id
