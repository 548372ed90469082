"""Run moto's own released tests of AMIs, snapshots and volumes against FCU: `moto_suite.py [--write]`.

They are downloaded with pip, not copied. A failure must have one of the reasons below: OUTSCALE differs from EC2, or
moto's defaults are not omisim's. Exit status 1 when a test fails for another reason. `--write` puts the numbers by
reason into `docs/explanation/evidence.md`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))
from clients.released import unpack_source

FILES = ("test_amis.py", "test_elastic_block_store.py")
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "evidence.md"
# the reason of a failure → a pattern of the name of the test, or of the text of its failure
REASONS: Mapping[str, str] = {
    "FCU-005: FCU ignores encryption, tags at creation, kernels, organizations, multiple attachments and throughput":
        r"test_ami_(pulls|filters|attribute_organ)|test_create_image_with_tag|encrypted|test_(volume|snapshot)_filters"
        r"|test_create_volume_from_snapshot\[True|kms|multi_attach|throughput_fails",
    "the AMIs of moto's catalogue are not those of OUTSCALE":
        r"test_ami_uses|test_snapshots_for_initial|test_filter_desc|test_ami_filter_by_owner|'Platform'"
        r"|test_ami_describe_(non_existent|image_attribute(_product|_block|\t))",
    "FCU-003: EC2 has more actions than FCU": r"UnsupportedOperation",
    "ID-015: the id is malformed": r"ID\.Malformed' == 'Invalid\w+\.NotFound'",
    "OMI-056: volumes are standard by default, gp2 or io1":
        r"volume type must be one of|'(gp2|standard)' == '(gp2|standard)'",
    "REG-001: an account lives in one Region": r"NotImplemented|eu-west-1a|us-west-1|copy_nonexist",
    "LNK-003: the volume is in another zone than the instance": r"ZoneMismatch",
    "OMI-101, FCU-062: a request without content is refused": r"requires RootDeviceName|OWS.Error' == 'DryRun",
    "OMI-121: an account deregisters its own OMIs only": r"AuthFailure\) when calling the DeregisterImage",
    "FCU-004: a deregistered OMI is not found": r"InvalidAMIID.NotFound\) when calling the DescribeImages",
    "volume/UnlinkVolume/available: the volume is in no state to be detached": r"== 'InvalidAttachment.NotFound'",
    "FCU-013: EC2 has more filters than FCU": r"source-instance-id",
    "ExecutableUsers selects by explicit permissions": r"test_ami_describe_images_executable_user_public",
    "texts are not EC2's": r"test_delete_snapshot_from_create_image|'(Size is requ|The volume v)",
    "an empty set of tags is in the answer": r"\[\] is None",
}  # fmt: skip


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
    summary = run.stdout.strip().splitlines()[-1]
    print(summary)
    return print_reasons(lines, summary)


def print_reasons(lines: list[str], summary: str) -> int:
    """Print the failures by reason, and write them into the page if asked to; return 1 if one has none."""
    reasons: Counter[str] = Counter()
    unknown = []
    for line in lines:
        name = line.partition("\t")[0].rpartition("::")[2]
        reason = next((reason for reason, pattern in REASONS.items() if re.search(pattern, line)), None)
        if reason is None:
            unknown.append(line)
        else:
            print(f"{name}: {reason}")
            reasons[reason] += 1
    for reason, number in reasons.most_common():
        print(f"{number:3} {reason}")
    for line in unknown:
        print(f"NO REASON: {line}")
    if "--write" in sys.argv:
        counts = ", ".join(re.findall(r"\d+ (?:failed|passed|skipped)", summary))
        rows = [f"| {reason} | {number} |" for reason, number in reasons.most_common()]
        table = "\n".join([f"moto {version('moto')}: {counts}.", "", "| reason | tests |", "|---|---|", *rows])
        page = PAGE.read_text()
        start, end = page.index("<!-- moto -->\n"), page.index("<!-- /moto -->")
        PAGE.write_text(f"{page[:start]}<!-- moto -->\n\n{table}\n\n{page[end:]}")
    return int(bool(unknown) or not lines)


if __name__ == "__main__":
    sys.exit(main())
