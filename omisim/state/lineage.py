"""Lineage: the ancestors and descendants of a resource across accounts, including deleted ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omisim.model import AccountRow, Content, Image, ImageExportTask, Origin
from omisim.model.serialize import serialize
from omisim.state.state import State

__all__ = ["Lineage", "get_product_codes", "has_system", "trace_lineage"]

# the relations through which a disk gets its content from its parent
CONTENT = (
    "copied from", "cut from", "exported by", "imported from", "renewal of", "restored from", "written by",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lineage:
    """One resource in a lineage tree.

    Attributes:
        kind: kind of the resource.
        id: id of the resource.
        label: description of the resource.
        account: name of its owner.
        state: the API's state, "deleted" for a deleted resource, "" for a kind without states.
        how: relation to its parent in the tree.
        dropped: licence codes of an OMI's main parent that the OMI does not carry (LIC-012).
        parents: its origins, the main one first, each with its own parents. Empty except for the requested resource
            and its ancestors.
        children: its descendants, each below its main parent.
    """

    kind: str
    id: str
    label: str
    account: str
    state: str
    how: str = ""
    dropped: tuple[str, ...] = ()
    parents: tuple[Lineage, ...] = ()
    children: tuple[Lineage, ...] = ()

    def __str__(self) -> str:
        """Format the resource and its descendants as an indented tree."""
        return "\n".join(_draw_lines(self, ""))

    def line(self) -> str:
        """Format the resource as one line."""
        label = f" {self.label}" if self.label else ""
        how = f"{self.how}: " if self.how else ""
        state = f", {self.state}" if self.state else ""
        suffix = f", licence {', '.join(self.dropped)} dropped here" if self.dropped else ""
        return f"{how}{self.kind} {self.id}{label} ({self.account}{state}{suffix})"

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as plain JSON data."""
        data: dict[str, Any] = serialize(self)
        return data


def _draw_lines(node: Lineage, indent: str) -> Iterator[str]:
    yield indent + node.line()
    for child in node.children:
        yield from _draw_lines(child, indent + "  ")


def trace_lineage(state: State, resource_id: str) -> Lineage:
    """Return the lineage of a resource. Raises ValueError for an id that has never existed in the cloud."""
    if state.get("origin", resource_id) is None and _find_row(state, resource_id) is None:
        raise ValueError(f"no resource {resource_id} has ever existed in this cloud")
    below: dict[str, list[tuple[str, str]]] = {}
    for origin in state.rows("origin").values():
        for how, parent in origin.parents[:1]:
            below.setdefault(parent, []).append((how, origin.id))
    return _build_node(state, resource_id, "", below, parents=True)


def _build_node(
    state: State, row_id: str, how: str, below: Mapping[str, list[tuple[str, str]]], *, parents: bool
) -> Lineage:
    origin: Origin | None = state.get("origin", row_id)
    row = _find_row(state, row_id)
    kind = row.kind if row is not None else origin.kind if origin else ""
    owner = getattr(row, "account_id", None) or (origin.account_id if origin else "")
    account: AccountRow | None = state.get("account", owner)
    children = tuple(
        _build_node(state, child, relation, below, parents=False) for relation, child in below.get(row_id, [])
    )  # fmt: skip
    above = origin.parents if parents and origin else ()
    return Lineage(
        kind=kind,
        id=row_id,
        label=origin.label if origin else getattr(row, "image_name", ""),
        account=account.name if account else owner,
        state="deleted" if row is None else str(getattr(row, "state", "")),
        how=how,
        dropped=_find_dropped_codes(state, origin),
        parents=tuple(_build_node(state, parent, relation, {}, parents=True) for relation, parent in above),
        children=children,
    )


def _find_dropped_codes(state: State, origin: Origin | None) -> tuple[str, ...]:
    if origin is None or origin.kind != "image" or not origin.parents:
        return ()
    return tuple(
        code
        for code in get_product_codes(state, origin.parents[0][1])
        if code not in get_product_codes(state, origin.id)
    )


def get_product_codes(state: State, row_id: str) -> tuple[str, ...]:
    """Return the product codes of a resource, or those it inherited. The API does not show them on disks."""
    image: Image | None = state.get("image", row_id)
    origin: Origin | None = state.get("origin", row_id)
    return image.product_codes if image is not None else origin.codes if origin is not None else ()


def has_system(state: State, row_id: str) -> bool:
    """Whether a disk can hold an operating system: it has content, or comes from a platform's OMI or an import.

    `row_id` is the id of a volume or a snapshot, or on the way back of an OMI, an export task or a stored object. The
    disks of OMIs that no longer exist count as if they held one.
    """
    content: Content | None = state.get("content", row_id)
    origin: Origin | None = state.get("origin", row_id)
    if (content is not None and content.files) or origin is None:
        return True
    export: ImageExportTask | None = state.get("image_export", row_id)
    image: Image | None = export.source if export is not None else state.get("image", row_id)
    if image is not None:
        snapshots = [m.bsu.snapshot_id for m in image.block_device_mappings if m.bsu and m.bsu.snapshot_id]
        return any(has_system(state, snapshot_id) for snapshot_id in snapshots)
    parents = [parent for how, parent in origin.parents if how in CONTENT]
    return any(has_system(state, parent) for parent in parents) if parents else origin.kind != "volume"


def _find_row(state: State, row_id: str) -> Any:
    kinds = ("image", "snapshot", "volume", "vm", "image_export", "snapshot_export", "object")
    return next((row for kind in kinds if (row := state.get(kind, row_id)) is not None), None)
