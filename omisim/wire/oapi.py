"""The OAPI door: an HTTP request in, an HTTP response out, no I/O.

In order (REQ-014): who calls, whether there is such an action and it is served, content type, JSON; then the call.
The Region comes from the host name or from the path; a nameless host means the Region of the access key.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from omisim.actions.registry import ACTIONS
from omisim.catalog import catalog
from omisim.dispatch import action_named
from omisim.errors import ApiError
from omisim.model import AccessKey, Account
from omisim.rules import refuse
from omisim.wire.http import Request, Response
from omisim.wire.signature import check_date, parse, verify

if TYPE_CHECKING:
    from omisim.cloud import Cloud

__all__ = ["claimed", "handle"]

_HOST = re.compile(r"api\.([a-z0-9-]+)\.outscale\.com(?::\d+)?", re.IGNORECASE)
_PATH = re.compile(
    r"/+(?:(?P<region>[a-z]+(?:-[a-z0-9]+)+)/+)?(?:(?:api|oapi)/+(?:v1(?:\.\d+)*|latest)/+)?(?P<action>[^/]*)/*"
)
_CORS = {
    "Access-Control-Allow-Methods": "GET, OPTIONS, POST",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Max-Age": "86400",
}
# of the actions served, those that take a login and password as well as a signature
BASIC_ACTIONS = frozenset({"CreateAccessKey", "DeleteAccessKey", "ReadAccessKeys", "UpdateAccessKey"})
DEFAULT_REGION = "eu-west-2"
LONGEST_KEPT = 4096  # bytes of a body whose JSON is kept for the next request that sends the same


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_JSON_TYPES = ("application/json", "application/x-amz-json-1.1", "application/x-amz-json-1.0")
_HEADERS = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}


def handle(cloud: Cloud, request: Request, host_time: dt.datetime) -> Response:
    """Answer one request. `host_time` is the host's UTC time: a signature's date may go by it (AUTH-007)."""
    if request.method == "OPTIONS":
        return Response(204, headers=_CORS)
    name, region = _route(request.host, request.path)
    account_id: str | None = None
    try:
        if region is not None and region not in catalog().regions:
            raise refuse("REG-007", region=region, known=tuple(catalog().regions))
        known = ACTIONS.get(name)
        if known is not None and known.open:
            with suppress(ApiError):  # nobody has to sign it; whoever does is known (AUTH-011, CAT-002)
                account_id, region = _caller(cloud, request, region, host_time)
        elif name in BASIC_ACTIONS and request.headers.get("authorization", "").startswith("Basic "):
            account_id, region = _login(cloud, request.headers["authorization"], region)
        else:
            account_id, region = _caller(cloud, request, region, host_time)
        action_named(name)
        if request.method != "POST":
            raise refuse("REQ-002", action=f"{request.method} {request.path}")
        given = _parameters(request)
        answer = cloud._perform(name, account_id, region or DEFAULT_REGION, given, wire=True, headers=request.headers)
    except ApiError as error:
        if not error.request_id:
            cloud._note_refused(name, account_id, error, request.headers)
        response = _refusal(error)
        cloud._session.answered(error.request_id, len(response.body))
        return response
    headers = _HEADERS | {"X-Omisim-Warning": "; ".join(answer.warnings)} if answer.warnings else _HEADERS
    body = answer.text().encode()
    cloud._session.answered(answer.request_id, len(body))
    return Response(200, body, headers)


@lru_cache(maxsize=1024)
def _route(host: str, path: str) -> tuple[str, str | None]:
    """Return the action that a request names (a path that names none: as it is), and the Region, or None."""
    in_path = _PATH.fullmatch(path)
    in_host = _HOST.fullmatch(host)
    region = (in_path and in_path["region"]) or (in_host[1].lower() if in_host else None)
    return (in_path["action"] if in_path else path), region


def _caller(cloud: Cloud, request: Request, region: str | None, host_time: dt.datetime) -> tuple[str, str]:
    """Return the account that signed the request, and its Region, or refuse (AUTH-005 to AUTH-008)."""
    mode = cloud._settings.auth
    if mode == "off":
        return _anybody(cloud, request, region)
    signature = parse(request)
    key: AccessKey | None = cloud._state.get("access_key", signature.access_key)
    account = _owner(cloud, key)
    if key is None or account is None or region not in (None, account.region):
        raise refuse("AUTH-006", access_key=signature.access_key)
    if key.state != "ACTIVE" or (key.expiration_date is not None and key.expiration_date <= cloud.now):
        raise refuse("AUTH-008", access_key=signature.access_key)
    if mode == "strict":
        check_date(signature, lambda: host_time, lambda: cloud.now)
        with _counted(cloud, account):
            verify(request, signature, key.secret_key)
    return account.account_id, account.region


@contextmanager
def _counted(cloud: Cloud, account: Account) -> Iterator[None]:
    """Let four failures in a row lock an account (AUTH-009)."""
    lockouts = cloud._session.lockouts
    until = lockouts.until(account.account_id, cloud.now)
    if until is not None:
        raise refuse("AUTH-009", account_id=account.account_id, until=until)
    try:
        yield
    except ApiError:
        lockouts.failed(account.account_id, cloud.now)
        raise
    lockouts.passed(account.account_id)


def _login(cloud: Cloud, header: str, region: str | None) -> tuple[str, str]:
    """Return the account that an e-mail address and its password belong to (AUTH-012)."""
    try:
        login, _, password = base64.b64decode(header.removeprefix("Basic "), validate=True).decode().partition(":")
    except ValueError:
        raise refuse("AUTH-005", reason="it is garbled") from None
    accounts: Iterable[Account] = cloud._state.rows("account").values()
    account = next((a for a in accounts if a.email == login and region in (None, a.region)), None)
    with nullcontext() if account is None else _counted(cloud, account):
        if account is None or account.password != password:
            raise refuse("AUTH-012", login=login)
    return account.account_id, account.region


def _owner(cloud: Cloud, key: AccessKey | None) -> Account | None:
    account: Account | None = cloud._state.get("account", key.account_id) if key else None
    return account


def _anybody(cloud: Cloud, request: Request, region: str | None) -> tuple[str, str]:
    """Return the account of the key where it is known, else the first account of the Region (AUTH-013)."""
    named = claimed(cloud, request)
    owners = (key.account_id for key in cloud._state.rows("access_key").values())
    for account in map(partial(cloud._state.get, "account"), owners) if named is None else (named,):
        if region in (None, account.region):
            return account.account_id, account.region
    raise refuse("AUTH-005", reason="this cloud has no account yet")


def claimed(cloud: Cloud, request: Request) -> Account | None:
    """Return the account whose access key a request names, signed well or not."""
    credential = re.search(r"Credential=([^/,\s]+)/", request.headers.get("authorization", ""))
    return _owner(cloud, cloud._state.get("access_key", credential[1]) if credential else None)


def _parameters(request: Request) -> dict[str, Any]:
    """Return the JSON object of the body; an empty body is an empty object (REQ-001, REQ-003, REQ-004)."""
    body = request.body
    if not body or body.isspace():
        return {}
    content_type = request.headers.get("content-type", "application/json")
    if not content_type.lower().startswith(_JSON_TYPES):
        raise refuse("REQ-003", content_type=content_type)
    return _decoded(body) if len(body) <= LONGEST_KEPT else _decode(body)


def _decode(body: bytes) -> dict[str, Any]:
    try:
        parameters = _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise refuse("REQ-004", reason=str(error)) from None
    if not isinstance(parameters, dict):
        raise refuse("REQ-004", reason="it is JSON, but no object")
    return parameters


_decoded = lru_cache(maxsize=256)(_decode)  # a client that polls sends the same bytes again; nobody may change it


def _refusal(error: ApiError) -> Response:
    body = {
        "Errors": [{"Type": error.type, "Details": error.details, "Code": error.code}],
        "ResponseContext": {"RequestId": error.request_id},
    }
    return Response(error.status, json.dumps(body).encode(), _HEADERS | {"X-Omisim-Rule": error.rule})
