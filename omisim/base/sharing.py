"""`share`: one immutable object in place of many equal ones."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

__all__ = ["share"]


@lru_cache(maxsize=1024)
def share(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Return `cls(*args, **kwargs)`: the object that the latest equal call returned, if it is still remembered.

    For immutable parts of rows that many rows have. Their types must agree where their values do: 1 equals True.
    """
    return cls(*args, **kwargs)
