"""Public path of the errors of the API: the table, and the exception that carries a row of it."""

from __future__ import annotations

from omisim.spec.errors import ERRORS, ApiError, ErrorKind

__all__ = ["ERRORS", "ApiError", "ErrorKind"]
