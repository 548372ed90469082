"""The contexts of interception. The first one patches the HTTP libraries, the last one removes the patches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omisim.clients.intercept.patches import LOCK, apply_patches, are_applied, load_patches, remove_patches
from omisim.clients.intercept.stack import STACK, Layer
from omisim.clients.threads import DISOWNED
from omisim.doors.front import FrontDoor
from omisim.engine.engine import Engine

__all__ = ["are_patches_idle", "guard_hosts", "intercept_requests", "keep_patches"]

_keepers: list[object] = []  # the open contexts that keep the patches


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
def keep_patches() -> Iterator[None]:
    """Keep the patches between contexts, without effect there: entering one then takes microseconds."""
    keeper = object()
    with LOCK:
        _keepers.append(keeper)
    try:
        yield
    finally:
        with LOCK:
            _keepers.remove(keeper)
            _remove_if_unused()


def are_patches_idle() -> bool:
    """Whether the patches are kept, and no context is open for which they have an effect."""
    return bool(_keepers) and not STACK


@contextmanager
def _pushed_layer(layer: Layer) -> Iterator[Layer]:
    if not are_applied():
        load_patches()
    with LOCK:
        STACK[layer] = None
        if not are_applied():
            apply_patches()
    try:
        yield layer
    finally:
        with LOCK:
            del STACK[layer]
            _remove_if_unused()


def _remove_if_unused() -> None:
    if not STACK and not DISOWNED and not _keepers:  # a thread that has outlived its context stays refused
        remove_patches()
