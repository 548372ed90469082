"""`cloud.sleeping()`: waiting of any kind, in any thread of a test, advances the cloud's clock and takes no time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from omisim.clients.waiting.clocks import patch_clocks, patch_sleep, read_clocks
from omisim.clients.waiting.kernel import Kernel
from omisim.clients.waiting.locks import patch_locks
from omisim.clients.waiting.loops import keep_loop_times, patch_loops
from omisim.clients.waiting.pacing import patch_pacing
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.polls import patch_polls
from omisim.clients.waiting.signals import patch_signals
from omisim.clients.waiting.sockets import patch_sockets
from omisim.clients.waiting.threads import cancel_jobs, patch_threads
from omisim.clients.waiting.trio_loop import patch_trio
from omisim.clients.waiting.watch import Watch
from omisim.clients.waiting.watch_thread import MUTEX, start_watching, stop_watching

if TYPE_CHECKING:
    from omisim.cloud.cloud import Cloud

__all__ = ["virtual_sleep"]

_PATCHES = (
    patch_sleep,
    patch_threads,
    patch_locks,
    patch_polls,
    patch_sockets,
    patch_loops,
    patch_trio,
    patch_signals,
    patch_pacing,
)
_kernels: list[Kernel] = []
_patches, _clock_patches = Patches(), Patches()


@contextmanager
def virtual_sleep(cloud: Cloud, *, virtual_time: bool = False, patience: float = 10.0) -> Iterator[None]:
    """Let waiting advance the clock of this cloud, in this thread and in those that it starts.

    The innermost context of a thread applies. `Cloud.sleeping` describes the arguments. Raises ValueError for an
    invalid patience.
    """
    if not isinstance(patience, int | float) or not 0 < patience < threading.TIMEOUT_MAX:
        raise ValueError(f"patience must be a positive number of seconds, not {patience!r}")
    kernel = Kernel(cloud, read_clocks() if virtual_time else {})
    kernel.owner = kernel.add()
    watch = Watch(kernel, patience)
    _activate(kernel, watch)
    try:
        with watch.armed(), kernel.entered(kernel.owner):
            try:
                yield
            finally:
                kernel.let_start()
                cancel_jobs(kernel)
                keep_loop_times(kernel)
                kernel.close()
    finally:
        _deactivate(kernel, watch)


def _activate(kernel: Kernel, watch: Watch) -> None:
    """Patch what the first context needs, and the clocks for the first one that lets them follow."""
    with MUTEX:
        if not _kernels:
            for patch in _PATCHES:
                patch(_patches)
        if kernel.time.clocks and not any(other.time.clocks for other in _kernels):
            patch_clocks(_clock_patches)
        _kernels.append(kernel)
        start_watching(watch)


def _deactivate(kernel: Kernel, watch: Watch) -> None:
    with MUTEX:
        stop_watching(watch)
        _kernels.remove(kernel)
        if not any(other.time.clocks for other in _kernels):
            _clock_patches.undo()
        if not _kernels:
            _patches.undo()
