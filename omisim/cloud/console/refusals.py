"""A refusal as JSON data: the rule, the facts, the fix and the evidence, as `ApiError.explain` words them."""

from __future__ import annotations

from typing import Any

from omisim.base.redact import redact_text
from omisim.spec.errors import ApiError

__all__ = ["describe_refusal"]


def describe_refusal(error: ApiError) -> dict[str, Any]:
    """Return a refusal: `error` in one line, the `rule`, its `statement`, and further lines as [name, text].

    The name of a line with a fact of the call is "".
    """
    statement, *lines = redact_text(error.explain()).splitlines()
    rows = [_split(line.strip()) for line in lines]
    return {
        "error": redact_text(str(error)),
        "status": error.status,
        "code": error.code,
        "type": error.type,
        "details": redact_text(error.details),
        "rule": error.rule,
        "statement": statement.removeprefix(f"{error.rule}: "),
        "lines": rows,
    }


def _split(line: str) -> list[str]:
    name, colon, text = line.partition(": ")
    return [name, text] if colon and name.replace(" ", "").isalnum() else ["", line]
