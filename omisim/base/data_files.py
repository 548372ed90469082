"""Reading the TOML files of the package."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

__all__ = ["load_toml"]


def load_toml(package: str, name: str) -> dict[str, Any]:
    """Return the content of a TOML file in a package."""
    with files(package).joinpath(name).open("rb") as stream:
        return tomllib.load(stream)
