"""Run 64 threads over one cloud by every way in, and check that what they saw is linearizable.

`python tests/tools/threads.py [--runs 200] [--threads 64] [--seed N]` exits with 1 if a history was not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.many_threads import find_anomalies


def main() -> int:
    """Run the threads; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    operations, anomalies = 0, 0
    for run in range(options.runs):
        count, problems = find_anomalies(options.threads, 4, options.seed + run)
        operations += count
        anomalies += len(problems)
        if problems:
            print(*problems, sep="\n", flush=True)
    print(f"{options.runs} runs of {options.threads} threads, {operations} operations, {anomalies} anomalies")
    return int(bool(anomalies))


if __name__ == "__main__":
    sys.exit(main())
