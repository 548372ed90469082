"""Print what omisim guarantees, with the figure that each guarantee's command has just measured.

`python tests/tools/trust.py [--quick] [WORD]` runs every command, or those whose claim has the word, and prints a
table. The figure is the last line that the command prints. It exits with 1 if a command fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Claim:
    """A guarantee, the command that measures it, and its arguments: of a full and of a quick run, if there is one."""

    text: str
    script: str
    full: tuple[str, ...] = ()
    quick: tuple[str, ...] | None = None


CLAIMS = (
    Claim("kill -9 loses no answered request", "tests/tools/crash.py", ("--kills", "200"), ("--kills", "2")),
    Claim("an exception at any line leaves no half-done change", "tests/tools/injection.py", (), ("--step", "97")),
    Claim("threads see one order of all changes", "tests/tools/threads.py", (), ("--runs", "2")),
    Claim("a state file costs little", "-m", ("benchmarks", "state")),  # a time, which CI does not judge
    Claim(
        "no bytes crash, hang or fail", "tests/tools/fuzz.py", ("--runs", "80000"), ("--runs", "300", "--seconds", "1")
    ),
    Claim("a server does not grow", "tests/tools/soak.py", ("--minutes", "60"), ("--minutes", "0.1", "--no-judgement")),
    Claim("builds are reproducible", "tests/tools/supply.py", ("reproduce",), ("reproduce",)),
    Claim("the lowest versions work", "tests/tools/supply.py", ("lowest",)),
)


def main() -> int:
    """Run the commands; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs only, as in CI")
    parser.add_argument("word", nargs="?", default="", help="only the claims with this word")
    options = parser.parse_args()
    status = 0
    print("| guarantee | figure | command |\n|---|---|---|")
    for claim in CLAIMS:
        arguments = claim.quick if options.quick else claim.full
        if options.word in claim.text and arguments is not None:
            words = (claim.script, *arguments)
            run = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
            lines = (run.stdout.strip() or run.stderr.strip() or "no output").splitlines()
            figure = lines[-1] if run.returncode == 0 else f"FAILED: {lines[-1]}"
            print(f"| {claim.text} | {figure} | `python {' '.join(words)}` |", flush=True)
            status |= run.returncode
    return int(bool(status))


if __name__ == "__main__":
    sys.exit(main())
