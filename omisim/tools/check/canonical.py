"""Canonical hash of a state, invariant under renaming of ids, accounts, Regions and timestamps.

A state is a graph. Its nodes are resources, accounts and Regions, and an id in a field is an edge. The other
fields of a row, without dates, are the colour of its node. Colours are refined by the colours of the neighbours until
they stop changing. Nodes that still share a colour are either interchangeable (they have the same neighbours), or each
is distinguished in turn and the smallest hash is taken. The result is exact: two states get the same hash if a
renaming turns one into the other, and otherwise only by a collision of 64-bit hashes.

The hashes are the same in every process, because they do not contain Python's hash of a string.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from operator import attrgetter
from typing import Any

from omisim.cloud.account import Account
from omisim.model import ENTITIES, Content, Origin
from omisim.spec.catalog import load_catalog
from omisim.state.state import State

__all__ = ["Canonical"]

Edge = tuple[int, str]  # the hash of a position in the row, and the id at this position
Graph = dict[str, tuple[int, list[Edge]]]
Colours = list[int]  # of each node
Edges = list[list[tuple[int, int]]]  # for each node: the hashes of the positions, and the nodes at the other ends

# fields that do not affect behaviour: values drawn from a counter, values derived from a name, and content
_IGNORED_FIELDS = frozenset({
    "body", "checksum", "etag", "file_location", "image_name", "label", "launch_group_ids", "launch_number", "metadata",
    "object_id", "private_dns_name", "private_ip", "public_dns_name", "public_ip", "reservation_id", "security_groups",
    "stops",
})  # fmt: skip
_DELETED, _CATALOGUE = 1, 2  # the colours of ids whose rows are not nodes
_INDIVIDUALIZED = 1  # hashed into the colour of a node that is distinguished from others of its colour
_REVERSED = 0x5DEECE66D5DEECE  # XORed into the hash of an edge, as seen from its other end
_MAX_CACHED_ROWS = 20_000
_IDS = re.compile(
    r"\b(?:ami|i|vol|snap|vol-update|image-export|snap-export)-[0-9a-f]{8}\b|\b\d{12}\b|\b(?:"
    + "|".join(load_catalog().regions)
    + r")(?=[a-z]?\b)"
)
_TASK_OF_OBJECT = re.compile(r"-[0-9a-f]{8}(?=\.)")
_KINDS = frozenset(entity.kind for entity in ENTITIES if entity.kind != "account")


class Canonical:
    """Computes the hashes of the states of one world. `first` is its initial state, whose rows all states share.

    With `named`, the accounts, Regions and resources of the initial state are not renamed: a state in which bob has
    launched an OMI differs from one in which alice has, or another OMI. Then the files and the origins of disks count,
    too, which no call depends on, but a statement may.
    """

    def __init__(self, first: State, accounts: Sequence[Account], *, named: bool = False) -> None:
        self._since = first.position
        self._ends = {row_id: _CATALOGUE for kind in ("image", "snapshot") for row_id in first.rows(kind)}
        self._fixed: Graph = {}
        for account in accounts:
            names = (account.account_id, account.region) if named else ("account", "region")
            self._fixed[account.account_id] = (_hash_text(names[0]), [(_hash_position(0), account.region)])
            self._fixed[account.region] = (_hash_text(names[1]), [])
        self._has_origins = named
        self._named: dict[tuple[str, str], int] = {}  # the first resources, and the hashes of their ids
        if named:
            owners = {None, *(account.account_id for account in accounts)}  # a link and a hold name no account
            for kind in _KINDS:
                rows = first.rows(kind)
                self._ends |= {row_id: _hash_text(row_id) for row_id in rows}
                ours = (row_id for row_id, row in rows.items() if getattr(row, "account_id", None) in owners)
                self._named |= {(kind, row_id): _hash_text(row_id) for row_id in ours}
        self._nodes: dict[int, tuple[Any, int, list[Edge]]] = {}  # by id(row): the row, its colour, its edges

    def hash_state(self, state: State) -> int:
        """Return the canonical hash of a state."""
        return _compute_least_hash(*self._join_edges(self._build_graph(state)))

    def _build_graph(self, state: State) -> Graph:
        """Return the resources of a state."""
        graph: Graph = {}
        events = {(due.kind, due.id): due.event for due in state.rows("due").values()}
        changes = state.changes_since(self._since)
        changed = {(change.kind, change.id) for change in changes if change.kind in _KINDS}
        changed.update(self._named)
        for place in changed:
            kind, row_id = place
            row = state.get(kind, row_id)
            if row is None:
                continue
            node = self._nodes.get(id(row))
            if node is None:
                node = self._build_node(kind, row)
            _, colour, edges = node
            if place in events:
                colour = hash((colour, _hash_text(events[place])))
            if place in self._named:
                colour ^= self._named[place]
            graph[row_id if kind != "volume_link" else f"link {row_id}"] = (colour, edges)
        if self._has_origins:
            self._add_origins(graph, state, {change.id for change in changes if change.kind == "origin"})
        return graph

    def _add_origins(self, graph: Graph, state: State, new_ids: Collection[str]) -> None:
        """Add the origins of new resources, also those of deleted parents, and the files of new disks."""
        waiting = [row_id for row_id in graph if row_id in new_ids]
        seen = set(waiting)
        while waiting:
            row_id = waiting.pop()
            origin: Origin = state.get("origin", row_id)
            content: Content | None = state.get("content", row_id)
            _, colour, edges = self._nodes.get(id(origin)) or self._build_node("origin", origin)
            if content is not None:
                colour ^= _hash_text(repr(content.files))
            graph[f"origin {row_id}"] = (colour, [(_hash_position(0), row_id), *edges])
            parents = {parent for _, parent in origin.parents if parent in new_ids} - seen
            seen |= parents
            waiting += parents

    def _build_node(self, kind: str, row: Any) -> tuple[Any, int, list[Edge]]:
        """Return a row's colour and edges, cached because one row is in many states."""
        shape: list[int] = [_hash_text(kind)]
        edges: list[Edge] = []
        _add_values(_make_getter(row.__class__)(row), shape, edges)
        if len(self._nodes) > _MAX_CACHED_ROWS:
            self._nodes.clear()
        node = self._nodes[id(row)] = (row, hash(tuple(shape)), edges)
        return node

    def _join_edges(self, graph: Graph) -> tuple[Colours, Edges]:
        """Return the colours and the edges of a graph whose nodes are numbered. Both ends of an edge list it.

        Accounts and Regions are added where an edge leads to them: the others are all alike. Ids of the catalogue and
        of deleted resources get nodes of their own.
        """
        nodes = list(graph.items())
        numbers = {key: number for number, key in enumerate(graph)}
        colours = [colour for colour, _ in graph.values()]
        all_edges: Edges = [[] for _ in graph]
        for node, (key, (_, edges)) in enumerate(nodes):  # which grows meanwhile
            for place, other in edges:
                if other == key:
                    continue
                end = numbers.get(other)
                if end is None:
                    end = numbers[other] = len(all_edges)
                    added = self._fixed.get(other) or (self._ends.get(other, _DELETED), [])
                    nodes.append((other, added))
                    colours.append(added[0])
                    all_edges.append([])
                all_edges[node].append((place, end))
                all_edges[end].append((place ^ _REVERSED, node))
        return colours, all_edges


@cache
def _make_getter(cls: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that gets the significant values of a row."""
    names = [f.name for f in fields(cls) if f.name not in _IGNORED_FIELDS]
    return attrgetter(*names) if len(names) > 1 else lambda row: (getattr(row, names[0]),)


def _add_values(values: Iterable[Any], shape: list[int], edges: list[Edge]) -> None:
    """Add values at any depth, without ids and dates, to `shape`, and their ids to `edges`."""
    for value in values:
        if value is None:
            shape.append(0)
        elif isinstance(value, str):
            text_hash, ids = _split_ids(value)
            shape.append(text_hash)
            if ids:
                place = _hash_position(len(shape))
                edges.extend([(place, row_id) for row_id in ids])
        elif isinstance(value, tuple):
            shape.append(len(value))
            if value:
                _add_values(value, shape, edges)
        elif isinstance(value, int):
            shape.append(value + 2)
        elif isinstance(value, dt.datetime):
            continue
        elif is_dataclass(value):
            _add_values(_make_getter(value.__class__)(value), shape, edges)
        else:
            shape.append(_hash_text(repr(value)))


@lru_cache(maxsize=65_536)
def _split_ids(text: str) -> tuple[int, tuple[str, ...]]:
    """Return the hash of a text without its ids, and the ids."""
    bare = _TASK_OF_OBJECT.sub("", text)
    return _hash_text(_IDS.sub("*", bare)), tuple(_IDS.findall(bare))


@cache
def _hash_position(number: int) -> int:
    """Return the hash of a position in a row."""
    return _hash_text(f"field {number}")


@lru_cache(maxsize=65_536)
def _hash_text(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest())


def _compute_least_hash(colours: Colours, edges: Edges) -> int:
    """Return the hash of a graph: the minimum over all ways to distinguish nodes of the same colour."""
    colours = _refine_colours(colours, edges)
    alike = _find_alike(colours, edges)
    if not alike:
        return hash(tuple(sorted(colours)))
    return min(
        _compute_least_hash([*colours[:node], hash((colours[node], _INDIVIDUALIZED)), *colours[node + 1 :]], edges)
        for node in alike
    )


def _refine_colours(colours: Colours, edges: Edges) -> Colours:
    count = len(set(colours))
    while True:
        colours = [
            hash((colour, sum([place ^ colours[other] for place, other in neighbours])))
            for colour, neighbours in zip(colours, edges, strict=True)
        ]
        before, count = count, len(set(colours))
        if count == before:  # even if all colours differ, one more round hashes the edges between the nodes
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
