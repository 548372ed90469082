"""The creation of a new snapshot that all its sources share."""

from __future__ import annotations

from typing import Any

from omisim.actions.framework.call import Call
from omisim.model import Content, Snapshot

__all__ = ["add_snapshot"]


def add_snapshot(
    call: Call,
    description: str,
    client_token: str | None,
    image_id: str | None,
    content: Content | None,
    *sources: tuple[str, str],
    **fields: Any,
) -> Snapshot:
    """Add a snapshot of the caller with its content.

    `image_id` is the OMI that it is part of. `sources` are (relation, parent id) pairs for lineage. `fields` holds the
    values that depend on its source.
    """
    snapshot = call.add(
        Snapshot(
            account_alias=call.account.alias,
            account_id=call.account.account_id,
            client_token=client_token,
            creation_date=call.now,
            description=description,
            snapshot_id=call.new_id("snapshot"),
            **fields,
        )
    )
    if content is not None:
        call.tx.write("content", snapshot.snapshot_id, content)
    image_parents = [("part of", image_id)] if image_id else []
    call.record_origin(snapshot, f"{snapshot.volume_size} GiB", *image_parents, *sources)
    return snapshot
