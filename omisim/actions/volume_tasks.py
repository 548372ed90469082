"""The tasks that follow the update of a volume (domain 6.2)."""

from __future__ import annotations

from omisim.actions.framework.call import Call, parsed
from omisim.actions.framework.registry import action
from omisim.model import OrDict, VolumeUpdateTask
from omisim.model.filters import FiltersReadVolumeUpdateTask, matching


@action("ReadVolumeUpdateTasks", "VolumeUpdateTasks", paged=True)
def read_volume_update_tasks(
    call: Call, *, filters: OrDict[FiltersReadVolumeUpdateTask] | None = None
) -> tuple[VolumeUpdateTask, ...]:
    """List the updates of the caller's volumes that took time, running or ended, in order of beginning (VOL-050)."""
    own = (task for task in call.rows(VolumeUpdateTask) if call.owns(task))
    return matching(own, parsed(filters))
