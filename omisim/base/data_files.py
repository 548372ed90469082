"""Reading the data files of the package.

`importlib.resources` would add 4 % to the time of `from omisim import Cloud`: it imports tempfile, random and zipfile.
"""

from __future__ import annotations

import tomllib
from pkgutil import get_data
from typing import Any

__all__ = ["load_toml", "read_text"]


def read_text(package: str, name: str) -> str:
    """Return the content of a UTF-8 file in a package."""
    content = get_data(package, name)
    assert content is not None, f"{package} has no loader that reads files"
    return content.decode()


def load_toml(package: str, name: str) -> dict[str, Any]:
    """Return the content of a TOML file in a package."""
    return tomllib.loads(read_text(package, name))
