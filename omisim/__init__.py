"""omisim: the OUTSCALE cloud's OMI model, in memory, for tests.

Names load on first use (PEP 562): importing the package costs nothing, and neither does installing its pytest plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omisim.base.clock import Clock, ManualClock, SystemClock
    from omisim.clients.mock import mock
    from omisim.cloud.account import Account
    from omisim.cloud.cloud import Cloud
    from omisim.cloud.lineage import Lineage
    from omisim.engine.marks import Mark
    from omisim.spec.errors import ApiError
    from omisim.state.state import Change
    from omisim.state.switch_types import Switches

__version__ = "0.2.0"  # the only place: pyproject.toml reads it here
__all__ = [
    "Account", "ApiError", "Change", "Clock", "Cloud", "Lineage", "ManualClock", "Mark", "Switches", "SystemClock",
    "mock",
]  # fmt: skip

_HOMES = {
    "Account": "cloud.account",
    "ApiError": "spec.errors",
    "Change": "state.state",
    "Clock": "base.clock",
    "Cloud": "cloud.cloud",
    "Lineage": "cloud.lineage",
    "ManualClock": "base.clock",
    "Mark": "engine.marks",
    "Switches": "state.switch_types",
    "SystemClock": "base.clock",
    "mock": "clients.mock",
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
