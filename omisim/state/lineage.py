"""What a resource inherits from its origins: product codes, and whether a disk can hold an operating system."""

from __future__ import annotations

from omisim.model import Content, Image, Origin
from omisim.state.state import State

__all__ = ["KINDS", "get_product_codes", "has_system"]

# the kinds whose resources have an origin
KINDS = ("image", "snapshot", "volume", "vm", "image_export", "snapshot_export", "object")

# the relations through which a disk gets its content from its parent
CONTENT = (
    "copied from", "cut from", "exported by", "imported from", "renewal of", "restored from", "written by",
)  # fmt: skip


def get_product_codes(state: State, row_id: str) -> tuple[str, ...]:
    """Return the product codes of a resource, or those it inherited. The API does not show them on disks.

    A snapshot whose source has none has those of the OMI that it is part of.
    """
    image: Image | None = state.get("image", row_id)
    if image is not None:
        return image.product_codes
    origin: Origin | None = state.get("origin", row_id)
    if origin is None:
        return ()
    is_part = not origin.codes and origin.parents and origin.parents[0][0] == "part of"
    return get_product_codes(state, origin.parents[0][1]) if is_part else origin.codes


def has_system(state: State, row_id: str) -> bool:
    """Whether a disk can hold an operating system: it has content, or comes from a platform's OMI or an import.

    `row_id` is the id of a volume or a snapshot, or on the way back of an OMI, an export task or a stored object. The
    disks of OMIs that no longer exist count as if they held one.
    """
    pending, seen = [row_id], set[str]()  # a loop, because a chain of disks may be long
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        content: Content | None = state.get("content", current)
        origin: Origin | None = state.get("origin", current)
        if (content is not None and content.files) or origin is None:
            return True
        row = state.get(origin.kind, current) if origin.kind in ("image", "image_export") else None
        image: Image | None = row.source if row and origin.kind == "image_export" else row
        if image is not None:
            pending += image.snapshot_ids
        elif parents := [parent for how, parent in origin.parents if how in CONTENT]:
            pending += parents
        elif origin.kind != "volume":
            return True
    return False
