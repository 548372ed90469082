"""Canonical hash of a state, invariant under renaming of ids, accounts, Regions and timestamps.

A state is a graph: resources, accounts and Regions are its nodes, an id in a field is an edge. The other
fields of a row, without dates, are the colour of its node. Colours are refined by the colours of the neighbours until
they stop changing. Nodes that still share a colour are either interchangeable (they have the same neighbours), or each
is distinguished in turn and the smallest number is taken. The result is exact: two states get the same number if a
renaming turns one into the other, and otherwise only by a collision of 64-bit hashes.

The numbers are the same in every process: no hash of a string goes into them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from operator import attrgetter
from typing import Any

from omisim.cloud.account import Account
from omisim.model import ENTITIES
from omisim.spec.catalog import load_catalog
from omisim.state.state import State

__all__ = ["Canonical"]

Edge = tuple[int, str]  # the number of a field of the row, and whose id is in it
Graph = dict[str, tuple[int, list[Edge]]]
Colours = list[int]  # of each node
Edges = list[list[tuple[int, int]]]  # of each node: which field, and the node at the other end

# fields in which states may differ and behave alike: what is drawn from a counter, spelt from a name, or content
_LEFT_OUT = frozenset(
    {"body", "checksum", "etag", "file_location", "image_name", "launch_number", "metadata", "object_id"}
    | {"private_dns_name", "private_ip", "public_dns_name", "public_ip", "reservation_id", "security_groups", "stops"}
)
_GONE, _CATALOGUE = 1, 2  # the colours of ids whose rows are not nodes
_APART = 1  # goes into the colour of what is set apart
_BACK = 0x5DEECE66D5DEECE  # turns the number of an edge into that of its other end
_MOST_KEPT = 20_000  # rows
_IDS = re.compile(
    r"\b(?:ami|i|vol|snap|vol-update|image-export|snap-export)-[0-9a-f]{8}\b|\b\d{12}\b|\b(?:"
    + "|".join(load_catalog().regions)
    + r")(?=[a-z]?\b)"
)
_TASK_OF_OBJECT = re.compile(r"-[0-9a-f]{8}(?=\.)")
_KINDS = frozenset(entity.kind for entity in ENTITIES if entity.kind != "account")


class Canonical:
    """Gives states of one world their numbers. `first`: how it began; rows that never changed are the same in all."""

    def __init__(self, first: State, accounts: Iterable[Account]) -> None:
        self._since = len(first.journal)
        self._catalogue = {row_id for kind in ("image", "snapshot") for row_id in first.rows(kind)}
        self._fixed: Graph = {}
        for account in accounts:
            self._fixed[account.account_id] = (_number("account"), [(_place(0), account.region)])
            self._fixed[account.region] = (_number("region"), [])
        self._nodes: dict[int, tuple[Any, int, list[Edge]]] = {}  # by id(row): the row, its colour, its edges

    def number(self, state: State) -> int:
        """Return the number of a state."""
        return _least_hash(*_join_edges(self._graph(state), self._catalogue))

    def _graph(self, state: State) -> Graph:
        graph = self._fixed.copy()
        dues = state.rows("due")
        changed = {(change.kind, change.id) for change in state.journal[self._since :]}
        for kind, row_id in changed:
            row = state.get(kind, row_id) if kind in _KINDS else None
            if row is None:
                continue
            known = self._nodes.get(id(row))
            if known is None:
                known = self._node(kind, row)
            _, colour, edges = known
            due = dues.get(f"{kind}:{row_id}")
            key = row_id if kind != "volume_link" else f"link {row_id}"
            graph[key] = (colour if due is None else hash((colour, _number(due.event))), edges)
        return graph

    def _node(self, kind: str, row: Any) -> tuple[Any, int, list[Edge]]:
        """Return a row's colour and edges, cached because one row is in many states."""
        shape: list[int] = [_number(kind)]
        edges: list[Edge] = []
        _take(row, shape, edges)
        if len(self._nodes) > _MOST_KEPT:
            self._nodes.clear()
        found = self._nodes[id(row)] = (row, hash(tuple(shape)), edges)
        return found


@cache
def _values_of(cls: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that gets the significant values of a row."""
    names = [f.name for f in fields(cls) if f.name not in _LEFT_OUT]
    return attrgetter(*names) if len(names) > 1 else lambda row: (getattr(row, names[0]),)


def _take(row: Any, shape: list[int], edges: list[Edge]) -> None:
    """Add to a shape what a row's values are, ids left out, and the ids to its edges."""
    for value in _values_of(row.__class__)(row):
        _take_value(value, shape, edges)


def _take_value(value: Any, shape: list[int], edges: list[Edge]) -> None:
    if value is None:
        shape.append(0)
    elif isinstance(value, str):
        number, ids = _text(value)
        shape.append(number)
        if ids:
            place = _place(len(shape))
            edges.extend([(place, row_id) for row_id in ids])
    elif isinstance(value, int):
        shape.append(value + 2)
    elif isinstance(value, dt.datetime):
        return
    elif isinstance(value, tuple):
        shape.append(len(value))
        for item in value:
            _take_value(item, shape, edges)
    elif is_dataclass(value):
        _take(value, shape, edges)
    else:
        shape.append(_number(repr(value)))


@lru_cache(maxsize=65_536)
def _text(text: str) -> tuple[int, tuple[str, ...]]:
    """Return the hash of a text without its ids, and the ids."""
    bare = _TASK_OF_OBJECT.sub("", text)
    return _number(_IDS.sub("*", bare)), tuple(_IDS.findall(bare))


@cache
def _place(number: int) -> int:
    """Return the number of the field at a place of a row."""
    return _number(f"field {number}")


@lru_cache(maxsize=65_536)
def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest())


def _join_edges(graph: Graph, catalogue: set[str]) -> tuple[Colours, Edges]:
    """Return a graph's nodes by number: their colours, and their edges, each at both its ends.

    There is a node for each id of the catalogue, and of what is gone.
    """
    numbers = {key: number for number, key in enumerate(graph)}
    colours = [colour for colour, _ in graph.values()]
    joined: Edges = [[] for _ in graph]
    for node, (key, (_, edges)) in enumerate(graph.items()):
        for place, other in edges:
            if other == key:
                continue
            end = numbers.get(other)
            if end is None:
                end = numbers[other] = len(joined)
                colours.append(_CATALOGUE if other in catalogue else _GONE)
                joined.append([])
            joined[node].append((place, end))
            joined[end].append((place ^ _BACK, node))
    return colours, joined


def _least_hash(colours: Colours, edges: Edges) -> int:
    """Return the number of a graph: of all the ways to set apart what looks alike, the least."""
    colours = _refine_colours(colours, edges)
    alike = _find_alike(colours, edges)
    if not alike:
        return hash(tuple(sorted(colours)))
    return min(
        _least_hash([*colours[:node], hash((colours[node], _APART)), *colours[node + 1 :]], edges) for node in alike
    )


def _refine_colours(colours: Colours, edges: Edges) -> Colours:
    count = len(set(colours))
    while True:
        colours = [
            hash((colour, *sorted([place ^ colours[other] for place, other in around])))
            for colour, around in zip(colours, edges, strict=True)
        ]
        before, count = count, len(set(colours))
        if count == before:  # not sooner, though all differ: the last round is what tells the edges between them
            return colours


def _find_alike(colours: Colours, edges: Edges) -> list[int]:
    """Return the first nodes with the same colour but different neighbours."""
    if len(set(colours)) == len(colours):
        return []
    classes: dict[int, list[int]] = {}
    for node, colour in enumerate(colours):
        classes.setdefault(colour, []).append(node)
    for _, nodes in sorted(classes.items()):
        if len(nodes) > 1:
            first = sorted(edges[nodes[0]])
            if any(sorted(edges[node]) != first for node in nodes[1:]):
                return nodes
    return []
