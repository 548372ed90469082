"""Running a student's script against the cloud of a lesson: the real SDK, in virtual time."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omisim.base.named_file import read_file
from omisim.cloud.cloud import Cloud
from omisim.tools.tour.course import ACCOUNTS, Lesson, start

__all__ = ["ScriptError", "run_script"]


class ScriptError(ValueError):
    """A script ended with an error; the text names the line and what the cloud answered."""


def run_script(lesson: Lesson, path: Path) -> Cloud:
    """Run a Python script in a new cloud of the lesson, and return the cloud once nothing is in progress.

    The script finds `alice`, `bob` and `carol`, each a `Gateway` of osc-sdk-python, and `cloud`. Clients that it makes
    itself are alice's. Waiting moves the cloud's clock. Raises ScriptError for an error in the script, ImportError
    without the SDK, and ValueError for an unreadable file.
    """
    source = read_file(path, str)
    cloud = start(lesson.timing)
    names: dict[str, Any] = {"cloud": cloud, **{name: cloud.account(name).gateway() for name in ACCOUNTS}}
    with cloud.account("alice").environment(), cloud.sleeping(), _command_line_of(path):
        try:
            compile(source, str(path), "exec")
            runpy.run_path(str(path), init_globals=names, run_name="__main__")
        except (Exception, SystemExit) as error:
            if not isinstance(error, SystemExit) or error.code:
                raise ScriptError(_describe(error, path)) from error
    cloud.settle()
    return cloud


@contextmanager
def _command_line_of(path: Path) -> Iterator[None]:
    """Give a script the arguments and the import path that `python SCRIPT` would give it."""
    before = sys.argv, sys.path
    sys.argv, sys.path = [str(path)], [str(path.absolute().parent), *sys.path]
    try:
        yield
    finally:
        sys.argv, sys.path = before


def _describe(error: BaseException, path: Path) -> str:
    """Return the line of the script where an error came from, the error, and the API's answer."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    place = f"{path}:{lines[-1]}" if lines else str(path)
    answer = getattr(getattr(error, "response", None), "text", "")
    rule = getattr(getattr(error, "response", None), "headers", {}).get("X-Omisim-Rule", "")
    more = f"; `omisim explain {rule}`" if rule else ""
    return f"{place}: {type(error).__name__}: {answer or error}{more}"
