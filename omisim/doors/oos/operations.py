"""The S3 operations that are served, and the permission that each needs (OOS-004, OOS-007)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from omisim.doors.oos.configurations import CONFIGURATIONS, ONLY_VERSION
from omisim.state.buckets import Place, StorageError

__all__ = ["Operation", "check_headers", "find_operation"]


class Operation(NamedTuple):
    """One operation of S3: its name, and the permission that it needs on the bucket or on the object.

    The permission "" means that only the owner of the bucket may use the operation.
    """

    name: str
    permission: str = ""
    on: str = "bucket"


# (method, whether on an object, subresource in the query) → operation; anything else is answered 501
_OPERATIONS: Mapping[tuple[str, bool, str], Operation] = {
    ("PUT", False, ""): Operation("CreateBucket"),
    ("HEAD", False, ""): Operation("HeadBucket", "READ"),
    ("DELETE", False, ""): Operation("DeleteBucket"),
    ("GET", False, ""): Operation("ListObjects", "READ"),
    ("GET", False, "location"): Operation("GetBucketLocation"),
    ("GET", False, "acl"): Operation("GetBucketAcl", "READ_ACP"),
    ("PUT", False, "acl"): Operation("PutBucketAcl", "WRITE_ACP"),
    ("GET", False, "uploads"): Operation("ListMultipartUploads", "READ"),
    ("GET", False, "versions"): Operation("ListObjectVersions", "READ"),
    ("POST", False, "delete"): Operation("DeleteObjects", "WRITE"),
    ("PUT", True, ""): Operation("PutObject", "WRITE"),
    ("GET", True, ""): Operation("GetObject", "READ", "object"),
    ("HEAD", True, ""): Operation("HeadObject", "READ", "object"),
    ("DELETE", True, ""): Operation("DeleteObject", "WRITE"),
    ("GET", True, "acl"): Operation("GetObjectAcl", "READ_ACP", "object"),
    ("PUT", True, "acl"): Operation("PutObjectAcl", "WRITE_ACP", "object"),
    ("POST", True, "uploads"): Operation("CreateMultipartUpload", "WRITE"),
    ("PUT", True, "uploadId"): Operation("UploadPart", "WRITE"),
    ("GET", True, "uploadId"): Operation("ListParts", "WRITE"),
    ("POST", True, "uploadId"): Operation("CompleteMultipartUpload", "WRITE"),
    ("DELETE", True, "uploadId"): Operation("AbortMultipartUpload", "WRITE"),
    ("GET", True, "tagging"): Operation("GetObjectTagging", "", "object"),
    **{("GET", False, subresource): Operation(name) for subresource, name in CONFIGURATIONS.items()},
}
_SUBRESOURCES = tuple(dict.fromkeys(subresource for _, _, subresource in _OPERATIONS if subresource))
# query parameters that do not select an operation: paging, response headers, signature
_MODIFIERS = frozenset(
    {"continuation-token", "delimiter", "encoding-type", "fetch-owner", "key-marker", "list-type", "marker", "max-keys"}
    | {"max-buckets", "max-parts", "max-uploads", "part-number-marker", "partNumber", "prefix", "start-after"}
    | {"upload-id-marker", "version-id-marker", "x-id"}
)
# headers that ask for what is not served, except with the value that changes nothing
_NOT_SERVED = re.compile(
    "x-amz-(bucket-object-lock-enabled|object-lock-.*|(copy-source-)?server-side-encryption.*|tagging"
    "|storage-class|website-redirect-location|write-offset-bytes)"
)
_USUAL = {"x-amz-server-side-encryption": "AES256", "x-amz-storage-class": "STANDARD"}


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse a request with a header that would have no effect. Raises StorageError (501, OOS-007)."""
    for name, value in headers.items():
        if _NOT_SERVED.fullmatch(name) and value != _USUAL.get(name):
            raise StorageError("NotImplemented", f"the header {name} is not served", "OOS-007")


def find_operation(method: str, place: Place, query: Mapping[str, str]) -> Operation:
    """Return the operation that a request selects. Raises StorageError (501) if it is not served (OOS-003, OOS-007)."""
    subresources = [name for name in _SUBRESOURCES if name in query]
    known = {*subresources, *(name for name in query if _is_modifier(name))}
    if place.key and method in ("GET", "HEAD", "DELETE") and query.get("versionId") == ONLY_VERSION:
        known.add("versionId")
    unknown = [name for name in query if name not in known]
    if not place.bucket and method == "GET" and not subresources and not unknown:
        return Operation("ListBuckets")
    selector = (method, bool(place.key), subresources[0] if subresources else "")
    operation = _OPERATIONS.get(selector) if place.bucket else None
    if selector == ("POST", False, "") and place.bucket and not unknown:
        raise StorageError("NotImplemented", "forms are not supported: use a pre-signed URL and PUT", "OOS-003")
    if operation is None or unknown or len(subresources) > 1:
        target = "an object" if place.key else "a bucket"
        description = " ".join([f"{method} of {target}", *(f"?{name}" for name in (*subresources, *unknown))])
        raise StorageError("NotImplemented", f"{description} is not served", "OOS-007")
    return operation


def _is_modifier(name: str) -> bool:
    return name in _MODIFIERS or name.lower().startswith(("x-amz-", "response-"))
