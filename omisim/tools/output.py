"""What the commands share: how they report an error."""

from __future__ import annotations

import sys

__all__ = ["TIMINGS", "report_error"]

TIMINGS = ("eager", "clock", "manual", "reads")


def report_error(text: str, status: int = 1) -> int:
    """Print an error of one line, and return the exit status."""
    print(text, file=sys.stderr)
    return status
