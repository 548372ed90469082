"""Check what users install: `python tests/tools/supply.py [reproduce] [audit] [lowest]`, by default all three.

reproduce  builds wheel and sdist twice, from copies with other dates, modes and folders, and compares the bytes
audit      asks pip-audit for known vulnerabilities of the pinned versions; it needs the network, and says so without
lowest     installs the lowest version of each dependency that pyproject.toml allows, and runs the tests that use them
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
EPOCH = "1767225600"  # 2026-01-01, for both builds
EXTRAS = ("osc", "fcu", "oos", "server", "demo", "hypothesis", "all")  # what users install
LOWEST_TESTS = (
    *("doors", "server", "formats", "testing", "pytest_plugin"),
    *("actions/test_imports.py", "clients/test_gateway.py", "tools/test_cli.py"),
)
NEEDED_BY_TESTS = (
    *("pytest", "pytest-xdist", "packaging", "pyyaml", "freezegun", "time-machine", "cryptography", "httpx"),
    *("openapi-spec-validator", "hatchling", "types-PyYAML", "aiohttp", "pytest-asyncio", "trio", "uvloop"),
)


def list_build_hashes(folder: Path) -> dict[str, str]:
    """Build wheel and sdist of a copy of the tree, and return the SHA-256 of each file."""
    copy = folder / "copy"
    ignored = shutil.ignore_patterns(".git", ".venv", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, copy, ignore=ignored)
    for number, path in enumerate(sorted(copy.rglob("*"))):
        os.utime(path, (number, number + len(str(folder))))
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder / "dist")]
    environment = os.environ | {"SOURCE_DATE_EPOCH": EPOCH}
    subprocess.run(command, cwd=copy, env=environment, check=True, capture_output=True)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted((folder / "dist").iterdir())}


def reproduce() -> bool:
    """Print whether two builds have the same bytes, and their hashes; return whether they do."""
    with TemporaryDirectory() as one, TemporaryDirectory(prefix="another-place-") as two:
        before = os.umask(0o027)
        try:
            first = list_build_hashes(Path(one))
            os.umask(0o022)
            second = list_build_hashes(Path(two))
        finally:
            os.umask(before)
    for name, digest in first.items():
        print(f"{name}: {'reproduced' if digest == second[name] else 'DIFFERS'}, sha256 {digest}")
    return first == second


def audit() -> bool:
    """Print the known vulnerabilities of the pinned versions; return False if there are any."""
    with TemporaryDirectory() as folder:
        python = make_environment(folder)
        if subprocess.run([python, "-m", "pip", "install", "-q", "pip-audit"], check=False).returncode:
            print("audit: pip-audit cannot be installed here")
            return True
        command = [python, "-m", "pip_audit", "-r", str(ROOT / "constraints.txt"), "--no-deps", "--disable-pip"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = re.findall(r"^\S+==.*", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    pins = [pin for pin in map(Requirement, lines) if pin.marker is None or pin.marker.evaluate()]
    is_without_data = run.stdout.count("could not be audited") >= len(pins)  # a mirror of PyPI without its data
    if is_without_data or "ConnectionError" in run.stderr or "ServiceError" in run.stderr:
        print("audit: the database of vulnerabilities cannot be reached here")
        return True
    print("audit:", (run.stdout or run.stderr).strip())
    return run.returncode == 0


def list_lowest(extras: Iterable[str]) -> list[str]:
    """Return a pin of the lowest allowed version for each dependency of the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = {}
    for extra in extras:
        for requirement in map(Requirement, project["optional-dependencies"][extra]):
            if requirement.name == project["name"]:  # its other extras
                continue
            lower = next(bound for bound in requirement.specifier if bound.operator == ">=")
            brackets = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
            pins[requirement.name] = f"{requirement.name}{brackets}=={lower.version}"
    return sorted(pins.values())


def lowest() -> bool:
    """Run tests with the lowest versions; return whether they pass."""
    pins = list_lowest(EXTRAS)
    with TemporaryDirectory() as folder:
        python = make_environment(folder)
        command = [python, "-m", "pip", "install", "-q", *pins, *NEEDED_BY_TESTS, str(ROOT)]  # as users have it
        if subprocess.run(command, check=False).returncode:
            print("lowest: these versions cannot be installed together here:", *pins)
            return False
        tests = [str(ROOT / "tests" / name) for name in LOWEST_TESTS]
        options = ["-q", "-p", "no:cacheprovider", "-W", "default"]
        run = subprocess.run([python, "-m", "pytest", *options, *tests], cwd=ROOT, check=False)
    print(f"lowest: {'passed' if run.returncode == 0 else 'FAILED'} with {', '.join(pins)}")
    return run.returncode == 0


def make_environment(folder: str) -> str:
    """Create a virtual environment and return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return str(Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python")


def main(requested: list[str]) -> int:
    """Run the checks; return the exit status."""
    checks = {"reproduce": reproduce, "audit": audit, "lowest": lowest}
    unknown = [name for name in requested if name not in checks]
    if unknown:
        print(f"unknown check {unknown[0]}; known: {', '.join(checks)}")
        return 2
    results = [checks[name]() for name in requested or checks]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
