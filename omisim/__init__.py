"""omisim: the OUTSCALE cloud's OMI model, in memory, for tests.

Names load on first use (PEP 562): importing the package costs nothing, and neither does installing its pytest plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omisim.account import Account
    from omisim.clock import Clock, ManualClock, SystemClock
    from omisim.cloud import Cloud
    from omisim.engine import Mark
    from omisim.errors import ApiError
    from omisim.lineage import Lineage
    from omisim.state import Change

__all__ = ["Account", "ApiError", "Change", "Clock", "Cloud", "Lineage", "ManualClock", "Mark", "SystemClock"]

_HOMES = {
    "Account": "account",
    "ApiError": "errors",
    "Change": "state",
    "Clock": "clock",
    "Cloud": "cloud",
    "Lineage": "lineage",
    "ManualClock": "clock",
    "Mark": "engine",
    "SystemClock": "clock",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module 'omisim' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - the package itself imports nothing

    value = getattr(import_module(f"omisim.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
