"""`reread`: a resource as its account reads it now."""

from __future__ import annotations

from typing import Any, TypeVar

from omisim import Account
from omisim.model import Image, Snapshot, Vm, Volume

__all__ = ["reread"]

T = TypeVar("T", Image, Snapshot, Vm, Volume)


def reread(account: Account, resource: T) -> T:
    """Return a resource as a read shows it now."""
    read: Any = getattr(account, f"read_{resource.kind}s")
    row: T = read(filters={f"{resource.key}s": [resource.id]})[0]
    return row
