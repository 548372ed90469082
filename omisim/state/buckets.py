"""Object storage below its S3 door: locations, permissions and errors.

Buckets and objects are rows of State. Exports write them and imports read them through this module and
`storage_signatures`, without the S3 protocol (`doors/oos`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

from omisim.base.foreign import parse_url
from omisim.base.frozen import replace
from omisim.base.hosts import make_endpoint, parse_host
from omisim.base.texts import encode_text
from omisim.model import AccountRow, Bucket, StoredObject
from omisim.spec.errors import ApiError, ErrorKind
from omisim.spec.rules import get_rule
from omisim.spec.storage_operations import load_storage_errors
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = [
    "Place", "StorageError", "check_key", "get_bucket", "is_allowed", "is_bucket_name", "make_object_url",
    "parse_location", "parse_object_url", "store_object",
]  # fmt: skip

MAX_KEY = 1024  # bytes
EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
EVERY_ACCOUNT = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_BUCKET = re.compile(r"(?!([0-9]+\.){3}[0-9]+$)(?=.{3,63}$)[a-z0-9]+((\.|-+)[a-z0-9]+)*")
_PATH = re.compile(r"/+oos/+(?P<region>[a-z0-9-]+)(?P<rest>/.*)?", re.DOTALL)  # on a server without host names


class StorageError(Exception):
    """A refused request to object storage: its S3 code, message, rule id and HTTP status."""

    def __init__(self, code: str, message: str, rule: str = "OOS-006", status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.rule = rule
        self.status: int = status or load_storage_errors()[code]["status"]

    def to_api_error(self) -> ApiError:
        """Return the same refusal for the call log."""
        rule = replace(get_rule(self.rule), details="{message}")
        return ApiError(rule, {"message": self.message}, ErrorKind(self.code, self.code, "StorageError", self.status))


class Place(NamedTuple):
    """A location in object storage. `bucket` and `key` are "" if a request names none."""

    region: str
    bucket: str
    key: str

    @property
    def bucket_id(self) -> str:
        """The id of the bucket's row."""
        return f"{self.region}/{self.bucket}"

    @property
    def object_id(self) -> str:
        """The id of the object's row."""
        return f"{self.region}/{self.bucket}/{self.key}"


def get_bucket(state: State, place: Place) -> Bucket:
    """Return the bucket of a place. Raises StorageError if it does not exist."""
    bucket: Bucket | None = state.get("bucket", place.bucket_id)
    if bucket is None:
        raise StorageError("NoSuchBucket", f"the bucket {place.bucket} does not exist in {place.region}")
    return bucket


def parse_location(host: str, path: str) -> Place | None:
    """Return the location that a request addresses, by host name (path or virtual-host style) or by path.

    Returns None for a request to another host.
    """
    host_parts = parse_host(host)
    if host_parts is None or host_parts.service != "oos" or not host_parts.region:
        match = _PATH.fullmatch(path)
        return match and _parse_path(match["region"], match["rest"] or "/")
    return _parse_path(host_parts.region, f"/{host_parts.prefix}{path}" if host_parts.prefix else path)


def parse_object_url(url: str) -> Place | None:
    """Return the location that a URL names, or None for a URL of another host. Raises ValueError as `parse_url`."""
    parts = parse_url(url)
    return parse_location(parts.netloc.rpartition("@")[2], parts.path)  # without the name and password of a login


def _parse_path(region: str, path: str) -> Place:
    bucket, _, key = path.removeprefix("/").partition("/")
    return Place(region, unquote(bucket), unquote(key))


def is_bucket_name(name: str) -> bool:
    """Whether a name is valid for a bucket (OOS-002)."""
    return _BUCKET.fullmatch(name) is not None


def check_key(key: str) -> None:
    """Refuse the key of an object that is too long (OOS-008). Raises StorageError."""
    size = len(encode_text(key))
    if size > MAX_KEY:
        raise StorageError("KeyTooLongError", f"a key must have {MAX_KEY} bytes or less, not {size}", "OOS-008")


def make_object_url(place: Place) -> str:
    """Return the plain URL of an object."""
    return f"{make_endpoint('oos', place.region)}/{place.bucket}/{quote(place.key)}"


def is_allowed(bucket: Bucket, item: Bucket | StoredObject, caller: AccountRow | None, permission: str) -> bool:
    """Whether an account (None: an unsigned request) has a permission on a bucket or an object (OOS-004)."""
    if caller is not None and caller.account_id in (bucket.account_id, item.account_id):
        return True
    groups = (EVERYBODY, EVERY_ACCOUNT, caller.account_id) if caller else (EVERYBODY,)
    return any(g.grantee in groups and g.permission in (permission, "FULL_CONTROL") for g in item.grants)


def store_object(
    tx: Transaction, place: Place, body: bytes, content_type: str, owner: str, metadata: Mapping[str, str]
) -> StoredObject:
    """Store an object of the platform. Replaces the object with the same key."""
    stored_object = StoredObject(
        account_id=owner,
        body=body,
        bucket_id=place.bucket_id,
        etag=hashlib.md5(body, usedforsecurity=False).hexdigest(),
        last_modified=tx.at,
        metadata=(("Content-Type", content_type), *sorted(metadata.items())),
        name=place.key,
        object_id=place.object_id,
    )
    tx.write("object", stored_object.object_id, stored_object)
    return stored_object
