"""`Observer`: who is told what the clouds of this process exercise. Nobody is, unless `Transaction.observer` is set.

The clouds tell it what no journal keeps: what was refused, and what was tried on a resource in which state.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Observer"]


class Observer(Protocol):
    """What a cloud tells, and `omisim.testing.coverage` hears: of dry runs only refusals, of `why_not` nothing."""

    def on_call(self, action: str, refused_by: str | None) -> None:
        """A call was made and answered, or refused by this rule."""

    def on_attempt(self, kind: str, action: str, state: str) -> None:
        """An action met a resource of this kind in this state: allowed or not, the table says which."""

    def on_move(self, kind: str, state: str, event: str) -> None:
        """A resource left this state by this event."""
