"""Object storage over the S3 protocol: moto is the door, State is the truth (domain 4.6). Needs the extra `oos`."""

from __future__ import annotations

from omisim.doors.oos.door import handle

__all__ = ["handle"]
