"""The functions that sleep and those that read a clock."""

from __future__ import annotations

import operator
import queue
import sched
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from omisim.clients.real_time import read_monotonic
from omisim.clients.waiting.cloud_time import is_frozen
from omisim.clients.waiting.kernel import current_kernel, has_outlived_context
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.private import futures_base, get_caller
from omisim.clients.waiting.processes import patch_processes
from omisim.clients.waiting.waits import ContextEnded, Wait

__all__ = ["patch_clocks", "patch_sleep", "read_clocks"]

_WAITS_REALLY: Final = ("cheroot", "multiprocessing", "subprocess")  # they sleep while they wait for real work
_READS_REALLY: Final = ("hypothesis",)  # it limits the real time of an example
_RUN_JOBS: Final = ("mapstar", "starmapstar", "worker")  # the functions of multiprocessing that call those of a test
_CLOCKS: Final = ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns")
_real: dict[str, Callable[..., Any]] = {name: getattr(time, name) for name in ("sleep", *_CLOCKS)}


def patch_sleep(patches: Patches) -> None:
    """Replace `time.sleep` under every name, and the clocks by which the standard library counts time limits."""
    patches.set(time, "sleep", _sleep)
    patches.replace_everywhere({_real["sleep"]: _sleep})
    for module, name in ((threading, "_time"), (queue, "time")):
        patches.set(module, name, _count_time)
    shim = SimpleNamespace(monotonic=_count_time)
    patches.set(futures_base, "time", shim)  # the module calls time.monotonic()
    patch_processes(patches, _count_time)
    patches.set(sched.scheduler.__init__, "__defaults__", (_count_time, _sleep))


def patch_clocks(patches: Patches) -> None:
    """Let the functions that read a clock follow the cloud's clock, under every name."""
    for name in _CLOCKS:
        patches.set(time, name, _READERS[name])
    patches.replace_everywhere({_real[name]: _READERS[name] for name in _CLOCKS})


def read_clocks() -> dict[str, Any]:
    """Return what each clock shows now."""
    return {name: _read_real(name) for name in _CLOCKS}


def _sleep(seconds: float, /) -> None:
    """Replace `time.sleep`."""
    kernel = current_kernel()
    package, caller = get_caller()
    waits_for_work = package in _WAITS_REALLY and caller not in _RUN_JOBS
    if (kernel is None and not has_outlived_context()) or waits_for_work:
        _real["sleep"](seconds)
        return
    span = seconds if isinstance(seconds, float) else operator.index(seconds)
    if not 0 < span < float("inf"):
        _real["sleep"](span)  # lets another thread run, or raises
    elif kernel is None or kernel.wait(Wait(kernel.time.now() + span)) == "closed":
        raise ContextEnded(f"cloud.sleeping() has ended while this thread slept for {seconds:g} s")


def _rename(replacement: Callable[..., Any], name: str) -> None:
    """Give a replacement the name of the function of `time`: a job with this target takes part, and can be pickled."""
    replacement.__module__, replacement.__name__, replacement.__qualname__ = "time", name, name


_rename(_sleep, "sleep")


def _count_time() -> float:
    kernel = current_kernel()
    return read_monotonic() if kernel is None else kernel.time.read()


def _make_reader(name: str) -> Callable[[], Any]:
    def read() -> Any:
        kernel = current_kernel()
        if kernel is None or not kernel.time.clocks or is_frozen(name) or get_caller()[0] in _READS_REALLY:
            return _read_real(name)
        return kernel.time.show(name)

    _rename(read, name)
    return read


_READERS: Final = {name: _make_reader(name) for name in _CLOCKS}


def _read_real(name: str) -> Any:
    """Read a clock of the interpreter, or of freezegun if it is active. time-machine changes the interpreter's own."""
    freezegun: Any = sys.modules.get("freezegun.api")
    if freezegun is not None and freezegun.freeze_factories:
        return getattr(freezegun, f"fake_{name}")()
    return _real[name]()
