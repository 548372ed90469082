"""The public face: `Cloud`, `Account`, the Marketplace, and the questions that one can ask a cloud."""

from __future__ import annotations

from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud

__all__ = ["Account", "Cloud"]
