"""Check rules of EC2 against moto and omisim side by side: `python tests/clients/beside_moto.py [--write]`.

It prints a table of the rules and of who keeps them; `--write` puts it into `docs/howto/from-moto.md`. Each rule is a
function that returns whether it holds, seen through boto3 (an export, which EC2 has in another form, through OAPI).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

sys.path.insert(0, str(Path(__file__).parents[1]))
from clients.moto_rules import RULES, Side

from omisim import Cloud

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "from-moto.md"
MARKS = ("<!-- beside moto -->", "<!-- end -->")


@contextmanager
def moto_side() -> Iterator[Side]:
    """Yield moto with two accounts."""
    with mock_aws():
        keys = {"region_name": "us-east-1", "aws_access_key_id": "A", "aws_secret_access_key": "B"}
        ec2, sts = boto3.client("ec2", **keys), boto3.client("sts", **keys)
        role = sts.assume_role(RoleArn="arn:aws:iam::222222222222:role/x", RoleSessionName="beside")["Credentials"]
        token = {"aws_access_key_id": role["AccessKeyId"], "aws_secret_access_key": role["SecretAccessKey"]}
        other = boto3.client("ec2", "us-east-1", aws_session_token=role["SessionToken"], **token)
        ami = ec2.describe_images()["Images"][0]["ImageId"]

        def export(image: str) -> object:
            target = {"S3Bucket": "exports", "S3Prefix": "x"}
            return ec2.export_image(ImageId=image, DiskImageFormat="RAW", S3ExportLocation=target)

        yield Side(ec2, other, "222222222222", "us-east-1a", "us-east-1", ami, export)


@contextmanager
def omisim_side(*, wait: bool = True) -> Iterator[Side]:
    """Yield omisim with two accounts; transitions take no time, unless they are what a rule is about."""
    cloud = Cloud(timing="eager" if wait else "clock")
    alice, bob = cloud.account("alice"), cloud.account("bob")
    ami = cloud.images.official("ubuntu").image_id
    alice.client("oos").create_bucket(Bucket="exports")

    def export(image: str) -> object:
        target = {"DiskImageFormat": "raw", "OsuBucket": "exports"}
        return alice.call("CreateImageExportTask", ImageId=image, OsuExport=target)

    clients = alice.client("fcu"), bob.client("fcu"), bob.account_id
    yield Side(*clients, "eu-west-2a", alice.region, ami, export, cloud.settle)


def holds(check: Callable[[Side], bool], side: Side) -> str:
    """Return "yes" or "no"; a rule that cannot even be tried does not hold."""
    try:
        return "yes" if check(side) else "no"
    except (ClientError, LookupError, NotImplementedError, ValueError):
        return "no"


def main() -> int:
    """Print or write the table; return 1 if omisim does not keep a rule."""
    lines, failures = [f"| rule | moto {version('moto')} | omisim |", "|---|---|---|"], 0
    with moto_side() as moto, omisim_side() as ours, omisim_side(wait=False) as slow:
        for text, check in RULES.items():
            side = slow if "for a while" in text else ours
            results = holds(check, moto), holds(check, side)
            failures += results[1] != "yes"
            lines.append(f"| {text} | {results[0]} | {results[1]} |")
    table = "\n".join(lines)
    print(table)
    if "--write" in sys.argv:
        start, end = map(re.escape, MARKS)
        page = re.sub(rf"(?<={start}\n).*?(?={end})", lambda _: f"\n{table}\n\n", PAGE.read_text(), flags=re.DOTALL)
        PAGE.write_text(page)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
