"""The operations, parameters and errors of object storage, by the names of S3."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from omisim.base.data_files import load_toml

__all__ = [
    "STORAGE_ERRORS", "STORAGE_NUMBERS", "STORAGE_OPERATIONS", "STORAGE_PAGES", "STORAGE_PARAMETERS",
    "load_storage_errors",
]  # fmt: skip

# operation → its parameters in the call log, by the names of S3's API in snake_case
STORAGE_OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "AbortMultipartUpload": ("bucket", "key", "upload_id"),
    "CompleteMultipartUpload": ("bucket", "key", "upload_id"),
    "CopyObject": ("bucket", "key", "copy_source"),
    "CreateBucket": ("bucket",),
    "CreateMultipartUpload": ("bucket", "key"),
    "DeleteBucket": ("bucket",),
    "DeleteObject": ("bucket", "key"),
    "DeleteObjects": ("bucket",),
    "GetBucketAcl": ("bucket",),
    "GetBucketCors": ("bucket",),
    "GetBucketEncryption": ("bucket",),
    "GetBucketLifecycleConfiguration": ("bucket",),
    "GetBucketLocation": ("bucket",),
    "GetBucketPolicy": ("bucket",),
    "GetBucketReplication": ("bucket",),
    "GetBucketTagging": ("bucket",),
    "GetBucketVersioning": ("bucket",),
    "GetBucketWebsite": ("bucket",),
    "GetObject": ("bucket", "key", "part_number"),
    "GetObjectAcl": ("bucket", "key"),
    "GetObjectLockConfiguration": ("bucket",),
    "GetObjectTagging": ("bucket", "key"),
    "HeadBucket": ("bucket",),
    "HeadObject": ("bucket", "key", "part_number"),
    "ListBuckets": ("continuation_token", "prefix"),
    "ListMultipartUploads": ("bucket", "delimiter", "key_marker", "prefix"),
    "ListObjectVersions": ("bucket", "delimiter", "key_marker", "max_keys", "prefix"),
    "ListObjects": ("bucket", "delimiter", "marker", "max_keys", "prefix"),
    "ListObjectsV2": ("bucket", "continuation_token", "delimiter", "max_keys", "prefix", "start_after"),
    "ListParts": ("bucket", "key", "max_parts", "part_number_marker", "upload_id"),
    "PutBucketAcl": ("bucket",),
    "PutObject": ("bucket", "key"),
    "PutObjectAcl": ("bucket", "key"),
    "UploadPart": ("bucket", "key", "part_number", "upload_id"),
    "UploadPartCopy": ("bucket", "key", "copy_source", "part_number", "upload_id"),
}

# operation with pages → the query parameter that limits a page, and the XML elements that are its results
STORAGE_PAGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "ListObjects": ("max-keys", ("Contents", "CommonPrefixes")),
    "ListObjectsV2": ("max-keys", ("Contents", "CommonPrefixes")),
    "ListObjectVersions": ("max-keys", ("Version", "CommonPrefixes")),
    "ListParts": ("max-parts", ("Part",)),
}

# query parameter → the name of the parameter in S3's API, in snake_case
STORAGE_PARAMETERS: Mapping[str, str] = {
    "bucket": "bucket",
    "continuation-token": "continuation_token",
    "copy-source": "copy_source",
    "delimiter": "delimiter",
    "key": "key",
    "key-marker": "key_marker",
    "marker": "marker",
    "max-keys": "max_keys",
    "max-parts": "max_parts",
    "part-number-marker": "part_number_marker",
    "partNumber": "part_number",
    "prefix": "prefix",
    "start-after": "start_after",
    "uploadId": "upload_id",
}

# the parameters that are numbers; all others are texts
STORAGE_NUMBERS: Final = ("max_keys", "max_parts", "part_number", "part_number_marker")

# HTTP status of an injected fault → the error that object storage returns for it; it throttles with 503, never with 429
STORAGE_ERRORS: Mapping[int, str] = {429: "SlowDown", 500: "InternalError", 503: "SlowDown"}


@cache
def load_storage_errors() -> Mapping[str, Mapping[str, Any]]:
    """Return the errors of object storage: a row for each S3 code."""
    return load_toml("omisim.spec", "storage_errors.toml")
