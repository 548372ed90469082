"""`Observer`: an optional listener for the calls and transitions of all clouds in the process.

It receives events that no journal keeps: refusals, and the actions attempted in each state.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Observer"]


class Observer(Protocol):
    """The interface that `omisim.testing.coverage` implements. Dry runs report refusals only, `why_not` nothing."""

    def on_call(self, action: str, refused_by: str | None) -> None:
        """Handle a call that was answered, or refused by this rule."""

    def on_attempt(self, kind: str, action: str, state: str) -> None:
        """Handle an attempt of an action on a resource in this state, whether the lifecycle allows it or not."""

    def on_move(self, kind: str, state: str, event: str) -> None:
        """Handle an event by which a resource left this state."""
