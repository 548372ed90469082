"""Waiting for input: what ends a wait for file descriptors, and which of them belong to outstanding work.

Before time jumps, every file descriptor of every waiting member is looked at. Time stands still while a socket waits
for an answer from outside the members, and for pipes and child processes.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable, Iterable
from math import inf
from socket import socket
from typing import Any, Final

from omisim.clients.real_time import read_real_time
from omisim.clients.waiting.kernel import Kernel
from omisim.clients.waiting.waits import Wait
from omisim.clients.waiting.watch_thread import MUTEX

__all__ = [
    "forget", "forget_all", "is_any_outstanding", "is_outstanding", "note_accepted", "note_connected", "note_received",
    "note_sent", "wait_for_input", "wait_for_socket",
]  # fmt: skip

SLICE: Final = 0.005  # seconds of really waiting for input, between two looks at the state of the wait
GRACE: Final = 0.06  # seconds after bytes of an answer in which more may arrive: TCP may delay an ACK for 40 ms
# sockets on which a request was sent and nothing has been received since, with the server's and their own address
_awaiting: dict[int, _Ends | None] = {}
_received: dict[int, float] = {}  # when a socket received something, in real seconds
# sockets of servers, with the same two addresses if a thread that takes part reads the requests
_accepted: dict[int, _Ends | None] = {}
_silent: set[int] = set()  # connected sockets on which nothing has been sent or received yet
_real_poll: Callable[[], Any] | None = getattr(select, "poll", None)
_POLLIN: int = getattr(select, "POLLIN", 0)
_real_select = select.select
_Ends = tuple[Any, Any]


def wait_for_input(
    kernel: Kernel, real: Callable[[float | None], list[Any]], timeout: float | None, is_busy: Callable[[], bool]
) -> list[Any]:
    """Wait in virtual time until `real` finds something or the time is over; return what it finds.

    While `is_busy`, it waits for real input, and time stands still.
    """
    events = real(0)
    if events:
        return events

    def is_ready() -> bool:
        return bool(real(0))

    deadline = kernel.time.compute_deadline(timeout)
    wait = Wait(deadline, is_busy=is_busy())
    wait.is_ready = None if wait.is_busy else is_ready  # a poll object cannot be used by two threads

    def block() -> None:
        while wait.is_busy and not wait.outcome and not events:
            events.extend(real(SLICE))
            if events or is_busy():
                continue
            events.extend(real(0))  # it may have arrived with the end of the work
            with MUTEX:
                wait.is_busy, wait.is_ready = False, is_ready
                if not events:
                    kernel.settle()
        if not events:
            wait.block()

    outcome = kernel.wait(wait, block)
    if outcome == "closed":
        return real(kernel.time.get_remaining(deadline))
    return events or real(0)


def wait_for_socket(kernel: Kernel, fd: int, timeout: float | None) -> bool:
    """Wait in virtual time until a socket has input; return whether it has."""

    def real(seconds: float | None) -> list[Any]:
        if _real_poll is None:  # Windows
            return _real_select([fd], [], [], seconds)[0]
        poll = _real_poll()
        poll.register(fd, _POLLIN)
        return list(poll.poll(None if seconds is None else seconds * 1e3))

    def is_busy() -> bool:  # a server may speak first, and a blocking socket waits for it
        return fd in _silent or is_outstanding(fd, writes=False)

    return bool(wait_for_input(kernel, real, timeout, is_busy))


# --- outstanding work


def is_any_outstanding(files: Iterable[tuple[int, bool]]) -> bool:
    """Whether one of the file descriptors, each with whether it is waited for to write, belongs to outstanding work."""
    return any(is_outstanding(fd, writes=writes) for fd, writes in files)


def is_outstanding(fd: int, *, writes: bool) -> bool:
    """Whether a file descriptor belongs to work that is outstanding, and not to a connection or a server at rest."""
    if writes or _awaits_outsider(fd) or read_real_time() - _received.get(fd, -inf) < GRACE:
        return True
    try:
        return not stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False


def _awaits_outsider(fd: int) -> bool:
    """Whether a server outside the members of a kernel owes an answer. Whether a member works is known anyway."""
    ends = _awaiting.get(fd)
    return fd in _awaiting and (ends is None or ends not in _accepted.values())


def note_connected(fd: int) -> None:
    """Note that a socket is about to be connected to a server."""
    forget(fd)
    _silent.add(fd)
    _received[fd] = read_real_time()


def note_sent(sock: socket) -> None:
    """Note that a request was sent on a socket, unless it is a server's."""
    fd = sock.fileno()
    _silent.discard(fd)
    if fd not in _accepted:
        _awaiting[fd] = _find_ends(sock.getpeername, sock.getsockname)


def note_received(sock: socket, *, by_member: bool) -> None:
    """Note that a part of an answer was received on a socket, or on a server's a part of a request."""
    fd = sock.fileno()
    _silent.discard(fd)
    if fd not in _accepted:
        _awaiting.pop(fd, None)
        _received[fd] = read_real_time()
    elif by_member:
        _accepted[fd] = _find_ends(sock.getsockname, sock.getpeername)


def note_accepted(fd: int) -> None:
    """Note that a socket is a server's end of a connection."""
    forget(fd)
    _accepted[fd] = None


def _find_ends(get_server: Callable[[], Any], get_client: Callable[[], Any]) -> _Ends | None:
    try:
        return get_server(), get_client()
    except OSError:  # not connected
        return None


def forget_all() -> None:
    """Forget every socket, at the end of the last context: from then on, it may be closed unseen."""
    for notes in (_awaiting, _accepted, _silent, _received):
        notes.clear()


def forget(fd: int) -> None:
    """Forget a socket whose file descriptor may have belonged to another one."""
    _accepted.pop(fd, None)
    _awaiting.pop(fd, None)
    _silent.discard(fd)
    _received.pop(fd, None)
