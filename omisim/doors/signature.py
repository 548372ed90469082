"""Signatures: OSC4-HMAC-SHA256 and AWS4-HMAC-SHA256, as the clients make them (AUTH-001 to AUTH-003).

One algorithm under two names. What varies between real clients and is accepted: the date in X-Osc-Date or X-Amz-Date,
the host signed with or without its port, a doubled slash in the path, any service and any Region in the scope.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from omisim.doors.http import LONGEST_KEPT, HttpRequest
from omisim.formats.sigv4 import DIALECTS, sign
from omisim.spec.rules import refuse

__all__ = ["Signature", "check_date", "parse_signature", "verify_signature"]

WINDOW = dt.timedelta(minutes=15)
_AUTHORIZATION = re.compile(
    r"(?P<algorithm>OSC4-HMAC-SHA256|AWS4-HMAC-SHA256) +"
    r"Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]*)/(?P<service>[^/,\s]*)/(?P<end>\w+)\s*,\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+)\s*,\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})\s*"
)
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_SCHEME = re.compile(r"([A-Za-z][\w.-]*) +\S", re.ASCII)
_PORT = re.compile(r":\d+$")
_SLASHES = re.compile(r"/{2,}")


@dataclass(frozen=True, slots=True, eq=False)  # parsed once: compared and hashed by identity, which is quick
class Signature:
    """What a signed request says of itself."""

    algorithm: str
    access_key: str
    scope: tuple[str, str, str]  # date, Region, service
    headers: str  # the names of the signed headers, with semicolons between
    signature: str
    date: str


def parse_signature(request: HttpRequest) -> Signature:
    """Return the signature of a request; refuse none, a garbled one (AUTH-005), and other methods (AUTH-004/method)."""
    header = request.headers.get("authorization", "")
    at = request.headers.get("x-osc-date") or request.headers.get("x-amz-date") or ""
    signature = _read(header, at)
    if signature is None and (scheme := _SCHEME.match(header)) and scheme[1] not in DIALECTS:
        raise refuse("AUTH-004/method", scheme=scheme[1])
    if signature is None:
        raise refuse("AUTH-005", reason="it is garbled" if header else "there is no Authorization header")
    return signature


@lru_cache(maxsize=64)  # a client that polls sends the same bytes again within the second
def _read(header: str, at: str) -> Signature | None:
    found = _AUTHORIZATION.fullmatch(header)
    if found is None:
        return None
    algorithm, key, date, region, service, end, names, signature = found.groups()
    if end != DIALECTS[algorithm][1]:
        return None
    return Signature(algorithm, key, (date, region, service), names, signature, at)


def check_date(signature: Signature, *clocks: Callable[[], dt.datetime]) -> None:
    """Refuse a date that is not within 15 minutes of any of the clocks (AUTH-007)."""
    at = _moment(signature.date)
    if at is None:
        raise refuse("AUTH-005", reason="X-Osc-Date or X-Amz-Date is missing or garbled")
    for now in clocks:
        if -WINDOW <= at - now() <= WINDOW:
            return
    raise refuse("AUTH-007", date=signature.date)


@lru_cache(maxsize=64)
def _moment(date: str) -> dt.datetime | None:
    """Return the time that a date header stands for, or None."""
    found = _DATE.fullmatch(date)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError:  # the 31st of February
        return None


def verify_signature(request: HttpRequest, signature: Signature, secret_key: str) -> None:
    """Refuse a signature that is not the one of this request under this secret key (AUTH-006)."""
    names = signature.headers
    headers = request.headers
    values = tuple([headers.get(name, "") for name in names.split(";")])
    body = request.body
    payload = _digest(body) if len(body) <= LONGEST_KEPT else _digest.__wrapped__(body)
    given, named = request.path, request.host
    for path in (_SLASHES.sub("/", given), given) if "//" in given else (given,):
        for host in (_PORT.sub("", named), named) if ":" in named else (named,):
            mine = _signature(secret_key, signature, request.method, path, request.query, host, values, payload)
            if hmac.compare_digest(mine, signature.signature) and signature.date.startswith(signature.scope[0]):
                return
    raise refuse("AUTH-006/signature", access_key=signature.access_key)


@lru_cache(maxsize=64)
def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


@lru_cache(maxsize=64)
def _signature(
    secret: str, said: Signature, method: str, path: str, query: str, host: str, values: tuple[str, ...], payload: bytes
) -> str:
    """Return the signature that the secret key gives for a request of these parts; `payload`: the body's SHA-256."""
    names = said.headers.split(";")
    lines = "".join(
        f"{name}:{host if name == 'host' else ' '.join(value.split())}\n"
        for name, value in zip(names, values, strict=True)
    )
    canonical = f"{method}\n{path or '/'}\n{query}\n{lines}\n{said.headers}\n{payload.hex()}".encode()
    return sign(secret, said.algorithm, said.date, said.scope, canonical)
