"""The state of the model: accounts and their resources as plain rows, their visibility, and their transitions."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import count
from typing import Any

from reference.states import FAILED, FIRST, GONE, LASTS, NEXT

__all__ = ["ROOT", "Row", "World"]

Row = dict[str, Any]  # capitalised keys are fields of the API, the others are internal

ROOT = "/dev/sda1"
KINDS = {
    "Image": ("ami", "ImageId", "Images"),
    "Snapshot": ("snap", "SnapshotId", "Snapshots"),
    "Volume": ("vol", "VolumeId", "Volumes"),
    "Vm": ("i", "VmId", "Vms"),
    "ImageExport": ("image-export", "TaskId", "ImageExportTasks"),
    "SnapshotExport": ("snap-export", "TaskId", "SnapshotExportTasks"),
    "VolumeUpdate": ("vol-update", "TaskId", "VolumeUpdateTasks"),
    "Link": ("", "VolumeId", ""),
}
SHARED_BY = {"Image": "PermissionsToLaunch", "Snapshot": "PermissionsToCreateVolume"}


class World:
    """Accounts and rows.

    With the timing `eager`, transients end after each call; with `clock`, at their time; with `manual`, by `step` only.
    """

    def __init__(self, timing: str = "eager") -> None:
        if timing not in ("eager", "clock", "manual"):
            raise ValueError(f"timing must be eager, clock or manual, not {timing!r}")
        self.timing = timing
        self.seconds = 0.0
        self.due: dict[tuple[str, str, str], float] = {}  # kind, id, state → the time at which the state ends
        self.accounts: dict[str, Row] = {}
        self.rows: dict[str, dict[str, Row]] = {kind: {} for kind in KINDS}
        self.buckets: dict[tuple[str, str], str] = {}  # (Region, name) → the account that may write to it
        self.objects: dict[tuple[str, str, str], Row] = {}  # (Region, bucket, key) → content
        self.tokens: dict[tuple[str, str, str], tuple[Row, list[Row]]] = {}
        self.capacity: dict[str, int] = {}
        self.numbers = count(1)

    # rows

    def make_id(self, kind: str) -> str:
        """Return a new id."""
        return f"{KINDS[kind][0]}-{next(self.numbers):08x}"

    def add(self, kind: str, owner: Row, **fields: Any) -> Row:
        """Add a row that belongs to an account, with a new id by default."""
        key = KINDS[kind][1]
        row = {
            key: fields.get(key) or self.make_id(kind),
            "Tags": [],
            **fields,
            "owner": owner["id"],
            "region": owner["region"],
        }
        row[key] = row[key] or self.make_id(kind)
        self.rows[kind][row[key]] = row
        return row

    def drop(self, kind: str, row: Row) -> None:
        """Remove a row."""
        del self.rows[kind][row[KINDS[kind][1]]]

    def list_own(self, kind: str, account: Row) -> list[Row]:
        """Return an account's rows of a kind, in order of creation."""
        return [row for row in self.rows[kind].values() if row["owner"] == account["id"]]

    def list_seen(self, kind: str, account: Row) -> list[Row]:
        """Return the rows of a kind that an account sees, in order of creation. [OMI-080, SNP-021]"""
        return [row for row in self.rows[kind].values() if self.can_see(kind, account, row)]

    def can_see(self, kind: str, account: Row, row: Row) -> bool:
        """Return whether an account sees a row: its own, or one shared with it or with all. [OMI-080, SHR-002]"""
        granted = row.get(SHARED_BY.get(kind, ""), {})
        shared = granted.get("GlobalPermission") or account["id"] in granted.get("AccountIds", ())
        return bool(row["region"] == account["region"] and (row["owner"] == account["id"] or shared))

    def get_alias(self, owner: str) -> str | None:
        """Return the alias of an account, if it has one. [FLD-001]"""
        return next((row["alias"] for row in self.accounts.values() if row["id"] == owner), None)

    def list_links(self, vm: Row) -> list[Row]:
        """Return the links of a VM."""
        return [link for link in self.rows["Link"].values() if link["VmId"] == vm["VmId"]]

    def view(self, kind: str, account: Row, row: Row) -> Row:
        """Return a row as an account reads it."""
        view: Row = {key: value for key, value in row.items() if key[0].isupper() and value is not None}
        if kind == "Volume":
            link = self.rows["Link"].get(row["VolumeId"])
            view["LinkedVolumes"] = [_select_public(link)] if link else []
        if kind == "Vm":
            boots = row["BootMode"] == "uefi" and row["State"] != "terminated"
            view["ActionsOnNextBoot"] = {"SecureBoot": "none"} if boots else {}  # FLD-011
            if row["State"] in ("pending", "running"):
                view["StateReason"] = ""  # FLD-013
            view["BlockDeviceMappings"] = [
                {
                    "DeviceName": link["DeviceName"],
                    "Bsu": {key: link[key] for key in ("DeleteOnVmDeletion", "State", "VolumeId")},
                }
                for link in self.list_links(row)
            ]
        granted = SHARED_BY.get(kind)
        if granted:
            view |= {"AccountId": row["owner"]} | (
                {"AccountAlias": alias} if (alias := self.get_alias(row["owner"])) else {}
            )
            is_public = kind == "Image" and row[granted]["GlobalPermission"]
            if row["owner"] != account["id"] and not is_public:  # a grantee sees only its own id [OMI-085]
                ids = [one for one in row[granted]["AccountIds"] if one == account["id"]]
                view[granted] = {**row[granted], "AccountIds": ids}
        return copy.deepcopy(view)

    # transitions

    def get_next_state(self, kind: str, row: Row) -> str | None:
        """Return the state that follows the state of a row, or None if its state is stable."""
        if kind == "Vm":
            if row["State"] == "stopped" and row.get("restarts"):
                return "pending"
            if row["State"] == "stopped" and row.get("ends"):
                return "shutting-down"
            if row["State"] == "pending" and row.get("stays"):
                return "stopped"  # BootOnCreation was false [ST-VM-2]
        return NEXT.get(kind, {}).get(row["State"])

    def list_moving(self) -> Iterator[tuple[str, Row]]:
        """Yield the rows in a transient state, with their kinds."""
        for kind in NEXT:
            for row in list(self.rows[kind].values()):
                if self.get_next_state(kind, row) is not None:
                    yield kind, row

    def settle(self) -> None:
        """Complete all transients."""
        while moving := list(self.list_moving()):
            for kind, row in moving:
                if row in self.rows[kind].values() and self.get_next_state(kind, row) is not None:
                    self.step(kind, row)

    def advance(self, seconds: float) -> None:
        """Advance the time, and make each transition at its due time."""
        end = self.seconds + seconds
        while (next_one := self.find_next_due()) and next_one[0] <= end:
            self.seconds, kind, row = next_one
            if row["State"] == "terminated":
                self.drop(kind, row)
            else:
                self.step(kind, row)
        self.seconds = end

    def find_next_due(self) -> tuple[float, str, Row] | None:
        """Return the time, kind and row of the next due transition. New transients start now."""
        waiting = [("Vm", vm) for vm in self.rows["Vm"].values() if vm["State"] == "terminated"]
        if self.timing == "clock":
            waiting += self.list_moving()
        rows = {(kind, row[KINDS[kind][1]], row["State"]): (kind, row) for kind, row in waiting}
        self.due = {key: self.due.get(key, self.seconds + self._get_duration(*rows[key])) for key in rows}
        first = min(self.due, key=self.due.__getitem__, default=None)
        return None if first is None else (self.due[first], *rows[first])

    def _get_duration(self, kind: str, row: Row) -> int:
        """Return the duration of a row's state in seconds."""
        fixed, per_gib = LASTS[kind][row["State"]]
        return fixed + per_gib * (row.get("gib") or row.get("VolumeSize") or 0)

    def step(self, kind: str, row: Row) -> None:
        """Move a row to its next state."""
        to = self.get_next_state(kind, row)
        assert to is not None
        if (kind == "Snapshot" and row.get("flaw") and to != GONE) or (
            kind in ("ImageExport", "SnapshotExport") and not self.is_writable(row)
        ):
            to = FAILED[kind][row["State"]]
        self.set_state(kind, row, to)

    def set_state(self, kind: str, row: Row, to: str) -> None:
        """Set the state of a row, with its side effects."""
        if to == GONE:
            self.drop(kind, row)
        else:
            row["State"] = to
        AFTER.get(kind, _do_nothing)(self, row, to)

    def is_writable(self, task: Row) -> bool:
        """Return whether an export can write to its bucket: it exists and belongs to the account. [EXP-008]"""
        return bool(self.buckets.get((task["region"], task["OsuExport"]["OsuBucket"])) == task["owner"])

    def get_state(self, kind: str, row: Row) -> str:
        """Return the state of a row that decides which actions it allows."""
        first = kind == "Vm" and row["State"] == "pending" and not row["ran"]
        return FIRST if first else str(row["State"])

    def is_used(self, snapshot: Row) -> bool:
        """Return whether an OMI of any account maps a snapshot. [SNP-016]"""
        images = self.rows["Image"].values()
        return any(
            mapping["Bsu"].get("SnapshotId") == snapshot["SnapshotId"]
            for image in images
            for mapping in image["BlockDeviceMappings"]
        )


def _select_public(row: Row) -> Row:
    return {key: value for key, value in row.items() if key[0].isupper() and key != "Tags"}


def _do_nothing(world: World, row: Row, to: str) -> None:
    """Do nothing: the kind has no side effects."""


def _after_snapshot(world: World, row: Row, to: str) -> None:
    """An OMI waits for its snapshots: it is available with the last, and failed with any. [ST-OMI-5, ST-OMI-6]"""
    if to == "completed":
        row["Progress"] = 100
    elif to == "pending":
        row["Progress"] = None  # somewhere between 0 and 100
    for image in world.rows["Image"].values():
        ids = [mapping["Bsu"].get("SnapshotId") for mapping in image["BlockDeviceMappings"]]
        if image["State"] == "pending" and row["SnapshotId"] in ids:
            states = {world.rows["Snapshot"][one]["State"] for one in ids if one}
            image["State"] = "failed" if "error" in states else "available" if states == {"completed"} else "pending"


def _after_volume(world: World, row: Row, to: str) -> None:
    """The unfinished update of a volume that has failed or is being deleted fails. [ST-VOL-10]"""
    if to in ("deleting", "error") and row.get("TaskId"):
        world.set_state("VolumeUpdate", world.rows["VolumeUpdate"][row["TaskId"]], "failed")


def _after_link(world: World, row: Row, to: str) -> None:
    """A volume that is no longer linked is available. [ST-VOL-5]"""
    if to == GONE:
        world.rows["Volume"][row["VolumeId"]]["State"] = "available"


def _after_vm(world: World, row: Row, to: str) -> None:
    if to == "pending":
        row["restarts"] = False
    elif to == "shutting-down":
        row["ends"] = False
    elif to == "running":
        row["ran"] = True
    elif to == "stopped":
        row["stays"] = False
    elif to == "terminated":  # its volumes are deleted or unlinked [VM-047, ST-VOL-7, ST-VOL-8]
        for link in world.list_links(row):
            world.drop("Link", link)
            to = "deleting" if link["DeleteOnVmDeletion"] else "available"
            world.set_state("Volume", world.rows["Volume"][link["VolumeId"]], to)


def _after_update(world: World, row: Row, to: str) -> None:
    """A volume changes when its task is completed. [VOL-047, ST-VOL-10]"""
    row["Progress"] = 100 if to == "completed" else None
    volume = world.rows["Volume"].get(row["VolumeId"])
    if volume is not None and to in ("completed", "failed"):
        volume["TaskId"] = None
        if to == "completed":
            volume |= row["target"]


def _after_export(world: World, row: Row, to: str) -> None:
    """A completed export has written its objects. [EXP-013, EXP-045]"""
    row["Progress"] = 100 if to == "completed" else None
    if to == "completed":
        place = (row["region"], row["OsuExport"]["OsuBucket"])
        for name, content in row["writes"].items():
            world.objects[*place, name] = {**content, "at": world.seconds}


AFTER = {
    "Snapshot": _after_snapshot,
    "Volume": _after_volume,
    "Link": _after_link,
    "Vm": _after_vm,
    "VolumeUpdate": _after_update,
    "ImageExport": _after_export,
    "SnapshotExport": _after_export,
}
