"""The patches of botocore and aiobotocore: a refusal of omisim reaches the caller as it is.

Both wrap an unknown exception of their transport in HTTPClientError, which they may retry, with pauses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import HTTPClientError

from omisim.clients.intercept.patches import wrap_attributes
from omisim.clients.intercept.stack import NotServed

__all__ = ["patch_aiobotocore", "patch_botocore"]


def patch_botocore() -> Callable[[], None]:
    """Make botocore raise NotServed unwrapped; return a function that removes the patch."""
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes((URLLib3Session, "send", _wrap_send))


def patch_aiobotocore() -> Callable[[], None]:
    """Make aiobotocore raise NotServed unwrapped; return a function that removes the patch."""
    from aiobotocore.httpsession import AIOHTTPSession  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes((AIOHTTPSession, "send", _wrap_async_send))


def _wrap_send(real: Callable[..., Any]) -> Callable[..., Any]:
    def send(session: Any, request: Any) -> Any:
        try:
            return real(session, request)
        except HTTPClientError as error:
            raise _unwrap(error) from None

    return send


def _wrap_async_send(real: Callable[..., Any]) -> Callable[..., Any]:
    async def send(session: Any, request: Any) -> Any:
        try:
            return await real(session, request)
        except HTTPClientError as error:
            raise _unwrap(error) from None

    return send


def _unwrap(error: HTTPClientError) -> Exception:
    cause = error.kwargs.get("error")
    return cause if isinstance(cause, NotServed) else error
