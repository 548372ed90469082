"""The released source of an installed package, with its tests."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

__all__ = ["unpack_source"]


def unpack_source(package: str, folder: Path) -> Path:
    """Download the source distribution of the installed version, unpack it, and return its folder of tests."""
    # its source alone: with ":all:" pip would build the tools that build it from their sources, for minutes
    source = ("--no-deps", "--no-binary", package, f"{package}=={version(package)}")
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "-d", folder, *source], check=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 of Debian 12 has none
        archive.extractall(folder)
    return next(folder.glob("*/tests"))
