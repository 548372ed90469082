"""`select.select`, `select.poll` and `select.epoll` in virtual time. A poll object that is older stays a real one."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self

from omisim.clients.waiting.input import is_any_outstanding, wait_for_input
from omisim.clients.waiting.kernel import current_kernel
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.private import get_caller

__all__ = ["patch_polls"]

_WRITES: Final[int] = getattr(select, "POLLOUT", 0)  # epoll has the same numbers
_ALL_EVENTS: Final[int] = _WRITES | getattr(select, "POLLIN", 0) | getattr(select, "POLLPRI", 0)
_real: dict[str, Any] = {name: getattr(select, name, None) for name in ("select", "poll", "epoll")}


def patch_polls(patches: Patches) -> None:
    """Replace the functions of `select` that wait, and those that make objects that wait."""
    for name, replacement in (("select", _select), ("poll", VirtualPoll), ("epoll", VirtualEpoll)):
        patches.set(select, name, replacement)


def _select(
    rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: float | None = None, /
) -> tuple[list[Any], list[Any], list[Any]]:
    """Replace `select.select`."""
    reads, writes, errors = list(rlist), list(wlist), list(xlist)
    kernel = current_kernel()
    if kernel is None or (timeout is not None and timeout <= 0):
        result: tuple[list[Any], list[Any], list[Any]] = _real["select"](reads, writes, errors, timeout)
        return result

    def real(seconds: float | None) -> list[tuple[list[Any], list[Any], list[Any]]]:
        ready = _real["select"](reads, writes, errors, seconds)
        return [ready] if any(ready) else []

    files = [*((file, False) for file in reads), *((file, True) for file in writes)]
    ready = wait_for_input(kernel, real, timeout, lambda: is_any_outstanding((_get_fd(file), w) for file, w in files))
    return next(iter(ready), ([], [], []))


class _Watched:
    """The files that an object of poll or epoll watches."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._masks: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = _ALL_EVENTS) -> None:
        """Watch a file."""
        self._queue.register(fd, eventmask)
        self._masks[_get_fd(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int) -> None:
        """Change the events of a file."""
        self._queue.modify(fd, eventmask)
        self._masks[_get_fd(fd)] = eventmask

    def unregister(self, fd: Any) -> None:
        """Watch a file no longer."""
        self._queue.unregister(fd)
        self._masks.pop(_get_fd(fd), None)

    def _wait(
        self, real: Callable[[float | None], list[tuple[int, int]]], limit: float | None
    ) -> list[tuple[int, int]]:
        """Wait for an event, for so many seconds; a member of a kernel waits in virtual time."""
        kernel = current_kernel()
        if kernel is None or limit == 0:
            return real(limit)
        files = [(fd, bool(mask & _WRITES)) for fd, mask in self._masks.items()]
        return wait_for_input(kernel, real, limit, lambda: is_any_outstanding(files))


class VirtualPoll(_Watched):
    """An object with the interface of that which `select.poll()` returns."""

    def __init__(self) -> None:
        super().__init__(_real["poll"]())

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """Wait for an event, for so many milliseconds."""
        limit = None if timeout is None or timeout < 0 else timeout / 1e3
        return self._wait(lambda seconds: list(self._queue.poll(None if seconds is None else seconds * 1e3)), limit)


class VirtualEpoll(_Watched):
    """An object with the interface of `select.epoll`."""

    def __init__(self, sizehint: int = -1, flags: int = 0, *, epoll: Any = None) -> None:
        super().__init__(_real["epoll"](sizehint, flags) if epoll is None else epoll)

    @classmethod
    def fromfd(cls, fd: int, /) -> VirtualEpoll:
        """Return an object for an existing file descriptor of epoll."""
        make: Any = _real["epoll"]
        return cls(epoll=make.fromfd(fd))

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return bool(self._queue.closed)

    def close(self) -> None:
        """Close it."""
        self._queue.close()

    def fileno(self) -> int:
        """Return its file descriptor."""
        return int(self._queue.fileno())

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Wait for an event, for so many seconds."""
        limit = None if timeout is None or timeout < 0 else timeout
        if get_caller()[0] == "trio":  # its run loop is followed, above its epoll object
            return list(self._queue.poll(limit, maxevents))
        return self._wait(lambda seconds: list(self._queue.poll(seconds, maxevents)), limit)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


def _get_fd(file: Any) -> int:
    return file if isinstance(file, int) else int(file.fileno())
