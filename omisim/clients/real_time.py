"""Clocks of the process that count real time, whatever freezegun and time-machine do, and who needs real time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

__all__ = ["TIME_LIMITS", "read_monotonic", "read_real_time"]

TIME_LIMITS: Final = ("pytest_timeout",)  # modules that limit the real time of a test
_clocks: dict[str, Callable[[], float]] = {  # not names of the module: freezegun would replace them
    name: getattr(sys.modules.get("freezegun.api"), f"real_{name}", getattr(time, name))
    for name in ("monotonic", "perf_counter")
}


def read_monotonic() -> float:
    """Return the real monotonic time, from which event loops count, whatever freezegun does."""
    return _clocks["monotonic"]()


def read_real_time() -> float:
    """Return a real time in seconds: a clock that neither freezegun nor time-machine controls."""
    return _clocks["perf_counter"]()
