"""Signed requests to FCU without a client, and what their answers say."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from omisim import Account
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest, HttpResponse

HOST = "fcu.eu-west-2.outscale.com"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FORM = {"content-type": "application/x-www-form-urlencoded"}


def sign(account: Account, query: str = "", body: str = "", service: str = "ec2", **more: Any) -> HttpRequest:
    """Return a signed request. `more`: `method`, `host`, `headers` (those to send in addition), `at`, `version`."""
    method, host = more.get("method", "POST"), more.get("host", HOST)
    stamp = more.get("at", START).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&") if pair)
    canonical_query = "&".join(map("=".join, pairs))
    digest = hashlib.sha256(body.encode()).hexdigest()
    canonical = f"{method}\n/\n{canonical_query}\n{lines}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{account.region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + account.secret_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    credential = f"Credential={account.access_key}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
    return HttpRequest(method, host, "/", {**FORM, **headers, **more.get("headers", {})}, body.encode(), query)


def send(account: Account, request: HttpRequest) -> HttpResponse:
    """Return the answer of the account's cloud."""
    return FrontDoor(account.cloud.engine).handle("fcu", request, START)


def ask(account: Account, parameters: Mapping[str, Any], **more: Any) -> HttpResponse:
    """Send parameters as a signed form."""
    return send(account, sign(account, body=urlencode(parameters), **more))


def error_of(response: HttpResponse) -> tuple[int, str]:
    """Return the status and the code of a refusal."""
    code = ET.fromstring(response.body).findtext("Errors/Error/Code")
    assert code is not None, response.body
    return response.status, code


def texts_of(response: HttpResponse, name: str) -> list[str | None]:
    """Return the texts of all elements of this name, in any namespace."""
    assert response.status == 200, response.body
    return [element.text for element in ET.fromstring(response.body).iter() if element.tag.rpartition("}")[2] == name]
