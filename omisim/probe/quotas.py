"""How much a quota of an account leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omisim.probe.connection import Answer

__all__ = ["read_quota"]


def read_quota(send: Callable[[str, str, Mapping[str, Any]], Answer], by: str, name: str) -> tuple[int, int]:
    """Return the limit of a quota, 0 for none, and what it leaves."""
    types = send(by, "ReadQuotas", {"Filters": {"QuotaNames": [name]}}).body.get("QuotaTypes") or []
    rows: list[Mapping[str, Any]] = [row for one in types for row in one.get("Quotas") or ()]
    limit, used = (int(rows[0].get(field) or 0) if rows else 0 for field in ("MaxValue", "UsedValue"))
    return limit, max(limit - used, 0)
