"""Interception: redirect the requests of this process to OUTSCALE hosts to the innermost of a stack of clouds."""

from __future__ import annotations

from omisim.clients.intercept.contexts import guard_hosts, intercept_requests, keep_patches
from omisim.clients.intercept.stack import NotServed

__all__ = ["NotServed", "guard_hosts", "intercept_requests", "keep_patches"]
