"""Tables for drawing requests: parameter sets of actions, and valid and invalid values of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omisim.base.data_files import load_toml

__all__ = ["DATES", "INVALID", "MISTYPED", "PARAMETER_SETS", "SELDOM", "UNFITTING", "VALID"]

_TABLES: Mapping[str, Mapping[str, list[Any]]] = load_toml("omisim.testing.strategies", "allowed.toml")
# action → its parameter sets: the combinations of parameters that it accepts
PARAMETER_SETS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    name: tuple(map(tuple, sets)) for name, sets in _TABLES["parameter_sets"].items()
}
# parameter → valid values, and invalid values
VALID: Mapping[str, tuple[Any, ...]] = {name: tuple(values) for name, values in _TABLES["valid"].items()}
INVALID: Mapping[str, tuple[Any, ...]] = {name: tuple(values) for name, values in _TABLES["invalid"].items()}
# parameters that, outside a parameter set, only arbitrary requests have: the other values rarely fit them
UNFITTING = frozenset(
    {"nics", "subnet_id", "private_ips", "security_group_ids", "is_source_dest_checked", "bsu_optimized"}
)
UNFITTING |= {"osu_api_key", "keypair_name", "security_groups"}
UNFITTING |= {"service_ids", "security_group_rule_id", "nat_service_id", "net_peering_id"}
UNFITTING |= {"security_group_account_id_to_link", "security_group_account_id_to_unlink"}
# parameters that valid requests never use and other requests seldom: they depend on many other values
SELDOM = frozenset({"nested_virtualization", "tpm_enabled", "tpm_mandatory", "boot_modes", "boot_mode", "architecture"})
SELDOM |= {"actions_on_next_boot", "tenancy", "virtual_device_name"}
DATES = ("2026-01-01T00:00:00.000Z", "2026-01-01T00:05:00.000Z")
MISTYPED: tuple[Any, ...] = (5, "text", "", True, [], {}, [5], {"Name": "x"}, -1, 1.5)
