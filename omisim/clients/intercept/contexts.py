"""The contexts of interception. The first one patches the HTTP libraries, the last one removes the patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from threading import Lock

from omisim.clients.intercept.signing import signing_at
from omisim.clients.intercept.stack import STACK, Layer
from omisim.doors.front import FrontDoor
from omisim.engine.engine import Engine

__all__ = ["guard_hosts", "intercept_requests"]

_LOCK = Lock()
_undo: list[Callable[[], None]] = []  # functions that remove the patches


@contextmanager
def intercept_requests(engine: Engine) -> Iterator[list[str]]:
    """Redirect requests to OUTSCALE hosts to this cloud, in every thread; yield the list of refused requests."""
    signing = signing_at(engine.clock.now) if find_spec("botocore") else nullcontext()
    with _pushed_layer(Layer(FrontDoor(engine))) as layer, signing:
        yield layer.strays


@contextmanager
def guard_hosts() -> Iterator[list[str]]:
    """Refuse every request to an OUTSCALE host; yield the list of refused requests."""
    with _pushed_layer(Layer(None)) as layer:
        yield layer.strays


@contextmanager
def _pushed_layer(layer: Layer) -> Iterator[Layer]:
    with _LOCK:
        if not STACK:
            _undo.extend(patch() for patch in _patches())
        STACK[layer] = None
    try:
        yield layer
    finally:
        with _LOCK:
            del STACK[layer]
            while not STACK and _undo:
                _undo.pop()()


def _patches() -> Iterator[Callable[[], Callable[[], None]]]:
    """Yield the patch function of each installed library; it returns the function that removes the patch."""
    from omisim.clients.intercept.sockets import patch_sockets  # noqa: PLC0415 - imported on first use

    yield patch_sockets
    if find_spec("urllib3"):
        from omisim.clients.intercept.http import patch_urllib3  # noqa: PLC0415 - requests and botocore use it

        yield patch_urllib3
    if find_spec("httpx"):
        from omisim.clients.intercept.httpx import patch_httpx  # noqa: PLC0415

        yield patch_httpx
