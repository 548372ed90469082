"""Make botocore sign with the time of a cloud: of the innermost context, or of a client of omisim's own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from threading import get_ident
from typing import Any

from omisim.clients.intercept.patches import LOCK, wrap_attributes
from omisim.clients.intercept.stack import find_innermost

__all__ = ["patch_signing", "sign_at"]

_Now = Callable[[], dt.datetime]
_ALONE: dict[int, list[_Now]] = {}  # thread → the clocks by which it signs, the innermost last
_users = 0  # of the patch
_undo: list[Callable[[], None]] = []


def patch_signing() -> Callable[[], None]:
    """Make botocore sign with the time of the innermost cloud; return a function that removes the patch."""
    from botocore import auth  # noqa: PLC0415 - loaded, or being loaded

    global _users  # noqa: PLW0603 - the process has one patch
    with LOCK:
        _users += 1
        if not _undo:
            _undo.append(wrap_attributes((auth, "get_current_datetime", _wrap_current_datetime)))
    return _unpatch


def _unpatch() -> None:
    global _users  # noqa: PLW0603 - the process has one patch
    with LOCK:
        _users -= 1
        if not _users:
            _undo.pop()()


def sign_at(now: _Now, sign: Callable[[Any], None], request: Any) -> None:
    """Sign a request by a function of botocore, at the time that `now` returns."""
    remove = patch_signing()
    thread = get_ident()
    clocks = _ALONE.setdefault(thread, [])
    clocks.append(now)
    try:
        sign(request)
    finally:
        clocks.pop()
        if not clocks:
            del _ALONE[thread]
        remove()


def _wrap_current_datetime(real: Callable[..., dt.datetime]) -> Callable[..., dt.datetime]:
    """Return botocore's `get_current_datetime` for the time of the cloud by which this thread signs."""

    def get_current_datetime(*args: Any, **kwargs: Any) -> dt.datetime:
        now = _find_clock()
        if now is None:
            return real(*args, **kwargs)
        at = now()
        return at if kwargs.get("remove_tzinfo", True) is False else at.replace(tzinfo=None)

    return get_current_datetime


def _find_clock() -> _Now | None:
    if clocks := _ALONE.get(get_ident()):
        return clocks[-1]
    layer = find_innermost()
    return layer.door.engine.clock.now if layer and layer.door else None
