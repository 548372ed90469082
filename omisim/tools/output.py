"""What the commands share: how they are declared, and how they report an error."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["TIMINGS", "add_command", "report_error"]

TIMINGS = ("eager", "clock", "manual", "reads")


def add_command(
    commands: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Add the parser of a command, with a text for the list of commands and for the help of the command itself."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(run=run)
    return parser


def report_error(command: str, error: object, status: int = 1) -> int:
    """Print the error of a command in one line, and return the exit status. An OSError names its file and reason."""
    if isinstance(error, OSError) and error.strerror:
        error = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    print(f"omisim {command}: {error}", file=sys.stderr)
    return status
