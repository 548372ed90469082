"""Refuse lookups of OUTSCALE hosts, by which clients without a patch, such as urllib.request, leave this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from omisim.clients.intercept.replaced import wrap_attributes
from omisim.clients.intercept.stack import refuse_lookup

__all__ = ["patch_sockets"]

_LOOKUPS = ("getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex")  # asyncio uses the first
_CONNECTS = ("connect", "connect_ex")  # of a socket; they resolve a host name themselves


def patch_sockets() -> Callable[[], None]:
    """Patch the lookups of `socket` to refuse OUTSCALE hosts; return a function that removes the patches."""
    lookups = [(socket, name, _wrap_lookup) for name in _LOOKUPS]
    return wrap_attributes(*lookups, *((socket.socket, name, _wrap_connect) for name in _CONNECTS))


def _wrap_lookup(real: Callable[..., Any]) -> Callable[..., Any]:
    def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        _check(host)
        return real(host, *args, **kwargs)

    return look_up


def _wrap_connect(real: Callable[..., Any]) -> Callable[..., Any]:
    def connect(sock: socket.socket, address: Any, /) -> Any:
        if isinstance(address, tuple) and address:
            _check(address[0])
        return real(sock, address)

    return connect


def _check(host: Any) -> None:
    if isinstance(host, str | bytes | bytearray):
        refuse_lookup(host if isinstance(host, str) else bytes(host).decode(errors="replace"))
