"""`select`, `selectors` and asyncio's event loops in virtual time.

A loop's timers count virtual time. Before time jumps, every file descriptor of every waiting loop is looked at. Time
stands still while a socket waits for an answer, and for pipes and child processes.
"""

from __future__ import annotations

import asyncio
import os
import select
import selectors
import socket
import stat
import threading
from asyncio import base_events, events, proactor_events
from collections.abc import Callable, Iterable
from math import inf
from typing import Any, Final

from omisim.clients.waiting.heart import MUTEX, read_real_time
from omisim.clients.waiting.kernel import Kernel, Wait, current_kernel
from omisim.clients.waiting.patches import Patches

__all__ = ["is_outstanding", "patch_loops", "wait_for_input"]

SLICE: Final = 0.005  # seconds of really waiting for input, between two looks at the state of the wait
GRACE: Final = 0.06  # seconds after bytes of an answer in which more may arrive: TCP may delay an ACK for 40 ms
_awaiting: set[int] = set()  # sockets on which a request was sent and nothing has been received since
_received: dict[int, float] = {}  # when a socket received something, in real seconds
_accepted: set[int] = set()  # sockets of servers
_real: dict[str, Callable[..., Any]] = {}


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
    _real["select"] = patches.set(select, "select", _select)
    for name in ("send", "sendall", "sendmsg", "sendto", "recv", "recv_into", "recvfrom", "recvmsg"):
        if hasattr(socket.socket, name):
            _real[name] = patches.set(socket.socket, name, _make_socket_method(name))
    for name in ("connect", "connect_ex"):
        _real[name] = patches.set(socket.socket, name, _make_connect_method(name))
    _real["accept"] = patches.set(socket.socket, "accept", _accept)
    _real["close"] = patches.set(socket.socket, "close", _close)


# --- waiting for file descriptors


def _make_selector_method(name: str) -> Callable[..., Any]:
    def select(selector: Any, timeout: float | None = None) -> list[Any]:
        real, kernel = _real[name], current_kernel()
        loop = _running_loop()
        if kernel is None or (timeout is not None and timeout <= 0) or not _is_followed(loop):
            result: list[Any] = real(selector, timeout)
            return result
        own = _wake_up_fd(loop)
        files = [(key.fd, bool(key.events & selectors.EVENT_WRITE)) for key in selector.get_map().values()]
        return wait_for_input(
            kernel,
            lambda seconds: real(selector, seconds),
            timeout,
            lambda: any(fd != own and is_outstanding(fd, writes=writes) for fd, writes in files),
        )

    return select


def _select(
    rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: float | None = None, /
) -> tuple[list[Any], list[Any], list[Any]]:
    """Replace `select.select`."""
    reads, writes, errors = list(rlist), list(wlist), list(xlist)
    kernel = current_kernel()
    if kernel is None or (timeout is not None and timeout <= 0):
        nothing: tuple[list[Any], list[Any], list[Any]] = _real["select"](reads, writes, errors, timeout)
        return nothing

    def real(seconds: float | None) -> list[tuple[list[Any], list[Any], list[Any]]]:
        ready = _real["select"](reads, writes, errors, seconds)
        return [ready] if any(ready) else []

    def is_busy() -> bool:
        return bool(writes) or any(is_outstanding(_fd(file), writes=False) for file in reads)

    return next(iter(wait_for_input(kernel, real, timeout, is_busy)), ([], [], []))


def wait_for_input(
    kernel: Kernel, real: Callable[[float | None], list[Any]], timeout: float | None, is_busy: Callable[[], bool]
) -> list[Any]:
    """Wait in virtual time until `real` finds something or the time is over; return what it finds.

    While `is_busy`, it waits for real input, and time stands still.
    """
    ready = real(0)
    if ready:
        return ready
    deadline = kernel.time.deadline(timeout)
    wait = Wait(deadline, lambda: bool(real(0)))
    if is_busy():
        wait.is_busy, wait.is_ready = True, None  # a poll object cannot be used by two threads

    def block() -> None:
        while wait.is_busy and not wait.outcome and not ready:
            ready.extend(real(SLICE))
            if not ready and not is_busy():
                with MUTEX:
                    wait.is_busy = False
                    kernel.settle()
        if not ready:
            wait.block()

    outcome = kernel.wait(wait, block)
    if outcome == "closed":
        return real(kernel.time.get_remaining(deadline))
    return ready or real(0)


def is_outstanding(fd: int, *, writes: bool) -> bool:
    """Whether a file descriptor belongs to work that is outstanding, and not to a connection or a server at rest."""
    if writes or fd in _awaiting or read_real_time() - _received.get(fd, -inf) < GRACE:
        return True
    try:
        return not stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False


def _fd(file: Any) -> int:
    return file if isinstance(file, int) else int(file.fileno())


# --- event loops


def _loop_time(loop: asyncio.AbstractEventLoop) -> float:
    """Replace `loop.time` for the loops of the threads that take part."""
    kernel = current_kernel()
    return kernel.time.read() if kernel is not None else float(_real["time"](loop))


def _get_running_loop() -> asyncio.AbstractEventLoop:
    """Replace the function by which asyncio's own waits find their loop: refuse a loop whose waits would be real."""
    loop: asyncio.AbstractEventLoop = _real["get_running_loop"]()
    if current_kernel() is not None and (
        not isinstance(loop, base_events.BaseEventLoop) or isinstance(loop, proactor_events.BaseProactorEventLoop)
    ):
        name = f"{type(loop).__module__}.{type(loop).__qualname__}"
        raise RuntimeError(
            f"omi_sleep and cloud.sleeping() cannot follow the event loop {name}: its waits would take real time. "
            "Run the test on asyncio's selector loop: asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)"
        )
    return loop


def _running_loop() -> asyncio.AbstractEventLoop | None:
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


# --- sockets


def _make_socket_method(name: str) -> Callable[..., Any]:
    sends = name.startswith("send")

    def method(self: socket.socket, *args: Any) -> Any:
        result = _real[name](self, *args)
        fd = self.fileno()
        if sends and fd not in _accepted:
            _awaiting.add(fd)
        elif not sends and fd not in _accepted:
            _awaiting.discard(fd)
            _received[fd] = read_real_time()
        return result

    return method


def _make_connect_method(name: str) -> Callable[..., Any]:
    def method(self: socket.socket, address: Any) -> Any:
        _forget(self)
        return _real[name](self, address)

    return method


def _accept(self: socket.socket) -> tuple[socket.socket, Any]:
    connection, address = _real["accept"](self)
    _forget(connection)
    _accepted.add(connection.fileno())
    return connection, address


def _close(self: socket.socket) -> None:
    _forget(self)
    _real["close"](self)


def _forget(file: socket.socket) -> None:
    """Forget a socket whose file descriptor may have belonged to another one."""
    fd = file.fileno()
    _accepted.discard(fd)
    _awaiting.discard(fd)
    _received.pop(fd, None)
