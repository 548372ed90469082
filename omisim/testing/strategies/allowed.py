"""What requests are made of: the ways that actions have, values that are allowed, and values that are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omisim.base.data_files import load_toml

__all__ = ["DATES", "INVALID", "RARE", "TRICKY", "VALID", "WAYS", "WRONG"]

_TABLES: Mapping[str, Mapping[str, list[Any]]] = load_toml("omisim.testing.strategies", "allowed.toml")
# action → the ways that it has: the parameters that belong together
WAYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    name: tuple(map(tuple, ways)) for name, ways in _TABLES["ways"].items()
}
# parameter → values that are allowed, and values that are refused
VALID: Mapping[str, tuple[Any, ...]] = {name: tuple(values) for name, values in _TABLES["valid"].items()}
INVALID: Mapping[str, tuple[Any, ...]] = {name: tuple(values) for name, values in _TABLES["invalid"].items()}
# parameters that, outside these ways, only a careless request gives: mostly there is nothing to go with them
RARE = frozenset({"nics", "subnet_id", "private_ips", "security_group_ids", "is_source_dest_checked", "bsu_optimized"})
RARE |= {"osu_api_key", "keypair_name", "security_groups"}
RARE |= {"service_ids", "security_group_rule_id", "nat_service_id", "net_peering_id"}
RARE |= {"security_group_account_id_to_link", "security_group_account_id_to_unlink"}
# parameters that a request gives seldom, and one that is as right as can be never: much must fit for them
TRICKY = frozenset({"nested_virtualization", "tpm_enabled", "tpm_mandatory", "boot_modes", "boot_mode", "architecture"})
TRICKY |= {"actions_on_next_boot", "tenancy", "virtual_device_name"}
DATES = ("2026-01-01T00:00:00.000Z", "2026-01-01T00:05:00.000Z")
WRONG: tuple[Any, ...] = (5, "text", "", True, [], {}, [5], {"Name": "x"}, -1, 1.5)
