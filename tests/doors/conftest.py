"""Fixtures of the tests of doors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.api_names import find_oapi_only
from support.doors import DOORS, Door

from omisim import ApiError
from omisim.doors.fcu import errors as fcu_errors


@pytest.fixture(autouse=True)
def _names_of_fcu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test in which a client of FCU gets a refusal with a name that only OAPI has."""
    texts: list[str] = []

    def find_code(error: ApiError) -> str:
        if not error.rule.startswith("FCU-"):  # whose texts have names that the client sent
            texts.extend((error.details, *(line for line in error.explain().splitlines() if line.startswith("  Fix:"))))
        return fcu_errors.find_code(error)

    monkeypatch.setattr("omisim.doors.fcu.door.find_code", find_code)
    yield
    assert find_oapi_only(texts) == set()


@pytest.fixture(name="door", params=DOORS)
def _door(request: pytest.FixtureRequest) -> Door:
    """Each of the two doors that take requests over HTTP."""
    return DOORS[request.param]


@pytest.fixture(name="ec2")
def _ec2(omi_fcu: Any) -> Any:
    """A boto3 client of alice's."""
    return omi_fcu


@pytest.fixture(name="vpc_id")
def _vpc_id(ec2: Any) -> str:
    """A VPC with the range 10.0.0.0/16."""
    return str(ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])


@pytest.fixture(name="subnet_id")
def _subnet_id(ec2: Any, vpc_id: str) -> str:
    """A subnet of the VPC with the range 10.0.1.0/24, in the first zone."""
    parameters = {"VpcId": vpc_id, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "eu-west-2a"}
    return str(ec2.create_subnet(**parameters)["Subnet"]["SubnetId"])


@pytest.fixture(name="gateway_id")
def _gateway_id(ec2: Any, vpc_id: str) -> str:
    """An internet gateway that is attached to the VPC."""
    gateway_id = str(ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)
    return gateway_id


@pytest.fixture(name="interface_id")
def _interface_id(ec2: Any, subnet_id: str) -> str:
    """An available network interface in the subnet."""
    return str(ec2.create_network_interface(SubnetId=subnet_id)["NetworkInterface"]["NetworkInterfaceId"])
