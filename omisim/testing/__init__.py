"""Testing tools: laws of the model, Hypothesis strategies, a state machine that checks your code, and sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omisim.testing.sweeps import sweep

__all__ = ["sweep"]


def __getattr__(name: str) -> Any:
    """Import `sweep` on first use: it needs modules that others of this package do not."""
    if name == "sweep":
        from omisim.testing import sweeps  # noqa: PLC0415

        return sweeps.sweep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
