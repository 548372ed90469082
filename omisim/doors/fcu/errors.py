"""The errors of FCU: the EC2 code and the HTTP status of each refusal."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from omisim.base.data_files import load_toml
from omisim.spec.errors import ApiError
from omisim.spec.rules import get_kind

__all__ = ["find_code", "find_status"]

CATCH_ALL = "OWS.Error"
_SERVER_ERRORS = {429: 503, 500: 500, 503: 503}  # statuses of OAPI → of FCU


@cache
def _load() -> Mapping[str, Mapping[str, Any]]:
    return load_toml("omisim.doors.fcu", "errors.toml")


def find_code(error: ApiError) -> str:
    """Return the EC2 code of a refusal: that of its rule, of its error for this kind of resource, or of its error."""
    tables = _load()
    if error.rule.startswith(("ID-015", "ID-016")):
        return _find_malformed(error, tables["malformed"])
    if error.rule == "FCU-004" and error.facts["kind"] in tables["missing"]:
        return str(tables["missing"][error.facts["kind"]])
    if error.rule in tables["rules"]:
        return str(tables["rules"][error.rule])
    by_kind = tables["kinds"].get(error.name, {})
    return str(by_kind.get(get_kind(error.rule)) or error.fcu or CATCH_ALL)


def _find_malformed(error: ApiError, codes: Mapping[str, str]) -> str:
    """Return the code of a malformed id, by the expected prefix or its own; an id without a prefix is an account's."""
    value = error.facts["prefixes"][0] if error.facts.get("prefixes") else str(error.facts["value"])
    prefixes = [prefix for prefix in codes if value.startswith(prefix)]
    return codes[max(prefixes, key=len, default="")]


def find_status(error: ApiError, code: str) -> int:
    """Return the HTTP status of a refusal with this EC2 code (FCU-010)."""
    if error.status in _SERVER_ERRORS:
        return _SERVER_ERRORS[error.status]
    status = _load()["statuses"].get(error.rule)
    return status or (401 if code == "AuthFailure" or error.status in (401, 403) else 400)
