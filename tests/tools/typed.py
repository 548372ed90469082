"""Check that every public symbol has a declared type: `python tests/tools/typed.py`.

Builds the wheel and installs it with its dependencies into a fresh virtual environment in a temporary folder, and
pyright (with its own Node.js, about 60 MB) into another. Prints each symbol that lacks a type, and the score.

Exit status: 0 if the score is 100 %, 1 if not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PYRIGHT = "pyright[nodejs]"


def install(folder: Path, *arguments: str) -> Path:
    """Make a virtual environment, install into it, and return the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([programs / "python", "-m", "pip", "install", "-q", *arguments], check=True)
    return programs


def main() -> int:
    """Install, check, print; return the exit status."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        programs = install(folder / "omisim", "-c", str(ROOT / "constraints.txt"), f"{ROOT}[all]")
        pyright = install(folder / "pyright", PYRIGHT) / "pyright"
        environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}  # pyright asks its Python
        command = [str(pyright), "--ignoreexternal", "--verifytypes", "omisim"]
        answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    score = re.search(r"Type completeness score: (.+)", answer.stdout)
    if score is None:
        print(answer.stdout, answer.stderr, sep="\n")
        return 1
    for symbol, line in pairwise(answer.stdout.splitlines()):
        if "error: " in line:
            print(symbol, line, sep="\n")
    print(score[0])
    return int(score[1] != "100%")


if __name__ == "__main__":
    sys.exit(main())
