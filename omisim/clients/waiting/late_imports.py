"""Patch a library that is imported while a context is active."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from omisim.clients.waiting.heart import MUTEX
from omisim.clients.waiting.patches import Patches

__all__ = ["patch_when_imported"]

_patching: dict[str, Callable[[], None]] = {}  # the libraries that are not imported yet → the function to call then


def patch_when_imported(patches: Patches, library: str, patch: Callable[[Patches], None]) -> None:
    """Patch a library now if it is imported, else once it is, for as long as the patches apply."""
    if library in sys.modules:
        patch(patches)
        return
    _patching[library] = partial(patch, patches)
    patches.on_undo(lambda: _patching.pop(library, None))
    if _finder not in sys.meta_path:  # it stays there, without effect
        sys.meta_path.insert(0, _finder)


class _Finder:
    """A finder that calls the functions in `_patching`."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of a library to patch, whose loader patches it, or None for any other module."""
        spec = PathFinder.find_spec(name, path, target) if name in _patching else None
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader
        loader.exec_module = partial(_execute, loader.exec_module, name)
        return spec


def _execute(execute: Callable[[ModuleType], None], name: str, module: ModuleType) -> None:
    execute(module)
    with MUTEX:
        patch = _patching.pop(name, None)
        if patch is not None:
            patch()


_finder: Any = _Finder()
