"""New snapshots, whatever they are made from: how each is added."""

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
    """Add a snapshot of the caller's with its content; `fields` are those that the ways to make one differ in.

    `image_id`: the OMI that it is part of. `sources`: how it came from what, for lineage.
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
    whole = [("part of", image_id)] if image_id else []
    call.record_origin(snapshot, f"{snapshot.volume_size} GiB", *whole, *sources)
    return snapshot
