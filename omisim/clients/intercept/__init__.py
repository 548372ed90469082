"""Interception: requests of this process to OUTSCALE hosts reach a cloud. One patch, a stack of clouds."""

from __future__ import annotations

from omisim.clients.intercept.contexts import guard_hosts, intercept_requests
from omisim.clients.intercept.stack import NotServed

__all__ = ["NotServed", "guard_hosts", "intercept_requests"]
