"""Who calls: the signature of a request, or its login and password, under the cloud's mode (domain 9.2).

`strict` verifies. `lenient` takes the word of whoever names a key or a login that there is. `off` takes anybody's.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from functools import partial

from omisim.actions.framework.registry import ACTIONS
from omisim.doors.http import HttpRequest
from omisim.doors.signature import check_date, parse_signature, verify_signature
from omisim.engine.engine import Engine
from omisim.model import AccessKey, AccountRow
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse

__all__ = ["BASIC_ACTIONS", "find_claimed_account", "identify_caller"]

# the actions that take a login and password as well as a signature (AUTH-012)
BASIC_ACTIONS = frozenset(
    {
        *("CreateAccessKey", "DeleteAccessKey", "ReadAccessKeys", "UpdateAccessKey"),
        *("CreateApiAccessRule", "DeleteApiAccessRule", "ReadApiAccessRules", "UpdateApiAccessRule"),
        *("CreateCa", "DeleteCa", "ReadCas", "UpdateCa"),
        *("ReadApiAccessPolicy", "UpdateApiAccessPolicy"),
    }
)


def identify_caller(
    engine: Engine, request: HttpRequest, action: str, region: str | None, host_time: dt.datetime
) -> tuple[str | None, str | None]:
    """Return the account that makes a request, and its Region, or refuse. `region`: the one that is called, or None.

    An action that is open to everybody refuses nobody, and counts no failure; who signs it rightly is known.
    """
    known = ACTIONS.get(action)
    if known is None or not known.open:
        return _identified(engine, request, action, region, host_time)
    try:
        return _identified(engine, request, action, region, host_time, counts=False)
    except ApiError:
        return None, region


def _identified(
    engine: Engine,
    request: HttpRequest,
    action: str,
    region: str | None,
    host_time: dt.datetime,
    *,
    counts: bool = True,
) -> tuple[str, str]:
    header = request.headers.get("authorization", "")
    if engine.settings.auth == "off":
        return _anybody(engine, request, region)
    if not _is_basic(header):
        return _signer(engine, request, region, host_time, counts=counts)
    if action not in BASIC_ACTIONS:
        raise refuse("AUTH-004")
    return _logged_in(engine, header, region)


def _signer(
    engine: Engine, request: HttpRequest, region: str | None, host_time: dt.datetime, *, counts: bool
) -> tuple[str, str]:
    """Return the account that signed a request (AUTH-005 to AUTH-008)."""
    signature = parse_signature(request)
    key: AccessKey | None = engine.state.get("access_key", signature.access_key)
    account: AccountRow | None = engine.state.get("account", key.account_id) if key else None
    if key is None or account is None or region not in (None, account.region):
        whose = f"{account.name}'s, in {account.region}" if account else "nobody's"
        raise refuse("AUTH-006", access_key=signature.access_key, region=region or "any Region", whose=whose)
    if key.state != "ACTIVE" or (key.expiration_date is not None and key.expiration_date <= engine.clock.now()):
        raise refuse("AUTH-008", access_key=signature.access_key)
    if engine.settings.auth == "strict":
        check_date(signature, lambda: host_time, engine.clock.now)
        proof = partial(verify_signature, request, signature, key.secret_key)
        if counts:
            engine.session.lockouts.attempt(account.account_id, engine.clock, proof)
        else:
            proof()
    return account.account_id, account.region


def _logged_in(engine: Engine, header: str, region: str | None) -> tuple[str, str]:
    """Return the account that an e-mail address and its password belong to (AUTH-012)."""
    login, password = _login_in(header)
    if not login or not password:
        raise refuse("AUTH-004/login")
    account = _account_of(engine, login, region)
    if account is not None and engine.settings.auth == "lenient":
        return account.account_id, account.region
    if account is None:
        raise _unknown(login)
    engine.session.lockouts.attempt(account.account_id, engine.clock, partial(_check_password, account, password))
    return account.account_id, account.region


def _check_password(account: AccountRow, password: str) -> None:
    if account.password != password:
        raise _unknown(account.email)


def _unknown(login: str) -> ApiError:
    return refuse("AUTH-012", login=login)


def _login_in(header: str) -> tuple[str, str]:
    """Return the login and the password that a header carries."""
    try:
        login, _, password = base64.b64decode(header[6:].strip(), validate=True).decode().partition(":")
    except ValueError:
        raise refuse("AUTH-005", reason="it is garbled") from None
    return login, password


def _account_of(engine: Engine, login: str, region: str | None) -> AccountRow | None:
    accounts: list[AccountRow] = list(engine.state.rows("account").values())
    return next((row for row in accounts if row.email == login and region in (None, row.region)), None)


def _anybody(engine: Engine, request: HttpRequest, region: str | None) -> tuple[str, str]:
    """Return the account of the key or the login where it is known, else the first of the Region (AUTH-013)."""
    named = find_claimed_account(engine, request)
    owners = (key.account_id for key in engine.state.rows("access_key").values())
    for account in map(partial(engine.state.get, "account"), owners) if named is None else (named,):
        if region in (None, account.region):
            return account.account_id, account.region
    raise refuse("AUTH-005", reason="this cloud has no account in this Region yet")


def find_claimed_account(engine: Engine, request: HttpRequest) -> AccountRow | None:
    """Return the account whose access key or login a request names, rightly or not."""
    header = request.headers.get("authorization", "")
    if _is_basic(header):
        try:
            return _account_of(engine, _login_in(header)[0], None)
        except ApiError:
            return None
    credential = re.search(r"Credential=([^/,\s]+)/", header)
    key: AccessKey | None = engine.state.get("access_key", credential[1]) if credential else None
    account: AccountRow | None = engine.state.get("account", key.account_id) if key else None
    return account


def _is_basic(header: str) -> bool:
    return header[:6].lower() == "basic "
