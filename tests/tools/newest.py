"""Run the suite with the newest versions of all packages: `python tests/tools/newest.py [--write] [PYTEST ARGUMENTS]`.

Installs `.[dev]` without constraints into a fresh virtual environment in a temporary folder, prints which versions
differ from constraints.txt, and runs the suite, or the part of it that the arguments of pytest select; pytest prints
what failed. `--write` writes the installed versions to constraints.txt if the whole suite passed. Use the oldest Python
for that (Debian 12 has 3.11.2): pip installs no version that needs a newer one.

Exit status: 0 if the tests passed, 1 if not, 2 if none ran, because of wrong arguments or because pip failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
INSTALL = ("install", "-q", "--upgrade", "--upgrade-strategy", "eager", "-e", ".[dev]")


def parse_pins(text: str) -> dict[str, Requirement]:
    """Return the lines `name==version` and `name==version; marker` by the canonical names of the packages."""
    pins = (Requirement(line) for line in text.splitlines() if line and not line.startswith("#"))
    return {canonicalize_name(pin.name): pin for pin in pins}


def compare_pins(old: Mapping[str, Requirement], new: Mapping[str, Requirement]) -> list[str]:
    """Return a line for each package whose version has changed, that has come, or that is no longer installed."""
    lines = []
    for name in sorted({*old, *new}):
        if name not in new:
            lines += [] if is_elsewhere(old[name]) else [f"{old[name]} is no longer installed"]
        elif name not in old:
            lines.append(f"{new[name]} is not in constraints.txt")
        elif old[name].specifier != new[name].specifier:
            lines.append(f"{new[name]} instead of {str(old[name].specifier).removeprefix('==')}")
    return lines


def update_pins(text: str, new: Mapping[str, Requirement]) -> str:
    """Return constraints.txt with other versions; comments, markers and the lines for other platforms stay."""
    old = parse_pins(text)
    lines = {name: str(pin) for name, pin in old.items() if is_elsewhere(pin)}
    for name, pin in new.items():
        marker = f"; {old[name].marker}" if name in old and old[name].marker else ""
        lines[name] = f"{pin.name}{pin.specifier}{marker}"
    head = [line for line in text.splitlines() if line.startswith("#")]
    return "\n".join([*head, *(lines[name] for name in sorted(lines))]) + "\n"


def is_elsewhere(pin: Requirement) -> bool:
    """Return whether a line is for another platform or another Python."""
    return pin.marker is not None and not pin.marker.evaluate()


def main() -> int:
    """Install, compare, run, and write if wanted; return the exit status."""
    parser = argparse.ArgumentParser(usage="%(prog)s [--write] [PYTEST ARGUMENTS]", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="write the versions to constraints.txt if the suite passes"
    )
    options, selection = parser.parse_known_args()
    if options.write and selection:
        parser.error("--write needs the whole suite: leave out the arguments of pytest")
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")
    }
    with TemporaryDirectory() as folder:
        python = str(Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        if subprocess.run([python, "-m", "pip", *INSTALL], cwd=ROOT, env=environment, check=False).returncode:
            return 2
        freeze = [python, "-m", "pip", "freeze", "--all", "--exclude-editable", "--exclude", "pip"]
        new = parse_pins(subprocess.run(freeze, check=True, capture_output=True, text=True, env=environment).stdout)
        changes = compare_pins(parse_pins(CONSTRAINTS.read_text()), new)
        print(*(changes or ["constraints.txt has the newest versions"]), sep="\n", flush=True)
        status = subprocess.run([python, "-m", "pytest", *selection], cwd=ROOT, check=False).returncode
    if options.write and status == 0:
        CONSTRAINTS.write_text(update_pins(CONSTRAINTS.read_text(), new))
    return int(status != 0)


if __name__ == "__main__":
    sys.exit(main())
