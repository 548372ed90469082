"""Licences: the product codes that a resource carries or inherited, and whether they authorise exports (EXP-018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omisim.base.suggest import check_known
from omisim.model import Image, Origin
from omisim.spec.catalog import LINUX, load_catalog
from omisim.state.settings import Settings
from omisim.state.state import State

__all__ = ["allows_export", "check_licence", "check_permission", "find_licences", "parse_licences"]


def allows_export(state: State, settings: Settings, code: str) -> bool | None:
    """Return whether a licence authorises exports; None if no decision was made."""
    permission: bool | None = state.get("licence", code)
    return settings.licences.get(code) if permission is None else permission


def find_licences(state: State, row_id: str) -> tuple[str, ...]:
    """Return the licences of an OMI, a snapshot or a volume: its own, and those of everything it was made from.

    A licence stays with the content of a disk, even where an OMI no longer has the product code (LIC-012).
    """
    codes: dict[str, None] = {}
    waiting, seen = [row_id], {row_id}
    while waiting:
        current = waiting.pop()
        row: Any = state.get("image", current) or state.get("vm", current)
        origin: Origin | None = state.get("origin", current)
        codes |= dict.fromkeys(row.product_codes if row is not None else ())
        codes |= dict.fromkeys(origin.codes if origin is not None else ())
        related = [parent for _, parent in origin.parents] if origin is not None else []
        if isinstance(row, Image):
            related += row.snapshot_ids
        waiting += [parent for parent in related if parent not in seen]
        seen.update(related)
    return tuple(code for code in codes if code != LINUX)


def check_licence(state: State, code: str) -> None:
    """Raise ValueError for a product code that no product type of the cloud has, and for that of Linux."""
    catalog = load_catalog()
    own = (*state.rows("product_type"), *state.rows("product"))
    codes = (*catalog.product_types, *sorted(catalog.marketplace_codes), *own)
    check_known("code", code, dict.fromkeys(known for known in codes if known != LINUX))


def check_permission(state: State, code: str, export: bool) -> bool:
    """Return the permission of a licence, whose code is checked as by `check_licence`."""
    check_licence(state, code)
    return export


def parse_licences(permissions: Mapping[str, Mapping[str, bool]] | None, state: State) -> dict[str, bool]:
    """Return the argument `licences` of a cloud as codes with their decisions. Raises ValueError for another value."""
    if permissions is not None and not isinstance(permissions, Mapping):
        raise ValueError(f'licences must be like {{"0002": {{"export": False}}}}, not {permissions!r}')
    decisions = {}
    for code, permission in (permissions or {}).items():
        check_licence(state, code)
        is_valid = isinstance(permission, Mapping) and set(permission) == {"export"}
        if not is_valid or not isinstance(permission["export"], bool):
            raise ValueError(
                f'the licence {code} must be {{"export": True}} or {{"export": False}}, not {permission!r}'
            )
        decisions[code] = permission["export"]
    return decisions
