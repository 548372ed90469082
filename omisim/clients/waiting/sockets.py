"""Blocking sockets in virtual time: a wait for input, with or without a time limit. Sending and TLS stay real."""

from __future__ import annotations

import socket
from collections.abc import Callable
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

__all__ = ["patch_sockets"]

_FLAGS: Final = {"recv": 1, "recvfrom": 1, "recv_into": 2, "recvfrom_into": 2, "recvmsg": 2}  # the place of the flags
_DONT_WAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)
_real: dict[str, Callable[..., Any]] = {}


def patch_sockets(patches: Patches) -> None:
    """Replace the methods of sockets that send, receive, connect and accept."""
    for names, make in (
        (("send", "sendall", "sendmsg", "sendto"), _make_send_method),
        (tuple(_FLAGS), _make_receive_method),
        (("connect", "connect_ex"), _make_connect_method),
    ):
        for name in names:
            if hasattr(socket.socket, name):
                _real[name] = patches.set(socket.socket, name, make(name))
    _real["accept"] = patches.set(socket.socket, "accept", _accept)
    _real["close"] = patches.set(socket.socket, "close", _close)
    patches.on_undo(forget_all)


def _make_send_method(name: str) -> Callable[..., Any]:
    def send(self: socket.socket, *args: Any) -> Any:
        result = _real[name](self, *args)
        note_sent(self.fileno())
        return result

    return send


def _make_receive_method(name: str) -> Callable[..., Any]:
    place = _FLAGS[name]

    def receive(self: socket.socket, *args: Any, **kwargs: Any) -> Any:
        flags = kwargs.get("flags", args[place] if len(args) > place else 0)
        if not flags & _DONT_WAIT:
            _wait(self)
        result = _real[name](self, *args, **kwargs)
        note_received(self.fileno())
        return result

    return receive


def _make_connect_method(name: str) -> Callable[..., Any]:
    def connect(self: socket.socket, address: Any) -> Any:
        note_connected(self.fileno())
        return _real[name](self, address)

    return connect


def _accept(self: socket.socket) -> tuple[socket.socket, Any]:
    _wait(self)
    connection, address = _real["accept"](self)
    note_accepted(connection.fileno())
    return connection, address


def _close(self: socket.socket) -> None:
    forget(self.fileno())
    _real["close"](self)


def _wait(self: socket.socket) -> None:
    """Wait in virtual time until a blocking socket has input. Raises TimeoutError after its time limit."""
    kernel, timeout, fd = current_kernel(), self.gettimeout(), self.fileno()
    if kernel is not None and timeout != 0 and fd >= 0 and not wait_for_socket(kernel, fd, timeout) and timeout:
        raise TimeoutError("timed out")
