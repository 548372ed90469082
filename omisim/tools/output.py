"""What the commands share: how they are declared, and how they report an error."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable
from textwrap import fill
from typing import Any, NoReturn, TextIO

from omisim.base.suggest import suggest

__all__ = [
    "AUTH_MODES", "FAILED", "INTERRUPTED", "TIMINGS", "CommandParser", "add_command", "describe_error", "get_width",
    "parse_kind", "print_row", "print_text", "report_error",
]  # fmt: skip

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# those of state/settings.py, which takes 40 ms to import
TIMINGS = ("eager", "clock", "manual", "reads")
AUTH_MODES = ("strict", "lenient", "off")
FAILED = 2  # the exit status of a command that could not run; 1 is a negative result
INTERRUPTED = 130  # the exit status after Ctrl-C, as in shells


class CommandParser(argparse.ArgumentParser):
    """The parser of a command. It knows the options that other options leave without effect."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Take the arguments of an ArgumentParser."""
        super().__init__(*arguments, **settings)
        self._useless: list[tuple[tuple[str, ...], str, Callable[[argparse.Namespace], object]]] = []

    def error(self, message: str) -> NoReturn:
        """Exit with status 2, and with the message in the form of the other commands' errors."""
        message = re.sub(r"invalid int value: (.+)", r"must be an integer, not \1", message)
        if choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            message += suggest(choice[1], re.findall(r"[\w-]+", choice[2]))
        super().error(message)

    def refuse_useless(self, *names: str, why: str, when: Callable[[argparse.Namespace], object]) -> None:
        """Refuse options where `when` is true of the command line, because they would be ignored.

        `why` names the other option: "beside --list" or "without --explore".
        """
        self._useless.append((names, why, when))

    def find_useless(self, options: argparse.Namespace) -> str:
        """Return why an option of the command line would be ignored, or "". A default is not refused."""
        for names, why, when in self._useless:
            for name in names if when(options) else ():
                attribute = name.removeprefix("--").replace("-", "_")
                if getattr(options, attribute) != self.get_default(attribute):
                    return f"{name} has no effect {why}"
        return ""


def add_command(commands: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> CommandParser:
    """Add the parser of a command, with a text for the list of commands and for the help of the command itself."""
    parser: CommandParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")

    def run_if_useful(options: argparse.Namespace) -> int:
        useless = parser.find_useless(options)
        return report_error(name, useless) if useless else run(options)

    parser.set_defaults(run=run_if_useful)
    return parser


def parse_kind(text: str) -> str:
    """Return the kind of rules that the option --kind names. Raises ValueError for an unknown one."""
    from omisim.spec.cell_rules import load_every_rule  # other commands do not need the rules
    from omisim.spec.legend import find_kind

    kinds = sorted({rule.kind for rule in load_every_rule().values()})
    kind = find_kind(text, kinds)
    if kind is None:
        raise ValueError(f"--kind must be one of {', '.join(kinds)}, not {text!r}{suggest(text, kinds)}")
    return kind


def get_width() -> int:
    """Return the columns of the terminal; COLUMNS overrides them."""
    return shutil.get_terminal_size((100, 24)).columns


def print_row(columns: str, text: str) -> None:
    """Print a row of a table. A terminal gets the last column wrapped, a pipe in one line, as grep needs it."""
    row, width = columns + text, get_width()
    if sys.stdout.isatty():
        indent = " " * min(len(columns), width * 3 // 5)
        row = fill(row, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    print(row)


def print_text(text: object, stream: TextIO | None = None) -> None:
    """Print a text with its control characters escaped: those of a name or an answer could steer the terminal."""
    print(_CONTROL.sub(lambda match: ascii(match[0])[1:-1], str(text)), file=stream)


def report_error(command: str, error: object, status: int = FAILED) -> int:
    """Print the error of a command in one line, and return the exit status. An OSError names its file and reason.

    Raises a BrokenPipeError, with which the whole command line ends.
    """
    if isinstance(error, BrokenPipeError):
        raise error
    print_text(f"omisim {command}: {describe_error(error)}", sys.stderr)
    return status


def describe_error(error: object) -> str:
    """Return the text of an error. That of an OSError is its file and reason, without the number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
