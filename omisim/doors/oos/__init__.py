"""Object storage over the S3 protocol. moto handles the protocol; the data is in State. Needs the extra `oos`."""

from __future__ import annotations

from omisim.doors.oos.door import handle

__all__ = ["handle"]
