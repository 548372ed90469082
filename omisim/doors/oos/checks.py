"""The checks of a request to object storage before moto answers it: permissions, and what it refers to."""

from __future__ import annotations

import re

from omisim.doors.http import HttpRequest
from omisim.doors.oos.operations import Operation
from omisim.model import AccountRow, Bucket, StoredObject, Upload
from omisim.state.buckets import Place, StorageError, get_bucket, is_allowed, is_bucket_name
from omisim.state.state import State

__all__ = ["check_acl", "check_copy", "check_owners", "check_permission", "is_range"]

_CANNED_ACLS = (
    "private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read",
    "bucket-owner-full-control", "log-delivery-write",
)  # fmt: skip
_PERMISSIONS = ("read", "write", "read-acp", "write-acp", "full-control")
_GRANTEE = r"\s*(?:id|uri)=(?:\"[^\",]+\"|[^\",\s]+)\s*"
_GRANTEES = re.compile(f"{_GRANTEE}(?:,{_GRANTEE})*", re.IGNORECASE)
_RANGE = re.compile(r"bytes=(?:-[0-9]{1,18}|([0-9]{1,18})-([0-9]{1,18})?)")
_COPY_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})")


def check_permission(
    state: State, operation: Operation, place: Place, caller: AccountRow | None, source: Place | None, upload_id: str
) -> None:
    """Refuse a request for a missing bucket or upload, or without permission (OOS-002, OOS-004, OOS-006)."""
    if operation.name in ("ListBuckets", "CreateBucket"):
        if caller is None:
            raise StorageError("AccessDenied", "the request is not signed", "OOS-004")
        if operation.name == "CreateBucket":
            _check_new_bucket(state, place, caller)
        return
    bucket = get_bucket(state, place)
    item: StoredObject | None = state.get("object", place.object_id) if operation.on == "object" else None
    is_owner = caller is not None and caller.account_id == bucket.account_id
    allowed = is_allowed(bucket, item or bucket, caller, operation.permission) if operation.permission else is_owner
    if not allowed and not (operation.on == "object" and item is None and is_allowed(bucket, bucket, caller, "READ")):
        raise StorageError("AccessDenied", f"{operation.name} of {place.bucket} is not allowed", "OOS-004")
    if source is not None:
        _check_copy_source(state, source, caller)
    upload: Upload | None = state.get("upload", upload_id)
    if upload_id and (upload is None or (upload.bucket_id, upload.name) != (place.bucket_id, place.key)):
        raise StorageError("NoSuchUpload", f"upload {upload_id} of {place.key} does not exist", "OOS-006")


def _check_new_bucket(state: State, place: Place, caller: AccountRow) -> None:
    bucket: Bucket | None = state.get("bucket", place.bucket_id)
    if not is_bucket_name(place.bucket):
        raise StorageError("InvalidBucketName", f"{place.bucket} is not a valid bucket name", "OOS-002")
    if bucket is not None and bucket.account_id == caller.account_id:
        raise StorageError("BucketAlreadyOwnedByYou", f"you already own {place.bucket}", "OOS-002")
    if bucket is not None:
        raise StorageError("BucketAlreadyExists", f"another account owns {place.bucket} in {place.region}", "OOS-002")


def _check_copy_source(state: State, source: Place, caller: AccountRow | None) -> None:
    bucket = get_bucket(state, source)
    item: StoredObject | None = state.get("object", source.object_id)
    if not is_allowed(bucket, item or bucket, caller, "READ"):
        raise StorageError("AccessDenied", f"{source.key} is private", "OOS-004")


def check_owners(state: State, request: HttpRequest, place: Place, source: Place | None) -> None:
    """Refuse a request whose bucket does not belong to the account that its client expects."""
    for header, named in (("x-amz-expected-bucket-owner", place), ("x-amz-source-expected-bucket-owner", source)):
        owner = request.headers.get(header)
        if owner is not None and named is not None and owner != get_bucket(state, named).account_id:
            raise StorageError("AccessDenied", f"the bucket {named.bucket} does not belong to {owner}", "OOS-004")


def check_acl(request: HttpRequest) -> None:
    """Refuse an access control list in the headers that names an unknown one, permission or form of a grantee."""
    canned_acl = request.headers.get("x-amz-acl", "private")
    if canned_acl not in _CANNED_ACLS:
        reason = f"x-amz-acl must be one of {', '.join(_CANNED_ACLS)}, not {canned_acl[:50]!r}"
        raise StorageError("InvalidArgument", reason, "OOS-004")
    for name, value in request.headers.items():
        _, is_grant, permission = name.partition("x-amz-grant-")
        if is_grant and permission not in _PERMISSIONS:
            raise StorageError("InvalidArgument", f"{name} does not name a permission", "OOS-004")
        if is_grant and not _GRANTEES.fullmatch(value):
            reason = f"{name} must name its grantees as id=… or uri=…, not {value[:50]!r}"
            raise StorageError("InvalidArgument", reason, "OOS-004")


def check_copy(state: State, request: HttpRequest, source: Place | None) -> None:
    """Refuse to copy a missing object, for which moto's refusal may have no body, or bytes that the source lacks."""
    if source is None:
        return
    item: StoredObject | None = state.get("object", source.object_id)
    if item is None:
        raise StorageError("NoSuchKey", f"there is no {source.key} in the bucket {source.bucket}")
    text = request.headers.get("x-amz-copy-source-range", "")
    if not text:
        return
    match = _COPY_RANGE.fullmatch(text)
    if match is None or not int(match[1]) <= int(match[2]) < len(item.body):
        reason = f"x-amz-copy-source-range must be bytes=first-last within {len(item.body)} bytes, not {text[:50]!r}"
        raise StorageError("InvalidArgument", reason)


def is_range(text: str) -> bool:
    """Whether the value of a Range header is one range of bytes. S3 ignores any other value, which moto cannot read."""
    match = _RANGE.fullmatch(text)
    return match is not None and (match[2] is None or int(match[1]) <= int(match[2]))
