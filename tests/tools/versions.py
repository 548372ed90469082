"""Runs the tests of the plugin and of clients under other versions: `python tests/tools/versions.py`.

Each pair gets a new environment, and runs the tests in random order on two cores, with warnings as errors. Interpreters
are searched on PATH and in pyenv; those that are not installed are reported and skipped. Arguments select pairs:
`python tests/tools/versions.py 3.13/8 3.12/9`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PYTHONS, PYTESTS = ("3.11", "3.12", "3.13", "3.14"), ("8", "9")
TESTS = ("clients", "docs/test_time_tables.py", "engine/test_counted_reads.py", "pytest_plugin", "testing")
OPTIONS = ("-q", "-o", "addopts=", "-p", "no:asyncio", "-p", "no:schemathesis", "-n", "2", "-W", "error")


def interpreter(version: str) -> str | None:
    """Return an interpreter of this version that works, or None."""
    pyenv_paths = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for path in (*map(str, pyenv_paths), which(f"python{version}")):
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


def passes_tests(python: str, pytest: str, place: Path) -> bool:
    """Return whether these tests pass with this interpreter and this version of pytest."""
    environment_python = str(place / "bin" / "python")
    subprocess.run([python, "-m", "venv", str(place)], check=True)
    subprocess.run(
        [environment_python, "-m", "pip", "install", "-q", f"{ROOT}[dev]", f"pytest=={pytest}.*"], check=True
    )
    tests = [str(ROOT / "tests" / name) for name in TESTS]
    command = [environment_python, "-m", "pytest", *OPTIONS, "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def select_pairs(requested: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the versions to try: the requested ones, or all."""
    for python, pytest in product(PYTHONS, PYTESTS):
        if not requested or f"{python}/{pytest}" in requested:
            yield python, pytest


def main(requested: list[str]) -> int:
    """Print a line for each pair; return 1 when one fails."""
    failed = False
    for version, pytest in select_pairs(requested):
        python = interpreter(version)
        if python is None:
            print(f"Python {version}, pytest {pytest}: not installed", flush=True)
            continue
        with TemporaryDirectory() as place:
            passed = passes_tests(python, pytest, Path(place))
        print(f"Python {version}, pytest {pytest}: {'passed' if passed else 'FAILED'}", flush=True)
        failed = failed or not passed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
