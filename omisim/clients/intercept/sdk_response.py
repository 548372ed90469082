"""A response of requests for osc-sdk-python, which decodes each answer twice."""

from __future__ import annotations

from typing import Any

from osc_sdk_python.problem import LegacyProblem, LegacyProblemDecoder
from requests import Response

__all__ = ["SdkResponse"]


class SdkResponse(Response):
    """A response that spares the SDK its search for a problem in an answer without one.

    The SDK decodes the JSON of each answer for this search, and once more for its caller: half the time of a long list.
    A body that a hook of the session has replaced is searched.
    """

    _answered: bytes | None = None  # the body of the cloud's answer

    def json(self, **options: Any) -> Any:
        """Return the decoded body; for the search in an answer without a problem, an empty one."""
        if self.ok and options.get("cls") is LegacyProblemDecoder and self.content is self._answered:
            return LegacyProblem(None, None, None, None, None)
        return super().json(**options)
