"""The initial resources of an account, and the default security group of accounts and Nets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omisim.base.frozen import replace
from omisim.model import AccessKey, AccountRow, SecurityGroup, SecurityGroupRule, SecurityGroupsMember, ids
from omisim.spec.catalog import QuotaName
from omisim.state.transaction import Transaction

__all__ = ["DEFAULT", "add_default_group", "make_open_rule", "open_account"]

DEFAULT = "default"
_EVERYTHING = SecurityGroupRule(from_port_range=-1, ip_protocol="-1", ip_ranges=("0.0.0.0/0",), to_port_range=-1)


def open_account(
    tx: Transaction, name: str, region: str, alias: str | None, quotas: Mapping[QuotaName, int]
) -> tuple[AccountRow, AccessKey]:
    """Create an account with its first access key and its default security group. Returns the account and the key.

    Its id, password and key derive from the cloud's seed and the name.
    """
    seed = tx.settings.seed
    number = ids.make_account_id(seed, name)
    row = AccountRow(
        account_id=number,
        alias=alias,
        customer_id=number[:8],
        email=f"{name}@example.com",
        first_name=name,
        name=name,
        password=ids.derive_hex(f"{seed}:{name}:password")[:16],
        quotas=tuple(sorted(quotas.items())),
        region=region,
    )
    access_key, secret_key = ids.make_first_access_key(seed, name)
    key = AccessKey(
        access_key_id=access_key,
        account_id=number,
        creation_date=tx.at,
        last_modification_date=tx.at,
        secret_key=secret_key,
    )
    tx.add(row)
    tx.add(key)
    add_default_group(tx, number)
    return row, key


def add_default_group(tx: Transaction, account_id: str, net_id: str | None = None) -> None:
    """Create the default group of an account or of a Net, whose members can reach each other (SG-009)."""
    group_id = tx.new_id("security_group")
    member = SecurityGroupsMember(account_id=account_id, security_group_id=group_id, security_group_name=DEFAULT)
    member_rule = make_open_rule(tx, ip_ranges=None, security_groups_members=(member,))
    tx.add(
        SecurityGroup(
            account_id=account_id,
            description="default security group",
            inbound_rules=(member_rule,),
            net_id=net_id,
            outbound_rules=(make_open_rule(tx),) if net_id else (),
            security_group_id=group_id,
            security_group_name=DEFAULT,
        )
    )


def make_open_rule(tx: Transaction, **fields: Any) -> SecurityGroupRule:
    """Return a rule for all protocols and ports: for any address, unless `fields` say otherwise."""
    return replace(_EVERYTHING, security_group_rule_id=tx.new_id("security_group_rule"), **fields)
