"""Public path of in-process interception."""

from __future__ import annotations

from omisim.clients.intercept import NotServed

__all__ = ["NotServed"]
