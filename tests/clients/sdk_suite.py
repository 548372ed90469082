"""Run the tests that osc-sdk-python was released with against a server of ours: `python tests/clients/sdk_suite.py`.

They are downloaded with pip, not copied. What they need and omisim does not serve is listed; exit status 1 when
anything else fails, or something of the list passes by now.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from omisim import Cloud

# test file → what it needs
NOT_SERVED = {
    "test_eim_user.py": "EIM users",
    "test_load_balancer_backend.py": "load balancers",
}


def main() -> int:
    """Download, run, compare; return the exit status."""
    cloud = Cloud()
    alice = cloud.account("alice")
    with TemporaryDirectory() as place, cloud.serve() as server:
        wanted = f"osc-sdk-python=={version('osc-sdk-python')}"
        # its source alone: with ":all:" pip would build the tools that build it from their sources, for minutes
        source = ("--no-deps", "--no-binary", "osc-sdk-python", wanted)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "-d", place, *source], check=True)
        with tarfile.open(next(Path(place).glob("*.tar.gz"))) as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 of Debian 12 has none
            archive.extractall(place)
        tests = next(Path(place).glob("*/tests"))
        login = {"OSC_TEST_LOGIN": alice.email, "OSC_TEST_PASSWORD": alice.password}
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "--tb=no", str(tests)],
            env={**os.environ, **server.env(alice), **login},
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
    failed = set(re.findall(r"^FAILED \S*/(test_\w+\.py)", run.stdout, re.MULTILINE))
    print(run.stdout.strip().splitlines()[-1])
    for name in sorted(failed | set(NOT_SERVED)):
        known = NOT_SERVED.get(name)
        print(f"{name}: {'needs ' + known if known and name in failed else 'passes by now' if known else 'FAILS'}")
    return int(failed != set(NOT_SERVED))


if __name__ == "__main__":
    sys.exit(main())
