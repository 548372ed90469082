"""Switches in a TOML file, as `omisim probe --calibrate` writes them: one `name = value` per line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omisim.base.foreign import parse_toml
from omisim.base.named_file import read_file
from omisim.state.settings import check_switch

__all__ = ["load_switches", "read_switches"]


def load_switches(switches: Any) -> Any:
    """Return switches from the path of a file; anything else is returned as it is. Raises ValueError."""
    if not isinstance(switches, str | Path):
        return switches
    try:
        return read_switches(switches)
    except ValueError as error:
        raise ValueError(f"switches: {error}") from None


def read_switches(path: str | Path) -> Mapping[str, Any]:
    """Return the switches of a file. Raises ValueError if it cannot be read, is not TOML, or has an unknown switch."""
    return read_file(path, _parse)


def _parse(text: str) -> Mapping[str, Any]:
    switches = parse_toml(text)
    for name, value in switches.items():
        check_switch(name, value)
    return switches
