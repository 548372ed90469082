"""A table: the rows of one kind by id and by index, in creation order.

A dict keeps that order until a deletion is undone. Then the table sorts its rows by creation number when they are next
listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["INDEXES", "Table"]

Keys = Callable[[Any], tuple[object, ...]]
# The ids under a key, the newest last. After CHUNK ids, the older ones move into a tuple of their own, the first
# element: adding to a key with many ids stays cheap, and forks can still share the tuples.
Ids = tuple[Any, ...]
CHUNK = 64

# kind → index → the keys under which a row is found
INDEXES: Mapping[str, Mapping[str, Keys]] = {
    "account": {"name": lambda row: (row.name,)},
    "access_key": {"account": lambda row: (row.account_id,)},
    "image": {
        "name": lambda row: ((row.account_id, row.image_name),),
        "snapshot": lambda row: tuple(m.bsu.snapshot_id for m in row.block_device_mappings if m.bsu),
    },
    "object": {"bucket": lambda row: (row.bucket_id,)},
    "upload": {"bucket": lambda row: (row.bucket_id,)},
    "security_group": {"name": lambda row: ((row.account_id, row.net_id, row.security_group_name),)},
    "nic": {
        "subnet": lambda row: (row.subnet_id,),
        "vm": lambda row: (row.link_nic.vm_id,) if row.link_nic else (),
    },
    "public_ip": {
        "address": lambda row: (row.public_ip,),
        "holder": lambda row: (row.nic_id or row.vm_id,) if row.link_public_ip_id else (),
    },
    "keypair": {"name": lambda row: ((row.account_id, row.keypair_name),)},
    "origin": {"parent": lambda row: tuple([parent for _, parent in row.parents])},
    "volume_link": {"vm": lambda row: (row.vm_id,)},
}


class Table:
    """The rows of one kind by id, in creation order, and their indexes.

    `by_id` holds the rows, in creation order only while `sorted`. `creation` maps ids to creation numbers. `indexes`
    maps the name of an index to the function that returns a row's keys, and to the ids by key.
    """

    __slots__ = ("by_id", "creation", "indexes", "sorted")

    def __init__(self, kind: str = "") -> None:
        self.by_id: dict[str, Any] = {}
        self.creation: dict[str, int] = {}
        self.sorted: bool = True
        self.indexes: dict[str, tuple[Keys, dict[object, Ids]]] = {
            name: (keys, {}) for name, keys in INDEXES.get(kind, {}).items()
        }

    def copy(self) -> Table:
        """Return an independent table with the same rows."""
        twin = Table()
        twin.by_id, twin.creation, twin.sorted = self.by_id.copy(), self.creation.copy(), self.sorted
        twin.indexes = {name: (keys, index.copy()) for name, (keys, index) in self.indexes.items()}
        return twin

    def rows(self) -> dict[str, Any]:
        """Return the rows by id, in creation order."""
        if not self.sorted:
            self.by_id = dict(sorted(self.by_id.items(), key=lambda item: self.creation[item[0]]))
            self.sorted = True
        return self.by_id

    def get(self, row_id: str) -> Any:
        """Return a row, or None."""
        return self.by_id.get(row_id)

    def order(self, row_id: str) -> int:
        """Return the creation number of an existing row."""
        return self.creation[row_id]

    def find_ids(self, index: str, key: object) -> tuple[str, ...]:
        """Return the ids under a key of an index, in creation order."""
        ids = self.indexes[index][1].get(key, ())
        return ids if len(ids) <= 1 else tuple(sorted(_flatten(ids), key=self.creation.__getitem__))

    def first_ids(self, index: str, key: object, most: int) -> tuple[tuple[str, ...], int]:
        """Return at most `most` ids under a key, in the order in which they were added, and the number of all.

        Unlike `find_ids`, it does not sort: it is for rows that are never removed, and for keys with very many.
        """
        ids = _flatten(self.indexes[index][1].get(key, ()))
        return ids[:most], len(ids)

    def put(self, row_id: str, after: Any, order: int) -> None:
        """Set a row (None: remove it). `order` is the creation number of a new row."""
        before = self.by_id.get(row_id)
        for keys, index in self.indexes.values():
            old = keys(before) if before is not None else ()
            new = keys(after) if after is not None else ()
            if old != new:
                _remove_keys(index, row_id, old)
                for key in dict.fromkeys(new):
                    _add_key(index, row_id, key)
        if after is None:
            del self.by_id[row_id], self.creation[row_id]
            return
        if before is None:
            self._add(row_id, order)
        self.by_id[row_id] = after

    def revert(self, row_id: str, before: Any, after: Any, order: int) -> None:
        """Undo a put of `after` over `before`. The put, or an earlier `revert`, may have been interrupted anywhere."""
        for keys, index in self.indexes.values():
            old = keys(after) if after is not None else ()
            new = keys(before) if before is not None else ()
            if old != new:
                _remove_keys(index, row_id, old)
                for key in dict.fromkeys(new):
                    if row_id not in _flatten(index.get(key, ())):
                        _add_key(index, row_id, key)
        if before is None:
            self.by_id.pop(row_id, None)
            self.creation.pop(row_id, None)
            return
        if row_id not in self.by_id:
            self._add(row_id, order)
        self.by_id[row_id] = before

    def _add(self, row_id: str, order: int) -> None:
        """Note the creation number of a new row, and whether the rows are still sorted with it."""
        self.sorted = self.sorted and (not self.by_id or order > self.creation[next(reversed(self.by_id))])
        self.creation[row_id] = order


def _remove_keys(index: dict[object, Ids], row_id: str, old: tuple[object, ...]) -> None:
    """Remove a row from its keys; a key that does not have it stays as it is."""
    for key in dict.fromkeys(old):
        rest = _remove(index.get(key, ()), row_id)
        if rest:
            index[key] = rest
        else:
            index.pop(key, None)


def _add_key(index: dict[object, Ids], row_id: str, key: object) -> None:
    ids = index.get(key, ())
    index[key] = (*ids, row_id) if len(ids) < CHUNK else (ids, row_id)


def _remove(ids: Ids, row_id: str) -> Ids:
    if ids and ids[-1] == row_id:  # an undone creation
        rest = ids[:-1]
        return rest[0] if len(rest) == 1 and isinstance(rest[0], tuple) else rest
    return tuple([other for other in _flatten(ids) if other != row_id])


def _flatten(ids: Ids) -> Ids:
    chunks = [ids]
    while chunks[-1] and isinstance(chunks[-1][0], tuple):
        chunks.append(chunks[-1][0])
    if len(chunks) == 1:
        return ids
    return tuple([row_id for chunk in reversed(chunks) for row_id in chunk if not isinstance(row_id, tuple)])
