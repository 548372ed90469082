"""Every client that is known to call the API, as it was seen to sign and to send, through both doors."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.doors import DOORS, Door, send_refused, send_request
from support.sign import sign_request

from omisim import Account, Cloud
from omisim.doors.http import HttpRequest

PORT, BARE = "127.0.0.1:8333", "127.0.0.1"
OFFICIAL = "api.eu-west-2.outscale.com"


@dataclass(frozen=True)
class Client:
    """How a client signs and sends."""

    name: str
    path: str = "/api/v1/ReadVms"
    body: bytes = b"{}"
    how: dict[str, Any] = field(default_factory=dict)

    def request(self, account: Account, **more: Any) -> HttpRequest:
        """Return a request as this client makes it."""
        return sign_request(account, self.path, self.body, **{**self.how, **more})


TARGET = {"x-osc-target": "OutscaleService.ReadVms"}
GO = "accept;content-type;host;x-{}-date"
CLIENTS = [
    Client("osc-sdk-python", how={"host": PORT, "signed_host": BARE}),
    Client("osc-sdk-python before 0.39", "/api/latest/ReadVms", how={"host": PORT, "signed_host": OFFICIAL}),
    Client(
        "osc-cli",
        "/api/latest/ReadVms",
        how={
            "host": PORT,
            "sent_path": "//api/latest/ReadVms",
            "names": "host;x-{}-date;x-osc-target",
            "more": TARGET,
        },
    ),
    Client("osc-cli that collapses slashes", "/api/latest/ReadVms", how={"host": PORT, "more": TARGET}),
    Client("oapi-cli", body=b"", how={"dialect": "AWS", "host": PORT, "service": "127", "region": "0"}),
    Client("curl --aws-sigv4 osc", how={"host": PORT, "service": "127", "region": "0"}),
    Client("osc-sdk-go", how={"dialect": "AWS", "service": "oapi", "names": GO, "host": PORT}),
    Client("Terraform", how={"dialect": "AWS", "service": "oapi", "region": "us-east-2", "names": GO}),
    Client("Packer", how={"dialect": "AWS", "service": "osc", "names": GO}),
    Client("Packer 1.7.1", "/oapi/latest/ReadVms", how={"dialect": "AWS", "service": "osc", "names": GO}),
    Client("osc-sdk-js", how={"dialect": "AWS", "host": PORT, "names": "host;x-{}-date"}),
    Client("libcloud", "/api/latest/ReadVms", how={"host": OFFICIAL}),
    Client("a bare path", "/ReadVms", how={"host": PORT}),
    Client("a minor version", "/api/v1.40/ReadVms", how={"host": PORT}),
    Client("a Region in the path", "/eu-west-2/api/v1/ReadVms", how={"host": PORT}),
    Client("IPv6", how={"host": "[::1]:8333", "signed_host": "[::1]"}),
    Client("IPv6 with its port", how={"host": "[::1]:8333"}),
]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
class TestEveryClient:
    def test_is_accepted_as_it_signs(self, cloud: Cloud, alice: Account, door: Door, client: Client) -> None:
        """The request of each client is accepted as it is sent. [AUTH-001, AUTH-002, AUTH-003, REQ-001, REQ-015]"""
        status, answer = send_request(door, cloud, client.request(alice))
        assert (status, answer["Vms"]) == (200, [])

    def test_is_refused_with_a_wrong_secret(self, cloud: Cloud, alice: Account, door: Door, client: Client) -> None:
        """A request signed with another secret is refused. [AUTH-006/signature]"""
        request = client.request(alice, secret_key="X" * 40)
        assert send_refused(door, cloud, request) == (401, "1", "AUTH-006/signature")

    def test_is_refused_with_an_altered_body(self, cloud: Cloud, alice: Account, door: Door, client: Client) -> None:
        """The signature covers the body. [AUTH-002]"""
        request = replace(client.request(alice), body=b'{"DryRun": true}')
        assert send_refused(door, cloud, request)[:2] == (401, "1")


class TestAnySignature:
    @given(
        dialect=st.sampled_from(["OSC", "AWS"]),
        date_header=st.sampled_from(["osc", "amz"]),
        service=st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True),
        region=st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True),
        path=st.sampled_from(["/api/v1/", "/api/latest/", "/oapi/latest/", "/", "/api/v1.41/", "/eu-west-2/api/v1/"]),
        ports=st.sampled_from([(PORT, PORT), (PORT, BARE), (OFFICIAL, OFFICIAL), (f"{OFFICIAL}:443", OFFICIAL)]),
        names=st.sampled_from(["host;x-{}-date", "content-type;host;x-{}-date", GO]),
        minutes=st.integers(-15, 15),
    )
    def test_is_accepted_in_every_valid_form(
        self,
        dialect: str,
        date_header: str,
        service: str,
        region: str,
        path: str,
        ports: tuple[str, str],
        names: str,
        minutes: int,
    ) -> None:
        """Dialect, date header, scope, path, port and signed headers are the client's choice. [AUTH-002, AUTH-003]"""
        cloud = Cloud()
        request = sign_request(
            cloud.account("alice"),
            f"{path}ReadVms",
            dialect=dialect,
            date_header=date_header,
            service=service,
            region=region,
            host=ports[0],
            signed_host=ports[1],
            names=names,
            at=cloud.now + dt.timedelta(minutes=minutes),
        )
        for door in DOORS.values():
            assert send_request(door, cloud, request)[0] == 200

    @pytest.mark.parametrize("header", ["authorization", "x-osc-date", "host"])
    def test_is_refused_when_a_part_is_changed(self, cloud: Cloud, alice: Account, door: Door, header: str) -> None:
        """A digit, a second or a host other than signed is refused. [AUTH-002]"""
        request = sign_request(alice, "/api/v1/ReadVms")
        changed_value = {
            "authorization": request.headers["authorization"][:-1]
            + ("0" if request.headers["authorization"][-1] != "0" else "1"),
            "x-osc-date": "20260101T000001Z",
            "host": "api.outscale.example",
        }[header]
        request = replace(request, headers={**request.headers, header: changed_value})
        if header == "host":
            request = replace(request, host=changed_value)
        assert send_refused(door, cloud, request) == (401, "1", "AUTH-006/signature")

    def test_may_have_the_time_of_the_host_through_the_server(self, cloud: Cloud, alice: Account) -> None:
        """A client that does not know the cloud's clock signs with the current time. [AUTH-007]"""
        now = dt.datetime.now(dt.UTC)
        assert send_request(DOORS["server"], cloud, sign_request(alice, "/api/v1/ReadVms", at=now))[0] == 200
        late = sign_request(alice, "/api/v1/ReadVms", at=now + dt.timedelta(minutes=16))
        assert send_refused(DOORS["server"], cloud, late) == (401, "15", "AUTH-007")


DISK = {"DeviceName": "/dev/sdb", "Bsu": {"VolumeSize": 1, "VolumeType": "standard", "Iops": None}}


class TestEmptyValuesOfGoClients:
    @pytest.mark.parametrize(
        ("action", "parameters"),
        [
            ("CreateVms", {"SubnetId": "", "UserData": "", "Placement": {}}),
            (
                "CreateVms",
                {"BlockDeviceMappings": [DISK]},
            ),
            ("CreateVms", {"SecurityGroupIds": None, "Placement": {"Tenancy": None, "SubregionName": None}}),
            ("ReadImages", {"Filters": {"AccountIds": None, "AccountAliases": ["Outscale"]}}),
            ("ReadVms", {"Filters": None, "NextPageToken": None, "ResultsPerPage": None}),
            ("ReadVms", {"Filters": {"VmIds": [None, "i-12345678", None]}}),
        ],
    )
    def test_count_as_absent(
        self, cloud: Cloud, alice: Account, door: Door, action: str, parameters: dict[str, Any]
    ) -> None:
        """JSON null at any depth, and the empty values of Go, count as absent. [REQ-009]"""
        needed = {"ImageId": cloud.images.official("ubuntu").image_id} if action == "CreateVms" else {}
        body = json.dumps(parameters | needed).encode()
        assert send_request(door, cloud, sign_request(alice, f"/api/v1/{action}", body))[0] == 200

    def test_of_a_permission_change_nothing(self, cloud: Cloud, alice: Account, golden: Any, door: Door) -> None:
        """The call with which Packer shares an OMI has nulls beside the permission that it sets. [REQ-009, OMI-120]"""
        additions = {"AccountIds": None, "GlobalPermission": True}
        body = {"ImageId": golden.image_id, "PermissionsToLaunch": {"Additions": additions, "Removals": None}}
        status, answer = send_request(
            door, cloud, sign_request(alice, "/api/v1/UpdateImage", json.dumps(body).encode())
        )
        assert status == 200
        assert answer["Image"]["PermissionsToLaunch"] == {"AccountIds": [], "GlobalPermission": True}
