"""The accounts of a cloud: find or create them by name, and replace their first access key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from omisim.actions.effects import EFFECTS
from omisim.actions.new_account import open_account
from omisim.base.clock import EPOCH
from omisim.base.frozen import replace
from omisim.base.suggest import check_known, describe_unknown
from omisim.base.texts import check_encodable
from omisim.engine.engine import Engine
from omisim.engine.scheduler import apply_due
from omisim.model import AccessKey, AccountRow
from omisim.spec.catalog import QuotaName, load_catalog
from omisim.state.initial_state import initial_state, iter_users
from omisim.state.settings import Settings
from omisim.state.state import State
from omisim.state.transaction import Transaction

if TYPE_CHECKING:
    from omisim.cloud.account import Account

__all__ = ["find_account", "find_first_key", "find_or_create_account", "has_its_key", "replace_access_key"]

_ACCESS_KEY = re.compile(r"(?:(?![,/])[!-~])+")  # the Authorization header separates by "/" and ","
_SECRET_KEY = re.compile(r"[!-~]+")


def find_account(state: State, name: str) -> AccountRow:
    """Return the account with this name. Raises ValueError, with the known names, if there is none."""
    rows: list[AccountRow] = state.find_by("account", "name", name) if isinstance(name, str) else []
    if not rows:
        names = (row.name for row in iter_users(state))
        raise ValueError(f"{describe_unknown('account', name, names)}; cloud.account(name) creates one")
    return rows[0]


def find_first_key(state: State, row: AccountRow) -> AccessKey | None:
    """Return the oldest access key of an account, or None if all have been deleted."""
    keys: list[AccessKey] = state.find_by("access_key", "account_id", row.account_id)
    return keys[0] if keys else None


def has_its_key(state: State, account: Account) -> bool:
    """Whether the key that an Account signs with exists, with its secret. An Account without a key has it."""
    key: AccessKey | None = state.get("access_key", account.access_key)
    return account.secret_key == (key.secret_key if key else "")


def find_or_create_account(
    engine: Engine,
    name: str,
    region: str | None,
    default_region: str,
    alias: str | None,
    quotas: Mapping[QuotaName, int] | None,
) -> tuple[AccountRow, AccessKey | None]:
    """Return the account with this name, created if there is none, and the key of a new one.

    Raises ValueError for an invalid argument, and for one that differs from the existing account.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"name must be a non-empty str, not {name!r}")
    rows: list[AccountRow] = engine.state.find_by("account", "name", name)
    if not rows:
        region, quotas = default_region if region is None else region, {} if quotas is None else quotas
        _check_new_account(name, region, alias, quotas)
        tx = engine.begin("account")
        if tx.at != EPOCH or not engine.state.equals_fork(initial_state()):
            return open_account(engine.begin("account", apply_due(engine)), name, region, alias, quotas)
        prepared, row, key = _prepare_first_account(tx.settings.seed, name, region, alias, tuple(quotas.items()))
        engine.state.take_from(prepared)
        return row, key
    row = rows[0]
    for parameter, value, existing in (
        ("region", region, row.region),
        ("alias", alias, row.alias),
        ("quotas", quotas, dict(row.quotas)),
    ):
        if value is not None and value != existing:
            raise ValueError(f"account {name!r} already exists with {parameter}={existing!r}, not {value!r}")
    return row, None


@lru_cache(maxsize=16)
def _prepare_first_account(
    seed: str, name: str, region: str, alias: str | None, quotas: tuple[tuple[QuotaName, int], ...]
) -> tuple[State, AccountRow, AccessKey]:
    """Return the initial State with its first account, and the account and its key.

    Most tests begin with the same account, and a new cloud with it takes less than half the time from here.
    """
    state = initial_state().fork()
    tx = Transaction(state, Settings.checked(seed, "eager", "strict", None), EFFECTS, EPOCH, "account")
    return state, *open_account(tx, name, region, alias, dict(quotas))


def _check_new_account(name: str, region: str, alias: str | None, quotas: Mapping[QuotaName, int]) -> None:
    check_encodable("name", name)
    check_known("region", region, load_catalog().regions)
    if alias is not None and not isinstance(alias, str):
        raise ValueError(f"alias must be a str, not {alias!r}")
    check_encodable("alias", alias or "")
    if not isinstance(quotas, Mapping):
        raise ValueError(f"quotas must be a mapping of names to numbers, not {quotas!r}")
    for quota, limit in quotas.items():
        check_known("quota", quota, load_catalog().quotas)
        if type(limit) is not int or limit < 0:
            raise ValueError(f"quota {quota} must be an int of at least 0, not {limit!r}")


def replace_access_key(tx: Transaction, account: Account, access_key: str, secret_key: str) -> AccessKey:
    """Replace the access key that an account signs with, and return the new one.

    A key that the account has already gets the secret. Raises ValueError for a key of another account, and for one that
    no client could sign with.
    """
    if not (isinstance(access_key, str) and _ACCESS_KEY.fullmatch(access_key)):
        raise ValueError(f"access_key must be visible ASCII characters without ',' and '/', not {access_key!r}")
    if not (isinstance(secret_key, str) and _SECRET_KEY.fullmatch(secret_key)):
        raise ValueError("secret_key must be visible ASCII characters")
    existing: AccessKey | None = tx.state.get("access_key", access_key)
    if existing is not None and existing.account_id != account.account_id:
        raise ValueError(f"the access key {access_key} belongs to another account")
    first: AccessKey | None = tx.state.get("access_key", account.access_key)
    owner, at = account.account_id, tx.at
    new = AccessKey(access_key_id="", account_id=owner, creation_date=at, last_modification_date=at)
    key = replace(existing or first or new, access_key_id=access_key, secret_key=secret_key)
    if existing is None:
        tx.add(key)
    else:
        tx.put(key)
    if first is not None and first.access_key_id != access_key:  # every key may have been deleted
        tx.move(first, "delete")
    return key
