"""The EC2-compatible protocol of OUTSCALE (FCU): query strings in, XML out. Needs the extra `fcu`.

The shapes of requests and answers are botocore's. The translation of each action into an action of omisim is a row of
a table (`images.toml`, `volumes.toml` and so on; `table.py` explains their form).
"""

from __future__ import annotations

from omisim.doors.fcu.door import FcuDoor
from omisim.doors.fcu.query import is_query

__all__ = ["FcuDoor", "is_query"]
