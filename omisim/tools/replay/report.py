"""The report of a replay, the acceptances of known divergences, and the values for redactions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal

from omisim.base.foreign import parse_toml
from omisim.base.frozen import frozen

__all__ = ["Acceptance", "Divergence", "Report", "Severity", "acceptances", "fillings"]

# "answer": another status or error code; "content": other fields, types, values, lengths or orders
Severity = Literal["answer", "content"]


@frozen()
class Acceptance:
    """Known divergences, by line, by action or by a pattern of their text, and the reason to accept them."""

    reason: str
    line: int | None = None
    action: str | None = None
    pattern: str = "*"

    def covers(self, divergence: Divergence) -> bool:
        """Whether the acceptance applies to a divergence."""
        same_call = self.line in (None, divergence.line) and self.action in (None, divergence.action)
        return same_call and fnmatchcase(divergence.says, self.pattern)


@frozen()
class Divergence:
    """A difference of an answer, on a line of the recording.

    `says` describes it. `severity` is "answer" for another status or error code, and "content" for other fields, types,
    values, lengths or orders.

    `accepted` is the reason of its acceptance, or "". `rule` is the rule that refused the call here, or "".
    `follows` is the line of an earlier divergence that explains this one, or None: that call created what this one
    uses in the recording, and did not here.
    """

    line: int
    action: str
    says: str
    accepted: str = ""
    severity: Severity = "content"
    rule: str = ""
    follows: int | None = None


@frozen()
class Report:
    """The result of a replay.

    `skipped` maps lines to the reason. `idle` are the unused acceptances, and `unused` the redactions of `fill` that no
    request contains.
    """

    exchanges: int
    divergences: tuple[Divergence, ...]
    skipped: Mapping[int, str]
    idle: tuple[Acceptance, ...]
    unused: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Divergence, ...]:
        """The divergences without an acceptance that no earlier one explains."""
        return tuple(one for one in self.divergences if not one.accepted and one.follows is None)

    @property
    def summary(self) -> Mapping[tuple[str, str], int]:
        """The number of failed divergences by action and rule; the rule is "" where omisim did not refuse the call."""
        return Counter((one.action, one.rule) for one in self.failed)

    @property
    def severity(self) -> Severity | None:
        """The severity of the worst failed divergence, or None."""
        severities = {one.severity for one in self.failed}
        return "answer" if "answer" in severities else "content" if severities else None


def acceptances(text: str) -> tuple[Acceptance, ...]:
    """Parse an acceptance list: TOML with one table `[[accept]]` per acceptance.

    A table has a `reason`, and one or more of `line`, `action` and `pattern` (a shell pattern for the text of the
    divergence). Raises ValueError for invalid TOML or an invalid table.
    """
    tables = parse_toml(text)
    rows = tables.pop("accept", [])
    if tables or not isinstance(rows, list):
        raise ValueError("an acceptance list must consist of tables [[accept]]")
    return tuple(_parse_acceptance(row) for row in rows)


def _parse_acceptance(row: Any) -> Acceptance:
    types = {"reason": str, "line": int, "action": str, "pattern": str}
    if not isinstance(row, dict) or not row.get("reason") or len(row) == 1:
        raise ValueError(f"[[accept]] must have a reason, and a line, an action or a pattern, not {row!r}")
    for name, value in row.items():
        if name not in types or type(value) is not types[name]:
            raise ValueError(f"[[accept]] must have only reason, line, action and pattern, not {name} = {value!r}")
    return Acceptance(**row)


def fillings(text: str) -> Mapping[str, Any]:
    """Parse values for redactions: TOML with one `redaction = value` per line.

    Raises ValueError for invalid TOML, and for a value that JSON does not have, such as a date.
    """
    values = parse_toml(text)
    for name, value in values.items():
        try:
            json.dumps(value)
        except TypeError:
            raise ValueError(f"{name} must be a value of JSON, for example a text, not {value!r}") from None
    return values
