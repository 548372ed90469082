"""What causes each event of the lifecycles, and what their states mean, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from omisim.spec.lifecycle import Lifecycle, To

__all__ = ["NOTES", "find_kind", "format_delay", "get_cause"]

# other names of a kind, for the command line
ALIASES: Mapping[str, str] = {"omi": "image", "export": "image_export", "key": "access_key", "link": "volume_link"}

# what a kind is, where its name does not say it, and what is special about its states
NOTES: Mapping[str, str] = {
    "group_hold": "A security group that a deleted VM used cannot be deleted for a while.",
    "image": "An OMI has no duration of its own: it waits for its snapshots.",
    "image_export": "The task of CreateImageExportTask. The time depends on the size of the OMI.",
    "snapshot_export": "The task of CreateSnapshotExportTask. The time depends on the size of the snapshot.",
    "vm": "restarting is a VM that is pending again after its first boot, by StartVms or CreateImage: the API shows it "
    "as pending, but refuses other actions than for a new VM (LNK-007).",
    "volume_link": "The connection of a volume to a VM; the volume itself is in-use for as long.",
    "volume_update": "The task of UpdateVolume on a volume that is in use.",
}

_FAILURE = "a failure: cloud.fail, cloud.fail_next or a fault"
# kind → event → its cause; "event@state" where a state has another one
_CAUSES: Mapping[str, Mapping[str, str]] = {
    "vm": {
        "boot": "it has started",
        "park": "it was created with BootOnCreation false",
        "fail": _FAILURE,
        "stop": "StopVms, or CreateImage without NoReboot",
        "halt": "it has stopped",
        "start": "StartVms, or the end of CreateImage",
        "delete": "DeleteVms",
        "finish": "it is gone from its host",
        "expire": "the cloud no longer lists it",
    },
    "volume": {
        "ready": "it is ready",
        "fail": _FAILURE,
        "link": "LinkVolume",
        "unlink": "its link is gone, by UnlinkVolume or by DeleteVms",
        "delete": "DeleteVolume",
        "delete@in-use": "DeleteVms of its VM, where DeleteOnVmDeletion is true (DeleteVolume is refused)",
        "delete@creating": "DeleteVolume, once UpdateVolume has started a task (before, DeleteVolume is refused)",
        "vanish": "it is deleted",
    },
    "volume_link": {
        "attach": "the VM has the device",
        "detach": "UnlinkVolume",
        "drop": "DeleteVms of the VM",
        "release": "the device is free",
    },
    "volume_update": {"start": "it begins", "finish": "the volume has its new values", "fail": _FAILURE},
    "snapshot": {
        "start": "its turn has come",
        "finish": "the content is copied",
        "fail": _FAILURE,
        "delete": "DeleteSnapshot",
        "vanish": "it is deleted",
    },
    "image": {
        "finish": "the last of its snapshots is completed",
        "fail": "one of its snapshots has failed",
        "delete": "DeleteImage",
    },
    "image_export": {
        "start": "its turn has come",
        "finish": "the files are in the bucket",
        "fail": f"the bucket cannot be written, or {_FAILURE}",
        "cancel": "DeleteExportTask",
    },
    "snapshot_export": {
        "start": "its turn has come",
        "activate": "its turn has come, in an API before version 1.42 (a switch)",
        "prepare": "the disk image is prepared",
        "upload": "the upload begins",
        "finish": "the file is in the bucket",
        "fail": f"the bucket cannot be written, or {_FAILURE}",
        "cancel": "DeleteExportTask",
    },
    "access_key": {"deactivate": "UpdateAccessKey", "activate": "UpdateAccessKey", "delete": "DeleteAccessKey"},
    "net": {"delete": "DeleteNet", "vanish": "it is deleted"},
    "group_hold": {"release": "the group can be deleted"},
}


def get_cause(lifecycle: Lifecycle, state: str, event: str) -> str:
    """Return what causes an event in a state, without its duration."""
    causes = _CAUSES[lifecycle.kind]
    return causes.get(f"{event}@{state}") or causes[event]


def format_delay(to: To, *, short: bool = False) -> str:
    """Return after which time an event happens by itself, with units; "" for an event that does not."""
    if to.after is None:
        return ""
    seconds = f"{to.after.seconds:g} s per GiB" if not isinstance(to.after, float | int) else _format_seconds(to.after)
    if short:
        return f"{seconds}, timer" if to.timer else seconds
    return f"after {seconds}, when the clock moves" if to.timer else f"by itself after {seconds}"


def _format_seconds(seconds: float) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours:g} h" if hours and not rest else f"{seconds:g} s"


def find_kind(name: str, kinds: Iterable[str]) -> str | None:
    """Return the kind with this name: in any case, with hyphens or spaces, or an alias; None for an unknown one."""
    known = {_simplify(kind): kind for kind in kinds}
    plain = _simplify(name)
    plain = plain if plain in known or plain in ALIASES else plain.removesuffix("s")
    return known.get(plain) or ALIASES.get(plain)


def _simplify(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
