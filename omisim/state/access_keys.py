"""The owners of access keys."""

from __future__ import annotations

from omisim.model import AccessKey, AccountRow
from omisim.state.state import State

__all__ = ["find_first_account", "find_owner"]


def find_owner(state: State, access_key: str | None) -> AccountRow | None:
    """Return the account of an access key, or None if the key does not exist."""
    key: AccessKey | None = state.get("access_key", access_key) if access_key else None
    account: AccountRow | None = state.get("account", key.account_id) if key else None
    return account


def find_first_account(state: State, region: str | None) -> AccountRow | None:
    """Return the owner of the oldest access key in a Region, by default in any, or None (AUTH-013)."""
    for key in state.rows("access_key").values():
        account: AccountRow = state.get("account", key.account_id)
        if region in (None, account.region):
            return account
    return None
