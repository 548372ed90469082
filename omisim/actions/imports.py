"""Imports from object storage: a disk image becomes a snapshot, a manifest becomes an OMI."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

from omisim.actions.framework.call import Call
from omisim.actions.new_snapshots import add_snapshot
from omisim.actions.product_types import is_code
from omisim.actions.quotas import check_quotas
from omisim.base.foreign import parse_count, parse_url
from omisim.base.redact import redact_text
from omisim.formats.disk_image import GIB, VIRTUAL_SIZE, BadImage, decode, to_gib
from omisim.formats.manifest import Manifest, ManifestDisk, parse_manifest
from omisim.model import BlockDeviceMappingImage, BsuToCreate, Content, Snapshot, SnapshotState
from omisim.spec.errors import ApiError
from omisim.spec.limits import MAX_SIZE
from omisim.spec.rules import refuse
from omisim.state.buckets import StorageError, parse_object_url
from omisim.state.lineage import get_product_codes
from omisim.state.state import State
from omisim.state.storage_signatures import read_url

__all__ = ["Decoded", "decode_ahead", "find_source", "import_disk", "import_snapshot", "read_manifest", "strip_secrets"]

# a file and its format → its virtual size, content and error
Decoded = Mapping[tuple[bytes, str | None], tuple[int, Content, str]]


def decode_ahead(state: State, now: dt.datetime, lock: AbstractContextManager[object], location: object) -> Decoded:
    """Decode the disk images that an import from a URL will read. The lock is held only to read them from the state.

    A file that cannot be read with a verified signature, or changes until the call, is left to the call itself.
    """
    if not isinstance(location, str):
        return {}
    body = _find_body(state, now, lock, location)
    try:
        disks = parse_manifest(body).disks
    except ApiError:
        files = {(body, _get_form(location.partition("?")[0]))}
    else:
        files = {(_find_body(state, now, lock, disk.url), _get_form(disk.filename)) for disk in disks}
    return {file: _decode(*file) for file in files if file[0]}


def _find_body(state: State, now: dt.datetime, lock: AbstractContextManager[object], location: str) -> bytes:
    """Return the object at a URL, or b"" if the URL cannot be read."""
    try:
        with lock:
            return read_url(state, location, now, "strict").body
    except (StorageError, ValueError):
        return b""


def _get_form(name: str) -> str | None:
    """Return the format that a file name indicates, or None."""
    return "qcow2" if ".qcow2" in name else None


def _decode(body: bytes, form: str | None) -> tuple[int, Content, str]:
    """Return the virtual size in bytes and the content of a disk image, and the reason why it is unusable, or ""."""
    try:
        return *decode(body, form), ""
    except BadImage as error:
        return 0, Content(), str(error)


class _File(NamedTuple):
    body: bytes
    virtual_size: int | None  # bytes, from the metadata of the object


def _fetch(call: Call, location: str) -> _File:
    """Return the file at a URL. Raises StorageError."""
    fetch = call.tx.settings.fetch
    if fetch is not None and parse_object_url(location) is None:
        try:
            body: object = fetch(location)
        except Exception as error:
            raise StorageError("AccessDenied", f"fetch raised {error!r}", "IMP-002") from error
        if not isinstance(body, bytes):
            raise StorageError("AccessDenied", f"fetch returned {type(body).__name__}, not bytes", "IMP-002")
        return _File(body, None)
    stored_object = read_url(call.state, location, call.now, call.tx.settings.auth)
    return _File(stored_object.body, _parse_size(dict(stored_object.metadata).get(VIRTUAL_SIZE, "")))


def _parse_size(text: str) -> int | None:
    try:
        return parse_count(text, 2**63)
    except ValueError:  # any client may store this metadata
        return None


def _check_url(call: Call, location: str) -> None:
    """Refuse a location that is not an http or https URL (IMP-001)."""
    try:
        parse_url(location)
    except ValueError:
        raise refuse("IMP-001", file_location=strip_secrets(location)) from None


def strip_secrets(location: str) -> str:
    """Return a URL without its query, which may contain a signature, and without the password of a login."""
    return redact_text(location.partition("?")[0])


def read_manifest(call: Call, location: str) -> Manifest:
    """Return the manifest at a URL, or refuse it (IMP-001 to IMP-005)."""
    _check_url(call, location)
    try:
        text = _fetch(call, location).body
    except StorageError as error:
        missing = error.code in ("NoSuchKey", "NoSuchBucket")
        facts = {"file_location": strip_secrets(location), "reason": error.message}
        raise refuse("IMP-005" if missing else "IMP-002", **facts) from None
    manifest = parse_manifest(text)
    exported = {code for _, parent in find_source(call, location) for code in get_product_codes(call.state, parent)}
    for code in manifest.product_types:
        is_known_code = code in exported or is_code(call, code, any_owner=True)
        call.check(is_known_code, "IMP-004", reason=f"the product type {code} does not exist")
    return manifest


def import_disk(call: Call, disk: ManifestDisk, image_id: str) -> BlockDeviceMappingImage:
    """Import the snapshot of one device of an OMI. An unusable file fails the snapshot, and so the OMI (IMP-006)."""
    try:
        disk_content = _read_disk(call, _fetch(call, disk.url), disk.url, disk.size, disk.filename)
    except StorageError as error:
        disk_content = Content(), f"{strip_secrets(disk.url)}: {error.code}: {error.message}"
    description = f"Created by CreateImage for {image_id}"
    snapshot = _add_imported_snapshot(call, disk.url, disk.size, description, disk_content, image_id)
    bsu = BsuToCreate(
        delete_on_vm_deletion=disk.delete_on_termination,
        iops=disk.iops,
        snapshot_id=snapshot.snapshot_id,
        volume_size=to_gib(disk.size),
        volume_type=disk.volume_type,
    )
    return BlockDeviceMappingImage(bsu=bsu, device_name=disk.device)


def import_snapshot(call: Call, location: str, size: int, description: str, client_token: str | None) -> Snapshot:
    """Import a snapshot from a disk image in object storage. `size` is in bytes (SNP-010, SNP-012, SNP-013)."""
    _check_url(call, location)
    call.check(0 < size <= MAX_SIZE * GIB, "SNP-012", snapshot_size=size)
    try:
        file = _fetch(call, location)
    except StorageError as error:
        raise refuse("IMP-002", file_location=strip_secrets(location), reason=error.message) from None
    check_quotas(call, {"snapshot_limit": 1, "concurrent_snapshot_limit": 1})
    disk_content = _read_disk(call, file, location, size, parse_url(location).path)
    return _add_imported_snapshot(call, location, size, description, disk_content, None, client_token)


def _add_imported_snapshot(
    call: Call,
    location: str,
    size: int,
    description: str,
    disk_content: tuple[Content, str],
    image_id: str | None,
    client_token: str | None = None,
) -> Snapshot:
    content, import_error = disk_content
    return add_snapshot(
        call, description, client_token, image_id, None if content == Content() else content,
        *find_source(call, location), import_error=import_error, state=SnapshotState.IN_QUEUE,
        volume_size=to_gib(size),
    )  # fmt: skip


def _read_disk(call: Call, file: _File, location: str, size: int, name: str) -> tuple[Content, str]:
    """Return the content of a disk image and "", or an empty content and the reason why it cannot be imported."""
    key = (file.body, _get_form(name))
    image_size, content, problem = call.decoded.get(key) or _decode(*key)
    if problem:
        return Content(), f"{name or strip_secrets(location)}: {problem}"
    virtual = max(image_size, file.virtual_size or 0)
    if virtual > size:
        return Content(), f"{name}: the disk size of {virtual} bytes exceeds the declared {size} bytes"
    return content, ""


def find_source(call: Call, location: str) -> list[tuple[str, str]]:
    """Return the origin of a file in this cloud's object storage as (relation, parent id) pairs, for lineage."""
    place = parse_object_url(location)
    is_known = place is not None and call.state.get("origin", place.object_id) is not None
    return [("imported from", place.object_id)] if place is not None and is_known else []
