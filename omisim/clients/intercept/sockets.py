"""Refuse lookups of OUTSCALE hosts, by which clients without a patch, such as urllib.request, leave this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final
from urllib.parse import urlsplit

from omisim.clients.intercept.patches import wrap_attributes
from omisim.clients.intercept.stack import refuse_lookup
from omisim.clients.replaced_values import replaced_attribute

__all__ = ["patch_sockets", "patch_tunnels", "patch_uvloop"]

_LOOKUPS = ("getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex")  # asyncio uses the first
# the methods of a socket that resolve a host name themselves → the place of the address among their arguments
_METHODS: Final = {"connect": 1, "connect_ex": 1, "sendto": -1, "sendmsg": 4}


def patch_sockets() -> Callable[[], None]:
    """Patch the lookups of `socket` to refuse OUTSCALE hosts; return a function that removes the patches."""
    lookups = [(socket, name, _checking(0, _check)) for name in _LOOKUPS]
    restore = ExitStack()
    restore.callback(wrap_attributes((socket, "getnameinfo", _checking(0, _check_address)), *lookups))
    for name, place in _METHODS.items():
        real = getattr(socket.socket, name, None)
        if real is not None:  # Windows has no sendmsg
            # cloud.sleeping() replaces them too, and may end before
            restore.enter_context(replaced_attribute(socket.socket, name, _checking(place, _check_address)(real)))
    return restore.close


def patch_tunnels() -> Callable[[], None]:
    """Make http.client refuse tunnels to OUTSCALE hosts; return a function that removes the patch.

    A proxy at the other end resolves the host's name, so that this process never looks it up.
    """
    from http.client import HTTPConnection  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes((HTTPConnection, "set_tunnel", _checking(1, _check_tunnel)))


def patch_uvloop() -> Callable[[], None]:
    """Make uvloop, which does not use `socket`, refuse OUTSCALE hosts; return a function that removes the patches."""
    from uvloop import Loop  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes(
        (Loop, "getaddrinfo", _checking(1, _check)), (Loop, "create_connection", _checking(2, _check))
    )


def _checking(place: int, check: Callable[[Any], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the wrapper that first checks the argument of a function at a place, or the one named `host`."""

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            check(args[place] if place < len(args) else kwargs.get("host"))
            return real(*args, **kwargs)

        return call

    return wrap


def _check_tunnel(host: Any) -> None:
    _check(urlsplit(f"//{host}").hostname)


def _check_address(address: Any) -> None:
    if isinstance(address, tuple) and address:
        _check(address[0])


def _check(host: Any) -> None:
    if isinstance(host, str | bytes | bytearray):
        refuse_lookup(host if isinstance(host, str) else bytes(host).decode(errors="replace"))
