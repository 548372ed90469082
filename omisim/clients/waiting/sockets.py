"""Blocking sockets in virtual time: a wait for input, with or without a time limit. Sending and TLS stay real."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from omisim.clients.waiting.input import (
    forget,
    forget_all,
    note_accepted,
    note_connected,
    note_received,
    note_sent,
    wait_for_socket,
)
from omisim.clients.waiting.kernel import current_kernel
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.private import count_readers

__all__ = ["patch_sockets"]

_FLAGS: Final = {"recv": 1, "recvfrom": 1, "recv_into": 2, "recvfrom_into": 2, "recvmsg": 2}  # the place of the flags
_DONT_WAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)


def patch_sockets(patches: Patches) -> None:
    """Replace the methods of sockets that send, receive, connect and accept."""
    makers: dict[str, Callable[..., Any]] = {
        **dict.fromkeys(("send", "sendall", "sendmsg", "sendto"), _make_send_method),
        **{name: partial(_make_receive_method, place=place) for name, place in _FLAGS.items()},
        **dict.fromkeys(("connect", "connect_ex"), _make_connect_method),
        "accept": _make_accept_method,
        "close": _make_close_method,
    }
    for name, make in makers.items():
        real = getattr(socket.socket, name, None)
        if real is not None:  # Windows has no sendmsg and recvmsg
            patches.replace_shared(socket.socket, name, make(real))
    patches.on_undo(forget_all)


def _make_send_method(real: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: socket.socket, *args: Any) -> Any:
        result = real(self, *args)
        note_sent(self)
        return result

    return send


def _make_receive_method(real: Callable[..., Any], place: int) -> Callable[..., Any]:
    def receive(self: socket.socket, *args: Any, **kwargs: Any) -> Any:
        flags = kwargs.get("flags", args[place] if len(args) > place else 0)
        if not flags & _DONT_WAIT:
            _wait(self)
        result = real(self, *args, **kwargs)
        note_received(self, by_member=current_kernel() is not None)
        return result

    return receive


def _make_connect_method(real: Callable[..., Any]) -> Callable[..., Any]:
    def connect(self: socket.socket, address: Any) -> Any:
        note_connected(self.fileno())
        return real(self, address)

    return connect


def _make_accept_method(real: Callable[..., Any]) -> Callable[..., Any]:
    def accept(self: socket.socket) -> tuple[socket.socket, Any]:
        _wait(self)
        connection, address = real(self)
        note_accepted(connection.fileno())
        return connection, address

    return accept


def _make_close_method(real: Callable[..., Any]) -> Callable[..., Any]:
    def close(self: socket.socket) -> None:
        if not count_readers(self):  # else the last of them closes it
            forget(self.fileno())
        real(self)

    return close


def _wait(self: socket.socket) -> None:
    """Wait in virtual time until a blocking socket has input. Raises TimeoutError after its time limit."""
    kernel, timeout, fd = current_kernel(), self.gettimeout(), self.fileno()
    if kernel is not None and timeout != 0 and fd >= 0 and not wait_for_socket(kernel, fd, timeout) and timeout:
        raise TimeoutError("timed out")
