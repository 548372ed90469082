"""The one table of API errors, and the exception that carries them.

Every refusal of omisim is an `ApiError`: one row of `errors.toml` (what the API answers) joined to one rule (why).
A rule names its error by the row's name; codes, types and HTTP statuses stand nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omisim.base.data_files import load_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omisim.spec.rules import Rule

__all__ = ["ERRORS", "ApiError", "ErrorKind"]


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One error of the API: its name here, and what a client sees.

    `fcu` is the code of the same error on the EC2-compatible FCU door, where it is known.
    """

    name: str
    code: str
    type: str
    status: int
    fcu: str | None = None


ERRORS: Mapping[str, ErrorKind] = {
    name: ErrorKind(name, **row) for name, row in load_toml("omisim.spec", "errors.toml").items()
}


class ApiError(Exception):
    """A request was refused: what the API answers, and which rule was broken with which facts.

    Nothing has changed in the cloud when it is raised.

    Attributes: `code` (the API's error code, a string), `status` (HTTP status), `type`, `details`, `name` (the row of
    `ERRORS`), `rule` (the rule's id), `facts` (what of this call broke it).
    """

    def __init__(self, rule: Rule, facts: Mapping[str, Any], kind: ErrorKind | None = None) -> None:
        kind = kind or ERRORS[rule.error]
        self.name: str = kind.name
        self.code: str = kind.code
        self.type: str = kind.type
        self.status: int = kind.status
        self.rule: str = rule.id
        self.facts: dict[str, Any] = dict(facts)
        self.details: str = rule.render_details(facts)
        self.request_id = ""  # of the call it refused
        self.near: tuple[str, ...] = ()  # ids like an unknown one, among what the caller may see
        self._row = rule
        self._kind = kind
        super().__init__(f"{self.status} {self.code} {self.type} ({self.rule}): {self.details}")

    def explain(self) -> str:
        """Say why, in lines: the rule, the facts of this call, the fix, the evidence and the documentation page."""
        text = self._row.explain(self.facts, self._kind)
        return f"{text}\n  Near it: {', '.join(self.near)}" if self.near else text

    def with_error(self, kind: ErrorKind) -> ApiError:
        """Return the same refusal answered with another error (the switch `{rule id: error name}`)."""
        return ApiError(self._row, self.facts, kind)

    def __reduce__(self) -> tuple[type[ApiError], tuple[Rule, dict[str, Any], ErrorKind]]:
        """Pickle as its parts, so that it crosses processes (pytest-xdist)."""
        return ApiError, (self._row, self.facts, self._kind)
