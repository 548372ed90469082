"""The clocks by which libraries of boto3 limit their own rate. They follow the cloud's, whatever `virtual_time` is.

Such a library waits until its clock leaves room for another request. If the clock stood still, it would wait for hours
of the cloud's time, and its signature would expire.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from omisim.clients.real_time import read_monotonic
from omisim.clients.waiting.cloud_time import is_frozen
from omisim.clients.waiting.kernel import Kernel, current_kernel
from omisim.clients.waiting.late_imports import patch_when_imported
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.watch_thread import MUTEX

__all__ = ["patch_pacing"]

_CLOCKS: Final = (  # adaptive retries; `max_bandwidth` of a transfer
    ("botocore.retries.bucket", "Clock", "current_time"),
    ("s3transfer.bandwidth", "TimeUtils", "time"),
)
_ahead: WeakKeyDictionary[Kernel, float] = WeakKeyDictionary()  # seconds between a context's clock and the real one
_latest: Final = [0.0]  # what the clock showed last: it does not run backwards for a client of two contexts


def patch_pacing(patches: Patches) -> None:
    """Let the clocks follow, now or once their modules are imported."""
    for module, owner, name in _CLOCKS:
        patch_when_imported(patches, module, partial(_patch, module, owner, name))


def _patch(module: str, owner: str, name: str, patches: Patches) -> None:
    clock = getattr(sys.modules[module], owner, None)
    if clock is not None and hasattr(clock, name):
        patches.set(clock, name, _make_reader(getattr(clock, name)))


def _make_reader(real: Callable[[Any], float]) -> Callable[[Any], float]:
    def read(clock: Any) -> float:
        kernel = current_kernel()
        if kernel is None:
            return real(clock)
        follows = bool(kernel.time.clocks) or is_frozen("time")
        at = real(clock) + (0.0 if follows else kernel.time.read() - read_monotonic())
        with MUTEX:
            at += _ahead.setdefault(kernel, max(0.0, _latest[0] - at))
            _latest[0] = max(_latest[0], at)
        return at

    return read
