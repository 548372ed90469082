"""Values of the process that contexts replace: environment variables, attributes of libraries.

Contexts may end in any order. The innermost that is open counts, and after the last one the value is what it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

__all__ = ["isolated_environ", "original_environ", "replaced_attribute", "replaced_value"]

_LOCK = RLock()
_INHERITED = object()  # the value of an attribute that its owner does not have itself
_STACKS: dict[object, list[list[Any]]] = {}  # a place → the values before each open context, the innermost last


@contextmanager
def replaced_value(
    place: object, read: Callable[[], Any], write: Callable[[Any], None], change: Callable[[Any], Any]
) -> Iterator[None]:
    """Replace the value at a place, which can be read and written, by `change` of it until the context exits."""
    with _LOCK:
        entry = [read()]
        _STACKS.setdefault(place, []).append(entry)
        write(change(entry[0]))
    try:
        yield
    finally:
        with _LOCK:
            stack = _STACKS[place]
            index = next(index for index, other in enumerate(stack) if other is entry)
            if index + 1 == len(stack):
                write(entry[0])
            else:  # the next context found a value of this one: what it restores is the value before
                stack[index + 1][0] = entry[0]
            del stack[index]
            if not stack:
                del _STACKS[place]


@contextmanager
def replaced_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute of a module or a class until the context exits."""

    def write(value: Any) -> None:
        if value is _INHERITED:
            delattr(owner, name)
        else:
            setattr(owner, name, value)

    with replaced_value((owner, name), lambda: vars(owner).get(name, _INHERITED), write, lambda _: value):
        yield


@contextmanager
def isolated_environ(*prefixes: str, **variables: str) -> Iterator[None]:
    """Remove the environment variables with these prefixes and set `variables`, until the context exits."""
    if not variables and not any(name.startswith(prefixes) for name in os.environ):
        yield  # without reading and writing all variables twice, which is half of the time of a Gateway
        return

    def change(before: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in before.items() if not name.startswith(prefixes)} | variables

    with replaced_value(os.environ.__class__, lambda: dict(os.environ), _write_environ, change):
        yield


def original_environ() -> dict[str, str]:
    """Return the environment variables as they were before the first open context."""
    with _LOCK:
        stack = _STACKS.get(os.environ.__class__)
        return dict(stack[0][0] if stack else os.environ)


def _write_environ(variables: dict[str, str]) -> None:
    current = dict(os.environ)  # each look at os.environ encodes and decodes
    for name in current:
        if name not in variables:
            del os.environ[name]
    for name, value in variables.items():
        if current.get(name) != value:
            os.environ[name] = value
