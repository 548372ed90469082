"""Raise an exception at every line of actions, engine and state, for all timings, and compare the cloud afterwards.

`python tests/tools/injection.py [--step N] [WORD]` runs every operation, or those whose name has the word, with an
exception at every N-th line. It exits with 1 if a cloud was neither as before nor as after.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.injection import OPERATIONS, TIMINGS, Case, Injection, iter_lines


def main() -> int:
    """Run the injections; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("word", nargs="?", default="")
    options = parser.parse_args()
    count = different = 0
    for name in OPERATIONS:
        for timing in TIMINGS if options.word in name else ():
            injection = Injection(Case(name, timing), stored=timing == "clock")
            for number, error in iter_lines(injection, options.step, 1 + different % options.step):
                count += 1
                problem = injection.try_line(number, error)
                different += bool(problem)
                if problem:
                    print(problem, flush=True)
    print(f"{count} injections, {different} differ")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
