"""Values of the process that contexts replace: environment variables, attributes of libraries.

Contexts may end in any order. The innermost that is open counts, and after the last one the value is what it was.
Others may put back a value that they found inside a context, after its end: `monkeypatch` does, if it was set up first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import Any

__all__ = [
    "isolated_environ",
    "isolated_environ_of_code",
    "original_environ",
    "replaced_attribute",
    "replaced_value",
    "restore_after_test",
    "restore_again",
]

_LOCK = RLock()
_INHERITED = object()  # the value of an attribute that its owner does not have itself
_STACKS: dict[object, list[list[Any]]] = {}  # a place → the values around and in each open context, the innermost last
_RESTORES: list[Callable[[Mapping[str, str]], object]] = []


@contextmanager
def replaced_value(
    place: object, read: Callable[[], Any], write: Callable[[Any], None], change: Callable[[Any], Any]
) -> Iterator[list[Any]]:
    """Replace the value at a place, which can be read and written, by `change` of it until the context exits.

    The context is a list: the value that it restores at its end, and the value inside.
    """
    with _LOCK:
        before = read()
        entry = [before, change(before)]
        _STACKS.setdefault(place, []).append(entry)
        write(entry[1])
    try:
        yield entry
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


def _find_innermost(place: object) -> Any:
    """Return the value inside the innermost open context of a place, or None."""
    with _LOCK:
        return _STACKS[place][-1][1] if place in _STACKS else None


def restore_after_test(restore: Callable[[Mapping[str, str]], object]) -> None:
    """Let pytest's plugin call a function after the test, with the variables that the process had before all tests.

    The function restores a value once more if others have put back that of a context that has ended, unless it is also
    that of an open context.
    """
    if "omisim.plugin" in sys.modules:  # which imports nothing until a test needs it
        _RESTORES.append(restore)


def restore_again(environ: Mapping[str, str]) -> None:
    """Call the functions of `restore_after_test`."""
    for restore in _RESTORES:
        restore(environ)
    _RESTORES.clear()


@contextmanager
def replaced_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute of a module or a class until the context exits."""

    def write(value: Any) -> None:
        if value is _INHERITED:
            delattr(owner, name)
        else:
            setattr(owner, name, value)

    def read() -> Any:
        return vars(owner).get(name, _INHERITED)

    def is_in_use() -> bool:
        return _find_innermost((owner, name)) is value

    with replaced_value((owner, name), read, write, lambda _: value) as entry:
        try:
            yield
        finally:
            restore_after_test(lambda _: write(entry[0]) if read() is value and not is_in_use() else None)


@contextmanager
def isolated_environ(*prefixes: str, **variables: str) -> Iterator[list[dict[str, str]]]:
    """Remove the environment variables with these prefixes and set `variables`, until the context exits.

    Other variables that change meanwhile keep their values. The context is the variables before it, and inside.
    """
    if not variables and not any(name.startswith(prefixes) for name in os.environ):
        yield [{}, {}]  # without reading and writing all variables twice, which is half of the time of a Gateway
        return

    inside: dict[str, str] = {}

    def change(before: dict[str, str]) -> dict[str, str]:
        inside.update((name, value) for name, value in before.items() if not name.startswith(prefixes))
        inside.update(variables)
        return inside

    def write(values: dict[str, str]) -> None:
        current = dict(os.environ)  # each look at os.environ encodes and decodes
        for name in {**current, **values}:
            value = values.get(name)
            # others may set and delete the rest meanwhile; a context that ended before may have left us more to restore
            is_ours = name in variables or name.startswith(prefixes) or value != inside.get(name)
            if is_ours and value != current.get(name):
                _write_variable(name, value)

    with replaced_value(os.environ.__class__, lambda: dict(os.environ), write, change) as entry:
        yield entry


@contextmanager
def isolated_environ_of_code(*prefixes: str, **variables: str) -> Iterator[None]:
    """Enter `isolated_environ` for code under test, which may read and replace variables inside."""
    with isolated_environ(*prefixes, **variables) as entry:
        try:
            yield
        finally:
            before, inside = entry
            names = [name for name in {**before, **inside} if before.get(name) != inside.get(name)]
            changes = [(name, before.get(name), inside.get(name)) for name in names]
            restore_after_test(lambda real: _restore_variables(changes, real))


def original_environ() -> dict[str, str]:
    """Return the environment variables as they were before the first open context."""
    with _LOCK:
        stack = _STACKS.get(os.environ.__class__)
        return dict(stack[0][0] if stack else os.environ)


def _restore_variables(changes: list[tuple[str, str | None, str | None]], real: Mapping[str, str]) -> None:
    """Give each variable that has the value inside a context the value before it.

    One that the context hid, and that is missing, returns only with its real value: a test may have set the other.
    """
    in_use: Mapping[str, str] = _find_innermost(os.environ.__class__) or {}
    for name, value, inside in changes:
        is_left = os.environ.get(name) == inside and (inside is None or in_use.get(name) != inside)
        if is_left and (value is None or inside is not None or value == real.get(name)):
            _write_variable(name, value)


def _write_variable(name: str, value: str | None) -> None:
    if value is None:
        del os.environ[name]
    else:
        os.environ[name] = value
