"""Buckets, objects and uploads, and the tasks that export to object storage."""

from __future__ import annotations

import datetime as dt
from dataclasses import field
from enum import StrEnum
from typing import ClassVar

from omisim.base.frozen import frozen
from omisim.model.base import Entity, Gib, internal, secret
from omisim.model.disks import Image
from omisim.model.parts import ResourceTag


class ExportState(StrEnum):
    """States of export tasks. An OMI's task starts as pending/queued."""

    QUEUED = "pending/queued"
    PENDING = "pending"
    INITIALIZING = "initializing"
    PREPARING = "preparing"
    UPLOADING = "uploading"
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


ENDED_EXPORT_STATES = (ExportState.COMPLETED, ExportState.CANCELLED, ExportState.FAILED)


@frozen(kw_only=True)
class OsuApiKey:
    """The access key for the upload, if it is not the caller's."""

    api_key_id: str | None = None
    secret_key: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class OsuExportToCreate:
    """The target of an export: a bucket of the Region, a prefix for the keys, and the format `qcow2` or `raw`."""

    disk_image_format: str
    osu_api_key: OsuApiKey | None = None
    osu_bucket: str
    osu_manifest_url: str | None = None
    osu_prefix: str | None = None


@frozen(kw_only=True)
class OsuExportImageExportTask:
    """The target of an OMI's export."""

    disk_image_format: str
    osu_bucket: str
    osu_manifest_url: str | None = None
    osu_prefix: str | None = None


@frozen(kw_only=True)
class OsuExportSnapshotExportTask:
    """The target of a snapshot's export."""

    disk_image_format: str
    osu_bucket: str
    osu_prefix: str | None = None


@frozen(kw_only=True)
class ImageExportTask(Entity):
    """The export of an OMI to object storage."""

    kind: ClassVar[str] = "image_export"
    key: ClassVar[str] = "task_id"
    comment: str
    image_id: str
    osu_export: OsuExportImageExportTask
    progress: int = 0
    state: ExportState
    tags: tuple[ResourceTag, ...] = ()
    task_id: str
    account_id: str = internal("")
    api_key: OsuApiKey | None = secret(None)
    size: Gib = internal(0)  # GiB to upload
    source: Image | None = internal(None)  # the OMI at the time of the request


@frozen(kw_only=True)
class SnapshotExportTask(Entity):
    """The export of a snapshot to object storage."""

    kind: ClassVar[str] = "snapshot_export"
    key: ClassVar[str] = "task_id"
    comment: str
    osu_export: OsuExportSnapshotExportTask
    progress: int = 0
    snapshot_id: str
    state: ExportState
    tags: tuple[ResourceTag, ...] = ()
    task_id: str
    account_id: str = internal("")
    api_key: OsuApiKey | None = secret(None)
    size: Gib = internal(0)  # GiB to upload


@frozen()
class Grant:
    """One permission of an access control list: to an account by id, or to a group by its URI."""

    grantee: str
    permission: str


@frozen(kw_only=True)
class Bucket(Entity):
    """A bucket. Its id is `<Region>/<name>`: names are unique in a Region (OOS-002)."""

    kind: ClassVar[str] = "bucket"
    key: ClassVar[str] = "bucket_id"
    account_id: str
    bucket_id: str
    creation_date: dt.datetime
    grants: tuple[Grant, ...] = ()
    name: str
    region: str


@frozen(kw_only=True)
class StoredObject(Entity):
    """An object of a bucket. Its id is `<Region>/<bucket>/<key>`."""

    kind: ClassVar[str] = "object"
    key: ClassVar[str] = "object_id"
    account_id: str
    body: bytes = field(repr=False)
    bucket_id: str
    checksum: tuple[str, ...] = ()  # algorithm, value, type, number of parts
    etag: str
    grants: tuple[Grant, ...] = ()
    last_modified: dt.datetime
    metadata: tuple[tuple[str, str], ...] = ()  # headers to answer with it, x-amz-meta-* too
    name: str
    object_id: str


@frozen()
class UploadPart:
    """One part of a multipart upload."""

    number: int
    body: bytes = field(repr=False)
    etag: str


@frozen(kw_only=True)
class Upload(Entity):
    """A multipart upload in progress. Its id is the upload id that the client received."""

    kind: ClassVar[str] = "upload"
    key: ClassVar[str] = "upload_id"
    account_id: str
    bucket_id: str
    grants: tuple[Grant, ...] = ()
    initiated: dt.datetime | None = None  # None in a dump of omisim 0.1
    metadata: tuple[tuple[str, str], ...] = ()
    name: str
    parts: tuple[UploadPart, ...] = ()
    upload_id: str
