"""`--omisim-report DIR`: the cloud of a failing test as a file, which the test's report names."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from omisim import Cloud

__all__ = ["attach_file"]

TITLE: Final = "omisim report"
MAX_NAME: Final = 100  # characters of a file's name, before the mark that tells similar tests apart


def attach_file(report: pytest.TestReport, cloud: Cloud, folder: Path) -> None:
    """Write the report of a cloud for a failing test, and name the file in the test's report.

    A file that cannot be written is named with the reason. It never decides the outcome of a test.
    """
    path = folder / _name_file(report.nodeid)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        cloud.report(path, report.nodeid)
        text = str(path)
    except OSError as error:
        text = f"{path} could not be written: {error}"
    report.sections.append((TITLE, text))


def _name_file(nodeid: str) -> str:
    """Return a name for the file of a test, different from that of every other test."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", nodeid)[-MAX_NAME:].strip("_.")
    return f"{name}-{sha256(nodeid.encode(errors='surrogatepass')).hexdigest()[:8]}.html"
