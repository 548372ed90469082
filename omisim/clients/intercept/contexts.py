"""The contexts of interception. The first one patches the HTTP libraries, the last one removes the patches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omisim.clients.intercept.patches import LOCK, apply_patches, load_patches, remove_patches
from omisim.clients.intercept.stack import STACK, Layer
from omisim.clients.threads import DISOWNED
from omisim.doors.front import FrontDoor
from omisim.engine.engine import Engine

__all__ = ["guard_hosts", "intercept_requests"]


@contextmanager
def intercept_requests(engine: Engine, server: str | None = None) -> Iterator[list[str]]:
    """Redirect requests to OUTSCALE hosts to this cloud, in every thread; yield the list of refused requests.

    Forked processes send theirs to the cloud's server at the URL `server`; without one they are refused.
    """
    with _pushed_layer(Layer(FrontDoor(engine), server)) as layer:
        yield layer.strays


@contextmanager
def guard_hosts() -> Iterator[list[str]]:
    """Refuse every request to an OUTSCALE host; yield the list of refused requests."""
    with _pushed_layer(Layer(None)) as layer:
        yield layer.strays


@contextmanager
def _pushed_layer(layer: Layer) -> Iterator[Layer]:
    load_patches()
    with LOCK:
        STACK[layer] = None
        apply_patches()
    try:
        yield layer
    finally:
        with LOCK:
            del STACK[layer]
            if not STACK and not DISOWNED:  # a thread that has outlived its context stays refused
                remove_patches()
