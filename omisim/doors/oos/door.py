"""The S3 door: authenticate a request, check permissions, let moto answer it, and store the result in State."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import replace
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode
from xml.sax.saxutils import escape, unescape

from omisim.base.foreign import parse_count
from omisim.base.suggest import describe_unknown
from omisim.doors.http import WITHOUT_BODY, HttpRequest, HttpResponse, is_header_value, is_latin_1
from omisim.doors.identity import find_claimed_account, find_claimed_key
from omisim.doors.oos.bodies import read_body
from omisim.doors.oos.checks import check_acl, check_copy, check_owners, check_permission, is_range
from omisim.doors.oos.conditions import resolve_conditions
from omisim.doors.oos.configurations import describe_absence
from omisim.doors.oos.moto_bridge import MotoBridge, StorageRequest
from omisim.doors.oos.operations import Operation, check_headers, find_operation
from omisim.doors.oos.pages import count_results, encode_names, read_limit
from omisim.engine import scheduler
from omisim.engine.calls import call_storage
from omisim.engine.engine import Engine
from omisim.engine.faults import Dropped, Fault, Killed, raise_failure
from omisim.engine.session import CallRecord
from omisim.model import AccountRow
from omisim.model.serialize import api_name
from omisim.spec.catalog import load_catalog
from omisim.spec.errors import ApiError
from omisim.spec.storage_operations import STORAGE_ERRORS, STORAGE_NUMBERS, STORAGE_PAGES, STORAGE_PARAMETERS
from omisim.state.buckets import (
    Place,
    StorageError,
    check_key,
    make_object_url,
    parse_location,
)
from omisim.state.journal_store import StoreError
from omisim.state.storage_signatures import ALGORITHM, authenticate, trust_caller
from omisim.state.transaction import Transaction

__all__ = ["handle"]

_REQUEST_ID = re.compile(rb"<RequestI[dD]>[^<]*</RequestI[dD]>")
_LOCATION = re.compile(rb"<Location>.*?</Location>")
_ERROR = (re.compile(rb"<Code>([^<]*)</Code>"), re.compile(rb"<Message>([^<]*)</Message>"))
_NOT_IN_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")  # in UTF-8
_COPIES = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}  # the names of operations with a source
# moto accepts any key, but only an AWS Region
_MOTO_CREDENTIALS = {"authorization": f"{ALGORITHM} Credential=omisim/20260101/us-east-1/s3/aws4_request"}


class _Task(NamedTuple):
    """A request that is understood: its operation, S3's name of it, where it acts, and for whom."""

    name: str
    operation: Operation
    place: Place
    caller: AccountRow | None
    query: Mapping[str, str]
    source: Place | None = None


def handle(engine: Engine, request: HttpRequest, host_time: dt.datetime) -> HttpResponse:
    """Answer one request to object storage.

    `host_time` is the host's UTC time: the date of a signed header may match it instead of the cloud's clock.
    Raises Dropped when a fault drops the connection.
    """
    request = replace(request, headers=_drop_empty(request.headers))
    try:
        with engine.atomic():
            request_id, outcome = _handle(engine, request, host_time)
            at = engine.clock.now()
    except StoreError as error:
        with engine.lock:
            request_id, at = engine.next_request_id(), engine.clock.now()
        reason = f"the request changed nothing, because it could not be kept: {error}"
        refusal = StorageError("ServiceUnavailable", reason, "THR-004")
        _record(engine, request, request_id, at).record_failure(refusal.to_api_error())
        outcome = _render_error(request, refusal, request_id)
    try:
        response = raise_failure(outcome)
    finally:
        del outcome  # the traceback of a fault holds this frame
    common = {"Date": format_datetime(at, usegmt=True), "x-amz-request-id": request_id}
    body = response.body
    if response.status >= HTTPStatus.BAD_REQUEST:  # an object is never altered
        body = _REQUEST_ID.sub(f"<RequestId>{request_id}</RequestId>".encode(), _clean_xml(body))
    if request.method == "HEAD" or response.status in WITHOUT_BODY:  # moto has one with 304
        return HttpResponse(response.status, b"", {**response.headers, **common})
    return HttpResponse(response.status, body, {"content-length": str(len(body)), **response.headers, **common})


def _drop_empty(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers without those of an empty value, which ask for nothing, except for metadata and grants."""
    return {name: value for name, value in headers.items() if value or name.startswith(("x-amz-meta-", "x-amz-grant-"))}


def _clean_xml(body: bytes) -> bytes:
    """Return XML without the characters that XML 1.0 cannot represent: a key may contain them."""
    return _NOT_IN_XML.sub("\ufffd".encode(), body)


def _handle(
    engine: Engine, request: HttpRequest, host_time: dt.datetime
) -> tuple[str, HttpResponse | Dropped | Killed]:
    """Return the id of a request and, after everything that it changes, its answer or the fault that ends it."""
    request_id = engine.next_request_id()
    record = _record(engine, request, request_id, scheduler.apply_due(engine))
    try:
        task = _parse(engine, request, host_time)
        record.action, record.account = task.name, task.caller.name if task.caller else ""
        record.arguments = _list_parameters(task)
        for place in (task.place, task.source):
            check_key(place.key if place else "")
        outcome = call_storage(engine, record, lambda tx, fault: _answer(tx, request, task, fault))
    except StorageError as error:
        record.record_failure(error.to_api_error())
        return request_id, _render_error(request, error, request_id)
    if isinstance(outcome, ApiError):
        refusal = StorageError(STORAGE_ERRORS[outcome.status], outcome.details, outcome.rule)
        return request_id, _render_error(request, refusal, request_id)
    if isinstance(outcome, HttpResponse):
        record.status = outcome.status
        if outcome.status >= HTTPStatus.BAD_REQUEST:
            record.record_failure(_read_error(outcome).to_api_error())
        if task.name != "GetObject":
            outcome.body = _clean_xml(outcome.body)
        if task.name in STORAGE_PAGES and outcome.status == HTTPStatus.OK:
            record.results = count_results(task.name, outcome)
    return request_id, outcome


def _record(engine: Engine, request: HttpRequest, request_id: str, at: dt.datetime) -> CallRecord:
    """Add a request to the call log by its method and path, until its operation and its caller are known."""
    record = CallRecord(request.method, "", {"path": request.path}, at, request_id, request.headers, api="oos")
    record.serial = engine.session.requests
    engine.session.calls.append(record)
    engine.session.record_sizes(request_id, request.head_size)
    return record


def _read_error(response: HttpResponse) -> StorageError:
    """Return moto's refusal. One of a HEAD request has no body."""
    code, message = (
        unescape(match[1].decode(errors="replace")) if match else HTTPStatus(response.status).phrase
        for match in (pattern.search(response.body) for pattern in _ERROR)
    )
    return StorageError(code, message, status=response.status)


def _parse(engine: Engine, request: HttpRequest, host_time: dt.datetime) -> _Task:
    place = parse_location(request.host, request.path)
    regions = load_catalog().regions
    if place is not None and place.region not in regions:
        raise StorageError("NoSuchBucket", describe_unknown("Region", place.region, regions), "OOS-001")
    if place is None:
        where = f"{request.host}{request.path} is not object storage, which is at oos.<region>.outscale.com"
        raise StorageError("NoSuchBucket", f"{where}, or at /oos/<region> of a server", "OOS-001")
    for name, value in request.headers.items():
        if not is_header_value(value):
            raise StorageError("InvalidArgument", f"{name} must not contain control characters", "OOS-003")
    caller = _identify_caller(engine, request, place, host_time)
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    operation = find_operation(request.method, place, query)
    check_headers(request.headers)
    for name, value in query.items():
        if name.startswith("response-") and not (is_header_value(value) and is_latin_1(value)):
            reason = f"{name} must be in ISO-8859-1, as the value of a header, without control characters"
            raise StorageError("InvalidArgument", reason, "OOS-003")
    source = _parse_copy_source(request, place)
    name = operation.name
    if name == "ListObjects" and query.get("list-type") == "2":
        name = "ListObjectsV2"
    elif source is not None:
        name = _COPIES.get(name, name)
    return _Task(name, operation, place, caller, query, source)


def _list_parameters(task: _Task) -> dict[str, Any]:
    """Return the parameters of a request, by S3's names in snake_case."""
    named = {"bucket": task.place.bucket, "key": task.place.key, **task.query}
    if task.source is not None:
        named["copy-source"] = f"{task.source.bucket}/{task.source.key}"
    given = {STORAGE_PARAMETERS[name]: value for name, value in named.items() if value and name in STORAGE_PARAMETERS}
    return {name: _parse_number(value) if name in STORAGE_NUMBERS else value for name, value in given.items()}


def _parse_number(text: str) -> int | str:
    """Return the number that a text writes, or the text itself, which moto refuses."""
    try:
        return parse_count(text, 2**63)
    except ValueError:
        return text


def _answer(tx: Transaction, request: HttpRequest, task: _Task, fault: Fault | None) -> HttpResponse:
    place, caller = task.place, task.caller and tx.state.get("account", task.caller.account_id)  # a fault may remove it
    upload_id = task.query.get("uploadId", "")
    check_permission(tx.state, task.operation, place, caller, task.source, upload_id)
    check_acl(request)
    check_owners(tx.state, request, place, task.source)
    check_copy(tx.state, request, task.source)
    if (absence := describe_absence(task.name, place)) is not None:
        return absence
    caller_id = caller.account_id if caller else ""
    bridge = MotoBridge(tx, StorageRequest(task.operation.name, place, caller_id, task.source, upload_id))
    parameters = {name: value for name, value in task.query.items() if not name.startswith("X-Amz-")}
    for name in ("max-buckets", "versionId"):  # moto leaves out the other buckets, without a token for the next page
        parameters.pop(name, None)
    is_encoded = task.name.startswith("ListObject") and parameters.get("encoding-type") == "url"
    if is_encoded:  # moto encodes only some of the names
        del parameters["encoding-type"]
    limit, _ = STORAGE_PAGES.get(task.name, ("", ()))
    requested_size = _set_page_size(parameters, limit, fault) if limit else ""
    url = f"https://s3.amazonaws.com/{place.bucket}" + (f"/{quote(place.key)}" if place.key else "")
    url += f"?{urlencode(parameters)}" if parameters else ""
    body, headers = read_body(request, task.operation.name)
    headers |= {**_MOTO_CREDENTIALS, "host": "s3.amazonaws.com"}
    headers.pop("expect", None)
    target = place if task.source is None else task.source
    resolve_conditions(task.name, headers, tx.state.get("object", target.object_id))
    if task.name not in ("GetObject", "HeadObject") or not is_range(headers.get("range", "")):
        headers.pop("range", None)
    if task.operation.name == "CreateBucket":  # the host names the Region
        body = b""
    response = bridge.send(request.method, url, headers, body)
    if is_encoded:
        response.body = encode_names(response.body)
    if task.operation.name == "CompleteMultipartUpload":
        location = f"<Location>{escape(make_object_url(place))}</Location>".encode()
        response.body = _LOCATION.sub(lambda _: location, response.body)
    if limit and parameters[limit] != requested_size:  # a page that the service cuts still names the requested size
        element = api_name(STORAGE_PARAMETERS[limit])
        cut, whole = (f"<{element}>{size}</{element}>".encode() for size in (parameters[limit], requested_size))
        response.body = response.body.replace(cut, whole)
    return response


def _set_page_size(parameters: dict[str, str], limit: str, fault: Fault | None) -> str:
    """Set the parameter `limit` to the size of the page, which a fault may reduce; return the requested size."""
    requested_size = read_limit(parameters, limit)
    page_size = fault.page_size if fault is not None else None
    parameters[limit] = requested_size if page_size is None else str(min(page_size, int(requested_size)))
    return requested_size


def _identify_caller(engine: Engine, request: HttpRequest, place: Place, host_time: dt.datetime) -> AccountRow | None:
    mode = engine.settings.auth
    if mode == "off":
        claimed = find_claimed_account(engine, request)
        return trust_caller(engine.state, place.region, claimed, find_claimed_key(request))
    clocks = (engine.clock.now(), host_time)
    parts = (request.method, request.host, place, request.path, request.query, request.headers, request.body, clocks)
    return authenticate(engine.state, *parts, strict=mode == "strict")


def _parse_copy_source(request: HttpRequest, place: Place) -> Place | None:
    """Return the source object of a copy, or None if the request is not a copy. Raises StorageError."""
    header = request.headers.get("x-amz-copy-source", "")
    if not header:
        return None
    bucket, _, key = unquote(header.partition("?")[0]).removeprefix("/").partition("/")
    if not key:
        raise StorageError("InvalidArgument", f"x-amz-copy-source must be <bucket>/<key>, not {header[:50]!r}")
    return Place(place.region, bucket, key)


def _render_error(request: HttpRequest, error: StorageError, request_id: str) -> HttpResponse:
    fields: Mapping[str, str] = {"Code": error.code, "Message": error.message, "Resource": request.path}
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}<RequestId>{request_id}</RequestId></Error>'
    return HttpResponse(error.status, text.encode(), {"Content-Type": "application/xml", "X-Omisim-Rule": error.rule})
