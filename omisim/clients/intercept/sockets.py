"""Clients that no patch of ours reaches (urllib.request, aiohttp): they cannot look up a host of OUTSCALE."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from unittest import mock

from omisim.clients.intercept.stack import refuse_lookup

__all__ = ["patch_sockets"]


def patch_sockets() -> Callable[[], None]:
    """Refuse to look up OUTSCALE's hosts; return what takes that back."""
    plain = socket.getaddrinfo

    def looked_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_lookup(host.decode() if isinstance(host, bytes) else str(host))
        return plain(host, *args, **kwargs)

    patch = mock.patch.object(socket, "getaddrinfo", looked_up)
    patch.start()
    return patch.stop
