"""The bounded model check: every state that calls can reach, up to a bound, and every law in each of them."""

from __future__ import annotations

from omisim.tools.check.actions import Bounds, CheckStep, CheckWorld
from omisim.tools.check.search import CheckResult, Level, check

__all__ = ["Bounds", "CheckResult", "CheckStep", "CheckWorld", "Level", "check"]
