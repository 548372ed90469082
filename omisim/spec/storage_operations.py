"""The operations, parameters and errors of object storage, by the names of S3."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from omisim.base.data_files import load_toml

__all__ = ["STORAGE_ERRORS", "STORAGE_OPERATIONS", "STORAGE_PAGES", "STORAGE_PARAMETERS", "load_storage_errors"]

STORAGE_OPERATIONS: frozenset[str] = frozenset(
    {
        "AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateBucket", "CreateMultipartUpload",
        "DeleteBucket", "DeleteObject", "DeleteObjects", "GetBucketAcl", "GetBucketCors", "GetBucketEncryption",
        "GetBucketLifecycleConfiguration", "GetBucketLocation", "GetBucketPolicy", "GetBucketReplication",
        "GetBucketTagging", "GetBucketVersioning", "GetBucketWebsite", "GetObject", "GetObjectAcl",
        "GetObjectLockConfiguration", "GetObjectTagging", "HeadBucket", "HeadObject", "ListBuckets",
        "ListMultipartUploads", "ListObjectVersions", "ListObjects", "ListObjectsV2", "ListParts", "PutBucketAcl",
        "PutObject", "PutObjectAcl", "UploadPart", "UploadPartCopy",
    }
)  # fmt: skip

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

# HTTP status of an injected fault → the error that object storage returns for it; it throttles with 503, never with 429
STORAGE_ERRORS: Mapping[int, str] = {429: "SlowDown", 500: "InternalError", 503: "SlowDown"}


@cache
def load_storage_errors() -> Mapping[str, Mapping[str, Any]]:
    """Return the errors of object storage: a row for each S3 code."""
    return load_toml("omisim.spec", "storage_errors.toml")
