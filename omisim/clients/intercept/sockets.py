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
_METHODS: Final = {"connect": 0, "connect_ex": 0, "sendto": -1, "sendmsg": 3}


def patch_sockets() -> Callable[[], None]:
    """Patch the lookups of `socket` to refuse OUTSCALE hosts; return a function that removes the patches."""
    lookups = [(socket, name, _wrap_lookup) for name in _LOOKUPS]
    restore = ExitStack()
    restore.callback(wrap_attributes((socket, "getnameinfo", _wrap_address_lookup), *lookups))
    for name, place in _METHODS.items():
        real = getattr(socket.socket, name, None)
        if real is not None:  # Windows has no sendmsg
            # cloud.sleeping() replaces them too, and may end before
            restore.enter_context(replaced_attribute(socket.socket, name, _wrap_method(real, place)))
    return restore.close


def patch_tunnels() -> Callable[[], None]:
    """Make http.client refuse tunnels to OUTSCALE hosts; return a function that removes the patch.

    A proxy at the other end resolves the host's name, so that this process never looks it up.
    """
    from http.client import HTTPConnection  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes((HTTPConnection, "set_tunnel", _wrap_tunnel))


def patch_uvloop() -> Callable[[], None]:
    """Make uvloop, which does not use `socket`, refuse OUTSCALE hosts; return a function that removes the patches."""
    from uvloop import Loop  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes(
        (Loop, "getaddrinfo", _wrap_loop_lookup), (Loop, "create_connection", _wrap_create_connection)
    )


def _wrap_tunnel(real: Callable[..., None]) -> Callable[..., None]:
    def set_tunnel(connection: Any, host: str, *args: Any, **kwargs: Any) -> None:
        _check(urlsplit(f"//{host}").hostname)
        real(connection, host, *args, **kwargs)

    return set_tunnel


def _wrap_loop_lookup(real: Callable[..., Any]) -> Callable[..., Any]:
    def look_up(loop: Any, host: Any, *args: Any, **kwargs: Any) -> Any:
        _check(host)
        return real(loop, host, *args, **kwargs)

    return look_up


def _wrap_create_connection(real: Callable[..., Any]) -> Callable[..., Any]:
    def create_connection(loop: Any, protocol_factory: Any, host: Any = None, *args: Any, **kwargs: Any) -> Any:
        _check(host)
        return real(loop, protocol_factory, host, *args, **kwargs)

    return create_connection


def _wrap_lookup(real: Callable[..., Any]) -> Callable[..., Any]:
    def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        _check(host)
        return real(host, *args, **kwargs)

    return look_up


def _wrap_address_lookup(real: Callable[..., Any]) -> Callable[..., Any]:
    def look_up(address: Any, *args: Any, **kwargs: Any) -> Any:
        _check_address(address)
        return real(address, *args, **kwargs)

    return look_up


def _wrap_method(real: Callable[..., Any], place: int) -> Callable[..., Any]:
    def call(sock: socket.socket, /, *args: Any) -> Any:
        if place < len(args) and args:
            _check_address(args[place])
        return real(sock, *args)

    return call


def _check_address(address: Any) -> None:
    if isinstance(address, tuple) and address:
        _check(address[0])


def _check(host: Any) -> None:
    if isinstance(host, str | bytes | bytearray):
        refuse_lookup(host if isinstance(host, str) else bytes(host).decode(errors="replace"))
