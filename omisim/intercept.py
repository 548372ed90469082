"""The exception of interception in this process."""

from __future__ import annotations

from omisim.clients.intercept import NotServed

__all__ = ["NotServed"]
