"""The lifecycles: kind → state → event → state. Nothing else changes a state.

Each state lists the events that leave it. An event with `after` happens automatically that many seconds after the state
was entered (a *transient*). A `timer` fires only when the clock moves. An event without `after` waits for an action or
for another entity: an OMI becomes available when the last of its snapshots is completed. `To(None)` removes the entity.

`refused` holds the illegal cells: action → state → error. All other cells are allowed. `cell_rules.py` makes a rule of
each illegal cell, with the id `kind/Action/state`. The cells of VMs have an additional state "restarting": a VM that is
pending again after its first boot (LNK-007). `Transaction.move` enforces the transitions, `Call.check_state` the cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from omisim.base.frozen import frozen

__all__ = ["LIFECYCLES", "IllegalMove", "Lifecycle", "No", "PerGib", "To", "get_automatic_event", "get_phase"]

HOUR = 3600.0


@frozen()
class PerGib:
    """A duration that grows with the size of what is copied: so many seconds per GiB of an entity's size."""

    seconds: float
    size: Callable[[Any], int]

    def __call__(self, entity: Any) -> float:
        """Return the duration for an entity, in seconds."""
        return float(self.seconds * self.size(entity))


@frozen()
class To:
    """The result of an event: the next state, None if the entity is gone. `after` is the automatic delay in seconds."""

    state: str | None
    after: float | PerGib | None = None
    timer: bool = False


@frozen()
class No:
    """An illegal cell: the name of its error, and the evidence for it."""

    error: str
    evidence: str = "inferred"


@frozen()
class Lifecycle:
    """The lifecycle of one kind. The first state is the initial state of most entities."""

    kind: str
    moves: Mapping[str, Mapping[str, To]]
    refused: Mapping[str, Mapping[str, No]]

    @property
    def failures(self) -> tuple[str, ...]:
        """The states with a failure event."""
        return tuple(state for state, events in self.moves.items() if "fail" in events)


class IllegalMove(Exception):
    """An event that the table of its kind does not have in this state: a defect of omisim, never of a request."""


_GONE = {"shutting-down": No("invalid-vm-state"), "terminated": No("invalid-vm-state")}
# the documentation says that the VM must be running or stopped
_NEITHER_RUNNING_NOR_STOPPED = {
    state: No("invalid-vm-state", "documented") for state in ("restarting", "stopping", "shutting-down", "terminated")
}
_NOT_COMPLETED = {state: No("invalid-state") for state in ("in-queue", "pending", "error", "deleting")}
_NOT_AVAILABLE = {state: No("invalid-image-state") for state in ("pending", "failed")}

VM = Lifecycle(
    "vm",
    {
        "pending": {
            "boot": To("running", after=20),
            "park": To("stopped", after=20),
            "fail": To("terminated"),
            "delete": To("shutting-down"),
        },
        "running": {"stop": To("stopping"), "delete": To("shutting-down")},
        "stopping": {"halt": To("stopped", after=15), "delete": To("shutting-down")},
        "stopped": {"start": To("pending"), "delete": To("shutting-down")},
        "shutting-down": {"finish": To("terminated", after=15)},
        "terminated": {"expire": To(None, after=HOUR, timer=True)},
    },
    {
        "StartVms": {
            "pending": No("invalid-state"),
            "restarting": No("invalid-state"),
            "running": No("in-use", "measured"),
            "stopping": No("invalid-state", "tested"),
            "shutting-down": No("invalid-state"),
            "terminated": No("invalid-state", "tested"),
        },
        "StopVms": {
            "pending": No("never-started", "client"),
            "restarting": No("invalid-state"),
            "shutting-down": No("invalid-state"),
            "terminated": No("invalid-state", "tested"),
        },
        "RebootVms": {
            "pending": No("invalid-state"),
            "restarting": No("invalid-state"),
            "stopping": No("invalid-state", "tested"),
            "stopped": No("invalid-state", "tested"),
            "shutting-down": No("invalid-state"),
            "terminated": No("invalid-state", "tested"),
        },
        "UpdateVm": _GONE,
        "UpdateVm (stopped only)": {
            "pending": No("invalid-vm-state", "documented"),
            **_NEITHER_RUNNING_NOR_STOPPED,
            "running": No("invalid-vm-state", "measured"),
        },
        "CreateImage": {"pending": No("never-started", "measured"), "restarting": No("invalid-vm-state"), **_GONE},
        "LinkVolume": {"pending": No("never-started", "measured"), **_NEITHER_RUNNING_NOR_STOPPED},
        "DeleteVms": {},
        "LinkNic": {"pending": No("invalid-vm-state", "documented"), **_NEITHER_RUNNING_NOR_STOPPED},
        "LinkPublicIp": _GONE,
    },
)

VOLUME = Lifecycle(
    "volume",
    {
        # "delete" only once UpdateVolume has started a task (VOL-021/updated)
        "creating": {"ready": To("available", after=5), "fail": To("error"), "delete": To("deleting")},
        "available": {"link": To("in-use"), "delete": To("deleting")},
        "in-use": {"unlink": To("available"), "delete": To("deleting")},
        "deleting": {"vanish": To(None, after=5)},
        "error": {"delete": To("deleting")},
    },
    {
        "CreateSnapshot": {
            "creating": No("invalid-volume-state", "measured"),
            "deleting": No("invalid-volume-state"),
            "error": No("invalid-volume-state"),
        },
        "LinkVolume": {
            "creating": No("invalid-volume-state"),
            "in-use": No("invalid-state"),
            "deleting": No("invalid-volume-state"),
            "error": No("invalid-volume-state"),
        },
        "UnlinkVolume": {
            "creating": No("invalid-state", "tested"),
            "available": No("volume-not-in-use", "measured"),
            "deleting": No("invalid-state"),
            "error": No("invalid-state"),
        },
        "DeleteVolume": {
            "creating": No("invalid-volume-state", "documented"),
            "in-use": No("invalid-state", "documented"),
            "deleting": No("no-such-volume"),
        },
        "UpdateVolume": {"deleting": No("invalid-state"), "error": No("invalid-state")},
    },
)

VOLUME_LINK = Lifecycle(
    "volume_link",
    {
        "attaching": {"attach": To("attached", after=3), "detach": To("detaching"), "drop": To(None)},
        "attached": {"detach": To("detaching"), "drop": To(None)},
        "detaching": {"release": To(None, after=3), "drop": To(None)},
    },
    {"UnlinkVolume": {"detaching": No("invalid-state")}},
)

VOLUME_UPDATE = Lifecycle(
    "volume_update",
    {
        "pending": {"start": To("active", after=5), "fail": To("failed")},
        "active": {
            "finish": To("completed", after=PerGib(1, lambda t: t.volume_update.target.size)),
            "fail": To("failed"),
        },
        "completed": {},
        "failed": {},
    },
    {},
)

SNAPSHOT = Lifecycle(
    "snapshot",
    {
        "in-queue": {"start": To("pending", after=5), "fail": To("error")},
        "pending": {"finish": To("completed", after=PerGib(2, lambda s: s.volume_size)), "fail": To("error")},
        "completed": {"delete": To("deleting")},
        "error": {"delete": To("deleting")},
        "deleting": {"vanish": To(None, after=5)},
    },
    {
        "CreateVolume": _NOT_COMPLETED,
        "CreateVms": _NOT_COMPLETED,
        "CreateImage": _NOT_COMPLETED,
        "CreateSnapshot": _NOT_COMPLETED,
        "CreateSnapshotExportTask": _NOT_COMPLETED,
        "DeleteSnapshot": {
            "in-queue": No("invalid-state"),
            "pending": No("invalid-state"),
            "deleting": No("no-such-snapshot"),
        },
        "UpdateSnapshot": {},
    },
)

IMAGE = Lifecycle(
    "image",
    {
        "pending": {"finish": To("available"), "fail": To("failed"), "delete": To(None)},
        "available": {"delete": To(None)},
        "failed": {"delete": To(None)},
    },
    {
        "CreateVms": _NOT_AVAILABLE,
        "CreateImage": _NOT_AVAILABLE,
        "CreateImageExportTask": _NOT_AVAILABLE,
        "UpdateImage": {},
        "DeleteImage": {},
    },
)

_ENDED = {state: No("invalid-state", "documented") for state in ("completed", "cancelled", "failed")}
_UPLOAD = PerGib(4, lambda t: t.size)
_OFF = {"fail": To("failed"), "cancel": To("cancelled")}

IMAGE_EXPORT = Lifecycle(
    "image_export",
    {
        "pending/queued": {"start": To("pending", after=5), **_OFF},
        "pending": {"finish": To("completed", after=_UPLOAD), **_OFF},
        "completed": {},
        "cancelled": {},
        "failed": {},
    },
    {"DeleteExportTask": _ENDED},
)

SNAPSHOT_EXPORT = Lifecycle(
    "snapshot_export",
    {
        "pending": {"start": To("initializing", after=5), "activate": To("active", after=5), **_OFF},
        "initializing": {"prepare": To("preparing", after=5), **_OFF},
        "preparing": {"upload": To("uploading", after=5), **_OFF},
        "uploading": {"finish": To("completed", after=_UPLOAD), **_OFF},
        "active": {"finish": To("completed", after=_UPLOAD), **_OFF},  # the one state before version 1.42
        "completed": {},
        "cancelled": {},
        "failed": {},
    },
    {"DeleteExportTask": _ENDED},
)

ACCESS_KEY = Lifecycle(
    "access_key",
    {
        "ACTIVE": {"deactivate": To("INACTIVE"), "delete": To(None)},
        "INACTIVE": {"activate": To("ACTIVE"), "delete": To(None)},
    },
    {"UpdateAccessKey": {}, "DeleteAccessKey": {}},
)

NET = Lifecycle(
    "net",
    {
        "available": {"delete": To("deleting")},
        "deleting": {"vanish": To(None, after=5)},
    },
    {},  # a Net that is being deleted is unknown to all actions (NET-018)
)

GROUP_HOLD = Lifecycle("group_hold", {"releasing": {"release": To(None, after=90)}}, {})

LIFECYCLES: Mapping[str, Lifecycle] = {
    lifecycle.kind: lifecycle
    for lifecycle in (
        VM, VOLUME, VOLUME_LINK, VOLUME_UPDATE, SNAPSHOT, IMAGE, IMAGE_EXPORT, SNAPSHOT_EXPORT, ACCESS_KEY,
        GROUP_HOLD, NET,
    )
}  # fmt: skip


@cache
def get_automatic_event(kind: str, state: str) -> str | None:
    """Return the event that leaves a state automatically, or None."""
    events = LIFECYCLES[kind].moves[state].items()
    return next((event for event, to in events if to.after is not None), None)


def get_phase(entity: Any) -> str:
    """Return the state of an entity in the cells of `refused`: its own, or "restarting"."""
    state = str(entity.state)
    return "restarting" if entity.kind == "vm" and state == "pending" and entity.started else state
