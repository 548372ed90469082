"""Signatures: OSC4-HMAC-SHA256 and AWS4-HMAC-SHA256, as the clients make them (AUTH-001 to AUTH-003).

One algorithm under two names. What varies between real clients and is accepted: the date in X-Osc-Date or X-Amz-Date,
the host signed with or without its port, a doubled slash in the path, any service and any Region in the scope.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from omisim.rules import refuse
from omisim.wire.http import Request

__all__ = ["Signature", "check_date", "parse", "verify"]

WINDOW = dt.timedelta(minutes=15)
_DIALECTS = {"OSC4-HMAC-SHA256": ("OSC4", "osc4_request"), "AWS4-HMAC-SHA256": ("AWS4", "aws4_request")}
_AUTHORIZATION = re.compile(
    r"(?P<algorithm>OSC4-HMAC-SHA256|AWS4-HMAC-SHA256) +"
    r"Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]*)/(?P<service>[^/,\s]*)/(?P<end>\w+)\s*,\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+)\s*,\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})\s*"
)
_SLASHES = re.compile(r"/{2,}")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signed request says of itself."""

    algorithm: str
    access_key: str
    scope: tuple[str, str, str]  # date, Region, service
    headers: tuple[str, ...]
    signature: str
    date: str


def parse(request: Request) -> Signature:
    """Return the signature of a request, or refuse one that has none, or a garbled one (AUTH-005)."""
    header = request.headers.get("authorization", "")
    found = _AUTHORIZATION.fullmatch(header.strip())
    date = request.headers.get("x-osc-date") or request.headers.get("x-amz-date") or ""
    if found is None or found["end"] != _DIALECTS[found["algorithm"]][1]:
        raise refuse("AUTH-005", reason="there is no Authorization header" if not header else "it is garbled")
    scope = (found["date"], found["region"], found["service"])
    headers = tuple(found["headers"].split(";"))
    return Signature(found["algorithm"], found["key"], scope, headers, found["signature"], date)


def check_date(signature: Signature, clocks: Iterable[dt.datetime]) -> None:
    """Refuse a date that is not within 15 minutes of any of the clocks (AUTH-007)."""
    try:
        at = dt.datetime.strptime(signature.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        raise refuse("AUTH-005", reason="X-Osc-Date or X-Amz-Date is missing or garbled") from None
    if not any(abs(at - now) <= WINDOW for now in clocks):
        raise refuse("AUTH-007", date=signature.date)


def verify(request: Request, signature: Signature, secret_key: str) -> None:
    """Refuse a signature that is not the one of this request under this secret key (AUTH-006)."""
    word, end = _DIALECTS[signature.algorithm]
    date, region, service = signature.scope
    key = (word + secret_key).encode()
    for part in (date, region, service, end):
        key = hmac.digest(key, part.encode(), "sha256")
    scope = f"{date}/{region}/{service}/{end}"
    payload = hashlib.sha256(request.body).hexdigest()
    for path in dict.fromkeys((request.path, _SLASHES.sub("/", request.path))):
        for host in dict.fromkeys((request.host, request.host.rpartition(":")[0] or request.host)):
            canonical = _canonical(request, signature.headers, path, host, payload)
            text = "\n".join((signature.algorithm, signature.date, scope, hashlib.sha256(canonical).hexdigest()))
            mine = hmac.digest(key, text.encode(), "sha256").hex()
            if hmac.compare_digest(mine, signature.signature) and signature.date.startswith(date):
                return
    raise refuse("AUTH-006/signature", access_key=signature.access_key)


def _canonical(request: Request, names: tuple[str, ...], path: str, host: str, payload: str) -> bytes:
    lines = [request.method, path or "/", request.query]
    for name in names:
        value = host if name == "host" else request.headers.get(name, "")
        lines.append(f"{name}:{' '.join(value.split())}")
    lines += ["", ";".join(names), payload]
    return "\n".join(lines).encode()
