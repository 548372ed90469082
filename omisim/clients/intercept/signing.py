"""The time that botocore signs with: while a cloud asks for it, the cloud's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import Any

__all__ = ["signing_at"]

_STACK: dict[object, tuple[Callable[[], dt.datetime], int | None]] = {}  # the innermost last; for which thread
_LOCK = Lock()
_real: Callable[..., Any] = dt.datetime.now


@contextmanager
def signing_at(now: Callable[[], dt.datetime], *, alone: bool = False) -> Iterator[None]:
    """Let botocore sign at this time: in every thread, or in this one `alone`."""
    global _real  # noqa: PLW0603 - the one patch, put on by the first and taken off by the last
    import botocore.auth  # noqa: PLC0415 - whoever signs has it already

    entry = object()
    with _LOCK:
        if not _STACK:
            _real = botocore.auth.get_current_datetime
            botocore.auth.get_current_datetime = _now
        _STACK[entry] = (now, get_ident() if alone else None)
    try:
        yield
    finally:
        with _LOCK:
            del _STACK[entry]
            if not _STACK:
                botocore.auth.get_current_datetime = _real


def _now(*args: Any, **kwargs: Any) -> dt.datetime:
    me = get_ident()
    for now, thread in reversed([*_STACK.values()]):
        if thread in (None, me):
            at = now()
            return at if kwargs.get("remove_tzinfo", True) is False else at.replace(tzinfo=None)
    found: dt.datetime = _real(*args, **kwargs)
    return found
