"""The configurations that S3 knows for buckets. Those of omisim have none, and say so (OOS-007)."""

from __future__ import annotations

from collections.abc import Mapping

from omisim.doors.http import HttpResponse
from omisim.state.buckets import Place, StorageError

__all__ = ["CONFIGURATIONS", "ONLY_VERSION", "describe_absence"]

ONLY_VERSION = "null"  # the version id of each object in a bucket without versioning
# subresource of a bucket → the operation that reads the configuration
CONFIGURATIONS: Mapping[str, str] = {
    "cors": "GetBucketCors",
    "encryption": "GetBucketEncryption",
    "lifecycle": "GetBucketLifecycleConfiguration",
    "object-lock": "GetObjectLockConfiguration",
    "policy": "GetBucketPolicy",
    "replication": "GetBucketReplication",
    "tagging": "GetBucketTagging",
    "versioning": "GetBucketVersioning",
    "website": "GetBucketWebsite",
}
# operation → the error of S3 for a bucket without such a configuration
_ERRORS: Mapping[str, str] = {
    "GetBucketCors": "NoSuchCORSConfiguration",
    "GetBucketEncryption": "ServerSideEncryptionConfigurationNotFoundError",
    "GetBucketLifecycleConfiguration": "NoSuchLifecycleConfiguration",
    "GetBucketPolicy": "NoSuchBucketPolicy",
    "GetBucketReplication": "ReplicationConfigurationNotFoundError",
    "GetBucketTagging": "NoSuchTagSet",
    "GetBucketWebsite": "NoSuchWebsiteConfiguration",
    "GetObjectLockConfiguration": "ObjectLockConfigurationNotFoundError",
}
_NO_VERSIONING = b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'  # moto has another root


def describe_absence(operation: str, place: Place) -> HttpResponse | None:
    """Return the answer of S3 to GetBucketVersioning of a bucket without versioning; None for another operation.

    Raises StorageError for a request for another configuration.
    """
    if operation in _ERRORS:
        reason = f"the bucket {place.bucket} has none; omisim does not serve the operation that would set one"
        raise StorageError(_ERRORS[operation], reason, "OOS-007")
    if operation != "GetBucketVersioning":
        return None
    return HttpResponse(200, _NO_VERSIONING, {"Content-Type": "application/xml"})
