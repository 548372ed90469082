"""A response of requests for osc-sdk-python, without the work that hardly any client needs."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from osc_sdk_python.problem import LegacyProblem, LegacyProblemDecoder
from requests import Response
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

__all__ = ["SdkResponse"]

_BLANK = {name: value for name, value in vars(Response()).items() if name != "cookies"}


class SdkResponse(Response):
    """A response that spares the SDK its search for a problem in an answer without one.

    The SDK decodes the JSON of each answer for this search, and once more for its caller: half the time of a long list.
    A body that a hook of the session has replaced is searched. The jar for cookies, which the API never sends, is made
    at its first use: it took a sixth of the instructions that omisim adds to a polled call.
    """

    _answered: bytes | None = None  # the body of the cloud's answer

    def __init__(self) -> None:
        """Make a response without an answer."""
        vars(self).update(_BLANK, headers=CaseInsensitiveDict(), history=[])

    @cached_property
    def cookies(self) -> RequestsCookieJar:  # type: ignore[override]  # it can be set too
        """The cookies of the answer: none."""
        return RequestsCookieJar()

    def json(self, **options: Any) -> Any:
        """Return the decoded body; for the search in an answer without a problem, an empty one."""
        if self.ok and options.get("cls") is LegacyProblemDecoder and self.content is self._answered:
            return LegacyProblem(None, None, None, None, None)
        return super().json(**options)
