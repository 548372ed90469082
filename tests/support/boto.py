"""Help for tests that use boto3's clients of EC2 and S3."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from omisim.model import Image


def refusal_of(call: Any, **parameters: Any) -> tuple[int, str]:
    """Make a call that must be refused; return its HTTP status and the code of EC2 or S3."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def code_of(call: Any, **parameters: Any) -> str:
    """Make a call that must be refused with the HTTP status 400; return its EC2 code."""
    status, code = refusal_of(call, **parameters)
    assert status == 400
    return code


def make_filters(**filters: str) -> list[dict[str, Any]]:
    """Return filters as boto3 takes them: `_` is a hyphen in a name, `__` a point, values are between spaces."""
    return [
        {"Name": name.replace("_", "-").replace("--", "."), "Values": value.split()} for name, value in filters.items()
    ]


def launch(ec2: Any, image: Image, **parameters: Any) -> dict[str, Any]:
    """Launch an instance."""
    ids = [
        ec2.run_instances(ImageId=image.image_id, MinCount=1, MaxCount=1, **parameters)["Instances"][0]["InstanceId"]
    ]
    return dict(ec2.describe_instances(InstanceIds=ids)["Reservations"][0]["Instances"][0])


def read_instance(ec2: Any, vm: dict[str, Any]) -> dict[str, Any]:
    """Return an instance as it is now."""
    return dict(ec2.describe_instances(InstanceIds=[vm["InstanceId"]])["Reservations"][0]["Instances"][0])
