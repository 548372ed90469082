"""Read the cases of `tests/cases`, whose format `world.toml` there explains. Imports nothing of omisim."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Case", "Parameters", "fill", "list_also_proved", "list_resource_names", "load_cases"]

FOLDER = Path(__file__).parents[1] / "cases"
WORLD = FOLDER / "world.toml"
Parameters = dict[str, Any]
_REPEATED = re.compile(r"\{(.)\*(\d+)\}")


@dataclass(frozen=True)
class Case:
    """A call that a rule refuses with a code, and a similar call that succeeds, or None."""

    family: str
    rule: str
    code: str
    action: str
    broken: Parameters
    kept: Parameters | None = None
    by: str = "alice"
    switches: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the name of the case, for the id of its test."""
        return f"{self.family}-{self.rule}-{self.action}"


def load_cases() -> list[Case]:
    """Return every case, in the order of the files and of their lines."""
    return [Case(family, **row) for family, table in _families().items() for row in table["case"]]


def list_also_proved() -> dict[str, list[str]]:
    """Return the rules that the cases of each family prove although no case breaks them."""
    return {family: table.get("also_proves", []) for family, table in _families().items()}


def list_resource_names() -> set[str]:
    """Return the names of the world to which the cases refer in braces."""
    return {name for names in tomllib.loads(WORLD.read_text()).values() for name in names}


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """Replace "{name}" by its value and "{A*300}" by 300 letters A, at any depth."""
    if isinstance(value, dict):
        return {key: fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    repeated = _REPEATED.fullmatch(value)
    return repeated[1] * int(repeated[2]) if repeated else values[value[1:-1]]


def _families() -> dict[str, dict[str, Any]]:
    paths = sorted(FOLDER.glob("*.toml"))
    return {path.stem: tomllib.loads(path.read_text()) for path in paths if path != WORLD}
