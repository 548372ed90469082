"""A finder for `sys.meta_path` that calls a function when a library has been imported, to patch it."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ["ImportFinder"]


class ImportFinder:
    """A finder that calls `imported` with the name of each of the `awaited` modules, once it has been executed.

    `awaited` may change at any time.
    """

    def __init__(self, awaited: Container[str], imported: Callable[[str], None]) -> None:
        self._awaited = awaited
        self._imported = imported

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of an awaited module, whose loader calls the function, or None for any other module."""
        spec = PathFinder.find_spec(name, path, target) if name in self._awaited else None
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader
        loader.exec_module = partial(self._execute, loader.exec_module)
        return spec

    def _execute(self, execute: Callable[[ModuleType], None], module: ModuleType) -> None:
        name = module.__name__
        execute(module)
        self._imported(name)
