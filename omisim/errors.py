"""The errors of the API, as a table and an exception, and the exceptions of faults and of an endless polling loop."""

from __future__ import annotations

from omisim.base.endless import EndlessPollingError
from omisim.engine.faults import Dropped, Killed
from omisim.spec.errors import ERRORS, ApiError, ErrorKind

__all__ = ["ERRORS", "ApiError", "Dropped", "EndlessPollingError", "ErrorKind", "Killed"]
