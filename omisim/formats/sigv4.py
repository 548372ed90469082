"""The computation of Signature Version 4.

The OUTSCALE API accepts OSC4-HMAC-SHA256 and AWS4-HMAC-SHA256. Object storage accepts only the latter.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

__all__ = ["DATE", "DIALECTS", "canonical_query", "derive_signing_key", "sign"]

DATE = "%Y%m%dT%H%M%SZ"
# algorithm → the prefix of the secret key, and the end of the scope
DIALECTS = {"OSC4-HMAC-SHA256": ("OSC4", "osc4_request"), "AWS4-HMAC-SHA256": ("AWS4", "aws4_request")}


def sign(secret: str, algorithm: str, at: str, scope: tuple[str, str, str], canonical: bytes) -> str:
    """Return the signature of a canonical request. `scope` is its date, Region and service."""
    word, end = DIALECTS[algorithm]
    text = f"{algorithm}\n{at}\n{'/'.join(scope)}/{end}\n{hashlib.sha256(canonical).hexdigest()}"
    keyed = derive_signing_key(word + secret, *scope, end).copy()
    keyed.update(text.encode())
    return keyed.hexdigest()


@lru_cache(maxsize=256)
def derive_signing_key(secret: str, *scope: str) -> hmac.HMAC:
    """Return a keyed hash for a secret, with its prefix, and a scope. Copy it before an update: it is cached."""
    key = secret.encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, digestmod="sha256")


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Return the canonical query string of object storage: parameters encoded, then sorted."""
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parameters)
    return "&".join(f"{name}={value}" for name, value in encoded)
