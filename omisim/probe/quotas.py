"""How much a quota of an account leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omisim.probe.connection import Answer
from omisim.probe.matching import read_rows

__all__ = ["read_quota"]


def read_quota(send: Callable[[str, str, Mapping[str, Any]], Answer], by: str, name: str) -> tuple[int, int]:
    """Return the limit of a quota, 0 for none, and what it leaves."""
    types = read_rows(send(by, "ReadQuotas", {"Filters": {"QuotaNames": [name]}}).body, "QuotaTypes")
    rows = [row for one in types for row in read_rows(one, "Quotas") if row.get("Name", name) == name]
    limit, used = (int(rows[0].get(field) or 0) if rows else 0 for field in ("MaxValue", "UsedValue"))
    return limit, max(limit - used, 0)
