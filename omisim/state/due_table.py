"""The table of due transitions, which are also in the order in which they will happen."""

from __future__ import annotations

import datetime as dt
from heapq import heapify, heappop, heappush

from omisim.model import Due
from omisim.state.table import Table

__all__ = ["DueTable"]

Entry = tuple[dt.datetime, int, str]
SPARE = 64  # entries of a heap that may be stale beside as many as there are rows


class DueTable(Table):
    """The due transitions by key, and in two heaps by time, then by order of scheduling: transients and timers.

    A heap may also have stale entries: of transitions that were cancelled or rescheduled. They are dropped when they
    come first, or when most entries are stale.
    """

    __slots__ = ("heaps",)

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.heaps: tuple[list[Entry], list[Entry]] = ([], [])  # of transients, of timers

    def copy(self) -> DueTable:
        """Return an independent table with the same rows."""
        twin = super().copy()
        assert isinstance(twin, DueTable)
        twin.heaps = (self.heaps[0].copy(), self.heaps[1].copy())
        return twin

    def put(self, row_id: str, row: Due | None, order: int) -> None:
        """Set a row (None: remove it)."""
        super().put(row_id, row, order)
        self._push(row_id, row)

    def _push(self, row_id: str, due: Due | None) -> None:
        if due is None or due.at is None:
            return
        heap = self.heaps[due.timer]
        heappush(heap, (due.at, due.order, row_id))
        if len(heap) > 2 * len(self.by_id) + SPARE:
            rows = self.by_id.items()
            valid = [(row.at, row.order, key) for key, row in rows if row.at is not None and row.timer is due.timer]
            heapify(valid)
            heap[:] = valid

    def find_entry(self, entry: Entry, *, timer: bool) -> Due | None:
        """Return the row that an entry of a heap stands for, or None if the entry is stale."""
        at, order, key = entry
        due: Due | None = self.by_id.get(key)
        return due if due is not None and due.order == order and due.at == at and due.timer is timer else None

    def drop_first(self, *, timer: bool) -> None:
        """Remove the first entry of a heap."""
        heappop(self.heaps[timer])
