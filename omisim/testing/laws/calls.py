"""Laws about calls, and `call`: a call that is held against all laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omisim.engine.faults import Dropped
from omisim.model import AccountRow, Image, PermissionsOnResource, Snapshot
from omisim.model.serialize import snake_name, to_api
from omisim.spec.errors import ApiError
from omisim.state.state import Change
from omisim.testing.laws.history import OWNED
from omisim.testing.laws.table import on_call
from omisim.testing.laws.visibility import granted, read

if TYPE_CHECKING:
    from omisim.cloud.account import Account

__all__ = ["Made", "make_call"]

# key of an answer → the read that shows the same, and the key of its ids
READS: Mapping[str, tuple[str, str]] = {
    "ImageExportTasks": ("ReadImageExportTasks", "TaskId"),
    "Images": ("ReadImages", "ImageId"),
    "SnapshotExportTasks": ("ReadSnapshotExportTasks", "TaskId"),
    "Snapshots": ("ReadSnapshots", "SnapshotId"),
    "Vms": ("ReadVms", "VmId"),
    "Volumes": ("ReadVolumes", "VolumeId"),
}
# what a creation answers and a read does not: what has moved on since, boots too (VM-078), and addresses (VM-030)
MOVING = frozenset(
    {"State", "Progress", "BlockDeviceMappings", "LinkedVolumes", "StateReason", "StateComment", "Comment", "OsuExport"}
    | {"ActionsOnNextBoot", "PrivateIp", "PrivateDnsName", "PublicIp", "PublicDnsName"}
)

# what a deletion leaves as it is, to the end of all that follows from it
UNHARMED: Mapping[str, frozenset[str]] = {
    "DeleteExportTask": frozenset({"image", "object", "snapshot"}),
    "DeleteImage": frozenset({"snapshot", "snapshot_export", "vm", "volume", "volume_link"}),
    "DeleteSnapshot": frozenset({"image", "vm", "volume", "volume_link"}),
}


@dataclass(slots=True)
class Made:
    """A call that was made: who made it, what `why_not` had said, and what came of it.

    `answer` is None when it was refused; `changed`: whether it wrote anything, `changes`: what; `ordered`: a fault
    befell it; `before`: with whom what it is to share was shared.
    """

    account: Account
    action: str
    parameters: Mapping[str, Any]
    foretold: list[ApiError]
    answer: dict[str, Any] | None = None
    refused: ApiError | Dropped | None = None
    changed: bool = False
    ordered: bool = False
    before: PermissionsOnResource | None = None
    changes: Sequence[Change] = ()


def make_call(account: Account, action: str, parameters: Mapping[str, Any]) -> Made:
    """Make a call, and note what the laws about calls want to know. What is due comes first, and is not its doing."""
    cloud = account.cloud
    cloud.advance(0)
    call = Made(account, action, parameters, account.why_not(action, **parameters))
    before, waiting = (cloud.engine.state.position, cloud.now), len(cloud.faults)
    shared = _shared(call)
    call.before = None if shared is None else granted(shared)
    try:
        call.answer = account.call(action, **parameters)
    except (ApiError, Dropped) as refused:
        call.refused = refused
    call.changed = before != (cloud.engine.state.position, cloud.now)
    call.changes = cloud.engine.state.journal[
        len(cloud.engine.state.journal) - (cloud.engine.state.position - before[0]) :
    ]
    call.ordered = len(cloud.faults) != waiting or getattr(call.refused, "rule", "") == "THR-002"
    return call


@on_call("")
def why_not_foretells_a_call(call: Made) -> str | None:
    """A call is refused exactly when `why_not` names a refusal, and with the first that it names."""
    if call.ordered:
        return None
    said, came = str(call.foretold[0]) if call.foretold else "nothing", str(call.refused or "nothing")
    return None if said == came else f"why_not of {call.action} had said {said}, and the refusal was {came}"


@on_call("")
def a_refused_call_changes_nothing(call: Made) -> str | None:
    """A refused call, a dry run and a read change nothing."""
    idle = call.refused is not None or call.parameters.get("DryRun") is True or call.action.startswith("Read")
    if call.changed and idle and not call.ordered:
        return f"{call.action} has changed something, though it {'was refused' if call.refused else 'must not'}"
    return None


@on_call("SHR-007")
def a_call_changes_what_is_the_callers(call: Made) -> str | None:
    """A call changes only what belongs to its caller: to share something lets nobody else change it."""
    for change in call.changes:
        if change.kind in OWNED and change.cause.startswith(f"{call.action}#"):
            owner = (change.after or change.before).account_id
            if owner != call.account.account_id:
                return f"{call.action} of {call.account.name} has changed {change.id} of {owner}"
    return None


@on_call("SNP-017")
def a_deletion_harms_nothing_else(call: Made) -> str | None:
    """A deleted OMI harms no VM and no copy (OMI-123), a deleted snapshot no volume, nor does what follows at once."""
    unharmed = UNHARMED.get(call.action, frozenset())
    harmed = next((change for change in call.changes if change.kind in unharmed and not call.ordered), None)
    return f"{call.action} has changed {harmed.kind} {harmed.id}" if harmed else None


@on_call("OMI-108")
def permissions_change_as_asked(call: Made) -> str | None:
    """A change of permissions adds or removes what it names, and leaves the rest (OMI-109 to OMI-111, SHR-011)."""
    asked = call.parameters.get("PermissionsToLaunch") or call.parameters.get("PermissionsToCreateVolume")
    row = _shared(call)
    if call.answer is None or call.before is None or row is None or not asked or call.parameters.get("DryRun"):
        return None
    ids, public = set(call.before.account_ids), call.before.global_permission
    added, removed = asked.get("Additions") or {}, asked.get("Removals") or {}
    ids = (ids | set(added.get("AccountIds") or ())) - set(removed.get("AccountIds") or ())
    public = (public or added.get("GlobalPermission") is True) and removed.get("GlobalPermission") is not True
    now = granted(row)
    if (set(now.account_ids), now.global_permission) != (ids, public):
        return f"{row.id}, asked for {asked}, is shared with {now}, and was with {call.before}"
    return None


def _shared(call: Made) -> Image | Snapshot | None:
    kind = {"UpdateImage": "image", "UpdateSnapshot": "snapshot"}.get(call.action)
    row_id = call.parameters.get("ImageId" if kind == "image" else "SnapshotId")
    found = call.account.cloud.engine.state.get(kind, row_id) if kind and isinstance(row_id, str) else None
    row: Image | Snapshot | None = found
    return row


@on_call("")
def what_is_created_is_read_as_answered(call: Made) -> str | None:
    """What a creation answers is what a read shows, but for what has moved on."""
    if call.answer is None or not call.action.startswith("Create"):
        return None
    cloud = call.account.cloud
    row: AccountRow = cloud.engine.state.get("account", call.account.account_id)
    for wrapper, (action, key) in READS.items():
        one = call.answer.get(wrapper[:-1])
        for answered in call.answer.get(wrapper, [one] if one else []):
            seen = read(cloud.engine, row, action, filters={f"{snake_name(key)}s": (answered[key],)})
            shown = [to_api(other) for other in seen]
            if any(other.get("State") == "terminated" for other in shown):
                continue  # a VM that failed at once has given up its security groups
            if [_still(other) for other in shown] != [_still(answered)]:
                return f"{call.action} answered {_still(answered)}, and {action} shows {shown}"
    return None


def _still(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in MOVING}
