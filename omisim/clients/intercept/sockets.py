"""Refuse host lookups of OUTSCALE by clients without a patch, such as urllib.request and aiohttp."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from unittest import mock

from omisim.clients.intercept.stack import refuse_lookup

__all__ = ["patch_sockets"]


def patch_sockets() -> Callable[[], None]:
    """Patch `socket.getaddrinfo` to refuse OUTSCALE hosts; return a function that removes the patch."""
    real_getaddrinfo = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_lookup(host.decode() if isinstance(host, bytes) else str(host))
        return real_getaddrinfo(host, *args, **kwargs)

    patch = mock.patch.object(socket, "getaddrinfo", getaddrinfo)
    patch.start()
    return patch.stop
