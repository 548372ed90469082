"""Signatures of requests to object storage: in headers, and in pre-signed URLs."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from omisim.base.foreign import parse_url
from omisim.formats.sigv4 import (
    ANSWERED,
    DATE,
    SECONDS,
    WINDOW,
    canonical_path,
    canonical_query,
    find_access_key,
    find_scope_problem,
    find_signed_headers_problem,
    parse_stamp,
    sign,
)
from omisim.model import AccessKey, AccountRow, StoredObject
from omisim.state.access_keys import find_first_account, find_owner
from omisim.state.buckets import Place, StorageError, get_bucket, is_allowed, make_object_url, parse_location
from omisim.state.state import State

__all__ = ["ALGORITHM", "authenticate", "find_active_key", "presign", "read_url", "trust_caller"]

MAX_URL_SECONDS = 604_800  # validity of a pre-signed URL in seconds, at most: one week (OOS-003)
ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_SIGNED_BY_NAME = re.compile("x-amz-(?!(content-sha256|date)$).*", re.DOTALL)  # these two are signed in any case
IMPORT_AHEAD = dt.timedelta(days=5 * 366)  # clients sign by the host's time; a virtual clock may lag


def presign(place: Place, key: AccessKey, at: dt.datetime, seconds: int = MAX_URL_SECONDS) -> str:
    """Return a pre-signed URL that reads an object, valid for `seconds` from `at` (OOS-003)."""
    plain = urlsplit(make_object_url(place))
    date = at.strftime(DATE)
    scope = (date[:8], place.region, "s3")
    query = [
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", "/".join((key.access_key_id, *scope, "aws4_request"))),
        ("X-Amz-Date", date),
        ("X-Amz-Expires", str(seconds)),
        ("X-Amz-SignedHeaders", "host"),
    ]
    query_text = canonical_query(query)
    canonical = f"GET\n{plain.path}\n{query_text}\nhost:{plain.netloc}\n\nhost\n{UNSIGNED}".encode()
    signature = sign(key.secret_key, ALGORITHM, date, scope, canonical)
    return f"{make_object_url(place)}?{query_text}&X-Amz-Signature={signature}"


def read_url(state: State, location: str, now: dt.datetime, auth: str) -> StoredObject:
    """Return the object at a URL of this cloud. Raises StorageError as a GET request would be refused.

    `auth` is how callers are authenticated (AUTH-013).
    """
    parts = parse_url(location)
    host = parts.netloc.rpartition("@")[2]
    place = parse_location(host, parts.path)
    if place is None:
        raise StorageError("AccessDenied", f"{host} is not a host of this cloud's object storage", "IMP-002")
    if auth == "off":
        access_key = find_access_key(unquote(parts.query))
        caller = trust_caller(state, place.region, find_owner(state, access_key), access_key)
    else:
        given = ("GET", host, place, parts.path, parts.query, {"host": host}, b"", (now,))
        caller = authenticate(state, *given, strict=auth == "strict", ahead=IMPORT_AHEAD)
    bucket = get_bucket(state, place)
    stored_object: StoredObject | None = state.get("object", place.object_id)
    if not is_allowed(bucket, stored_object or bucket, caller, "READ"):  # only a reader of the bucket learns its keys
        raise StorageError("AccessDenied", f"{place.key} is private", "OOS-004")
    if stored_object is None:
        raise StorageError("NoSuchKey", f"there is no {place.key} in the bucket {place.bucket}")
    return stored_object


def find_active_key(state: State, access_key_id: str, region: str, now: dt.datetime) -> AccessKey | None:
    """Return an access key that is valid in this Region now, or None."""
    key: AccessKey | None = state.get("access_key", access_key_id)
    if key is None or not key.is_valid(now):
        return None
    account: AccountRow = state.get("account", key.account_id)
    return key if account.region == region else None


def trust_caller(state: State, region: str, claimed: AccountRow | None, access_key: str | None) -> AccountRow | None:
    """Return the account that a request or a URL names by a login or a key, or else the first of the Region (AUTH-013).

    Raises StorageError for an account of another Region.
    """
    if claimed is None:
        return find_first_account(state, region)
    if claimed.region != region:
        raise _refuse_key(access_key or claimed.email, region)
    return claimed


def _refuse_key(access_key: str, region: str) -> StorageError:
    """Return the refusal of a key that is not valid in a Region."""
    return StorageError(
        "InvalidAccessKeyId",
        f"{access_key} is not an active key of {region}; a client that was made before the test's cloud (at import, in "
        "setUpClass, or cached by an earlier test) keeps its old key: make it inside the test",
        "OOS-005",
    )


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
    ahead: dt.timedelta = WINDOW,
) -> AccountRow | None:
    """Return the account that signed a request in its headers or in its URL, or None for an unsigned request.

    Header names are in lower case. `clocks` holds the cloud's time, by which URLs expire, then other times that the
    date of a signed header may match. `strict` is whether signatures are verified (AUTH-013). `ahead` is how far a URL
    may be dated after every clock. Raises StorageError.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    parameters = dict(pairs)
    if "X-Amz-Signature" in parameters or "X-Amz-Algorithm" in parameters:
        if "authorization" in headers:
            reason = "a request with a pre-signed URL must not have the header Authorization"
            raise StorageError("InvalidArgument", reason, "OOS-003")
        signature = _read_url_signature(place, parameters, clocks, ahead)
        pairs = [pair for pair in pairs if pair[0] != "X-Amz-Signature"]
    elif headers.get("authorization", "").startswith(ALGORITHM):
        signature = _read_header_signature(place, headers, body, clocks)
    elif "authorization" in headers or "AWSAccessKeyId" in parameters:
        raise StorageError("AccessDenied", f"only {ALGORITHM} is supported", "OOS-001")
    else:
        return None
    key = find_active_key(state, signature.access_key, place.region, clocks[0])
    if key is None:
        raise _refuse_key(signature.access_key, place.region)
    if strict:
        _verify(signature, key, method, path or "/", canonical_query(pairs), headers, host)
    account: AccountRow = state.get("account", key.account_id)
    return account


class _Signature(NamedTuple):
    access_key: str
    scope: tuple[str, str, str]
    at: str
    headers: str
    payload: str
    signature: str


def _verify(
    signature: _Signature, key: AccessKey, method: str, path: str, query: str, headers: Mapping[str, str], host: str
) -> None:
    """Refuse a signature that is not that of the request, or leaves out headers of S3."""
    names = signature.headers.split(";")
    unsigned = sorted(filter(_SIGNED_BY_NAME.fullmatch, headers.keys() - names))
    if unsigned:
        raise StorageError("AccessDenied", f"headers of the request are not signed: {', '.join(unsigned)}", "OOS-001")
    lines = "".join(f"{name}:{' '.join(_get_header(headers, name, host).split())}\n" for name in names)
    given = signature.signature.encode(errors="replace")
    for target in dict.fromkeys((path, canonical_path(path))):  # curl signs the path as it sends it
        canonical = f"{method}\n{target}\n{query}\n{lines}\n{signature.headers}\n{signature.payload}".encode()
        expected = sign(key.secret_key, ALGORITHM, signature.at, signature.scope, canonical)
        if hmac.compare_digest(expected.encode(), given):
            return
    raise StorageError("SignatureDoesNotMatch", "the signature does not match the request")


def _get_header(headers: Mapping[str, str], name: str, host: str) -> str:
    return headers.get("host", host) if name == "host" else headers.get(name) or ANSWERED.get(name, "")


def _read_url_signature(
    place: Place, parameters: Mapping[str, str], clocks: tuple[dt.datetime, ...], ahead: dt.timedelta
) -> _Signature:
    """Parse the signature of a pre-signed URL, and refuse one that has expired by the cloud's clock (OOS-003)."""
    access_key, scope = _parse_credential(parameters.get("X-Amz-Credential", ""), place)
    at, seconds = parse_stamp(parameters.get("X-Amz-Date", "")), parameters.get("X-Amz-Expires", "")
    if at is None or parameters.get("X-Amz-Algorithm") != ALGORITHM:
        raise StorageError("AuthorizationQueryParametersError", "X-Amz-Date or X-Amz-Algorithm is invalid")
    if not (SECONDS.fullmatch(seconds) and 0 < int(seconds) <= MAX_URL_SECONDS):
        raise StorageError(
            "AuthorizationQueryParametersError",
            f"X-Amz-Expires must be 1 to {MAX_URL_SECONDS}, not {seconds[:20]}",
            "OOS-003",
        )
    if clocks[0] - at > dt.timedelta(seconds=int(seconds)):
        raise StorageError("AccessDenied", "Request has expired", "OOS-003")
    if at - max(clocks) > ahead:
        raise StorageError("AccessDenied", "Request is not valid yet", "OOS-003")
    payload = parameters.get("X-Amz-Content-Sha256", UNSIGNED)
    signed = parameters.get("X-Amz-SignedHeaders", "")
    _check_parts(scope, parameters["X-Amz-Date"], signed)
    return _Signature(
        access_key, scope, parameters["X-Amz-Date"], signed, payload, parameters.get("X-Amz-Signature", "")
    )


_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +Credential=(?P<credential>[^,\s]+)\s*,\s*SignedHeaders=(?P<headers>[^,\s]+)\s*,\s*"
    r"Signature=(?P<signature>\S+)\s*"
)


def _read_header_signature(
    place: Place, headers: Mapping[str, str], body: bytes, clocks: tuple[dt.datetime, ...]
) -> _Signature:
    match = _AUTHORIZATION.fullmatch(headers["authorization"])
    if match is None:
        raise StorageError("AccessDenied", "the Authorization header is malformed")
    if "x-osc-date" in headers:
        raise StorageError("AccessDenied", "the request has the dates X-Osc-Date and X-Amz-Date; it must have one")
    access_key, scope = _parse_credential(match["credential"], place)
    at = parse_stamp(headers.get("x-amz-date", ""))
    if at is None or not any(-WINDOW <= at - now <= WINDOW for now in clocks):
        raise StorageError("RequestTimeTooSkewed", "X-Amz-Date is more than 15 minutes from the current time")
    _check_parts(scope, headers["x-amz-date"], match["headers"])
    digest = hashlib.sha256(body).hexdigest()
    payload = headers.get("x-amz-content-sha256", digest)  # curl sends none, and signs the digest
    if re.fullmatch(r"[0-9a-f]{64}", payload) and payload != digest:
        raise StorageError("XAmzContentSHA256Mismatch", "x-amz-content-sha256 does not match the body")
    return _Signature(access_key, scope, headers["x-amz-date"], match["headers"], payload, match["signature"])


def _check_parts(scope: tuple[str, str, str], date: str, signed_headers: str) -> None:
    """Refuse a scope or a list of signed headers that no client computes (AUTH-014)."""
    problem = find_scope_problem(scope, date) or find_signed_headers_problem(signed_headers)
    if problem:
        raise StorageError("AuthorizationQueryParametersError", problem, "AUTH-014")


def _parse_credential(text: str, place: Place) -> tuple[str, tuple[str, str, str]]:
    """Parse a credential into the key and its scope, which must name the Region and s3 (OOS-001)."""
    parts = text.split("/")
    if len(parts) != 5 or parts[3:] != ["s3", "aws4_request"]:  # noqa: PLR2004 - key, date, Region, service, end
        raise StorageError("AuthorizationQueryParametersError", "the credential is malformed", "OOS-001")
    if parts[2] != place.region:
        raise StorageError(
            "AuthorizationQueryParametersError",
            f"the Region of the credential must be {place.region}, not {parts[2]}",
            "OOS-001",
        )
    return parts[0], (parts[1], parts[2], parts[3])
