"""`Transients`: the transitions that end the transient states of one call (timing "eager")."""

from __future__ import annotations

import datetime as dt
from heapq import heappop, heappush

from omisim.model import Due

__all__ = ["Transients"]


class Transients:
    """The transitions of one unit of work that happen as soon as it ends, in order of due time, then of scheduling.

    Each happens then or is undone with its unit, so none needs a row in the State.
    """

    __slots__ = ("_by_key", "_heap")

    def __init__(self) -> None:
        self._by_key: dict[str, Due] = {}
        self._heap: list[tuple[dt.datetime, int, str]] = []  # may also have entries that were cancelled or replaced

    def add(self, key: str, due: Due) -> None:
        """Add a transition in place of the entity's own earlier one. It has a time."""
        assert due.at is not None
        self._by_key[key] = due
        heappush(self._heap, (due.at, due.order, key))

    def cancel(self, key: str) -> None:
        """Remove the transition of an entity, if it has one."""
        self._by_key.pop(key, None)

    def pop(self) -> Due | None:
        """Remove and return the first transition, or None if there are no more."""
        while self._heap:
            _, order, key = heappop(self._heap)
            due = self._by_key.get(key)
            if due is not None and due.order == order:
                del self._by_key[key]
                return due
        return None
