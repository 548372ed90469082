"""Run Python code in a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["TESTS", "run_python"]

TESTS = Path(__file__).parents[1]


def run_python(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter, with the modules of the tests importable, and return what it prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    variables = os.environ | environment
    result = subprocess.run(
        command, check=True, capture_output=True, text=True, env=variables, cwd=TESTS, timeout=120
    )  # a child that hangs would end the suite
    return result.stdout
