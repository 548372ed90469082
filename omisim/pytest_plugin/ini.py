"""Parse the ini options (`omisim_timing`, …) into the marker's arguments of the same names."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from omisim import ManualClock, SystemClock

__all__ = ["read"]

_ACCOUNTS = re.compile(r'[^\[\]{}",]+')
_HISTORY = re.compile("[1-9][0-9]{0,8}")
_NUMBER = re.compile("[0-9]{1,9}")


def read(config: pytest.Config, name: str) -> Any:
    """Return the parsed value of an ini option, or None if it is not set.

    Raises ValueError that names the option if its text is invalid.
    """
    text = config.getini(f"omisim_{name}")
    if not text:
        return None
    try:
        return PARSERS.get(name, str)(text)
    except ValueError as error:
        raise ValueError(f"omisim_{name} must be {error}, not {text!r}") from None


def _parse_clock(text: str) -> ManualClock | SystemClock:
    try:
        return SystemClock() if text == "system" else ManualClock(dt.datetime.fromisoformat(text))
    except ValueError:
        text = "system or a date in the years 1000 to 8999 with its time zone, such as 2026-01-01T00:00:00Z"
        raise ValueError(text) from None


def _parse_history(text: str) -> int:
    if not _HISTORY.fullmatch(text):
        raise ValueError("a number from 1 to 999999999")
    return int(text)


def _parse_accounts(text: str) -> str:
    if not _ACCOUNTS.fullmatch(text):  # a list of TOML arrives as its repr
        raise ValueError("names separated by spaces, such as alice bob@us-east-2")
    return text


def _parse_flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


def _parse_switches(lines: list[str]) -> dict[str, Any]:
    pairs = [line.partition("=") for line in lines]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError("lines of name = value")
    return {name.strip(): _parse_value(value.strip()) for name, _, value in pairs}


def _parse_value(text: str) -> str | int | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if _NUMBER.fullmatch(text) else text


PARSERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "accounts": _parse_accounts,
    "children": _parse_flag,
    "clock": _parse_clock,
    "history": _parse_history,
    "limiter": _parse_flag,
    "switches": _parse_switches,
    "virtual_time": _parse_flag,
}
