"""An independent signer of requests, written from the documentation, to test omisim's verification."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping

from omisim import Account
from omisim.doors.http import HttpRequest


def sign_request(
    account: Account,
    path: str,
    body: bytes = b"{}",
    *,
    host: str = "api.eu-west-2.outscale.com",
    signed_host: str | None = None,
    dialect: str = "OSC",
    at: dt.datetime | None = None,
    region: str = "eu-west-2",
    service: str = "api",
    secret_key: str | None = None,
    names: str = "content-type;host;x-{}-date",
    date_header: str | None = None,
    sent_path: str | None = None,
    more: Mapping[str, str] | None = None,
) -> HttpRequest:
    """Return a signed POST request. `at` defaults to the start of a ManualClock; `names` lists the signed headers.

    `date_header` ("osc" or "amz") overrides the one of the dialect; `sent_path` overrides the signed path.
    """
    word, prefix = (f"{dialect}4", date_header or ("osc" if dialect == "OSC" else "amz"))
    end = f"{dialect.lower()}4_request"
    stamp = (at or dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).strftime("%Y%m%dT%H%M%SZ")
    headers = {"content-type": "application/json", f"x-{prefix}-date": stamp, "accept": "*/*", "host": host}
    headers |= more or {}
    all_headers = headers | {"host": signed_host or host}
    signed_names = sorted(names.format(prefix).split(";"))
    lines = "".join(f"{name}:{all_headers[name]}\n" for name in signed_names)
    canonical = "\n".join(("POST", path, "", lines, ";".join(signed_names), hashlib.sha256(body).hexdigest()))
    scope = f"{stamp[:8]}/{region}/{service}/{end}"
    text = "\n".join((f"{word}-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = (word + (secret_key or account.secret_key)).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"{account.access_key}/{scope}"
    headers["authorization"] = (
        f"{word}-HMAC-SHA256 Credential={credential}, SignedHeaders={';'.join(signed_names)}, Signature={signature}"
    )
    return HttpRequest("POST", host, sent_path or path, headers, body)
