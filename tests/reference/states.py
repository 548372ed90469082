"""States: the next state, the failure state and the duration of each, and the codes of the actions that it refuses."""

from __future__ import annotations

__all__ = ["FAILED", "FIRST", "GONE", "LASTS", "NEXT", "REFUSED"]

GONE = ""

# kind → state → the next state; states without an entry are stable. [ST-OMI, ST-SNP, ST-VOL, ST-VM, ST-IXT, EXP-044]
NEXT = {
    "Snapshot": {"in-queue": "pending", "pending": "completed", "deleting": GONE},
    "Volume": {"creating": "available", "deleting": GONE},
    "Link": {"attaching": "attached", "detaching": GONE},
    "Vm": {"pending": "running", "stopping": "stopped", "shutting-down": "terminated"},
    "ImageExport": {"pending/queued": "pending", "pending": "completed"},
    "SnapshotExport": {
        "pending": "initializing",
        "initializing": "preparing",
        "preparing": "uploading",
        "uploading": "completed",
    },
    "VolumeUpdate": {"pending": "active", "active": "completed"},
}
# kind → state → its duration with the timing `clock`, in seconds and in seconds per GiB. [UNK-24, ST-VM-10]
LASTS = {
    "Snapshot": {"in-queue": (5, 0), "pending": (0, 2), "deleting": (5, 0)},
    "Volume": {"creating": (5, 0), "deleting": (5, 0)},
    "Link": {"attaching": (3, 0), "detaching": (3, 0)},
    "Vm": {
        "pending": (20, 0),
        "stopping": (15, 0),
        "stopped": (0, 0),
        "shutting-down": (15, 0),
        "terminated": (3600, 0),
    },
    "ImageExport": {"pending/queued": (5, 0), "pending": (0, 4)},
    "SnapshotExport": {"pending": (5, 0), "initializing": (5, 0), "preparing": (5, 0), "uploading": (0, 4)},
    "VolumeUpdate": {"pending": (5, 0), "active": (0, 1)},
}

# kind → the states that can fail → the failure state
FAILED = {
    "Snapshot": {"in-queue": "error", "pending": "error"},
    "Volume": {"creating": "error"},
    "Link": {},
    "Vm": {"pending": "terminated"},
    "ImageExport": {"pending/queued": "failed", "pending": "failed"},
    "SnapshotExport": {"pending": "failed", "initializing": "failed", "preparing": "failed", "uploading": "failed"},
    "VolumeUpdate": {"pending": "failed", "active": "failed"},
}

FIRST = "first pending"  # the state of a VM that has not yet run: its refusals differ [LNK-007]

UNUSABLE = {"in-queue": "6003", "pending": "6003", "error": "6003", "deleting": "6003"}

# (kind, action) → state → the code of the refusal [1.2 to 1.7]
REFUSED = {
    ("Image", "use"): {"pending": "6001", "failed": "6001"},
    ("Snapshot", "use"): UNUSABLE,
    ("Snapshot", "DeleteSnapshot"): {"in-queue": "6003", "pending": "6003", "deleting": "5054"},
    ("Volume", "CreateSnapshot"): {"creating": "6007", "deleting": "6007", "error": "6007"},
    ("Volume", "LinkVolume"): {"creating": "6007", "in-use": "6003", "deleting": "6007", "error": "6007"},
    ("Volume", "UnlinkVolume"): {"creating": "6003", "available": "9063", "deleting": "6003", "error": "6003"},
    ("Volume", "DeleteVolume"): {"creating": "6007", "in-use": "6003", "deleting": "5064"},
    ("Volume", "UpdateVolume"): {"deleting": "6003", "error": "6003"},
    ("Vm", "StartVms"): {
        FIRST: "6003",
        "pending": "6003",
        "running": "9029",
        "stopping": "6003",
        "shutting-down": "6003",
        "terminated": "6003",
    },
    ("Vm", "StopVms"): {FIRST: "9039", "pending": "6003", "shutting-down": "6003", "terminated": "6003"},
    ("Vm", "RebootVms"): {
        FIRST: "6003",
        "pending": "6003",
        "stopping": "6003",
        "stopped": "6003",
        "shutting-down": "6003",
        "terminated": "6003",
    },
    ("Vm", "DeleteVms"): {},
    ("Vm", "CreateImage"): {FIRST: "9039", "pending": "6006", "shutting-down": "6006", "terminated": "6006"},
    ("Vm", "LinkVolume"): {
        FIRST: "9039",
        "pending": "6006",
        "stopping": "6006",
        "shutting-down": "6006",
        "terminated": "6006",
    },
    ("Vm", "UpdateVm"): {"shutting-down": "6006", "terminated": "6006"},
    ("Vm", "UpdateVm stopped"): {
        FIRST: "6006",
        "pending": "6006",
        "running": "6006",
        "stopping": "6006",
        "shutting-down": "6006",
        "terminated": "6006",
    },
    ("ImageExport", "DeleteExportTask"): {"completed": "6003", "failed": "6003", "cancelled": "6003"},
    ("SnapshotExport", "DeleteExportTask"): {
        "completed": "6003",
        "failed": "6003",
        "cancelled": "6003",
    },
}
