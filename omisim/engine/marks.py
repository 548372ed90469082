"""Points to which an engine can go back: a mark in its history, and everything about it at a time."""

from __future__ import annotations

import datetime as dt
from weakref import WeakSet

from omisim.base.frozen import frozen
from omisim.engine.session import Session
from omisim.state.settings import Settings
from omisim.state.state import State

__all__ = ["Mark", "Saved"]


class Mark:
    """A point in a cloud's history. A rollback to it can be repeated."""

    __slots__ = ("__weakref__", "at", "call_position", "position")

    def __init__(self, position: int, at: dt.datetime, call_position: int) -> None:
        self.position: int = position
        self.at: dt.datetime = at
        self.call_position: int = call_position

    def __repr__(self) -> str:
        """Show its time and its place in the history."""
        return f"<mark at {self.at.isoformat()}, position {self.position}>"


@frozen()
class Saved:
    """Everything about an engine that `Engine.restore` brings back."""

    state: State
    at: dt.datetime
    settings: Settings
    session: Session
    marks: WeakSet[Mark]
