"""Keep the garbage collector from looking at many new objects again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["pause_collections"]


@contextmanager
def pause_collections() -> Iterator[None]:
    """Pause the cyclic garbage collector while many objects without cycles are made: a large dump, or its rows."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
