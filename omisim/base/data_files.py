"""The TOML files that come with the package: the law as data."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

__all__ = ["load_toml"]


def load_toml(package: str, name: str) -> dict[str, Any]:
    """Return what a TOML file of a package contains."""
    with files(package).joinpath(name).open("rb") as stream:
        return tomllib.load(stream)
