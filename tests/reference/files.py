"""Exports, which write objects to buckets, and imports, which read them by signed URLs. [domain: 4.2 to 4.6]"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

from reference.call import Call
from reference.world import Row

__all__ = [
    "create_image_export_task",
    "create_snapshot_export_task",
    "delete_export_task",
    "fetch",
    "fetch_manifest",
]

WEEK = 7 * 24 * 3600  # seconds: the maximum validity of the signed URLs of a manifest [IMP-008]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # the start of the model's clock
LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
BUCKET = re.compile(rf"(?!\d+\.\d+\.\d+\.\d+$)(?=.{{3,63}}$){LABEL}(\.{LABEL})*")


def _check_target(call: Call) -> Row:
    """Check the destination of an export. [EXP-001, EXP-002, EXP-007]"""
    target: Row = call["OsuExport"]
    call.check(target["DiskImageFormat"] in ("qcow2", "raw"), "4047")
    call.check(BUCKET.fullmatch(target["OsuBucket"]), "4047")
    return target


def _count_unfinished(call: Call, kind: str, ended: tuple[str, ...] = ("completed", "failed", "cancelled")) -> int:
    return sum(task["State"] not in ended for task in call.world.list_own(kind, call.account))


def create_image_export_task(call: Call) -> Row:
    """Export an OMI of the caller: an object per snapshot, and a manifest. [EXP-001 to EXP-017]"""
    target = _check_target(call)
    image = call.find("Image", call["ImageId"])
    if image:
        call.check(call.is_owner(image), "8017")
        call.check_state("Image", image, "use")
        call.check_quota("image_export_limit", _count_unfinished(call, "ImageExport"), 1, "10008")
    call.raise_if_refused()
    assert image
    export = {key: target[key] for key in ("DiskImageFormat", "OsuBucket")}
    prefix = f"{target['OsuPrefix'].rstrip('/')}/" if target.get("OsuPrefix") else ""
    begin = f"{prefix}{image['ImageId']}/"
    bound = [mapping for mapping in image["BlockDeviceMappings"] if "SnapshotId" in mapping["Bsu"]]
    sizes = {m["DeviceName"]: call.world.rows["Snapshot"][m["Bsu"]["SnapshotId"]]["VolumeSize"] for m in bound}
    manifest = {key: image[key] for key in ("Architecture", "Description", "ProductCodes")}
    manifest["BlockDeviceMappings"] = [
        {**mapping, "Bsu": {**mapping["Bsu"], "VolumeSize": sizes[mapping["DeviceName"]]}} for mapping in bound
    ]
    task = call.world.add(
        "ImageExport",
        call.account,
        ImageId=image["ImageId"],
        OsuExport=export | ({"OsuPrefix": begin} if prefix else {}),
        Progress=0,
        State="pending/queued",
        gib=sum(sizes.values()),
        snapshots=[mapping["Bsu"]["SnapshotId"] for mapping in bound],
        writes={f"{begin}manifest.json": {"manifest": manifest | {"sizes": sizes}}}
        | {f"{begin}{m['Bsu']['SnapshotId']}": {"disk": sizes[m["DeviceName"]]} for m in bound},
    )
    return {"ImageExportTask": call.world.view("ImageExport", call.account, task)}


def create_snapshot_export_task(call: Call) -> Row:
    """Export a snapshot of the caller. [EXP-040 to EXP-049]"""
    target = _check_target(call)
    snapshot = call.find("Snapshot", call["SnapshotId"], own=True)
    call.check_state("Snapshot", snapshot, "use")
    call.check_quota("snapshot_export_limit", _count_unfinished(call, "SnapshotExport"), 1, "10008")
    call.raise_if_refused()
    assert snapshot
    export = {key: target[key] for key in ("DiskImageFormat", "OsuBucket", "OsuPrefix") if key in target}
    task = call.world.add(
        "SnapshotExport",
        call.account,
        OsuExport=export,
        Progress=0,
        SnapshotId=snapshot["SnapshotId"],
        State="pending",
        gib=snapshot["VolumeSize"],
        snapshots=[snapshot["SnapshotId"]],
        writes={f"{target.get('OsuPrefix', '')}{snapshot['SnapshotId']}": {"disk": snapshot["VolumeSize"]}},
    )
    return {"SnapshotExportTask": call.world.view("SnapshotExport", call.account, task)}


def delete_export_task(call: Call) -> Row:
    """Cancel an export. [EXP-030 to EXP-035]"""
    value = call["ExportTaskId"]
    kind = "SnapshotExport" if value.startswith("snap-export-") else "ImageExport"
    task = call.find(kind, value, own=True)
    call.check_state(kind, task, "DeleteExportTask")
    call.raise_if_refused()
    assert task
    call.world.set_state(kind, task, "cancelled")
    return {}


def fetch(call: Call, url: str, missing: str = "4074") -> Row | None:
    """Return the object of a signed URL. [IMP-001, IMP-002, IMP-005]"""
    parts = urlsplit(url)
    call.check(parts.scheme in ("http", "https"), "4075")
    if parts.scheme not in ("http", "https"):
        return None
    signed = {name: values[0] for name, values in parse_qs(parts.query).items()}
    place = re.fullmatch(r"oos\.([a-z0-9-]+)\.outscale\.com", parts.hostname or "")
    if place is None or "X-Amz-Date" not in signed:
        call.check(holds=False, code="4074")
        return None
    signed_at = datetime.strptime(signed["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    now = EPOCH + timedelta(seconds=call.world.seconds)
    call.check(now <= signed_at + timedelta(seconds=int(signed["X-Amz-Expires"])), "4074")
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    matches = [
        content
        for (region, name, full), content in call.world.objects.items()
        if (region, name) == (place[1], bucket) and key.startswith(full)  # keys end in a number and a format
    ]
    if not matches:
        call.check(holds=False, code=missing)
        return None
    return matches[0]


def fetch_manifest(call: Call, url: str) -> Row | None:
    """Return the OMI that a manifest describes. [MAN, IMP-003 to IMP-006]"""
    file = fetch(call, url, missing="5031")
    if file is None:
        return None
    call.check("manifest" in file, "4041")
    return {**file["manifest"], "late": call.world.seconds > file["at"] + WEEK} if "manifest" in file else None
