"""Run scripts in processes of their own, forked from one that has imported what most of them import."""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

__all__ = ["run_script"]

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([
    "boto3", "omisim.clients.boto", "omisim.clients.environment", "omisim.clients.gateway", "omisim.cloud",
    "omisim.doors.fcu", "omisim.doors.oos", "omisim.server", "omisim.testing", "osc_sdk_python", "pytest",
])  # fmt: skip


def run_script(text: str, folder: Path) -> tuple[int | None, str]:
    """Run a script in a folder, with warnings as errors; return its exit status and what it writes to stderr."""
    errors = folder / "stderr of the script"
    process = _FORKING.Process(target=_run, args=(text, folder, errors, dict(os.environ)))
    process.start()
    process.join()
    return process.exitcode, errors.read_text("utf-8")


def _run(text: str, folder: Path, errors: Path, environment: Mapping[str, str]) -> None:
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, "")
    sys.argv[:] = ["-c"]
    warnings.simplefilter("error")
    exec(compile(text, "<string>", "exec"), {"__name__": "__main__"})
