"""Object storage as the rest of the cloud knows it: places, who may do what there, and pre-signed URLs (domain 4.6).

Buckets and objects are rows of State. The S3 protocol is a door of its own (`oos.py`); exports write and imports read
here, without it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from omisim.base.hosts import endpoint, parse_host
from omisim.formats.sigv4 import DATE, canonical_query, sign
from omisim.model import AccessKey, AccountRow, Bucket, StoredObject
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = [
    "LONGEST", "Place", "StorageError", "find_active_key", "is_allowed", "object_url", "parse_location", "presign",
    "read_url", "store_object",
]  # fmt: skip
__all__ += ["authenticate"]

LONGEST = 604_800  # seconds that a pre-signed URL may be valid: a week (OOS-003)
ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
EVERY_ACCOUNT = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_PATH = re.compile(r"/+oos/+(?P<region>[a-z0-9-]+)(?P<rest>/.*)?", re.DOTALL)  # on a server without host names

# the codes of S3 that the cloud itself answers → HTTP status (OOS-006)
ERRORS: Mapping[str, int] = {
    "AccessDenied": 403,
    "AuthorizationQueryParametersError": 400,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "InvalidAccessKeyId": 403,
    "InvalidBucketName": 400,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "NotImplemented": 501,
    "RequestTimeTooSkewed": 403,
    "SignatureDoesNotMatch": 403,
    "XAmzContentSHA256Mismatch": 400,
}


class StorageError(Exception):
    """A request to object storage was refused: an S3 code, why, and the rule behind it."""

    def __init__(self, code: str, message: str, rule: str = "OOS-006") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.rule = rule
        self.status: int = ERRORS[code]


class Place(NamedTuple):
    """A Region, a bucket of it and a key in that: "" where a request names none."""

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


def parse_location(host: str, path: str) -> Place | None:
    """Return what a request is about, by host name (path or virtual-host style) or by path; None: it is not ours."""
    named = parse_host(host)
    if named is None or named.service != "oos" or not named.region:
        found = _PATH.fullmatch(path)
        return found and _in_path(found["region"], found["rest"] or "/")
    return _in_path(named.region, f"/{named.prefix}{path}" if named.prefix else path)


def _in_path(region: str, path: str) -> Place:
    bucket, _, key = path.removeprefix("/").partition("/")
    return Place(region, unquote(bucket), unquote(key))


def object_url(place: Place) -> str:
    """Return the plain URL of an object."""
    return f"{endpoint('oos', place.region)}/{place.bucket}/{quote(place.key)}"


def presign(place: Place, key: AccessKey, at: dt.datetime, seconds: int = LONGEST) -> str:
    """Return a URL that reads an object, valid from a moment on for so many seconds (OOS-003)."""
    plain = urlsplit(object_url(place))
    date = at.strftime(DATE)
    scope = (date[:8], place.region, "s3")
    query = [
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", "/".join((key.access_key_id, *scope, "aws4_request"))),
        ("X-Amz-Date", date),
        ("X-Amz-Expires", str(seconds)),
        ("X-Amz-SignedHeaders", "host"),
    ]
    asked = canonical_query(query)
    canonical = f"GET\n{plain.path}\n{asked}\nhost:{plain.netloc}\n\nhost\n{UNSIGNED}".encode()
    return f"{object_url(place)}?{asked}&X-Amz-Signature={sign(key.secret_key, ALGORITHM, date, scope, canonical)}"


def read_url(state: State, location: str, now: dt.datetime) -> StoredObject:
    """Return the object that a URL of this cloud stands for. Raises StorageError, as a GET would be answered."""
    parts = urlsplit(location)
    host = parts.netloc.rpartition("@")[2]
    place = parse_location(host, parts.path)
    if place is None:
        raise StorageError("AccessDenied", f"{host} is no host of this cloud's object storage", "IMP-002")
    caller = authenticate(state, "GET", host, place, parts.path, parts.query, {"host": host}, b"", (now,))
    bucket: Bucket | None = state.get("bucket", place.bucket_id)
    if bucket is None:
        raise StorageError("NoSuchBucket", f"there is no bucket {place.bucket} in {place.region}")
    found: StoredObject | None = state.get("object", place.object_id)
    if found is None:
        raise StorageError("NoSuchKey", f"there is no {place.key} in the bucket {place.bucket}")
    if not is_allowed(bucket, found, caller, "READ"):
        raise StorageError("AccessDenied", f"{place.key} is private", "OOS-004")
    return found


def is_allowed(bucket: Bucket, item: Bucket | StoredObject, caller: AccountRow | None, permission: str) -> bool:
    """Whether somebody (None: who signed nothing) has a permission on a bucket or an object (OOS-004)."""
    if caller is not None and caller.account_id in (bucket.account_id, item.account_id):
        return True
    groups = (EVERYBODY, EVERY_ACCOUNT, caller.account_id) if caller else (EVERYBODY,)
    return any(g.grantee in groups and g.permission in (permission, "FULL_CONTROL") for g in item.grants)


def store_object(
    tx: Transaction, place: Place, body: bytes, content_type: str, owner: str, metadata: Mapping[str, str]
) -> StoredObject:
    """Store an object that the platform itself makes, in place of what had its key."""
    found = StoredObject(
        account_id=owner,
        body=body,
        bucket_id=place.bucket_id,
        etag=hashlib.md5(body, usedforsecurity=False).hexdigest(),
        last_modified=tx.at,
        metadata=(("Content-Type", content_type), *sorted(metadata.items())),
        name=place.key,
        object_id=place.object_id,
    )
    tx.write("object", found.object_id, found)
    return found


def find_active_key(state: State, access_key_id: str, region: str, now: dt.datetime) -> AccessKey | None:
    """Return an access key that may sign in this Region now, or None."""
    key: AccessKey | None = state.get("access_key", access_key_id)
    if key is None or key.state != "ACTIVE" or (key.expiration_date is not None and key.expiration_date <= now):
        return None
    account: AccountRow = state.get("account", key.account_id)
    return key if account.region == region else None


def authenticate(
    state: State,
    method: str,
    host: str,
    place: Place,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    clocks: tuple[dt.datetime, ...],
    *,
    strict: bool = True,
) -> AccountRow | None:
    """Return who signed a request, in its headers or in its URL; None: nobody did.

    `headers` by their names in lower case; `clocks`: the cloud's time, by which URLs expire, then others that the date
    of a signed header may go by; `strict`: whether signatures are verified (AUTH-013). Raises StorageError.
    """
    asked = parse_qsl(query, keep_blank_values=True)
    given = dict(asked)
    if "X-Amz-Signature" in given or "X-Amz-Algorithm" in given:
        said = _in_url(place, given, clocks[0])
        asked = [pair for pair in asked if pair[0] != "X-Amz-Signature"]
    elif headers.get("authorization", "").startswith(ALGORITHM):
        said = _in_header(place, headers, body, clocks)
    elif "authorization" in headers or "AWSAccessKeyId" in given:
        raise StorageError("AccessDenied", f"only {ALGORITHM} is supported", "OOS-001")
    else:
        return None
    key = find_active_key(state, said.access_key, place.region, clocks[0])
    if key is None:
        raise StorageError("InvalidAccessKeyId", f"{said.access_key} is no active key of {place.region}", "OOS-005")
    lines = "".join(f"{name}:{' '.join(_header(headers, name, host).split())}\n" for name in said.headers.split(";"))
    parts = (method, path or "/", canonical_query(asked), lines, said.headers, said.payload)
    mine = sign(key.secret_key, ALGORITHM, said.at, said.scope, "\n".join(parts).encode())
    if strict and mine != said.signature:
        raise StorageError("SignatureDoesNotMatch", "the signature is not the one of this request under this key")
    account: AccountRow = state.get("account", key.account_id)
    return account


class _Said(NamedTuple):
    access_key: str
    scope: tuple[str, str, str]
    at: str
    headers: str
    payload: str
    signature: str


def _header(headers: Mapping[str, str], name: str, host: str) -> str:
    return headers.get("host", host) if name == "host" else headers.get(name, "")


def _in_url(place: Place, given: Mapping[str, str], now: dt.datetime) -> _Said:
    """Read the signature of a pre-signed URL, and whether it has expired by the cloud's clock (OOS-003)."""
    access_key, scope = _credential(given.get("X-Amz-Credential", ""), place)
    at, seconds = _moment(given.get("X-Amz-Date", "")), given.get("X-Amz-Expires", "")
    if at is None or not seconds.isdigit() or given.get("X-Amz-Algorithm") != ALGORITHM:
        raise StorageError("AuthorizationQueryParametersError", "X-Amz-Date, -Expires or -Algorithm is wrong")
    if not 0 < int(seconds) <= LONGEST:
        raise StorageError("AuthorizationQueryParametersError", f"a URL is valid for {LONGEST} s at most", "OOS-003")
    if now > at + dt.timedelta(seconds=int(seconds)):
        raise StorageError("AccessDenied", "Request has expired", "OOS-003")
    payload = given.get("X-Amz-Content-Sha256", UNSIGNED)
    signed = given.get("X-Amz-SignedHeaders", "")
    return _Said(access_key, scope, given["X-Amz-Date"], signed, payload, given.get("X-Amz-Signature", ""))


_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +Credential=(?P<credential>[^,\s]+)\s*,\s*SignedHeaders=(?P<headers>[^,\s]+)\s*,\s*"
    r"Signature=(?P<signature>\S+)\s*"
)
_WINDOW = dt.timedelta(minutes=15)


def _in_header(place: Place, headers: Mapping[str, str], body: bytes, clocks: tuple[dt.datetime, ...]) -> _Said:
    found = _AUTHORIZATION.fullmatch(headers["authorization"])
    if found is None:
        raise StorageError("AccessDenied", "the Authorization header is garbled")
    access_key, scope = _credential(found["credential"], place)
    at = _moment(headers.get("x-amz-date", ""))
    if at is None or not any(-_WINDOW <= at - now <= _WINDOW for now in clocks):
        raise StorageError("RequestTimeTooSkewed", "X-Amz-Date is not within 15 minutes of the time")
    payload = headers.get("x-amz-content-sha256", UNSIGNED)
    if re.fullmatch(r"[0-9a-f]{64}", payload) and hashlib.sha256(body).hexdigest() != payload:
        raise StorageError("XAmzContentSHA256Mismatch", "x-amz-content-sha256 is not the one of the body")
    return _Said(access_key, scope, headers["x-amz-date"], found["headers"], payload, found["signature"])


def _credential(text: str, place: Place) -> tuple[str, tuple[str, str, str]]:
    """Read a credential: the key and its scope, which names the Region and s3 (OOS-001)."""
    parts = text.split("/")
    if len(parts) != 5 or parts[3:] != ["s3", "aws4_request"]:  # noqa: PLR2004 - key, date, Region, service, end
        raise StorageError("AuthorizationQueryParametersError", "the credential is garbled", "OOS-001")
    if parts[2] != place.region:
        raise StorageError("AuthorizationQueryParametersError", f"the Region is {place.region}", "OOS-001")
    return parts[0], (parts[1], parts[2], parts[3])


def _moment(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, DATE).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
