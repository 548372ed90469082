"""Tracing a lineage through the index of origins: only the resources of the tree are visited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omisim.base.frozen import replace
from omisim.cloud.lineage import Lineage, join_tree
from omisim.model import ENTITIES, AccountRow, Content, Image, Origin
from omisim.model.ids import check_id
from omisim.state.lineage import KINDS, get_product_codes
from omisim.state.state import State

__all__ = ["find_row", "trace_lineage"]


def trace_lineage(state: State, resource_id: str, most: int) -> Lineage:
    """Return the lineage of a resource, with `most` ancestors and `most` descendants at the most.

    Raises ValueError for an id of which neither the cloud nor its history knows.
    """
    if type(most) is not int or most < 1:
        raise ValueError(f"most must be a positive int, not {most!r}")
    check_id("resource_id", resource_id)
    if state.get("origin", resource_id) is None and find_row(state, resource_id) is None:
        if any(state.get(entity.kind, resource_id) is not None for entity in ENTITIES):
            raise ValueError(f"{resource_id} has no lineage; these kinds have one: {', '.join(KINDS)}")
        raise ValueError(f"no resource {resource_id} exists in this cloud or in its history")
    above = _collect(resource_id, lambda row_id: _list_parents(state, row_id), most)
    below = _collect(resource_id, lambda row_id: _list_children(state, row_id, most), most)
    nodes = {
        row_id: _describe(state, row_id, below.omitted.get(row_id, 0), above.omitted.get(row_id, 0))
        for row_id in {**above.ids, **below.ids}
    }
    up = _link_ancestors(state, above.ids, resource_id)
    down = _link_descendants(state, below.ids, resource_id)
    tree = join_tree(nodes, down, resource_id, "children")
    parents = join_tree(nodes, up, resource_id, "parents").parents
    return replace(tree, parents=parents, edges=tuple(_list_edges(state, nodes)))


@dataclass(slots=True)
class _Collected:
    """Ids in the order in which they were reached, and how many neighbours of each were left out."""

    ids: dict[str, None]
    omitted: dict[str, int] = field(default_factory=dict)


def _collect(root: str, find_neighbours: Callable[[str], tuple[tuple[str, ...], int]], most: int) -> _Collected:
    """Visit the neighbours of the root, then theirs, until `most` are reached.

    `find_neighbours` returns ids, at least the first `most`, and the number of all.
    """
    reached = _Collected({root: None})
    waiting = [root]
    for row_id in waiting:
        neighbours, count = find_neighbours(row_id)
        new = [other for other in dict.fromkeys(neighbours) if other not in reached.ids]
        kept = new[: most + 1 - len(reached.ids)]
        reached.ids.update(dict.fromkeys(kept))
        waiting += kept
        if len(kept) < len(new) or len(neighbours) < count:
            reached.omitted[row_id] = count - len(neighbours) + len(new) - len(kept)
    return reached


def _list_children(state: State, row_id: str, most: int) -> tuple[tuple[str, ...], int]:
    """Return the first `most` of the resources that have this origin, and the number of all."""
    ids = state.tables["origin"].find_ids("parent", row_id)
    return tuple(ids[:most]), len(ids)


def _list_parents(state: State, row_id: str) -> tuple[tuple[str, ...], int]:
    parents = tuple(parent for _, parent in _find_parents(state, row_id))
    return parents, len(parents)


def _find_parents(state: State, row_id: str) -> tuple[tuple[str, str], ...]:
    """Return the origins of a resource as (relation, id); for an OMI also those of its snapshots."""
    origin: Origin | None = state.get("origin", row_id)
    parents = origin.parents if origin is not None else ()
    image: Image | None = state.get("image", row_id)
    for snapshot_id in image.snapshot_ids if image is not None else ():
        part: Origin | None = state.get("origin", snapshot_id)
        if part is not None and ("part of", row_id) in part.parents:
            parents += tuple((how, parent) for how, parent in part.parents if parent != row_id)
    return parents


def _link_ancestors(state: State, ids: Mapping[str, None], root: str) -> dict[str, list[tuple[str, str]]]:
    """Return the parents of each ancestor, as (relation, id); an ancestor is listed where it was reached first."""
    links: dict[str, list[tuple[str, str]]] = {}
    linked_ids = {root}
    for row_id in ids:
        for how, parent in _find_parents(state, row_id):
            if parent in ids and parent not in linked_ids:
                linked_ids.add(parent)
                links.setdefault(row_id, []).append((how, parent))
    return links


def _link_descendants(state: State, ids: Mapping[str, None], root: str) -> dict[str, list[tuple[str, str]]]:
    """Return the children of each descendant, as (relation, id); each is below its main parent in the tree."""
    links: dict[str, list[tuple[str, str]]] = {}
    for row_id in sorted(
        (row_id for row_id in ids if row_id != root), key=lambda row_id: state.order("origin", row_id)
    ):
        origin: Origin = state.get("origin", row_id)
        how, parent = next((how, parent) for how, parent in origin.parents if parent in ids)
        links.setdefault(parent, []).append((how, row_id))
    return links


def _list_edges(state: State, nodes: Mapping[str, Lineage]) -> list[tuple[str, str, str]]:
    edges = []
    for row_id in nodes:
        origin: Origin | None = state.get("origin", row_id)
        for how, parent in origin.parents if origin is not None else ():
            if parent in nodes:  # the content of a snapshot moves into the OMI that maps it
                edges.append((row_id, parent, how) if how == "part of" else (parent, row_id, how))
    return edges


def _describe(state: State, row_id: str, omitted: int, omitted_parents: int) -> Lineage:
    origin: Origin | None = state.get("origin", row_id)
    row = find_row(state, row_id)
    owner = getattr(row, "account_id", None) or (origin.account_id if origin else "")
    account: AccountRow | None = state.get("account", owner)
    content: Content | None = state.get("content", row_id)
    return Lineage(
        kind=row.kind if row is not None else origin.kind if origin else "",
        id=row_id,
        label=origin.label if origin else getattr(row, "image_name", ""),
        account=account.name if account else owner,
        state="deleted" if row is None else str(getattr(row, "state", "")),
        dropped=_find_dropped_codes(state, row_id, origin),
        region=account.region if account else "",
        licences=get_product_codes(state, row_id),
        files=tuple(path for path, _ in content.files) if content is not None else (),
        values=origin.values if origin is not None else (),
        omitted=omitted,
        omitted_parents=omitted_parents,
    )


def _find_dropped_codes(state: State, row_id: str, origin: Origin | None) -> tuple[str, ...]:
    if origin is None or origin.kind != "image" or not origin.parents:
        return ()
    own = get_product_codes(state, row_id)
    return tuple(code for code in get_product_codes(state, origin.parents[0][1]) if code not in own)


def find_row(state: State, row_id: str) -> Any:
    """Return the row of a resource of the kinds that have a lineage, or None."""
    return next((row for kind in KINDS if (row := state.get(kind, row_id)) is not None), None)
