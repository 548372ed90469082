"""Opening an account: its row, and its first access key."""

from __future__ import annotations

from collections.abc import Mapping

from omisim import ids
from omisim.model import AccessKey, Account
from omisim.state import Tx

__all__ = ["open_account"]


def open_account(tx: Tx, name: str, region: str, alias: str | None, quotas: Mapping[str, int]) -> Account:
    """Open an account of this name, whose id, password and keys depend on the seed and on what came before."""
    seed = tx.settings.seed
    number = ids.account_id(seed, name)
    row = Account(
        account_id=number,
        alias=alias,
        customer_id=number[:8],
        email=f"{name}@example.com",
        first_name=name,
        name=name,
        password=ids.token(seed, name, "password")[:16],
        quotas=tuple(sorted(quotas.items())),
        region=region,
        security_group_id=tx.new_id("security_group"),
    )
    key_number = tx.next_number("access_key")
    key = AccessKey(
        access_key_id=ids.access_key_id(seed, key_number),
        account_id=number,
        creation_date=tx.at,
        last_modification_date=tx.at,
        secret_key=ids.secret_key(seed, key_number),
    )
    tx.add(row)
    tx.add(key)
    return row
