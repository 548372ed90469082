"""The JSON protocol of the OUTSCALE API (OAPI)."""

from __future__ import annotations

from omisim.doors.oapi.door import OAPI, OapiDoor, call, make_request

__all__ = ["OAPI", "OapiDoor", "call", "make_request"]
