"""The load of a soak test: clients of all three services, a random machine, and disturbances of the server."""

from __future__ import annotations

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from threading import Event
from typing import Any, ClassVar
from xml.etree import ElementTree as ET

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.sign import sign_request

from omisim.server.client import Client as ControlClient
from omisim.testing.machine import CloudMachine

__all__ = ["Target", "disturb", "load", "reach_peak", "run_machine", "use_services"]

REGION = "eu-west-2"
GARBAGE = (b"", b"GET", b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", b"\x16\x03\x01\0")
IDLE_CONNECTIONS = 20
PAUSE_SECONDS = 60
HISTORY = 500  # calls and changes that the server keeps; with more, its size depends on how many it has just then
HISTORIES = 5  # of the machine, between two looks at the stop
ONE_TRY = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=30)
SERVICE_ERRORS = (BotoCoreError, ClientError, ET.ParseError)


@dataclass
class Target:
    """A server under load, the event that ends it, the number of answers by status and service, and broken laws."""

    url: str
    token: str
    stop: Event = field(default_factory=Event)
    answers: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)  # of the machine

    @property
    def address(self) -> str:
        """The host and port of the server."""
        return self.url.partition("//")[2]

    def control(self) -> ControlClient:
        """Return a client of the control plane."""
        return ControlClient(self.url, self.token)


def load(control: ControlClient, dump: Mapping[str, Any]) -> None:
    """Load a dump on the server, with a short history."""
    control.post("load", **{**dump, "settings": {**dump["settings"], "history": HISTORY}})


def use_services(target: Target, number: int) -> None:
    """Create, read and delete volumes, VMs and objects through all services until the stop."""
    control, draw = target.control(), random.Random(number)
    while not target.stop.is_set():
        with suppress(OSError, ValueError):
            account = control.post("accounts", name=f"client{number}")  # the machine and resets replace the cloud
            keys = {"aws_access_key_id": account["access_key"], "aws_secret_access_key": account["secret_key"]}
            session = boto3.Session(**keys, region_name=REGION)
            ec2 = session.client("ec2", endpoint_url=f"{target.url}/fcu", config=ONE_TRY)
            s3 = session.client("s3", endpoint_url=f"{target.url}/oos/{REGION}", config=ONE_TRY)
            for _ in range(50):
                _use_ec2(target, ec2)
                _use_s3(target, s3, f"bucket{number}", draw)
            ec2.close()
            s3.close()


def _use_ec2(target: Target, ec2: Any) -> None:
    with suppress(*SERVICE_ERRORS):
        target.answers["FCU"] += 3
        volume = ec2.create_volume(Size=1, AvailabilityZone=f"{REGION}a")["VolumeId"]
        ec2.create_tags(Resources=[volume], Tags=[{"Key": "a", "Value": "b" * 100}])
        ec2.describe_volumes(VolumeIds=[volume])
        target.answers["FCU"] += 1
        ec2.delete_volume(VolumeId=volume)


def _use_s3(target: Target, s3: Any, bucket: str, draw: random.Random) -> None:
    with suppress(*SERVICE_ERRORS):
        target.answers["OOS"] += 4
        s3.create_bucket(Bucket=bucket)
        key = f"key{draw.randrange(20)}"
        s3.put_object(Bucket=bucket, Key=key, Body=b"x" * draw.randrange(20_000))
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        s3.delete_object(Bucket=bucket, Key=f"key{draw.randrange(20)}")


class HttpMachine(CloudMachine):
    """A random machine whose calls go to a server, too.

    The server loads the machine's cloud when a history begins and after each step that is not a call. Faults that the
    server injects make the two differ until then.
    """

    target: ClassVar[Target]
    time_travel: ClassVar[bool] = False
    faults: ClassVar[bool] = False  # `disturb` sets those of the server

    def call(self, name: str, action: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Make a call on the machine's cloud, and on the server with the same signed request."""
        account, at = self.account(name), self.cloud.now
        answer = self.call_unchecked(name, action, **parameters)
        body, host = json.dumps(parameters).encode(), f"api.{account.region}.outscale.com"
        signed = sign_request(account, f"/api/v1/{action}", body, host=host, region=account.region, at=at)
        with suppress(OSError, HTTPException):
            line = HTTPConnection(self.target.address, timeout=30)
            line.request("POST", signed.path, body, dict(signed.headers))
            self.target.answers[f"API {line.getresponse().status}"] += 1
            line.close()
        return answer

    def do(self, text: str, operation: Any) -> Any:
        """Run an operation on the machine's cloud, and load that on the server."""
        result = super().do(text, operation)
        with suppress(OSError, ValueError):
            load(self.target.control(), self.cloud.dump())
        return result


def run_machine(target: Target) -> None:
    """Run random histories until the stop, with pauses in which the history of the server grows."""
    HttpMachine.target = target
    options = settings(
        max_examples=HISTORIES,
        stateful_step_count=40,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    while not target.stop.is_set():
        try:
            run_state_machine_as_test(HttpMachine, settings=options)
        except Exception as finding:  # noqa: BLE001 - the soak goes on, and fails at its end
            target.findings.append(f"{type(finding).__name__}: {finding}")
        target.stop.wait(PAUSE_SECONDS)


def disturb(target: Target) -> None:
    """Send garbage, leave connections open, move the clock, and set faults, until the stop."""
    host, _, port = target.address.partition(":")
    draw, control = random.Random(0), target.control()
    lines: list[socket.socket] = []
    while not target.stop.wait(0.2):
        with suppress(OSError):
            line = socket.create_connection((host, int(port)), timeout=5)
            line.sendall(draw.choice(GARBAGE))
            lines.append(line)
        for line in lines[:-IDLE_CONNECTIONS]:
            line.close()
        del lines[:-IDLE_CONNECTIONS]
        with suppress(OSError, ValueError):
            control.post("faults", action="CreateVolume", times=1, status=draw.choice((503, 429)))
            control.post("faults", action="ReadVolumes", times=1, drop=True)
            control.post("faults", action="PutObject", times=1, status=503)
            control.post("advance", seconds=1)
            if draw.random() < 0.02:
                control.get(draw.choice(("events", "calls", "dump", "accounts", "openapi.json")))
            if draw.random() < 0.001:
                control.post("reset")
                load(control, control.get("dump", secrets="true"))
    for line in lines:
        line.close()


def reach_peak(target: Target, number: int, seconds: float) -> None:
    """Read and load the whole cloud beside the other load, for so many seconds.

    A process keeps the memory of its largest coincidence. Several of these threads bring it about early.
    """
    control, draw, end = target.control(), random.Random(number), time.monotonic() + seconds
    while time.monotonic() < end and not target.stop.wait(draw.random()):
        with suppress(OSError, ValueError):
            control.get(draw.choice(("events", "calls", "dump")))
            if draw.random() < 0.1:
                load(control, control.get("dump", secrets="true"))
