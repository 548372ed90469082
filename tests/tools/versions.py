"""Runs the tests of the plugin under other interpreters and other versions of pytest: `python tests/tools/versions.py`.

Each pair gets an environment of its own. Interpreters are found on the path and among pyenv's; those that are not
installed are named and left out. Arguments choose pairs: `python tests/tools/versions.py 3.13/8 3.12/9`.
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
TESTS = ("pytest_plugin", "clients/test_environment.py", "clients/test_sleeping.py", "testing/test_coverage.py")


def interpreter(version: str) -> str | None:
    """Return an interpreter of this version that works, or None."""
    of_pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for found in (*map(str, of_pyenv), which(f"python{version}")):
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    return None


def ran(python: str, pytest: str, place: Path) -> bool:
    """Return whether the tests of the plugin pass with this interpreter and this version of pytest."""
    own = str(place / "bin" / "python")
    subprocess.run([python, "-m", "venv", str(place)], check=True)
    subprocess.run([own, "-m", "pip", "install", "-q", f"{ROOT}[dev]", f"pytest=={pytest}.*"], check=True)
    tests = [str(ROOT / "tests" / name) for name in TESTS]
    command = [own, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def pairs(asked: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the versions to try: those asked for, or all."""
    for python, pytest in product(PYTHONS, PYTESTS):
        if not asked or f"{python}/{pytest}" in asked:
            yield python, pytest


def main(asked: list[str]) -> int:
    """Print a line for each pair; return 1 when one fails."""
    failed = False
    for version, pytest in pairs(asked):
        python = interpreter(version)
        if python is None:
            print(f"Python {version}, pytest {pytest}: not installed", flush=True)
            continue
        with TemporaryDirectory() as place:
            passed = ran(python, pytest, Path(place))
        print(f"Python {version}, pytest {pytest}: {'passed' if passed else 'FAILED'}", flush=True)
        failed = failed or not passed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
