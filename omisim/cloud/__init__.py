"""The public API: `Cloud`, `Account`, the Marketplace, and the views of a cloud's state."""

from __future__ import annotations

from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud

__all__ = ["Account", "Cloud"]
