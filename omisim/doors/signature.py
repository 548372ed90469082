"""Parse and verify OSC4-HMAC-SHA256 and AWS4-HMAC-SHA256 signatures (AUTH-001 to AUTH-003).

They are one algorithm under two names. Real clients differ in these points, and every variant is accepted: the date in
X-Osc-Date or X-Amz-Date, the host signed with or without its port, a doubled slash in the path, a query string sorted
or as it is sent, any well-formed service and Region in the scope. What no client sends is refused (AUTH-014).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import parse_qsl

from omisim.base.frozen import frozen
from omisim.base.hosts import is_loopback, make_host_name
from omisim.doors.http import MAX_CACHED, HttpRequest
from omisim.formats.sigv4 import (
    ANSWERED,
    DIALECTS,
    SECONDS,
    WINDOW,
    canonical_query,
    find_scope_problem,
    find_signed_headers_problem,
    parse_stamp,
    sign,
)  # fmt: skip
from omisim.spec.rules import refuse

__all__ = ["Signature", "check_date", "parse_query_signature", "parse_signature", "verify_signature"]

_parse_stamp = lru_cache(maxsize=64)(parse_stamp)  # a polling client repeats the same bytes within a second
CREDENTIAL_PARTS = 5  # key, date, Region, service, end
_AUTHORIZATION = re.compile(
    r"(?P<algorithm>OSC4-HMAC-SHA256|AWS4-HMAC-SHA256) +"
    r"Credential=(?P<key>[^/,\s]+)/(?P<date>[0-9]{8})/(?P<region>[^/,\s]*)/(?P<service>[^/,\s]*)/(?P<end>\w+)\s*,\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+)\s*,\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})\s*"
)
_SCHEME = re.compile(r"([A-Za-z][\w.-]*) +\S", re.ASCII)
_PORT = re.compile(r":[0-9]+$")
_SLASHES = re.compile(r"/{2,}")


@frozen(eq=False)  # parsed results are cached, so comparing by identity is enough, and fast
class Signature:
    """The parsed signature of a request."""

    algorithm: str
    access_key: str
    scope: tuple[str, str, str]  # date, Region, service
    headers: str  # the names of the signed headers, separated by semicolons
    signature: str
    date: str
    seconds: int | None = None  # validity of a pre-signed URL


def parse_signature(request: HttpRequest) -> Signature:
    """Return the signature of a request.

    Refuses a missing or malformed signature (AUTH-005), one of a form that no client sends (AUTH-014), and other
    authentication methods (AUTH-004/method).
    """
    headers = request.headers
    header = headers.get("authorization", "")
    at = headers.get("x-osc-date") or headers.get("x-amz-date") or ""
    signature = _parse(header, at)
    if signature is None and (scheme := _SCHEME.match(header)) and scheme[1] not in DIALECTS:
        raise refuse("AUTH-004/method", scheme=scheme[1])
    if signature is None:
        raise refuse(
            "AUTH-005",
            reason="the Authorization header is malformed" if header else "the Authorization header is missing",
        )
    if headers.get("x-osc-date") and headers.get("x-amz-date"):
        raise refuse("AUTH-014", reason="the request has both X-Osc-Date and X-Amz-Date")
    return _check_form(signature)


def _check_form(signature: Signature) -> Signature:
    """Return the signature, or refuse its scope or its signed headers (AUTH-014)."""
    problem = find_scope_problem(signature.scope, signature.date) or find_signed_headers_problem(signature.headers)
    if problem:
        raise refuse("AUTH-014", reason=problem)
    return signature


@lru_cache(maxsize=64)  # a polling client repeats the same bytes within a second
def _parse(header: str, at: str) -> Signature | None:
    match = _AUTHORIZATION.fullmatch(header)
    if match is None:
        return None
    algorithm, key, date, region, service, end, names, signature = match.groups()
    if end != DIALECTS[algorithm][1]:
        return None
    return Signature(algorithm, key, (date, region, service), names, signature, at)


def parse_query_signature(parameters: Mapping[str, str]) -> Signature:
    """Return the signature in the query string of a pre-signed URL. Refuses a malformed one (AUTH-005)."""
    parts = parameters.get("X-Amz-Credential", "").split("/")
    algorithm, seconds = parameters.get("X-Amz-Algorithm", ""), parameters.get("X-Amz-Expires", "")
    dialect = DIALECTS.get(algorithm)
    if dialect is None or len(parts) != CREDENTIAL_PARTS or parts[-1] != dialect[1] or not SECONDS.fullmatch(seconds):
        raise refuse("AUTH-005", reason="X-Amz-Algorithm, X-Amz-Credential or X-Amz-Expires is malformed")
    key, date, region, service, _ = parts
    names, signature = parameters.get("X-Amz-SignedHeaders", ""), parameters.get("X-Amz-Signature", "")
    at = parameters.get("X-Amz-Date", "")
    return _check_form(Signature(algorithm, key, (date, region, service), names, signature, at, int(seconds)))


def check_date(signature: Signature, *clocks: Callable[[], dt.datetime]) -> None:
    """Refuse a signature dated more than 15 minutes off every clock (AUTH-007), or without a valid date (AUTH-005).

    A pre-signed URL expires by the last of the clocks, and is valid from its date by the latest of them.
    """
    at = _parse_stamp(signature.date)
    if at is None:
        raise refuse("AUTH-005", reason="X-Osc-Date or X-Amz-Date is missing or malformed")
    if signature.seconds is not None:
        if clocks[-1]() - at > dt.timedelta(seconds=signature.seconds):
            raise refuse("FCU-017", date=signature.date, seconds=signature.seconds)
        if at - max(now() for now in clocks) > WINDOW:
            raise refuse("AUTH-007", date=signature.date)
        return
    for now in clocks:
        if -WINDOW <= at - now() <= WINDOW:
            return
    raise refuse("AUTH-007", date=signature.date)


def verify_signature(request: HttpRequest, signature: Signature, secret_key: str) -> None:
    """Refuse a signature that does not match the request and the secret key (AUTH-006)."""
    headers, body, query = request.headers, request.body, request.query
    values = tuple([headers.get(name) or ANSWERED.get(name, "") for name in signature.headers.split(";")])
    is_short = len(body) <= MAX_CACHED and len(query) <= MAX_CACHED
    matches = _matches if is_short else _matches.__wrapped__
    if not matches(secret_key, signature, request.method, request.path, query, request.host, values, body):
        raise refuse("AUTH-006/signature", access_key=signature.access_key)


@lru_cache(maxsize=64)  # a polling client repeats the same bytes within a second
def _matches(
    secret: str,
    signature: Signature,
    method: str,
    path: str,
    query: str,
    host: str,
    values: tuple[str, ...],
    body: bytes,
) -> bool:
    """Whether a signature is that of a request under a secret key; `values` are those of the signed headers."""
    paths = (_SLASHES.sub("/", path), path) if "//" in path else (path,)
    payload, sent = hashlib.sha256(body).hexdigest(), signature.signature.encode(errors="replace")
    for given_path in paths:
        for given_host in _list_hosts(host, signature.scope[1]):
            for given_query in _list_queries(query):
                target = f"{method}\n{given_path or '/'}\n{given_query}"
                expected = _compute_signature(secret, signature, target, given_host, values, payload)
                if hmac.compare_digest(expected, sent):
                    return True
    return False


def _list_hosts(host: str, region: str) -> Iterator[str]:
    """Yield the hosts that a signature may cover: the one sent, with and without its port.

    A local server may stand for the API: osc-sdk-python before 0.39 signs its host name, whatever its endpoint.
    """
    name = _PORT.sub("", host)
    yield name
    if name != host:
        yield host
    if is_loopback(name.strip("[]")):
        yield make_host_name("api", region)


def _list_queries(query: str) -> tuple[str, ...]:
    """Return the query strings that a signature may cover: the canonical one, and the one sent (osc-cli sorts none)."""
    if not query:
        return ("",)
    pairs = parse_qsl(query, keep_blank_values=True)
    return canonical_query(pair for pair in pairs if pair[0] != "X-Amz-Signature"), query


def _compute_signature(
    secret: str, signature: Signature, target: str, host: str, values: tuple[str, ...], payload: str
) -> bytes:
    """Return the signature of a request under a secret key.

    `target` is its method, path and query string; `payload` is the SHA-256 of its body.
    """
    names = signature.headers.split(";")
    lines = "".join(
        [
            f"{name}:{host if name == 'host' else ' '.join(value.split())}\n"
            for name, value in zip(names, values, strict=True)
        ]
    )
    canonical = f"{target}\n{lines}\n{signature.headers}\n{payload}".encode()
    return sign(secret, signature.algorithm, signature.date, signature.scope, canonical).encode()
