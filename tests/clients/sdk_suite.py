"""Run the tests that osc-sdk-python was released with against a server of ours: `python tests/clients/sdk_suite.py`.

They are downloaded with pip, not copied. What they need and omisim does not serve is listed; exit status 1 when
anything else fails, or something of the list passes by now.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from clients.released import unpack_source

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
        tests = unpack_source("osc-sdk-python", Path(place))
        # test_proxy.py expects its proxy to be used, for a local server too
        variables = {name: value for name, value in server.env(alice).items() if name.lower() != "no_proxy"}
        login = {"OSC_TEST_LOGIN": alice.email, "OSC_TEST_PASSWORD": alice.password}
        paths = {"PYTHONPATH": os.pathsep.join((str(HERE.parents[1]), str(HERE)))}
        plugins = ("-p", "sdk_plugin", "-p", "no:cacheprovider")
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *plugins, "-o", "addopts=", "--tb=no", str(tests)],
            env={**os.environ, **variables, **login, **paths},
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
    failed = set(re.findall(r"^FAILED \S*/(test_\w+\.py)", run.stdout, re.MULTILINE))
    print(run.stdout.strip().splitlines()[-1])
    for name in sorted(failed | set(NOT_SERVED)):
        reason = NOT_SERVED.get(name)
        print(f"{name}: {'needs ' + reason if reason and name in failed else 'passes by now' if reason else 'FAILS'}")
    return int(failed != set(NOT_SERVED))


if __name__ == "__main__":
    sys.exit(main())
