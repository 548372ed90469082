"""A table: the rows of one kind by id and by index, in creation order.

A dict keeps that order until a deletion is undone. Then the table sorts its rows by creation number when they are next
listed. The ids under a key of an index are always sorted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from omisim.state.indexes import INDEXES, TOTALS, Fields, Totals, list_fields
from omisim.state.layers import Layers

__all__ = ["Lookup", "Table", "find_differences"]

# the rows to find: those under any of these (index, key) pairs
Lookup = Sequence[tuple[str, object]]
_NONE: Sequence[str] = ()
COPIED = 1000  # rows that a copy copies for faster lookups, because that takes a few microseconds


class Table:
    """The rows of one kind by id, in creation order, and their indexes.

    `by_id` holds the rows, in creation order only while it is a dict and `sorted`. `creation` maps ids to creation
    numbers, of which none is greater than `last`. `indexes` maps the name of an index to the ids by key: one id, or a
    list in creation order. `totals` maps an owner to its totals; None if they have to be counted.

    A write does not touch the indexes and the totals: it notes in `pending` the row that they know, None for a new one.
    The first search after it brings them up to date (`catch_up`). While this lasts, `indexes` is None, and after an
    interruption they are built anew.

    Copying a table copies `by_id` alone: everything else is in `Layers`. The copy of a large table has its rows in them
    too, until they are listed. A table that a State shares has caught up. Its copy borrows its indexes and totals until
    it has to change them.
    """

    __slots__ = ("borrows", "by_id", "creation", "fields", "indexes", "kind", "last", "pending", "sorted", "totals")

    def __init__(self, kind: str) -> None:
        self.kind: str = kind
        self.by_id: dict[str, Any] | Layers = {}
        self.creation: Layers = Layers()
        self.last: int = -1
        self.sorted: bool = True
        self.fields: Fields | None = list_fields(kind)
        self.indexes: dict[str, Layers] | None = {name: Layers() for name in INDEXES.get(kind, {})}
        self.pending: dict[str, Any] = {}
        self.totals: Layers | None = None
        self.borrows: bool = False

    def copy(self) -> Table:
        """Return an independent table with the same rows."""
        twin = self.__class__.__new__(self.__class__)
        twin.kind, twin.fields, twin.last, twin.sorted = self.kind, self.fields, self.last, self.sorted
        by_id = self.by_id
        twin.by_id = Layers((by_id,)) if isinstance(by_id, dict) and len(by_id) > COPIED else by_id.copy()
        twin.creation, twin.pending = self.creation.copy(), {}
        twin.indexes, twin.totals, twin.borrows = self.catch_up(), self.totals, True
        return twin

    # --- reading

    def rows(self) -> dict[str, Any]:
        """Return the rows by id, in creation order."""
        rows = self.by_id
        if not self.sorted or isinstance(rows, Layers):
            by_id = rows.to_dict() if isinstance(rows, Layers) else rows
            rows = self.by_id = {row_id: by_id[row_id] for row_id in sorted(by_id, key=self.creation.get)}
            self.sorted = True
        return rows

    def get(self, row_id: str) -> Any:
        """Return a row, or None."""
        return self.by_id.get(row_id)

    def order(self, row_id: str) -> int:
        """Return the creation number of an existing row."""
        order: int = self.creation.get(row_id)
        return order

    def find_ids(self, index: str, key: object) -> Sequence[str]:
        """Return the ids under a key of an index, in creation order. Do not change them, or use them after a write."""
        indexes = self.indexes
        if indexes is None or self.pending:
            indexes = self.catch_up()
        ids = indexes[index].get(key)
        return _NONE if ids is None else (ids,) if ids.__class__ is str else ids

    def find_narrowest(self, lookups: Iterable[Lookup], first: int = 0) -> Iterable[str]:
        """Return the ids of the lookup that finds the fewest rows, in creation order. Do not write before the end.

        A pair with the index "id" finds the row with this id. `first` leaves out the rows with lower creation numbers.
        """
        narrowest: list[Sequence[str]] | None = None
        for lookup in lookups:
            found = [ids for pair in lookup if (ids := self._find(*pair))]
            if not found:
                return _NONE
            if narrowest is None or sum(map(len, found)) < sum(map(len, narrowest)):
                narrowest = found
        assert narrowest is not None
        sources = [self._skip(ids, first) for ids in narrowest] if first else narrowest
        if len(sources) == 1:
            return sources[0]
        # each is sorted, and an id that several have comes out of them in a row
        return map(itemgetter(0), groupby(merge(*sources, key=self.creation.get)))

    def _skip(self, ids: Sequence[str], first: int) -> Iterable[str]:
        return map(ids.__getitem__, range(self._find_place(ids, first), len(ids)))  # a slice would copy the others

    def _find(self, index: str, key: Any) -> Sequence[str]:
        if index == "id":
            return (key,) if key in self.by_id else _NONE
        return self.find_ids(index, key)

    def get_totals(self, owner: str) -> Mapping[str, int]:
        """Return the totals of an account, or of another owner (`TOTALS`)."""
        self.catch_up()
        if self.totals is None:
            self.totals = self.count_totals()
        return self.totals.get(owner) or {}

    def count_totals(self) -> Layers:
        """Return the totals of all owners by visiting every row."""
        totals = Layers()
        for row in self.rows().values():
            _add_amounts(totals, row, 1, TOTALS[self.kind])
        return totals

    # --- writing

    def put(self, row_id: str, old: Any, row: Any, order: int) -> None:
        """Replace the current row `old` by another. None stands for a missing row. `order` is the creation number.

        To undo it, put the earlier row, even if an exception has interrupted it.
        """
        if row is not None and old is None:
            if self.pending.get(row_id) is not None and self.order(row_id) != order:
                self.catch_up()  # the indexes know an earlier row with this id, by its number
            if order > self.last:
                self.last = order
            else:
                self.sorted = False
            self.creation.own[row_id] = order
        indexed = None if self.fields is None else self.pending.setdefault(row_id, old)  # the row that the indexes know
        if row is not None:
            self.by_id[row_id] = row
            return
        self.by_id.pop(row_id, None)
        if order == self.last:
            self.last -= 1
        if indexed is None:
            self.creation.pop(row_id)
            self.pending.pop(row_id, None)

    # --- indexes

    def catch_up(self) -> dict[str, Layers]:
        """Bring the indexes and the totals up to date, and return the indexes."""
        indexes = self.indexes
        if indexes is not None and not self.pending:
            return indexes
        pending, totals = self.pending, self.totals
        self.indexes = self.totals = None
        if indexes is None:
            indexes, totals = {name: Layers() for name in INDEXES.get(self.kind, {})}, None
            changed: Iterable[tuple[str, Any]] = ((row_id, None) for row_id in self.rows())
        else:
            changed = pending.items()
            if self.borrows:
                indexes, totals = {name: index.copy() for name, index in indexes.items()}, totals and totals.copy()
        self.borrows = False
        for row_id, old in changed:
            new = self.by_id.get(row_id)
            self.change_keys(indexes, row_id, old, new)
            if totals is not None:
                self._update_totals(totals, old, new)
        for row_id in pending:
            if row_id not in self.by_id:
                self.creation.pop(row_id)
        self.pending = {}
        self.indexes, self.totals = indexes, totals
        return indexes

    def change_keys(self, indexes: dict[str, Layers], row_id: str, old: Any, new: Any) -> None:
        """Move a row from the keys of one version to those of another. None has no keys."""
        assert self.fields is not None
        get, empty, indexes_by_field = self.fields
        old_values = get(old) if old is not None else empty
        new_values = get(new) if new is not None else empty
        if old_values == new_values:
            return
        order = self.order(row_id)
        for old_value, new_value, names in zip(old_values, new_values, indexes_by_field, strict=False):
            if old_value is new_value or old_value == new_value:
                continue
            for name, keys in names:
                index = indexes[name]
                if keys is None:
                    if old_value is not None:
                        self._discard(index, old_value, row_id, order)
                    if new_value is not None:
                        self._add(index, new_value, row_id, order)
                    continue
                old_keys = _NONE if old is None else keys(old)
                new_keys = _NONE if new is None else keys(new)
                for key in frozenset(old_keys).difference(new_keys) if old_keys and new_keys else old_keys:
                    self._discard(index, key, row_id, order)
                for key in frozenset(new_keys).difference(old_keys) if old_keys and new_keys else new_keys:
                    self._add(index, key, row_id, order)

    def _add(self, index: Layers, key: object, row_id: str, order: int) -> None:
        """Add an id to a key, unless it is there."""
        ids = index.own.get(key)
        if ids.__class__ is not list:
            ids = index.get(key)
            if not ids or ids == row_id:
                index.own[key] = row_id
                return
            ids = index.own[key] = [ids] if ids.__class__ is str else ids.copy()
        if not ids or self.creation.get(ids[-1]) < order:
            ids.append(row_id)
        elif ids[at := self._find_place(ids, order)] != row_id:
            ids.insert(at, row_id)

    def _discard(self, index: Layers, key: object, row_id: str, order: int) -> None:
        """Remove an id from a key, if it is there."""
        ids = index.get(key)
        if ids == row_id:
            index.pop(key)
        elif ids and ids.__class__ is list:
            if key not in index.own:
                ids = index.own[key] = ids.copy()
            at = len(ids) - 1 if ids[-1] == row_id else self._find_place(ids, order)
            if at < len(ids) and ids[at] == row_id:
                del ids[at]

    def _find_place(self, ids: Sequence[str], order: int) -> int:
        return bisect_left(ids, order, key=self.creation.get)

    def _update_totals(self, totals: Layers, old: Any, new: Any) -> None:
        declared = TOTALS[self.kind]
        # after a rollback, the row of another owner may have the same id
        get_fields = attrgetter(declared.owner, *declared.fields)
        if old is None or new is None or get_fields(old) != get_fields(new):
            for row, sign in ((old, -1), (new, 1)):
                if row is not None:
                    _add_amounts(totals, row, sign, declared)


def find_differences(rows: Mapping[str, Any], first: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the ids of the rows that are not those of `first`, and those of `first` that have gone or changed."""
    if list(rows.values())[: len(first)] == list(first.values()):  # nearly always; entities contain their ids
        return list(rows)[len(first) :], []
    changed = [row_id for row_id, row in rows.items() if first.get(row_id) is not row]
    return changed, [row_id for row_id, row in first.items() if rows.get(row_id) is not row]


def _add_amounts(totals: Layers, row: Any, sign: int, declared: Totals) -> None:
    """Add what a row amounts to to the totals of its owner. Forks share them, so they are replaced."""
    owner = getattr(row, declared.owner)
    mine = Counter(totals.get(owner) or {})
    for name, amount in declared.amounts(row).items():
        mine[name] += sign * amount
    totals.own[owner] = {name: amount for name, amount in mine.items() if amount}
