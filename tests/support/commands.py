"""Checks the shell commands of the documentation: programs, subcommands, options, files and extras."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from support.pages import ROOT

from omisim.tools.cli import parsers

__all__ = ["find_problem", "iter_commands"]

# Programs that are not part of omisim: their arguments are not checked.
OTHERS = frozenset(
    {".", "aws", "cat", "cd", "curl", "echo", "eval", "export", "git", "kill", "osc-cli", "packer", "restic"}
    | {"sed", "terraform"}
)
_SEPARATOR = re.compile(r"\s*(?:&&|\|\||[|;&])\s*")
_PROGRAM = re.compile(r"(?:\S*/)?(?:omisim|pip|pytest|python[\d.]*|\.ci/run) ")
_ASSIGNMENT = re.compile(r"\w+=\S*")


def iter_commands(text: str) -> Iterator[str]:
    """Yield each command of a console block.

    Lines with a prompt are commands. In a block without a prompt, the lines that begin with omisim, pip, pytest, Python
    or `.ci/run` are commands, and all others are output.
    """
    lines = text.replace("\\\n", " ").splitlines()
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    for line in prompted or filter(_PROGRAM.match, lines):
        inner = re.findall(r"\$\(([^)]*)\)", line)  # eval "$(omisim env)"
        for part in [*_SEPARATOR.split(re.sub(r"\s#\s.*|^#.*|\s>\s\S+", "", line)), *inner]:
            if part.strip():
                yield part.strip()


def find_problem(command: str) -> str | None:
    """Return the reason why a command cannot run, or None."""
    words = shlex.split(command.replace("…", "X").replace("...", "X"))
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words.pop(0)
    if not words or words[0] in OTHERS:
        return None
    program, *arguments = words
    name = Path(program).name
    if re.fullmatch(r"python[\d.]*", name):
        return _check_python(arguments)
    if name in CHECKED:
        return CHECKED[name](arguments)
    return None if (ROOT / program).is_file() else f"{program}: unknown command"


def _check_python(arguments: list[str]) -> str | None:
    if "-m" in arguments:
        module, *rest = arguments[arguments.index("-m") + 1 :]
        return CHECKED[module](rest) if module in CHECKED else None
    script = next((argument for argument in arguments if argument.endswith(".py")), None)
    return None if script is None or (ROOT / script).is_file() else f"{script}: no such file"


def _check_omisim(arguments: list[str]) -> str | None:
    """Parse the arguments of omisim."""
    printed = StringIO()
    try:
        with redirect_stderr(printed), redirect_stdout(printed):
            parsers()["omisim"].parse_args(arguments)
    except SystemExit as stop:
        return printed.getvalue().strip().splitlines()[-1] if stop.code else None
    return None


def _check_pip(arguments: list[str]) -> str | None:
    """Look for an unknown extra of omisim, and for a URL that the pip of Python 3.11 refuses."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for argument in arguments:
        for requested_extras in re.findall(r"^(?:omisim|\.)\[([\w,-]+)\]", argument):
            if unknown := sorted(set(requested_extras.split(",")) - set(extras)):
                return f"unknown extra: {', '.join(unknown)}"
        if re.search(r" @ git\+\w+:///", argument):
            return "pip 23 needs a host in the URL of a repository"
    return None


def _check_pytest(arguments: list[str]) -> str | None:
    """Look for an unknown option of the plugin."""
    plugin_source = (ROOT / "omisim" / "plugin.py").read_text()
    for argument in arguments:
        option = argument.partition("=")[0]
        if option.startswith("--omisim") and f'"{option}"' not in plugin_source:
            return f"unknown option: {option}"
    return None


CHECKED: Mapping[str, Callable[[list[str]], str | None]] = {
    "omisim": _check_omisim,
    "pip": _check_pip,
    "pytest": _check_pytest,
}
