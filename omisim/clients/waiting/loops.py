"""`selectors` and asyncio's event loops in virtual time: a loop's timers count it."""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
from asyncio import base_events, events, proactor_events
from collections.abc import Callable
from types import MethodType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from omisim.clients.real_time import read_monotonic
from omisim.clients.waiting.input import is_any_outstanding, wait_for_input
from omisim.clients.waiting.kernel import Kernel, current_kernel
from omisim.clients.waiting.late_imports import patch_when_imported
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.private import get_caller
from omisim.clients.waiting.processes import has_children
from omisim.clients.waiting.watch_thread import MUTEX

__all__ = ["keep_loop_times", "patch_loops"]

_real: dict[str, Callable[..., Any]] = {}
_followed: WeakKeyDictionary[Kernel, WeakSet[asyncio.AbstractEventLoop]] = WeakKeyDictionary()
_ahead: WeakKeyDictionary[asyncio.AbstractEventLoop, float] = WeakKeyDictionary()  # seconds that earlier contexts added


def patch_loops(patches: Patches) -> None:
    """Replace the functions that wait for file descriptors, and the clock of asyncio's loops."""
    for name in ("SelectSelector", "PollSelector", "EpollSelector", "DevpollSelector", "KqueueSelector"):
        cls: Any = getattr(selectors, name, None)
        if cls is not None:
            _real[name] = patches.set(cls, "select", _make_selector_method(name))
    loop = base_events.BaseEventLoop
    _real["time"] = patches.set(loop, "time", _loop_time)
    _real["call_soon_threadsafe"] = patches.set(loop, "call_soon_threadsafe", _call_soon_threadsafe)
    _real["get_running_loop"] = patches.set(events, "get_running_loop", _get_running_loop)
    patch_when_imported(patches, "uvloop", _patch_uvloop)


def _patch_uvloop(patches: Patches) -> None:
    """Refuse the timers of uvloop, which is not written in Python: its other methods cannot be replaced."""
    loop: Any = sys.modules["uvloop"].Loop
    for name in ("call_later", "call_at"):
        _real[f"uvloop.{name}"] = patches.set(loop, name, _make_refusing_method(name))


def _make_refusing_method(name: str) -> Callable[..., Any]:
    def call(loop: Any, when: float, callback: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        if current_kernel() is not None and (when if name == "call_later" else when - loop.time()) > 0:
            raise _make_refusal(loop)
        return _real[f"uvloop.{name}"](loop, when, callback, *args, **kwargs)

    return call


def _make_selector_method(name: str) -> Callable[..., Any]:
    def select(selector: Any, timeout: float | None = None) -> list[Any]:
        real, kernel = _real[name], current_kernel()
        loop = _find_running_loop()
        if kernel is None or (timeout is not None and timeout <= 0) or not _is_followed(loop):
            result: list[Any] = real(selector, timeout)
            return result
        own = _wake_up_fd(loop)
        keys = [key for key in selector.get_map().values() if key.fd != own]
        files = [(key.fd, bool(key.events & selectors.EVENT_WRITE)) for key in keys]
        waits_for_child = get_caller()[0] == "multiprocessing"  # by a pipe, or by a pair of sockets
        return wait_for_input(
            kernel,
            lambda seconds: real(selector, seconds),
            timeout,
            has_children if waits_for_child else lambda: is_any_outstanding(files),
        )

    return select


# --- event loops


def _loop_time(loop: asyncio.AbstractEventLoop) -> float:
    """Replace `loop.time` for the loops of the threads that take part."""
    kernel = current_kernel()
    if kernel is None:
        return _ahead.get(loop, 0.0) + float(_real["time"](loop))
    _followed.setdefault(kernel, WeakSet()).add(loop)
    return _ahead.get(loop, 0.0) + kernel.time.read()


def keep_loop_times(kernel: Kernel) -> None:
    """Let the loops that outlive a context count on from its time: their timers are set by it. Call it at the end."""
    with MUTEX:
        ahead = kernel.time.read() - read_monotonic()
        for loop in _followed.pop(kernel, ()):
            if not loop.is_closed():
                _ahead[loop] = _ahead.get(loop, 0.0) + ahead
                vars(loop)["time"] = MethodType(_loop_time, loop)  # stays when the patches are undone


def _get_running_loop() -> asyncio.AbstractEventLoop:
    """Replace the function by which asyncio's own waits find their loop: refuse a loop whose waits would be real."""
    loop: asyncio.AbstractEventLoop = _real["get_running_loop"]()
    if current_kernel() is not None and (
        not isinstance(loop, base_events.BaseEventLoop) or isinstance(loop, proactor_events.BaseProactorEventLoop)
    ):
        raise _make_refusal(loop)
    return loop


def _make_refusal(loop: asyncio.AbstractEventLoop) -> RuntimeError:
    name = f"{type(loop).__module__}.{type(loop).__qualname__}"
    return RuntimeError(
        f"omi_sleep and cloud.sleeping() cannot follow the event loop {name}: its waits would take real time. "
        "Run the test on asyncio's selector loop: asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)"
    )


def _find_running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _is_followed(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Whether a loop counts virtual time: not one that freezegun has made real by `real_asyncio`."""
    return loop is None or getattr(type(loop), "time", None) is _loop_time


def _wake_up_fd(loop: Any) -> int | None:
    """Return the file descriptor by which other threads wake a loop."""
    waker = getattr(loop, "_ssock", None)
    return None if waker is None else int(waker.fileno())


def _call_soon_threadsafe(loop: Any, callback: Callable[..., object], *args: Any, **kwargs: Any) -> asyncio.Handle:
    """Replace `loop.call_soon_threadsafe`: the loop's thread runs from now on, and takes part if it did not."""
    kernel, ident = current_kernel(), getattr(loop, "_thread_id", None)
    if kernel is not None and ident is not None:
        with MUTEX:
            if not any(member.thread and member.thread.ident == ident for member in kernel.members):
                for thread in threading.enumerate():
                    if thread.ident == ident:
                        kernel.adopt(thread)
    handle: asyncio.Handle = _real["call_soon_threadsafe"](loop, callback, *args, **kwargs)
    if kernel is not None:
        with MUTEX:
            kernel.settle()
    return handle
