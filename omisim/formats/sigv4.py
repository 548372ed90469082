"""The computation of Signature Version 4.

The OUTSCALE API accepts OSC4-HMAC-SHA256 and AWS4-HMAC-SHA256. Object storage accepts only the latter.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

__all__ = [
    "ANSWERED", "DATE", "DIALECTS", "SECONDS", "WINDOW", "canonical_path", "canonical_query",
    "find_access_key", "find_scope_problem", "find_signed_headers_problem", "parse_stamp", "sign",
]  # fmt: skip

DATE = "%Y%m%dT%H%M%SZ"
# algorithm → the prefix of the secret key, and the end of the scope
DIALECTS = {"OSC4-HMAC-SHA256": ("OSC4", "osc4_request"), "AWS4-HMAC-SHA256": ("AWS4", "aws4_request")}
WINDOW = dt.timedelta(minutes=15)  # between the date of a signature and a clock
SECONDS = re.compile(r"[0-9]{1,6}")  # the validity of a pre-signed URL
ANSWERED = {"expect": "100-continue"}  # a header that the server answers itself, and no door sees: its only value

_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_DAY = re.compile(r"[0-9]{8}")
_WORD = re.compile(r"[a-z0-9-]+")
_CREDENTIAL = re.compile(r"(?>.*?Credential=)([^/,\s]+)/", re.DOTALL)  # only the first one counts: linear time


def find_access_key(text: str) -> str | None:
    """Return the access key that an Authorization header or a query string names, without verifying it, or None."""
    match = _CREDENTIAL.match(text)
    return match[1] if match else None


def parse_stamp(text: str) -> dt.datetime | None:
    """Return the time of a signature's date, for example 20260101T000000Z, or None if it is not valid."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError:  # the 31st of February
        return None


@lru_cache(maxsize=256)
def find_scope_problem(scope: tuple[str, str, str], date: str) -> str:
    """Return what is wrong with the scope (day, Region, service) of a signature with this date, or "".

    Any well-formed Region and service will do: clients send `127`, `0`, `oapi` and Regions that they never reach.
    """
    day, region, service = scope
    if not _DAY.fullmatch(day):
        return f"the date of the scope must have 8 digits, not {day!r}"
    if parse_stamp(date) is not None and not date.startswith(day):
        return f"the date of the scope must be that of the request, {date[:8]}, not {day}"
    for name, word in (("Region", region), ("service", service)):
        if not _WORD.fullmatch(word):
            return f"the {name} of the scope must consist of a-z, 0-9 and -, not {word!r}"
    return ""


@lru_cache(maxsize=256)
def find_signed_headers_problem(names: str) -> str:
    """Return what is wrong with a list of signed headers, or "": sorted lower-case names, each once, with host."""
    header_names = names.split(";")
    if "host" not in header_names:
        return "SignedHeaders must contain host"
    if header_names != sorted(set(header_names)) or names != names.lower():
        return f"SignedHeaders must be sorted, unique and in lower case, not {names[:200]}"
    return ""


@lru_cache(maxsize=64)  # a client in this process signs what the door verifies
def sign(secret: str, algorithm: str, at: str, scope: tuple[str, str, str], canonical: bytes) -> str:
    """Return the signature of a canonical request. `scope` is its date, Region and service."""
    word, end = DIALECTS[algorithm]
    text = f"{algorithm}\n{at}\n{'/'.join(scope)}/{end}\n{hashlib.sha256(canonical).hexdigest()}"
    keyed = _derive_signing_key(word + secret, *scope, end).copy()
    keyed.update(text.encode())
    return keyed.hexdigest()


@lru_cache(maxsize=256)
def _derive_signing_key(secret: str, *scope: str) -> hmac.HMAC:
    """Return a keyed hash for a secret, with its prefix, and a scope. Copy it before an update: it is cached."""
    key = secret.encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, digestmod="sha256")


def canonical_path(path: str) -> str:
    """Return the canonical path of object storage: decoded and encoded, since clients differ in what they encode."""
    return quote(unquote_to_bytes(path), safe="/-_.~")


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Return the canonical query string of object storage: parameters encoded, then sorted."""
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parameters)
    return "&".join(f"{name}={value}" for name, value in encoded)
