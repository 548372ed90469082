"""The S3 door: one request, from its signature to the rows it leaves behind."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import format_datetime
from urllib.parse import parse_qsl, quote, unquote, urlencode
from xml.sax.saxutils import escape

from omisim.actions.exports import is_bucket_name
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.doors.oos.moto_bridge import MotoBridge, StorageRequest
from omisim.doors.oos.operations import Operation, find_operation
from omisim.engine.engine import Engine
from omisim.model import AccountRow, Bucket, StoredObject, Upload
from omisim.spec.catalog import load_catalog
from omisim.state.buckets import ALGORITHM, Place, StorageError, authenticate, is_allowed, parse_location
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = ["handle"]

_REQUEST_ID = re.compile(rb"<RequestI[dD]>[^<]*</RequestI[dD]>")
_SIGNED_AS = {
    "authorization": f"{ALGORITHM} Credential=omisim/20260101/us-east-1/s3/aws4_request"
}  # a Region of moto's


def handle(engine: Engine, request: HttpRequest, host_time: dt.datetime) -> HttpResponse:
    """Answer one request of object storage. `host_time`: the host's UTC time, by which signed headers may go."""
    with engine.lock:
        request_id = engine.next_request_id()
        try:
            with engine.transaction("oos") as tx:
                before = tx.state.position
                response = _answered(engine, tx, request, host_time)
                if tx.state.position != before:
                    engine.clock.tick()
        except StorageError as error:
            response = _refusal(request, error, request_id)
        dated = {"Date": format_datetime(engine.clock.now(), usegmt=True), "x-amz-request-id": request_id}
    body = _REQUEST_ID.sub(f"<RequestId>{request_id}</RequestId>".encode(), response.body)
    return HttpResponse(response.status, b"" if request.method == "HEAD" else body, {**response.headers, **dated})


def _answered(engine: Engine, tx: Transaction, request: HttpRequest, host_time: dt.datetime) -> HttpResponse:
    place = parse_location(request.host, request.path)
    if place is None or place.region not in load_catalog().regions:
        raise StorageError("NoSuchBucket", f"{request.host} is no host of object storage", "OOS-001")
    caller = _caller(engine, request, place, host_time)
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    asked = find_operation(request.method, place, query)
    source = _source(request, place)
    upload_id = query.get("uploadId", "")
    _check(tx.state, asked, place, caller, source, upload_id)
    rest = {name: value for name, value in query.items() if not name.startswith("X-Amz-")}
    url = f"https://s3.amazonaws.com/{place.bucket}" + (f"/{quote(place.key)}" if place.key else "")
    url += f"?{urlencode(rest)}" if rest else ""
    headers = {**request.headers, **_SIGNED_AS, "host": "s3.amazonaws.com"}
    headers.pop("expect", None)
    body = b"" if asked.name == "CreateBucket" else request.body  # its Region is the host's
    wanted = StorageRequest(asked.name, place, caller.account_id if caller else "", source, upload_id)
    return MotoBridge(tx, wanted).ask(request.method, url, headers, body)


def _caller(engine: Engine, request: HttpRequest, place: Place, host_time: dt.datetime) -> AccountRow | None:
    mode = engine.settings.auth
    clocks = (engine.clock.now(), host_time)
    parts = (request.method, request.host, place, request.path, request.query, request.headers, request.body, clocks)
    try:
        caller = authenticate(engine.state, *parts, strict=mode == "strict")
    except StorageError:
        if mode != "off":
            raise
        caller = None
    if caller is not None or mode != "off":
        return caller
    owners = (engine.state.get("account", key.account_id) for key in engine.state.rows("access_key").values())
    return next((account for account in owners if account.region == place.region), None)


def _source(request: HttpRequest, place: Place) -> Place | None:
    """Return what a copy is made of, or None."""
    named = request.headers.get("x-amz-copy-source", "")
    if not named:
        return None
    bucket, _, key = unquote(named.partition("?")[0]).removeprefix("/").partition("/")
    return Place(place.region, bucket, key)


def _check(
    state: State, asked: Operation, place: Place, caller: AccountRow | None, source: Place | None, upload_id: str
) -> None:
    """Refuse what the caller may not do: there is no such bucket, or it is another's (OOS-002, OOS-004, OOS-006)."""
    bucket: Bucket | None = state.get("bucket", place.bucket_id)
    if asked.name in ("ListBuckets", "CreateBucket"):
        if caller is None:
            raise StorageError("AccessDenied", "nobody signed this", "OOS-004")
        if asked.name == "CreateBucket":
            _check_new(bucket, place, caller)
        return
    if bucket is None:
        raise StorageError("NoSuchBucket", f"there is no bucket {place.bucket} in {place.region}", "OOS-006")
    item: StoredObject | None = state.get("object", place.object_id) if asked.on == "object" else None
    owner = caller is not None and caller.account_id == bucket.account_id
    allowed = is_allowed(bucket, item or bucket, caller, asked.permission) if asked.permission else owner
    if not allowed and not (asked.on == "object" and item is None and is_allowed(bucket, bucket, caller, "READ")):
        raise StorageError("AccessDenied", f"{asked.name} of {place.bucket} is not allowed", "OOS-004")
    if source is not None:
        _check_source(state, source, caller)
    upload: Upload | None = state.get("upload", upload_id)
    if upload_id and (upload is None or (upload.bucket_id, upload.name) != (place.bucket_id, place.key)):
        raise StorageError("NoSuchUpload", f"there is no upload {upload_id} of {place.key}", "OOS-006")


def _check_new(bucket: Bucket | None, place: Place, caller: AccountRow) -> None:
    if not is_bucket_name(place.bucket):
        raise StorageError("InvalidBucketName", f"{place.bucket} is no name for a bucket", "OOS-002")
    if bucket is not None and bucket.account_id == caller.account_id:
        raise StorageError("BucketAlreadyOwnedByYou", f"{place.bucket} is yours already", "OOS-002")
    if bucket is not None:
        raise StorageError("BucketAlreadyExists", f"{place.bucket} is taken in {place.region}", "OOS-002")


def _check_source(state: State, source: Place, caller: AccountRow | None) -> None:
    bucket: Bucket | None = state.get("bucket", source.bucket_id)
    item: StoredObject | None = state.get("object", source.object_id)
    if bucket is None:
        raise StorageError("NoSuchBucket", f"there is no bucket {source.bucket}", "OOS-006")
    if item is not None and not is_allowed(bucket, item, caller, "READ"):
        raise StorageError("AccessDenied", f"{source.key} is private", "OOS-004")


def _refusal(request: HttpRequest, error: StorageError, request_id: str) -> HttpResponse:
    fields: Mapping[str, str] = {"Code": error.code, "Message": error.message, "Resource": request.path}
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}<RequestId>{request_id}</RequestId></Error>'
    return HttpResponse(error.status, text.encode(), {"Content-Type": "application/xml", "X-Omisim-Rule": error.rule})
