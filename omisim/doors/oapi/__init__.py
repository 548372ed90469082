"""The OUTSCALE API's JSON protocol."""

from __future__ import annotations

from omisim.doors.oapi.door import handle

__all__ = ["handle"]
