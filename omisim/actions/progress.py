"""The progress of snapshots and export tasks, as a percentage derived from the clock."""

from __future__ import annotations

from omisim.actions.framework.call import Call
from omisim.model import Due, ImageExportTask, Snapshot, SnapshotExportTask

__all__ = ["compute_progress"]

# kind → the states in which it makes progress
_WORKING = {"image_export": ("pending",), "snapshot": ("pending",), "snapshot_export": ("uploading", "active")}


def compute_progress(call: Call, entity: Snapshot | ImageExportTask | SnapshotExportTask) -> int:
    """Return 1 to 99 while an entity makes progress, else its stored value (ST-SNP-2, ST-IXT-3).

    Without a due time (timing "manual"), the progress is 50.
    """
    if entity.state not in _WORKING[entity.kind]:
        return entity.progress
    due: Due | None = call.state.get("due", f"{entity.kind}:{entity.id}")
    if due is None or due.at is None:
        return 50
    whole = call.tx.settings.seconds_for(entity, entity.state, due.event)
    seconds_left = (due.at - call.now).total_seconds()
    return min(99, max(1, round(100 * (1 - seconds_left / whole)))) if whole else 99
