"""The errors of the API, as a table and an exception, and the error of an endless polling loop."""

from __future__ import annotations

from omisim.base.endless import EndlessPollingError
from omisim.spec.errors import ERRORS, ApiError, ErrorKind

__all__ = ["ERRORS", "ApiError", "EndlessPollingError", "ErrorKind"]
