"""Identify the caller of a request by its signature, or by its login and password.

The auth mode `strict` verifies both. `lenient` accepts any existing key or login. `off` accepts every request.
"""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import re
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote

from omisim.actions.framework.registry import ACTIONS
from omisim.base.hosts import DEFAULT_REGION
from omisim.doors.http import HttpRequest
from omisim.doors.signature import Signature, check_date, parse_signature, verify_signature
from omisim.engine.engine import Engine
from omisim.formats.sigv4 import find_access_key
from omisim.model import AccessKey, AccountRow
from omisim.spec.catalog import load_catalog
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse
from omisim.state.access_keys import find_first_account, find_owner

__all__ = ["BASIC_ACTIONS", "find_claimed_account", "find_claimed_key", "identify_caller"]

Parse = Callable[[HttpRequest], Signature]
_VERSION_2_CREDENTIAL = re.compile(rb"(?:^|&)AWSAccessKeyId=([^&]+)")
_FORM_HEAD = 65536  # bytes of a form in which its credential is searched
# the actions that accept a login and password instead of a signature (AUTH-012)
BASIC_ACTIONS = frozenset(
    {
        *("CreateAccessKey", "DeleteAccessKey", "ReadAccessKeys", "UpdateAccessKey"),
        *("CreateApiAccessRule", "DeleteApiAccessRule", "ReadApiAccessRules", "UpdateApiAccessRule"),
        *("CreateCa", "DeleteCa", "ReadCas", "UpdateCa"),
        *("ReadApiAccessPolicy", "UpdateApiAccessPolicy"),
    }
)


def identify_caller(
    engine: Engine,
    request: HttpRequest,
    action: str,
    region: str | None,
    host_time: dt.datetime,
    parse: Parse = parse_signature,
) -> tuple[str | None, str]:
    """Return the account id of a request's caller and its Region, or refuse the request.

    `region` is the Region that the request names, or None; an unknown one is refused (REG-007). `parse` returns the
    signature of the request. Without valid credentials, an action that is open to everybody is not refused and counts
    no failed attempt: the account id is None.
    """
    if region is not None and region not in load_catalog().regions:
        raise refuse("REG-007", region=region, known=tuple(load_catalog().regions))
    registered = ACTIONS.get(action)
    if registered is None or not registered.open:
        return _authenticate(engine, request, action, region, host_time, parse)
    try:
        return _authenticate(engine, request, action, region, host_time, parse, count_failures=False)
    except ApiError:
        return None, region or DEFAULT_REGION


def _authenticate(
    engine: Engine,
    request: HttpRequest,
    action: str,
    region: str | None,
    host_time: dt.datetime,
    parse: Parse,
    *,
    count_failures: bool = True,
) -> tuple[str, str]:
    header = request.headers.get("authorization", "")
    if engine.settings.auth == "off":
        return _guess_caller(engine, request, region)
    if not _is_basic(header):
        signature = parse(request)
        return _authenticate_signature(engine, request, signature, region, host_time, count_failures=count_failures)
    if action not in BASIC_ACTIONS:
        raise refuse("AUTH-004")
    return _authenticate_login(engine, header, region)


def _authenticate_signature(
    engine: Engine,
    request: HttpRequest,
    signature: Signature,
    region: str | None,
    host_time: dt.datetime,
    *,
    count_failures: bool,
) -> tuple[str, str]:
    """Return the account that signed a request (AUTH-005 to AUTH-008)."""
    key: AccessKey | None = engine.state.get("access_key", signature.access_key)
    account: AccountRow | None = engine.state.get("account", key.account_id) if key else None
    if key is None or account is None or region not in (None, account.region):
        raise _refuse_key(signature.access_key, account, region)
    if not key.is_valid(engine.clock.now()):
        raise refuse("AUTH-008", access_key=signature.access_key)
    if engine.settings.auth == "strict":
        check_date(signature, lambda: host_time, engine.clock.now)
        verify = partial(verify_signature, request, signature, key.secret_key)
        if count_failures:
            engine.session.attempt(account.account_id, engine.clock, verify)
        else:
            verify()
    return account.account_id, account.region


def _refuse_key(access_key: str, account: AccountRow | None, region: str | None) -> ApiError:
    owner = f"{account.name} in {account.region}" if account else "No account of this cloud"
    return refuse("AUTH-006", access_key=access_key, region=region or "any Region", owner=owner)


def _authenticate_login(engine: Engine, header: str, region: str | None) -> tuple[str, str]:
    """Return the account that an e-mail address and its password belong to (AUTH-012)."""
    login, password = _parse_login(header)
    if not login or not password:
        raise refuse("AUTH-004/login")
    account = _find_account(engine, login, region)
    if account is not None and engine.settings.auth == "lenient":
        return account.account_id, account.region
    if account is None:
        raise _refuse_login(login)
    engine.session.attempt(account.account_id, engine.clock, partial(_check_password, account, password))
    return account.account_id, account.region


def _check_password(account: AccountRow, password: str) -> None:
    if not hmac.compare_digest(account.password.encode(), password.encode(errors="replace")):
        raise _refuse_login(account.email)


def _refuse_login(login: str) -> ApiError:
    return refuse("AUTH-012", login=login)


def _parse_login(header: str) -> tuple[str, str]:
    """Return the login and the password of a Basic Authorization header (AUTH-005)."""
    try:
        login, _, password = base64.b64decode(header[6:].strip(), validate=True).decode().partition(":")
    except ValueError:
        raise refuse("AUTH-005", reason="the Authorization header is malformed") from None
    return login, password


def _find_account(engine: Engine, login: str, region: str | None) -> AccountRow | None:
    accounts: list[AccountRow] = engine.state.find_by("account", "login", login)
    return next((row for row in accounts if row.email == login and region in (None, row.region)), None)


def _guess_caller(engine: Engine, request: HttpRequest, region: str | None) -> tuple[str, str]:
    """Return the account of the claimed key or login if it exists, else the first of the Region (AUTH-013).

    Refuses a key or a login of another Region (AUTH-006, AUTH-012), and any caller in a Region without accounts.
    """
    claimed = find_claimed_account(engine, request)
    if claimed is not None and region not in (None, claimed.region):
        access_key = find_claimed_key(request)
        raise _refuse_key(access_key, claimed, region) if access_key else _refuse_login(claimed.email)
    if claimed is not None:
        return claimed.account_id, claimed.region
    first = find_first_account(engine.state, region)
    if first is None:
        raise refuse("AUTH-005", reason="this cloud does not have an account in this Region yet")
    return first.account_id, first.region


def find_claimed_account(engine: Engine, request: HttpRequest) -> AccountRow | None:
    """Return the account whose access key or login a request names, without verifying it; None if unknown."""
    header = request.headers.get("authorization", "")
    if _is_basic(header):
        try:
            return _find_account(engine, _parse_login(header)[0], None)
        except ApiError:
            return None
    return find_owner(engine.state, find_claimed_key(request))


def find_claimed_key(request: HttpRequest) -> str | None:
    """Return the access key that a request or a pre-signed URL names, or None.

    A request that is signed with Signature Version 2, which no door verifies, names it in its query string or form.
    """
    header, query = request.headers.get("authorization", ""), request.query
    if header or query:
        access_key = None if _is_basic(header) else find_access_key(header or unquote(query))
        if access_key is not None:
            return access_key
    is_form = request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")
    if not query and not is_form:
        return None
    form = request.body[:_FORM_HEAD] if is_form else b""
    field = _VERSION_2_CREDENTIAL.search(query.encode(errors="replace") + b"&" + form)
    return field[1].decode("latin-1") if field else None


def _is_basic(header: str) -> bool:
    return header[:6].lower() == "basic "
