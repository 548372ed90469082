"""The ini options of a suite, `omisim_timing` and the like, read as the marker's arguments of the same names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from omisim import ManualClock, SystemClock

__all__ = ["read"]


def read(config: pytest.Config, name: str) -> Any:
    """Return the value of an option, or None where the suite has none. Raises ValueError that names the option."""
    given = config.getini(f"omisim_{name}")
    if not given:
        return None
    try:
        return _READ.get(name, str)(given)
    except ValueError as error:
        raise ValueError(f"omisim_{name} is {error}; not {given!r}") from None


def _clock(text: str) -> ManualClock | SystemClock:
    try:
        return SystemClock() if text == "system" else ManualClock(dt.datetime.fromisoformat(text))
    except ValueError:
        raise ValueError("system, or a date with its time zone") from None


def _number(text: str) -> int:
    if not text.isdigit():
        raise ValueError("a number")
    return int(text)


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


def _switches(lines: list[str]) -> dict[str, Any]:
    pairs = [line.partition("=") for line in lines]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError("lines of name = value")
    return {name.strip(): _value(value.strip()) for name, _, value in pairs}


def _value(text: str) -> str | int | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if text.isdigit() else text


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "clock": _clock,
    "history": _number,
    "limiter": _flag,
    "switches": _switches,
}
