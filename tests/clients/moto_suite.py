"""Run moto's own released tests of AMIs, snapshots and volumes against FCU: `python tests/clients/moto_suite.py`.

They are downloaded with pip, not copied. A failure must have one of the reasons below: OUTSCALE differs from EC2, or
moto's defaults are not omisim's. Exit status 1 when a test fails for another reason.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))
from clients.released import unpack_source

FILES = ("test_amis.py", "test_elastic_block_store.py")
# the text of a failure → its reason
REASONS: Mapping[str, str] = {
    r"400 == 412": "FCU-002: a dry run is refused with the status 400",
    r"NotImplemented|us-west-1|eu-west-1a|copy_nonexisting_source_region": "REG-001: an account lives in one Region",
    r"UnsupportedOperation": "FCU-003: EC2 has more actions than FCU",
    r"Unexpected parameter|InvalidParameterDependency": "FCU-005: EC2 has more parameters than FCU",
    r"source-instance-id": "FCU-013: EC2 has more filters than FCU",
    r"ID\.Malformed' == 'Invalid\w+\.NotFound'": "ID-015: the id is malformed",
    r"volume type must be one of": "OMI-056: OUTSCALE has the types standard, gp2 and io1",
    r"'(gp2|standard)' == '(gp2|standard)'": "OMI-056: the default type is standard",
    r"ZoneMismatch": "LNK-003: the volume is in another zone than the instance",
    r"requires a source|MissingParameter' == 'DryRun": "OMI-001, OMI-101: moto accepts requests without content",
    r"AuthFailure\) when calling the DeregisterImage": "OMI-121: moto's tests deregister OMIs of the catalogue",
    r"InvalidAMIID.NotFound\) when calling the DescribeImages": "FCU-004: a deregistered OMI is not found",
    r"'InvalidParameterValue' == 'Invalid(Request|AMIAttribute)|InvalidUserID": "FCU-006: codes of unknown attributes",
    r"123456789012": "moto's account id",
    r"kms": "KMS is not an OUTSCALE service",
    r"'(Size is required|The volume v)": "error texts are omisim's",
    r"\[\] is None": "an empty set is in the answer",
    r"assert 0 [>=]|in \[\]|list index out of range|DID NOT RAISE": "moto's catalogue of AMIs, and its adopted ids",
}


def main() -> int:
    """Download, run, classify; return the exit status."""
    with TemporaryDirectory() as place:
        root = unpack_source("moto", Path(place)).parent
        failures = Path(place, "failures.txt")
        failures.touch()
        paths = os.pathsep.join((str(Path(__file__).parents[2]), str(Path(__file__).parent), str(root)))
        plugins = ("-p", "moto_plugin", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider")
        tests = [f"tests/test_ec2/{name}" for name in FILES]
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "--tb=short", *plugins, *tests],
            env={**os.environ, "PYTHONPATH": paths, "OMISIM_FAILURES": str(failures)},
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = failures.read_text().splitlines()
    print(run.stdout.strip().splitlines()[-1])
    return print_reasons(lines)


def print_reasons(lines: list[str]) -> int:
    """Print the failures by reason; return 1 if one has none."""
    reasons: Counter[str] = Counter()
    unknown = []
    for line in lines:
        name = line.partition("\t")[0].rpartition("::")[2]
        reason = next((reason for text, reason in REASONS.items() if re.search(text, line)), None)
        if reason is None:
            unknown.append(line)
        else:
            print(f"{name}: {reason}")
            reasons[reason] += 1
    for reason, number in reasons.most_common():
        print(f"{number:3} {reason}")
    for line in unknown:
        print(f"NO REASON: {line}")
    return int(bool(unknown) or not lines)


if __name__ == "__main__":
    sys.exit(main())
