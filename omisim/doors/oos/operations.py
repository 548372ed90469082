"""What object storage can be asked for, and which permission each request needs (OOS-004, OOS-007)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from omisim.state.buckets import Place, StorageError

__all__ = ["Operation", "find_operation"]


class Operation(NamedTuple):
    """One operation of S3: its name, what it needs, and on what: the bucket or the object ("" : its owner alone)."""

    name: str
    permission: str = ""
    on: str = "bucket"


# (method, on an object, what its query names) → operation; anything else is answered 501
_OPERATIONS: Mapping[tuple[str, bool, str], Operation] = {
    ("PUT", False, ""): Operation("CreateBucket"),
    ("HEAD", False, ""): Operation("HeadBucket", "READ"),
    ("DELETE", False, ""): Operation("DeleteBucket"),
    ("GET", False, ""): Operation("ListObjects", "READ"),
    ("GET", False, "location"): Operation("GetBucketLocation"),
    ("GET", False, "acl"): Operation("GetBucketAcl", "READ_ACP"),
    ("PUT", False, "acl"): Operation("PutBucketAcl", "WRITE_ACP"),
    ("GET", False, "uploads"): Operation("ListMultipartUploads", "READ"),
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
}
_NAMED = ("acl", "delete", "location", "uploadId", "uploads")
# what only describes the request: how to list, what to answer with, how it is signed
_PLAIN = frozenset(
    {"continuation-token", "delimiter", "encoding-type", "fetch-owner", "key-marker", "list-type", "marker", "max-keys"}
    | {"max-buckets", "max-parts", "max-uploads", "part-number-marker", "partNumber", "prefix", "start-after"}
    | {"upload-id-marker", "x-id"}
)


def find_operation(method: str, place: Place, query: Mapping[str, str]) -> Operation:
    """Return what a request asks for. Raises StorageError for what is not served (501)."""
    named = [name for name in _NAMED if name in query]
    odd = [n for n in query if n not in _PLAIN | {*named} and not n.lower().startswith(("x-amz-", "response-"))]
    if not place.bucket and method == "GET" and not named and not odd:
        return Operation("ListBuckets")
    found = _OPERATIONS.get((method, bool(place.key), named[0] if named else "")) if place.bucket else None
    if found is None or odd or len(named) > 1:
        what = f"{method} {'of an object' if place.key else 'of a bucket'}{''.join(f' ?{n}' for n in (*named, *odd))}"
        raise StorageError("NotImplemented", f"{what} is not served", "OOS-007")
    return found
