"""The contexts in which clouds intercept. The first one patches the libraries, the last one takes the patches off."""

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
_mend: list[Callable[[], None]] = []  # what takes the patches off


@contextmanager
def intercept_requests(engine: Engine) -> Iterator[list[str]]:
    """Let OUTSCALE hosts be answered by this cloud in every thread of the process; yield what had to be refused."""
    signing = signing_at(engine.clock.now) if find_spec("botocore") else nullcontext()
    with _entered(Layer(FrontDoor(engine))) as layer, signing:
        yield layer.strays


@contextmanager
def guard_hosts() -> Iterator[list[str]]:
    """Let no request to an OUTSCALE host leave this machine; yield those that were refused."""
    with _entered(Layer(None)) as layer:
        yield layer.strays


@contextmanager
def _entered(layer: Layer) -> Iterator[Layer]:
    with _LOCK:
        if not STACK:
            _mend.extend(patch() for patch in _patches())
        STACK[layer] = None
    try:
        yield layer
    finally:
        with _LOCK:
            del STACK[layer]
            while not STACK and _mend:
                _mend.pop()()


def _patches() -> Iterator[Callable[[], Callable[[], None]]]:
    """Yield what patches each library that is installed; each returns what mends it."""
    from omisim.clients.intercept.sockets import patch_sockets  # noqa: PLC0415 - it needs this module

    yield patch_sockets
    if find_spec("urllib3"):
        from omisim.clients.intercept.http import patch_urllib3  # noqa: PLC0415 - requests and botocore send by it

        yield patch_urllib3
    if find_spec("httpx"):
        from omisim.clients.intercept.httpx import patch_httpx  # noqa: PLC0415

        yield patch_httpx
