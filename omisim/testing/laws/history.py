"""Laws about changes: legal state changes, immutable fields, and the kinds that a call may write."""

from __future__ import annotations

from collections.abc import Mapping

from omisim.state.state import Change
from omisim.testing.laws.table import Step, on_change

__all__ = ["OWNED"]

OWNED = (
    "image", "image_export", "internet_service", "keypair", "net", "nic", "public_ip", "route_table", "security_group",
    "snapshot", "snapshot_export", "subnet", "vm", "volume", "volume_update",
)  # fmt: skip

# kind → state → the states that may follow; "" before creation and after deletion
STATES: Mapping[str, Mapping[str, str]] = {
    "access_key": {"": "ACTIVE", "ACTIVE": "INACTIVE|", "INACTIVE": "ACTIVE|"},
    "group_hold": {"": "releasing", "releasing": ""},
    "image": {"": "pending|available", "pending": "available|failed|", "available": "", "failed": ""},
    "image_export": {
        "": "pending/queued",
        "pending/queued": "pending|cancelled|failed",
        "pending": "completed|cancelled|failed",
    },
    "net": {"": "available", "available": "deleting", "deleting": ""},
    "snapshot": {
        "": "in-queue|completed",
        "in-queue": "pending|error",
        "pending": "completed|error",
        "completed": "deleting",
        "error": "deleting",
        "deleting": "",
    },
    "snapshot_export": {
        "": "pending",
        "pending": "initializing|active|cancelled|failed",
        "initializing": "preparing|cancelled|failed",
        "preparing": "uploading|cancelled|failed",
        "uploading": "completed|cancelled|failed",
        "active": "completed|cancelled|failed",
    },
    "vm": {
        "": "pending",
        "pending": "running|stopped|terminated|shutting-down",
        "running": "stopping|shutting-down",
        "stopping": "stopped|shutting-down",
        "stopped": "pending|shutting-down",
        "shutting-down": "terminated",
        "terminated": "",
    },
    "volume": {
        "": "creating|in-use",
        "creating": "available|error|deleting",
        "available": "in-use|deleting",
        "in-use": "available|deleting",
        "deleting": "",
        "error": "deleting",
    },
    "volume_link": {"": "attaching", "attaching": "attached|detaching|", "attached": "detaching|", "detaching": ""},
    "volume_update": {"": "pending", "pending": "active|failed", "active": "completed|failed"},
}
# kind → the fields that never change
IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    "image": ("account_id", "architecture", "block_device_mappings", "boot_modes", "creation_date", "image_name"),
    "image_export": ("account_id", "image_id", "source"),
    "keypair": ("account_id", "keypair_name", "keypair_fingerprint"),
    "net": ("account_id", "ip_range", "tenancy"),
    "nic": ("account_id", "mac_address", "net_id", "subnet_id", "subregion_name"),
    "public_ip": ("account_id", "public_ip"),
    "route_table": ("account_id", "net_id"),
    "security_group": ("account_id", "description", "net_id", "security_group_name"),
    "snapshot": ("account_id", "creation_date", "volume_id", "volume_size"),
    "snapshot_export": ("account_id", "snapshot_id"),
    "subnet": ("account_id", "ip_range", "net_id", "subregion_name"),
    "vm": ("account_id", "creation_date", "image_id", "launch_number", "placement", "product_codes", "reservation_id"),
    "volume": ("account_id", "creation_date", "snapshot_id", "subregion_name"),
    "volume_link": ("device_name", "vm_id", "volume_id"),
    "volume_update": ("account_id", "volume_id", "volume_update"),
}
# action → the kinds of rows that its calls may write: deleting an OMI changes no VM and no snapshot (OMI-123…)
WRITES: Mapping[str, frozenset[str]] = {
    "CreateImage": frozenset({"image", "snapshot", "content", "origin", "vm"}),
    "CreateImageExportTask": frozenset({"image_export", "origin"}),
    "CreateSnapshot": frozenset({"snapshot", "content", "origin", "token"}),
    "CreateSnapshotExportTask": frozenset({"snapshot_export", "origin"}),
    "CreateVms": frozenset({"nic", "vm", "volume", "volume_link", "content", "origin", "token"}),
    "CreateVolume": frozenset({"volume", "content", "origin", "token"}),
    "DeleteExportTask": frozenset({"image_export", "snapshot_export"}),
    "DeleteImage": frozenset({"image", "image_export"}),
    "DeleteSnapshot": frozenset({"snapshot"}),
    "DeleteVms": frozenset({"vm"}),
    "DeleteVolume": frozenset({"volume", "volume_update"}),
    "LinkVolume": frozenset({"volume", "volume_link"}),
    "StartVms": frozenset({"vm"}),
    "StopVms": frozenset({"vm"}),
    "UnlinkVolume": frozenset({"volume_link"}),
    "UpdateImage": frozenset({"image", "origin"}),
    "UpdateSnapshot": frozenset({"snapshot"}),
    "UpdateVm": frozenset({"nic", "vm", "volume_link"}),
    "UpdateVolume": frozenset({"volume", "volume_update"}),
}


@on_change("", *STATES)
def state_changes_are_legal(_step: Step, change: Change) -> str | None:
    """A resource starts in an initial state of its kind, and each state is followed by a legal one."""
    old, new = ("" if row is None else str(row.state) for row in (change.before, change.after))
    if change.before is not None and change.after is not None and old == new:
        return None
    follow = STATES[change.kind].get(old)
    if follow is None or new not in follow.split("|"):
        return f"{change.id} went from {old or 'nothing'} to {new or 'nothing'}"
    return None


@on_change("SHR-004", *IMMUTABLE)
def immutable_fields_never_change(_step: Step, change: Change) -> str | None:
    """A resource keeps its owner and its other immutable fields."""
    before, after = change.before, change.after
    if before is None or after is None:
        return None
    for name in IMMUTABLE[change.kind]:
        if getattr(before, name) != getattr(after, name):
            return f"{name} of {change.id} changed from {getattr(before, name)} to {getattr(after, name)}"
    return None


@on_change("VOL-041", "volume")
def a_volume_only_grows(_step: Step, change: Change) -> str | None:
    """A volume never shrinks."""
    before, after = change.before, change.after
    shrunk = before is not None and after is not None and after.size < before.size
    return f"{change.id} shrank from {before.size} to {after.size} GiB" if shrunk else None


@on_change("OMI-123", *OWNED, "content", "object", "origin", "token", "volume_link")
def an_action_writes_only_its_kinds(_step: Step, change: Change) -> str | None:
    """A call writes only the kinds of its action: deleting an OMI changes no VM, no copy and no snapshot."""
    action, call, _ = change.cause.partition("#")
    allowed = WRITES.get(action) if call else None
    if allowed is not None and change.kind not in allowed:
        return f"{action} has changed {change.kind} {change.id}"
    return None


@on_change("SHR-007", *OWNED)
def a_call_writes_to_one_account(step: Step, change: Change) -> str | None:
    """One call changes resources of one account only: sharing does not allow other accounts to change a resource."""
    row = change.after or change.before
    for other in step.changes:
        if other.cause == change.cause and "#" in other.cause and other.kind in OWNED:
            account_id = (other.after or other.before).account_id
            if account_id != row.account_id:
                return f"{change.cause} has changed {change.id} and {other.id}, of two accounts"
    return None


@on_change("", "counter")
def counters_increase_by_one(_step: Step, change: Change) -> str | None:
    """A counter increases by one, so that no id and no address is issued twice."""
    if change.after != (change.before or 0) + 1:
        return f"{change.id} went from {change.before} to {change.after}"
    return None
