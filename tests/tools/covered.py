"""How much of the core the suite runs: every line, and 97 % of the branches at least.

`python tests/tools/covered.py` runs the suite and judges; with REPORT it judges what a run has left.
The core is all from base to cloud. What is above it runs in processes of its own (the server, the demo, the command
line), is imported before coverage begins (the plugin and the package itself), or has branches for what a sound cloud
never shows (the laws, the model check).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
CORE = ("actions/", "base/", "cloud/", "doors/", "engine/", "formats/", "model/", "spec/", "state/")
EDGES = ("doors/oos/", "formats/recording.py")  # which need what is not installed everywhere
BRANCHES = 0.97


def main(reports: list[str]) -> int:
    """Judge the report of a run, here and now if there is none yet; return the exit status."""
    with TemporaryDirectory() as place:
        report = Path(reports[0] if reports else f"{place}/coverage.json")
        if not reports:
            words = ["-q", "--cov=omisim", "--cov-branch", f"--cov-report=json:{report}"]
            steady = os.environ | {"HYPOTHESIS_PROFILE": "ci"}  # the same examples each time, so the same lines
            run = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, env=steady, check=False)
            if run.returncode:
                return run.returncode
        files = json.loads(report.read_text())["files"]
    core = {
        name: file
        for name, file in files.items()
        if name.removeprefix("omisim/").startswith(CORE) and not name.removeprefix("omisim/").startswith(EDGES)
    }
    missing = {name: file["missing_lines"] for name, file in core.items() if file["missing_lines"]}
    for name, lines in missing.items():
        print(f"{name}: never run: {', '.join(map(str, lines))}")
    taken, branches, statements = (
        sum(file["summary"][figure] for file in core.values())
        for figure in ("covered_branches", "num_branches", "num_statements")
    )
    ran, share = 1 - sum(map(len, missing.values())) / statements, taken / branches
    print(f"core: {ran:.2%} of {statements} lines, {share:.2%} of {branches} branches")
    return int(bool(missing) or share < BRANCHES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
