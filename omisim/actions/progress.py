"""How far something has come, as a percentage, by the clock."""

from __future__ import annotations

from omisim.actions.framework.call import Call
from omisim.model import Due, ImageExportTask, Snapshot, SnapshotExportTask

__all__ = ["compute_progress"]

# the state of each kind in which its work is done
_WORKING = {"image_export": ("pending",), "snapshot": ("pending",), "snapshot_export": ("uploading", "active")}


def compute_progress(call: Call, entity: Snapshot | ImageExportTask | SnapshotExportTask) -> int:
    """Return 1 to 99 while the work is done, 50 without a clock, else what the entity says (ST-SNP-2, ST-IXT-3)."""
    if entity.state not in _WORKING[entity.kind]:
        return entity.progress
    due: Due | None = call.state.get("due", f"{entity.kind}:{entity.id}")
    if due is None or due.at is None:
        return 50
    whole = call.tx.settings.durations.seconds_for(entity, entity.state, due.event)
    left = (due.at - call.now).total_seconds()
    return min(99, max(1, round(100 * (1 - left / whole)))) if whole else 99
