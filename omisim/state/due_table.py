"""The table of due transitions, which are also in the order in which they will happen."""

from __future__ import annotations

import datetime as dt
from heapq import heapify, heappop, heappush

from omisim.model import Due
from omisim.state.table import Table

__all__ = ["DueTable"]

Entry = tuple[dt.datetime, int, str]
SPARE = 64  # entries that a heap may get beside twice as many as were valid when it was last cleaned


class DueTable(Table):
    """The due transitions by key, and in two heaps by time, then by order of scheduling: transients and timers.

    A heap may also have stale entries: of transitions that were cancelled or rescheduled. `put` drops them when they
    come first, or when the heap outgrows its limit.
    """

    __slots__ = ("heaps", "limits")

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.heaps: tuple[list[Entry], list[Entry]] = ([], [])  # of transients, of timers
        self.limits: list[int] = [SPARE, SPARE]

    def copy(self) -> DueTable:
        """Return an independent table with the same rows."""
        twin = super().copy()
        assert isinstance(twin, DueTable)
        twin.heaps = (self.heaps[0].copy(), self.heaps[1].copy())
        twin.limits = self.limits.copy()
        return twin

    def put(self, row_id: str, old: Due | None, row: Due | None, order: int) -> None:
        """Replace a row as any table does. Afterwards, the first entry of each heap stands for a row."""
        super().put(row_id, old, row, order)
        if row is not None and row.at is not None:
            heap = self.heaps[row.timer]
            heappush(heap, (row.at, row.order, row_id))
            if len(heap) > self.limits[row.timer]:
                self._rebuild(row.timer)
        if old is not None or row is None:
            self._drop_stale()

    def _rebuild(self, timer: int) -> None:
        rows = self.rows().items()
        valid = [(row.at, row.order, key) for key, row in rows if row.at is not None and row.timer == timer]
        heapify(valid)
        self.heaps[timer][:] = valid
        self.limits[timer] = 2 * len(valid) + SPARE

    def _drop_stale(self) -> None:
        for timer, heap in enumerate(self.heaps):
            while heap:
                at, order, row_id = heap[0]
                due: Due | None = self.by_id.get(row_id)
                if due is not None and due.order == order and due.at == at and due.timer == timer:
                    break
                heappop(heap)
