"""Patch a library that is imported while a context is active."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from omisim.clients.import_finder import ImportFinder
from omisim.clients.waiting.patches import Patches
from omisim.clients.waiting.watch_thread import MUTEX

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


def _note_import(library: str) -> None:
    with MUTEX:
        patch = _patching.pop(library, None)
        if patch is not None:
            patch()


_finder: Any = ImportFinder(_patching, _note_import)
