"""Kill `omisim serve --state FILE` at random moments under load, and compare its cloud with the answers of clients.

`python tests/tools/crash.py [--kills 200] [--seed N]` exits with 1 if anything was lost. It takes about two seconds a
kill.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.crashes import crash


def main() -> int:
    """Run the kills; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        answers, problems = crash(Path(place, "state.db"), options.kills, options.seed)
    print(f"{options.kills} kills, {answers} answered requests, {len(problems)} lost or invented")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
