"""Make botocore sign with the time of a cloud."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import Any

__all__ = ["signing_at"]

_STACK: dict[
    object, tuple[Callable[[], dt.datetime], int | None]
] = {}  # clock and thread (None: every thread), the innermost last
_LOCK = Lock()
_real: Callable[..., Any] = dt.datetime.now


@contextmanager
def signing_at(now: Callable[[], dt.datetime], *, alone: bool = False) -> Iterator[None]:
    """Make botocore sign at the time that `now` returns: in every thread, or in this thread only if `alone`."""
    global _real  # noqa: PLW0603 - the first context patches, the last one restores
    import botocore.auth  # noqa: PLC0415 - the caller has checked that it is installed
    import botocore.signers  # noqa: PLC0415

    entry = object()
    with _LOCK:
        if not _STACK:
            _real = botocore.auth.get_current_datetime
            botocore.auth.get_current_datetime = botocore.signers.get_current_datetime = _current_datetime
        _STACK[entry] = (now, get_ident() if alone else None)
    try:
        yield
    finally:
        with _LOCK:
            del _STACK[entry]
            if not _STACK:
                botocore.auth.get_current_datetime = botocore.signers.get_current_datetime = _real


def _current_datetime(*args: Any, **kwargs: Any) -> dt.datetime:
    me = get_ident()
    for now, thread in reversed([*_STACK.values()]):
        if thread in (None, me):
            at = now()
            return at if kwargs.get("remove_tzinfo", True) is False else at.replace(tzinfo=None)
    real_time: dt.datetime = _real(*args, **kwargs)
    return real_time
