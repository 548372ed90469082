"""trio's run loop in virtual time."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import Any

from omisim.clients.waiting.input import is_any_outstanding, wait_for_input
from omisim.clients.waiting.kernel import current_kernel
from omisim.clients.waiting.late_imports import patch_when_imported
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.private import get_trio_queue, get_trio_registrations

__all__ = ["patch_trio"]

_real: dict[str, Callable[..., Any]] = {"select": select.select}


def patch_trio(patches: Patches) -> None:
    """Replace trio's clock, and its waiting for file descriptors. Another clock, as trio's MockClock, is left alone."""
    patch_when_imported(patches, "trio", _patch)


def _patch(patches: Patches) -> None:
    run: Any = sys.modules["trio._core._run"]
    _real["current_time"] = patches.set(run.SystemClock, "current_time", _current_time)
    cache: Any = sys.modules["trio._core._thread_cache"]
    patches.set(cache, "THREAD_CACHE", cache.ThreadCache())  # idle threads stay in the context of their start
    for module, name in (("trio._core._io_epoll", "EpollIOManager"), ("trio._core._io_kqueue", "KqueueIOManager")):
        manager = getattr(sys.modules.get(module), name, None)
        if manager is not None:
            _real["get_events"] = patches.set(manager, "get_events", _get_events)


def _current_time(clock: Any) -> float:
    kernel = current_kernel()
    return float(_real["current_time"](clock)) if kernel is None else float(clock.offset) + kernel.time.read()


def _get_events(manager: Any, timeout: float) -> Any:
    kernel, run = current_kernel(), sys.modules["trio._core._run"]
    runner = getattr(run.GLOBAL_RUN_CONTEXT, "runner", None)  # none in the thread that waits for a guest run
    if kernel is None or timeout <= 0 or (runner is not None and type(runner.clock) is not run.SystemClock):
        return _real["get_events"](manager, timeout)
    queue = get_trio_queue(manager)
    registered = [
        (key if isinstance(key, int) else key[0], getattr(waiters, "write_task", None) is not None)
        for key, waiters in get_trio_registrations(manager).items()
    ]
    wait_for_input(
        kernel,
        lambda seconds: _real["select"]([queue.fileno()], [], [], seconds)[0],
        timeout,
        lambda: is_any_outstanding(registered),
    )
    return _real["get_events"](manager, 0)
