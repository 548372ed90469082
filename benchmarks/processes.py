"""Other processes that benchmarks measure, or send requests to."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ROOT", "child_cpu", "printed", "run_server"]

ROOT = Path(__file__).parents[1]


@contextmanager
def run_server(*arguments: str) -> Iterator[str]:
    """Run a Python server as a process; yield the URL that it prints when it is ready."""
    run = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert run.stdout is not None
    try:
        yield next(line for line in run.stdout if "ready at" in line).rpartition(" ")[2].strip()
    finally:
        run.terminate()
        run.communicate()


def child_cpu(*arguments: str, cwd: Path = ROOT, environment: Mapping[str, str] | None = None) -> Callable[[], float]:
    """Return a side: the CPU seconds of a Python process from its start to its end."""

    def side() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        variables = {**os.environ, **(environment or {})}
        command = [sys.executable, *arguments]
        subprocess.run(command, cwd=cwd, env=variables, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return side


def printed(script: str) -> Callable[[], float]:
    """Return a side: the number that a Python script prints, such as the CPU time of a part of it."""
    return lambda: float(subprocess.check_output([sys.executable, "-c", script], text=True, cwd=ROOT))
