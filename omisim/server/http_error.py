"""The error of a request that the server itself refuses, before any service of a cloud sees it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

__all__ = ["HttpError"]


class HttpError(Exception):
    """A refused request: its HTTP status, the reason, and headers of the answer."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status: HTTPStatus = HTTPStatus(status)
        self.headers: Mapping[str, str] = headers or {}
