"""Run code in processes of its own, forked from one that has imported what most of them import.

A fresh interpreter takes half a second to import omisim, and a second with its clients.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

__all__ = ["Run", "run_forked"]

# reads a request a line, and answers it by the exit status of the child that has run the code
LOOP = """
import json, os, sys, warnings
from importlib import import_module
for name in sys.argv[1:]:
    import_module(name)
for line in sys.stdin:
    code, folder, output, environment = json.loads(line)
    child = os.fork()
    if not child:
        sys.stdin.close()
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(os.path.join(output, name), os.O_WRONLY | os.O_CREAT), descriptor)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.path.insert(0, "")
        sys.argv[:] = ["-c"]
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Run(NamedTuple):
    """How a process ended, and what it wrote."""

    status: int
    stdout: str
    stderr: str


def run_forked(code: str, folder: Path, *modules: str) -> Run:
    """Run code in a folder, with warnings as errors, in a fork of a process that has imported some modules."""
    process = _start(modules)
    assert process.stdin is not None
    assert process.stdout is not None
    with TemporaryDirectory() as output:
        print(json.dumps([code, str(folder), output, dict(os.environ)]), file=process.stdin, flush=True)
        status = int(process.stdout.readline())
        return Run(status, *((Path(output) / name).read_text("utf-8") for name in ("stdout", "stderr")))


@cache
def _start(modules: tuple[str, ...]) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", LOOP, *modules]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)  # ends its standard input, and so the process
    return process
