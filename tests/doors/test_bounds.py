"""Requests with very many values, and very many requests: linear work, and a bounded history."""

from __future__ import annotations

import json

import pytest
from support.sign import sign_request
from support.storing import BUCKET, create_bucket

from omisim import Account, Cloud
from omisim.actions.framework.schema import MAX_PATTERNS
from omisim.doors.fcu.query import parse_query
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest
from omisim.doors.oapi import door
from omisim.model.filters import match
from omisim.model.serialize import snake_name


def ask_api(cloud: Cloud, account: Account, action: str, parameters: object) -> tuple[int, str]:
    """Send a signed request; return its status and the rule of its refusal."""
    request = sign_request(account, f"/api/v1/{action}", json.dumps(parameters).encode(), at=cloud.now)
    response = FrontDoor(cloud.engine).handle("api", request, cloud.now)
    return response.status, response.headers.get("X-Omisim-Rule", "")


class TestManyValues:
    def test_with_wildcards_are_refused(self, cloud: Cloud, alice: Account) -> None:
        """1,000 patterns are compared with each OMI, 200,000 are refused before any is. [FLT-012]"""
        names = [f"*{number}" for number in range(200_000)]
        filters = {"Filters": {"ImageNames": names[:MAX_PATTERNS]}}
        assert ask_api(cloud, alice, "ReadImages", filters) == (200, "")
        assert ask_api(cloud, alice, "ReadImages", {"Filters": {"ImageNames": names}}) == (400, "FLT-012")
        form = "&".join(f"Filter.1.Value.{number}=*{number}" for number in range(MAX_PATTERNS + 1))
        body = f"Action=DescribeImages&Version=2016-11-15&Filter.1.Name=name&{form}".encode()
        unsigned = Cloud(auth="off")
        unsigned.account("alice")
        request = HttpRequest("POST", "fcu.eu-west-2.outscale.com", "/", {}, body)
        assert FrontDoor(unsigned.engine).handle("fcu", request, cloud.now).headers["X-Omisim-Rule"] == "FLT-012"

    def test_without_wildcards_are_looked_up(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """20,000 unknown ids and 200,000 exact names are compared with no resource one by one. [FLT-001]"""
        monkeypatch.setattr(match, "matches_glob", None)
        names = {"Filters": {"ImageNames": [f"n{number}" for number in range(200_000)]}}
        ids = {"Filters": {"ImageIds": [f"ami-{number:08x}" for number in range(20_000)]}}
        assert ask_api(cloud, alice, "ReadImages", names) == ask_api(cloud, alice, "ReadImages", ids) == (200, "")

    def test_of_unknown_images_are_adopted_in_part(self, alice: Account, cloud: Cloud) -> None:
        """A request makes the cloud adopt 1,000 OMIs at most."""
        cloud.allow_unknown_images()
        ids = [f"ami-{number:08x}" for number in range(1_002)]
        assert len(alice.read_images(filters={"image_ids": ids})) == 1_000


class TestHistory:
    def test_is_bounded_for_refused_calls_and_object_storage(self) -> None:
        """history=10 keeps no more than 20 calls and changes, whichever door counts them."""
        cloud = Cloud(history=10)
        alice = cloud.account("alice")
        oos = create_bucket(alice)
        for number in range(60):
            oos.put_object(Bucket=BUCKET, Key=f"{number % 3}", Body=b"x")
            assert ask_api(cloud, alice, "DeleteVolume", {"VolumeId": "vol-00000000"})[0] == 400
            assert ask_api(cloud, alice, "Nothing", {})[0] == 404
            cloud.advance(1)
        assert len(cloud.engine.session.calls) <= 20
        assert len(cloud.engine.state.journal) <= 20
        assert len(cloud.calls()) <= 10


class TestLargeRequests:
    @pytest.mark.parametrize("text", ["a&" * 100_000, "a=" + "%41" * 2**21], ids=["parameters", "bytes"])
    def test_of_fcu_are_read_in_part_and_refused(self, text: str) -> None:
        """A form has at most 100,000 parameters and 4 MiB: what is beyond them takes no memory. [FCU-006]"""
        cloud = Cloud(auth="off")
        cloud.account("alice")
        body = f"Action=DescribeVolumes&Version=2016-11-15&{text}".encode()
        request = HttpRequest("POST", "fcu.eu-west-2.outscale.com", "/", {}, body)
        assert FrontDoor(cloud.engine).handle("fcu", request, cloud.now).headers["X-Omisim-Rule"] == "FCU-006"
        query = parse_query("", body)
        assert sum(len(name) + len(value) for name, value in query.pairs) <= 2**22
        assert len(query.pairs) < 100_000

    def test_of_oapi_have_few_names_converted(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of 10,000 names in an object, those beyond the first are unknown without a conversion. [REQ-008]"""
        converted: list[str] = []

        def convert(name: str) -> str:
            converted.append(name)
            return snake_name(name)

        monkeypatch.setattr(door, "snake_name", convert)
        assert ask_api(cloud, alice, "ReadVms", {f"{number}": 1 for number in range(10_000)}) == (400, "REQ-008")
        assert len(converted) <= door.MAX_NAMES

    def test_of_oapi_with_many_names_are_refused_for_the_first_unknown_one(self, cloud: Cloud, alice: Account) -> None:
        """A known name among many is not called unknown, wherever it is. [REQ-008]"""
        names = {"DryRun": False} | {f"{number}": 1 for number in range(10_000)}
        assert ask_api(cloud, alice, "ReadVms", names) == (400, "REQ-008")
        assert str(cloud.calls("ReadVms")[-1].error).endswith("): 0 is not a parameter of this action.")

    def test_of_oapi_are_not_parsed(self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body of more than 4 MiB is refused, also that of an action that needs no signature. [REQ-004]"""
        monkeypatch.setattr(door, "parse_json", None)
        request = HttpRequest("POST", "api.eu-west-2.outscale.com", "/api/v1/ReadVmTypes", {}, b" " * 2**22 + b"{}")
        assert FrontDoor(cloud.engine).handle("api", request, cloud.now).headers["X-Omisim-Rule"] == "REQ-004"
