"""Laws about calls, and `make_call`, which records a call for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omisim.base.clock import show_same_time
from omisim.engine import scheduler
from omisim.engine.faults import Dropped
from omisim.model import AccountRow, Image, PermissionsOnResource, Snapshot
from omisim.model.serialize import snake_name, to_api
from omisim.spec.errors import ApiError
from omisim.state.state import Change
from omisim.testing.laws.history import OWNED
from omisim.testing.laws.table import on_call
from omisim.testing.laws.visibility import get_permissions, read

if TYPE_CHECKING:
    from omisim.cloud.account import Account

__all__ = ["CheckedCall", "make_call"]

# key of an answer → the read that returns the same resources, and the key of their ids
READS: Mapping[str, tuple[str, str]] = {
    "ImageExportTasks": ("ReadImageExportTasks", "TaskId"),
    "Images": ("ReadImages", "ImageId"),
    "SnapshotExportTasks": ("ReadSnapshotExportTasks", "TaskId"),
    "Snapshots": ("ReadSnapshots", "SnapshotId"),
    "Vms": ("ReadVms", "VmId"),
    "Volumes": ("ReadVolumes", "VolumeId"),
}
# fields that may differ between a creation and a later read: state and progress, boots (VM-078), addresses (VM-030)
MOVING = frozenset(
    {"State", "Progress", "BlockDeviceMappings", "LinkedVolumes", "StateReason", "StateComment", "Comment", "OsuExport"}
    | {"ActionsOnNextBoot", "PrivateIp", "PrivateDnsName", "PublicIp", "PublicDnsName"}
)

# action → kinds that it must not change, directly or by its side effects
UNTOUCHED: Mapping[str, frozenset[str]] = {
    "DeleteExportTask": frozenset({"image", "object", "snapshot"}),
    "DeleteImage": frozenset({"snapshot", "snapshot_export", "vm", "volume", "volume_link"}),
    "DeleteSnapshot": frozenset({"image", "vm", "volume", "volume_link"}),
}


@dataclass(slots=True)
class CheckedCall:
    """A call, its prediction by `why_not`, and its outcome.

    `answer`: None if the call was refused. `changed`: whether it changed the state. `changes`: its changes.
    `had_fault`: whether a fault was injected. `before`: the former permissions of the resource to share.
    """

    account: Account
    action: str
    parameters: Mapping[str, Any]
    predicted: list[ApiError]
    answer: dict[str, Any] | None = None
    refusal: ApiError | Dropped | None = None
    changed: bool = False
    had_fault: bool = False
    before: PermissionsOnResource | None = None
    changes: Sequence[Change] = ()


def make_call(account: Account, action: str, parameters: Mapping[str, Any]) -> CheckedCall:
    """Make a call and record it for the laws about calls; the caller holds the lock of the cloud.

    Due transitions are applied before, as separate changes.
    """
    cloud = account.cloud
    scheduler.apply_due(cloud.engine)
    call = CheckedCall(account, action, parameters, account.why_not(action, **parameters))
    position, clock, fault_count = cloud.engine.state.position, cloud.engine.clock.copy(), len(cloud.faults)
    target = _get_shared_row(call)
    call.before = None if target is None else get_permissions(target)
    try:
        call.answer = account.call(action, **parameters)
    except (ApiError, Dropped) as error:
        call.refusal = error
    call.changed = cloud.engine.state.position != position or not show_same_time(cloud.engine.clock, clock)
    call.changes = cloud.engine.state.changes_since(position)
    call.had_fault = len(cloud.faults) != fault_count or getattr(call.refusal, "rule", "") == "THR-002"
    return call


@on_call("")
def why_not_predicts_each_call(call: CheckedCall) -> str | None:
    """A call is refused exactly when `why_not` returns a refusal, and with the first that it returns."""
    if call.had_fault:
        return None
    predicted, actual = str(call.predicted[0]) if call.predicted else "nothing", str(call.refusal or "nothing")
    if predicted != actual:
        return f"why_not predicted {predicted} for {call.action}, but the refusal was {actual}"
    return None


@on_call("")
def a_refused_call_changes_nothing(call: CheckedCall) -> str | None:
    """A refused call, a dry run and a read change nothing."""
    is_readonly = call.refusal is not None or call.parameters.get("DryRun") is True or call.action.startswith("Read")
    if call.changed and is_readonly and not call.had_fault:
        return f"{call.action} has changed the state, although it {'was refused' if call.refusal else 'is read-only'}"
    return None


@on_call("SHR-007")
def a_call_changes_only_resources_of_its_caller(call: CheckedCall) -> str | None:
    """A call changes only resources of its caller: sharing a resource does not allow other accounts to change it."""
    for change in call.changes:
        if change.kind in OWNED and change.cause.startswith(f"{call.action}#"):
            owner = (change.after or change.before).account_id
            if owner != call.account.account_id:
                return f"{call.action} of {call.account.name} has changed {change.id} of {owner}"
    return None


@on_call("SNP-017")
def a_deletion_changes_nothing_else(call: CheckedCall) -> str | None:
    """Deleting an OMI changes no VM and no copy (OMI-123), deleting a snapshot no volume, also by side effects."""
    untouched = UNTOUCHED.get(call.action, frozenset())
    changed_row = next((change for change in call.changes if change.kind in untouched and not call.had_fault), None)
    return f"{call.action} has changed {changed_row.kind} {changed_row.id}" if changed_row else None


@on_call("OMI-108")
def permissions_change_as_requested(call: CheckedCall) -> str | None:
    """A change of permissions adds and removes exactly the requested ones (OMI-109 to OMI-111, SHR-011)."""
    request = call.parameters.get("PermissionsToLaunch") or call.parameters.get("PermissionsToCreateVolume")
    row = _get_shared_row(call)
    if call.answer is None or call.before is None or row is None or not request or call.parameters.get("DryRun"):
        return None
    ids, public = set(call.before.account_ids), call.before.global_permission
    added, removed = request.get("Additions") or {}, request.get("Removals") or {}
    ids = (ids | _list_account_ids(added)) - _list_account_ids(removed)
    public = (public or added.get("GlobalPermission") is True) and removed.get("GlobalPermission") is not True
    now = get_permissions(row)
    if (set(now.account_ids), now.global_permission) != (ids, public):
        return f"{row.id} is shared with {now} after the request {request}, and was shared with {call.before}"
    return None


def _list_account_ids(change: Mapping[str, Any]) -> set[str]:
    """Return the accounts in a change of permissions; empty values in a list are absent (REQ-018)."""
    return set(filter(None, change.get("AccountIds") or ()))


def _get_shared_row(call: CheckedCall) -> Image | Snapshot | None:
    kind = {"UpdateImage": "image", "UpdateSnapshot": "snapshot"}.get(call.action)
    row_id = call.parameters.get("ImageId" if kind == "image" else "SnapshotId")
    value = call.account.cloud.engine.state.get(kind, row_id) if kind and isinstance(row_id, str) else None
    row: Image | Snapshot | None = value
    return row


@on_call("")
def reads_match_the_answer_of_a_creation(call: CheckedCall) -> str | None:
    """A read shows a new resource as the creation answered it, except for fields that change over time."""
    if call.answer is None or not call.action.startswith("Create"):
        return None
    cloud = call.account.cloud
    row: AccountRow = cloud.engine.state.get("account", call.account.account_id)
    for wrapper, (action, key) in READS.items():
        single = call.answer.get(wrapper[:-1])
        for created in call.answer.get(wrapper, [single] if single else []):
            rows = read(cloud.engine, row, action, filters={f"{snake_name(key)}s": (created[key],)})
            read_rows = [to_api(other) for other in rows]
            if any(other.get("State") == "terminated" for other in read_rows):
                continue  # a VM that failed at once has no security groups any more
            if [_drop_moving(other) for other in read_rows] != [_drop_moving(created)]:
                return f"{call.action} answered {_drop_moving(created)}, but {action} shows {read_rows}"
    return None


def _drop_moving(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in MOVING}
