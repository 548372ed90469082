"""The OAPI door: the caller, the request, and every kind of bad input."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sign import sign_request
from support.syntax import syntax_nodes

from omisim import Account, Cloud
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.doors.oapi import OapiDoor

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def ask(cloud: Cloud, request: HttpRequest, host_time: dt.datetime = START) -> tuple[int, dict[str, Any], HttpResponse]:
    """Return the status and the JSON body of an answer."""
    response = OapiDoor(cloud.engine).handle(request, host_time)
    return response.status, json.loads(response.body or b"{}"), response


def error(cloud: Cloud, request: HttpRequest, host_time: dt.datetime = START) -> tuple[int, str, str]:
    """Return what a request is refused with: HTTP status, code, rule. Nothing may have changed."""
    before = cloud.fork()
    status, body, response = ask(cloud, request, host_time)
    assert set(body) == {"Errors", "ResponseContext"}
    assert set(body["Errors"][0]) == {"Code", "Details", "Type"}
    assert cloud == before
    return status, body["Errors"][0]["Code"], response.headers["X-Omisim-Rule"]


class TestOapiSignature:
    @pytest.mark.parametrize("dialect", ["OSC", "AWS"])
    @pytest.mark.parametrize("service", ["api", "oapi", "osc", "127"])
    @pytest.mark.parametrize("region", ["eu-west-2", "us-east-2", "0"])
    def test_is_accepted_in_both_dialects_with_any_scope(
        self, cloud: Cloud, alice: Account, dialect: str, service: str, region: str
    ) -> None:
        """OSC4 and AWS4 are one algorithm, and the client chooses the words of the scope. [AUTH-003]"""
        request = sign_request(alice, "/api/v1/ReadVms", dialect=dialect, service=service, region=region)
        assert ask(cloud, request)[0] == 200

    @pytest.mark.parametrize("signed_host", ["api.eu-west-2.outscale.com:8080", "api.eu-west-2.outscale.com"])
    def test_covers_the_host_with_or_without_its_port(self, cloud: Cloud, alice: Account, signed_host: str) -> None:
        """Some clients sign the port, some do not. [AUTH-002]"""
        host = "api.eu-west-2.outscale.com:8080"
        assert ask(cloud, sign_request(alice, "/api/v1/ReadVms", host=host, signed_host=signed_host))[0] == 200

    @pytest.mark.parametrize(
        "names", ["host;x-{}-date", "accept;content-type;host;x-{}-date", "content-type;host;x-{}-date"]
    )
    def test_covers_the_headers_that_it_names(self, cloud: Cloud, alice: Account, names: str) -> None:
        """The client chooses SignedHeaders. [AUTH-002]"""
        assert ask(cloud, sign_request(alice, "/api/v1/ReadVms", names=names))[0] == 200

    @pytest.mark.parametrize(
        "path",
        ["/api/v1/ReadVms", "/api/latest/ReadVms", "/oapi/latest/ReadVms", "/ReadVms", "/eu-west-2/api/v1/ReadVms"],
    )
    def test_is_accepted_on_every_path_that_clients_use(self, cloud: Cloud, alice: Account, path: str) -> None:
        """Several paths may precede the name of the action. [REQ-015]"""
        assert ask(cloud, sign_request(alice, path))[0] == 200

    def test_of_a_single_slash_is_accepted_for_a_double_one(self, cloud: Cloud, alice: Account) -> None:
        """A client that doubles a slash signs the single one. [REQ-015]"""
        request = replace(sign_request(alice, "/api/latest/ReadVms"), path="//api/latest/ReadVms")
        assert ask(cloud, request)[0] == 200

    def test_that_is_wrong_is_refused(self, cloud: Cloud, alice: Account) -> None:
        """A signature under another secret key is refused. [AUTH-006/signature]"""
        request = sign_request(alice, "/api/v1/ReadVms", secret_key="X" * 40)
        assert error(cloud, request) == (401, "1", "AUTH-006/signature")

    def test_that_is_wrong_four_times_locks_the_account(self, cloud: Cloud, alice: Account, bob: Account) -> None:
        """Each further four lock a minute longer; meanwhile the right key is refused, other accounts are not.

        [AUTH-009]
        """
        wrong, right = (
            sign_request(alice, "/api/v1/ReadVms", secret_key="X" * 40),
            sign_request(alice, "/api/v1/ReadVms"),
        )
        for minutes in (1, 2):
            for _ in range(4):
                assert error(cloud, wrong) == (401, "1", "AUTH-006/signature")
            assert error(cloud, right) == (401, "13", "AUTH-009")
            assert ask(cloud, sign_request(bob, "/api/v1/ReadVms"))[0] == 200
            cloud.advance(minutes * 60 - 1)
            assert error(cloud, right) == (401, "13", "AUTH-009")
            cloud.advance(1)
        assert ask(cloud, right)[0] == 200

    def test_that_is_right_ends_the_count_of_failures(self, cloud: Cloud, alice: Account) -> None:
        """Only failures in a row count, and a fork starts from zero. [AUTH-009]"""
        wrong, right = (
            sign_request(alice, "/api/v1/ReadVms", secret_key="X" * 40),
            sign_request(alice, "/api/v1/ReadVms"),
        )
        for _ in range(3):
            for _ in range(3):
                error(cloud, wrong)
            assert ask(cloud, right)[0] == 200
        for _ in range(4):
            error(cloud, wrong)
        assert ask(cloud.fork(), right)[0] == 200

    def test_covers_the_body(self, cloud: Cloud, alice: Account) -> None:
        """A body that was altered is refused. [AUTH-006]"""
        request = replace(sign_request(alice, "/api/v1/ReadVms"), body=b'{"DryRun": true}')
        assert error(cloud, request) == (401, "1", "AUTH-006/signature")

    def test_of_an_unknown_key_is_refused(self, cloud: Cloud) -> None:
        """A key that does not exist in this cloud is refused. [AUTH-006]"""
        stranger = Cloud(seed="elsewhere").account("mallory")
        assert error(cloud, sign_request(stranger, "/api/v1/ReadVms")) == (400, "4120", "AUTH-006")

    @pytest.mark.parametrize("end", ["inactive", "expired"])
    def test_of_an_inactive_or_expired_key_is_refused(self, cloud: Cloud, alice: Account, end: str) -> None:
        """An inactive key and an expired one cannot sign. [AUTH-008]"""
        key = cloud.engine.state.get("access_key", alice.access_key)
        if end == "inactive":
            cloud.engine.begin("test").move(key, "deactivate")
        else:
            cloud.engine.begin("test").put(replace(key, expiration_date=cloud.now))
        assert error(cloud, sign_request(alice, "/api/v1/ReadVms")) == (400, "4120", "AUTH-008")

    def test_of_another_region_is_refused(self, cloud: Cloud, alice: Account) -> None:
        """A key belongs to one Region. [REG-007]"""
        request = sign_request(alice, "/api/v1/ReadVms", host="api.us-east-2.outscale.com")
        assert error(cloud, request) == (400, "4120", "AUTH-006")

    @pytest.mark.parametrize("minutes", [-16, 16, 60 * 24 * 365])
    def test_of_another_time_is_refused(self, cloud: Cloud, alice: Account, minutes: int) -> None:
        """A date more than 15 minutes from both clocks is refused. [AUTH-007]"""
        request = sign_request(alice, "/api/v1/ReadVms", at=START + dt.timedelta(minutes=minutes))
        assert error(cloud, request) == (401, "15", "AUTH-007")

    @pytest.mark.parametrize("minutes", [-15, 15])
    def test_may_have_the_time_of_the_host(self, cloud: Cloud, alice: Account, minutes: int) -> None:
        """A date is valid by the cloud's clock or by the host's. [AUTH-007]"""
        host_time = dt.datetime(2040, 1, 1, tzinfo=dt.UTC)
        request = sign_request(alice, "/api/v1/ReadVms", at=host_time + dt.timedelta(minutes=minutes))
        assert ask(cloud, request, host_time)[0] == 200

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "nonsense",
            "OSC4-HMAC-SHA256 nonsense",
            "OSC4-HMAC-SHA256 Credential=AK/20260101/r/s/aws4_request, SignedHeaders=host, Signature=" + "0" * 64,
            "OSC4-HMAC-SHA256 Credential=AK, SignedHeaders=host, Signature=" + "0" * 64,
        ],
    )
    def test_that_is_missing_or_garbled_is_refused(self, cloud: Cloud, alice: Account, header: str) -> None:
        """A request without readable credentials is refused. [AUTH-005]"""
        request = sign_request(alice, "/api/v1/ReadVms")
        request = replace(request, headers=dict(request.headers) | {"authorization": header})
        assert error(cloud, request) == (401, "1", "AUTH-005")

    @pytest.mark.parametrize("date", ["", "yesterday", "20260231T000000Z", "2026-01-01T00:00:00Z", "٢0260101T000000Z"])
    def test_with_a_garbled_date_is_refused(self, cloud: Cloud, alice: Account, date: str) -> None:
        """A date is required, in its one format. [AUTH-005]"""
        request = sign_request(alice, "/api/v1/ReadVms")
        request = replace(request, headers=dict(request.headers) | {"x-osc-date": date})
        assert error(cloud, request) == (401, "1", "AUTH-005")

    @given(header=st.text(max_size=200) | st.from_regex(r"OSC4-HMAC-SHA256 Credential=.*", fullmatch=True))
    def test_with_any_header_is_answered(self, header: str) -> None:
        """Any Authorization header is answered by a refusal of the API. [AUTH-005]"""
        cloud = Cloud()
        request = HttpRequest("POST", "api.eu-west-2.outscale.com", "/api/v1/ReadVms", {"authorization": header})
        assert error(cloud, request)[0] in (400, 401, 403)

    @pytest.mark.parametrize(
        ("region", "service"),
        [
            ("", "api"),
            ("eu-west-2", ""),
            ("EU-West-2", "api"),
            ("eu_west_2", "api"),
            ("²", "api"),
            ("eu-west-2", "a.b"),
        ],
    )
    def test_with_a_malformed_scope_is_refused(self, cloud: Cloud, alice: Account, region: str, service: str) -> None:
        """A Region and a service consist of a-z, 0-9 and hyphens. [AUTH-014]"""
        request = sign_request(alice, "/api/v1/ReadVms", region=region, service=service)
        assert error(cloud, request) == (401, "1", "AUTH-014")

    @pytest.mark.parametrize(("region", "service"), [("0", "127"), ("eu-west-2", "oapi"), ("127", "0"), ("x-1", "osc")])
    def test_with_any_well_formed_scope_is_accepted(
        self, cloud: Cloud, alice: Account, region: str, service: str
    ) -> None:
        """Real clients take the scope from an IP address, or have one built in. [AUTH-003]"""
        assert ask(cloud, sign_request(alice, "/api/v1/ReadVms", region=region, service=service))[0] == 200

    @pytest.mark.parametrize(
        "names", ["content-type;x-osc-date", "x-osc-date;host", "host;host;x-osc-date", "Host;x-osc-date", "host;"]
    )
    def test_with_other_lists_of_headers_is_refused(self, cloud: Cloud, alice: Account, names: str) -> None:
        """Signed headers are sorted, unique, in lower case, and contain host. [AUTH-014]"""
        request = sign_request(alice, "/api/v1/ReadVms")
        header = request.headers["authorization"].replace("content-type;host;x-osc-date", names)
        request = replace(request, headers={**request.headers, "authorization": header})
        assert error(cloud, request) == (401, "1", "AUTH-014")

    @pytest.mark.parametrize("dialect", ["OSC", "AWS"])
    def test_with_both_dates_is_refused(self, cloud: Cloud, alice: Account, dialect: str) -> None:
        """X-Osc-Date and X-Amz-Date at once leave open which one is signed. [AUTH-014]"""
        request = sign_request(alice, "/api/v1/ReadVms", dialect=dialect)
        dates = {"x-osc-date": "20260101T000000Z", "x-amz-date": "20260101T000000Z"}
        assert error(cloud, replace(request, headers={**request.headers, **dates})) == (401, "1", "AUTH-014")

    def test_of_another_day_than_the_request_is_refused(self, cloud: Cloud, alice: Account) -> None:
        """The scope is dated as the request. [AUTH-014]"""
        request = sign_request(alice, "/api/v1/ReadVms")
        header = request.headers["authorization"].replace("/20260101/", "/20260102/")
        request = replace(request, headers={**request.headers, "authorization": header})
        assert error(cloud, request) == (401, "1", "AUTH-014")

    def test_is_compared_in_constant_time(self) -> None:
        """No module compares secrets with ==, which stops at the first difference. [AUTH-006]"""
        secrets = re.compile(r"(secret_key|password|signature|token)$")
        for path, node in syntax_nodes(r"(secret_key|password|signature|token)\W"):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                names = [ast.unparse(side) for side in (node.left, *node.comparators)]
                own = path.startswith(("testing/", "tools/", "pytest_plugin/", "clients/", "state/settings"))
                assert own or not all(map(secrets.search, names)), f"{path}: {names}"

    def test_without_verification_needs_an_account(self) -> None:
        """With auth off a cloud without accounts refuses every call. [AUTH-013]"""
        nobody = Cloud(seed="elsewhere").account("mallory")
        status, body, _ = ask(Cloud(auth="off"), sign_request(nobody, "/api/v1/ReadVms"))
        assert (status, body["Errors"][0]["Code"]) == (401, "1")


class TestOpenActionsByHost:
    def test_are_answered_for_the_region_of_the_host(self, cloud: Cloud) -> None:
        """ReadRegions answers the Regions that the Region of the host knows. [REG-003]"""
        host = "api.cloudgouv-eu-west-1.outscale.com"
        body = ask(cloud, HttpRequest("POST", host, "/api/v1/ReadRegions", {}))[1]
        assert [region["RegionName"] for region in body["Regions"]] == ["cloudgouv-eu-west-1"]

    def test_are_refused_for_an_unknown_region(self, cloud: Cloud) -> None:
        """An unknown Region is refused. [REG-007]"""
        request = HttpRequest("POST", "api.mars-north-1.outscale.com", "/api/v1/ReadRegions", {})
        assert error(cloud, request)[1] == "4120"


class TestActionNames:
    def test_that_are_unknown_are_404(self, cloud: Cloud, alice: Account) -> None:
        """404 means that the action does not exist. [REQ-002]"""
        assert error(cloud, sign_request(alice, "/api/v1/CreateEverything")) == (404, "12000", "REQ-002")

    @pytest.mark.parametrize("path", ["/", "/api/v1", "/api/v1/"])
    def test_that_are_missing_are_refused_with_the_path(self, cloud: Cloud, alice: Account, path: str) -> None:
        """A path without an action, such as that of a call to ICU, is named in the refusal. [REQ-002]"""
        assert ask(cloud, sign_request(alice, path))[1]["Errors"][0]["Details"].startswith(f"{path} is not an action")

    def test_that_are_not_served_are_refused_as_such(self, cloud: Cloud, alice: Account) -> None:
        """An official action that omisim does not serve is refused as not served. [REQ-002]"""
        request = sign_request(alice, "/api/v1/CreateLoadBalancer")
        assert error(cloud, request) == (400, "8010", "REQ-002/not-served")
        assert "CreateLoadBalancer" in ask(cloud, request)[1]["Errors"][0]["Details"]

    def test_are_checked_after_authentication(self, cloud: Cloud) -> None:
        """Authentication comes before the name of the action. [REQ-014]"""
        request = HttpRequest("POST", "api.eu-west-2.outscale.com", "/api/v1/CreateEverything", {})
        assert error(cloud, request) == (401, "1", "AUTH-005")

    def test_with_another_method_are_unknown(self, cloud: Cloud, alice: Account) -> None:
        """Every action is a POST. [REQ-002]"""
        request = HttpRequest("GET", "api.eu-west-2.outscale.com", "/api/v1/ReadRegions", {})
        assert error(cloud, request) == (404, "12000", "REQ-002")
        assert ask(cloud, request)[1]["Errors"][0]["Details"].endswith("Call it with POST.")

    def test_of_refused_requests_are_in_the_call_log(self, cloud: Cloud, alice: Account) -> None:
        """`calls` has refused requests, with their error."""
        ask(cloud, sign_request(alice, "/api/v1/CreateLoadBalancer"))
        record = cloud.calls()[-1]
        assert (record.action, record.account, record.error and record.error.code) == (
            "CreateLoadBalancer",
            "alice",
            "8010",
        )


class TestBody:
    @pytest.mark.parametrize("body", [b"", b"  \n", b"{}"])
    def test_may_be_empty_if_nothing_is_required(self, cloud: Cloud, alice: Account, body: bytes) -> None:
        """An empty body is an empty object. [REQ-001]"""
        assert ask(cloud, sign_request(alice, "/api/v1/ReadVms", body))[0] == 200

    def test_that_is_empty_lacks_required_parameters(self, cloud: Cloud, alice: Account) -> None:
        """An empty body lacks every required parameter. [REQ-010]"""
        assert error(cloud, sign_request(alice, "/api/v1/DeleteImage", b"")) == (400, "7000", "REQ-010")

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"nonsense",
            b"[]",
            b'"text"',
            b"null",
            b'{"VolumeId": NaN}',
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b'{"Size": ' + b"9" * 5000 + b"}",
        ],
        ids=["open", "word", "list", "string", "null", "nan", "bytes", "deep list", "deep object", "huge number"],
    )
    def test_that_is_not_a_json_object_is_refused(self, cloud: Cloud, alice: Account, body: bytes) -> None:
        """The body must be one JSON object. [REQ-004]"""
        assert error(cloud, sign_request(alice, "/api/v1/CreateVolume", body)) == (400, "0", "REQ-004")

    def test_of_four_megabytes_is_refused_without_repeating_it(self, cloud: Cloud, alice: Account) -> None:
        """A huge body is read and refused, and the answer does not repeat it. [VM-019]"""
        image = alice.read_images()[0].image_id
        body = json.dumps({"ImageId": image, "UserData": "A" * 4_000_000}).encode()
        status, answer, response = ask(cloud, sign_request(alice, "/api/v1/CreateVms", body))
        assert (status, answer["Errors"][0]["Code"], len(response.body) < 1000) == (400, "4106", True)

    def test_of_four_megabytes_of_an_unknown_parameter_is_refused(self, cloud: Cloud, alice: Account) -> None:
        """A huge unknown parameter is refused by name, briefly. [REQ-008]"""
        body = json.dumps({"X" * 4_000_000: 1}).encode()
        status, answer, response = ask(cloud, sign_request(alice, "/api/v1/ReadVms", body))
        assert (status, answer["Errors"][0]["Code"], len(response.body) < 1000) == (400, "3001", True)


class TestParameters:
    @pytest.mark.parametrize(
        ("parameters", "code", "details"),
        [
            ({"Sise": 1, "SubregionName": "eu-west-2a"}, "3001", "Sise"),
            ({"SubregionName": "eu-west-2a", "Size": "10"}, "4110", "Size"),
            ({"SubregionName": "eu-west-2a", "Size": True}, "4110", "Size"),
            ({"SubregionName": "eu-west-2a", "Size": 1.5}, "4110", "Size"),
            ({"SubregionName": ["eu-west-2a"], "Size": 1}, "4110", "SubregionName"),
            ({"Size": 1}, "7000", "SubregionName"),
            ({"SubregionName": None, "Size": 1}, "7000", "SubregionName"),
            ({"SubregionName": "eu-west-2a", "SnapshotId": "vol-12345678"}, "4104", "vol-12345678"),
            ({"SubregionName": "eu-west-2a", "SnapshotId": "snap-1234"}, "4105", "snap-1234"),
            ({"SubregionName": "eu-west-2a", "SnapshotId": "snap-1234567G"}, "4105", "snap-1234567G"),
            ({"SubregionName": "eu-west-2a", "SnapshotId": "snap-00000000"}, "5054", "snap-00000000"),
        ],
    )
    def test_are_refused_by_name(
        self, cloud: Cloud, alice: Account, parameters: dict[str, Any], code: str, details: str
    ) -> None:
        """Details name what is wrong with a request. [REQ-008] [REQ-009] [REQ-010] [ID-015] [ID-016]"""
        request = sign_request(alice, "/api/v1/CreateVolume", json.dumps(parameters).encode())
        assert error(cloud, request)[1] == code
        assert details in ask(cloud, request)[1]["Errors"][0]["Details"]

    def test_that_are_unknown_are_refused_at_any_depth(self, cloud: Cloud, alice: Account) -> None:
        """An unknown name is refused at any depth. [REQ-008]"""
        body = {"ImageId": "x", "BlockDeviceMappings": [{"Bsu": {"VolumeSice": 1}}]}
        request = sign_request(alice, "/api/v1/CreateVms", json.dumps(body).encode())
        assert error(cloud, request)[1] == "3001"
        assert "BlockDeviceMappings[0].Bsu.VolumeSice" in ask(cloud, request)[1]["Errors"][0]["Details"]

    def test_that_are_unknown_come_before_wrong_types(self, cloud: Cloud, alice: Account) -> None:
        """The order of checks is names, types, missing parameters. [REQ-014]"""
        request = sign_request(alice, "/api/v1/CreateVolume", b'{"Size": "x", "Foo": 1}')
        assert error(cloud, request)[1] == "3001"

    def test_that_are_mistyped_get_a_suggestion(self, cloud: Cloud, alice: Account) -> None:
        """A mistyped name is answered with a similar parameter. [REQ-008]"""
        request = sign_request(alice, "/api/v1/CreateVolume", b'{"SubRegionName": "eu-west-2a"}')
        assert "SubregionName" in ask(cloud, request)[1]["Errors"][0]["Details"].replace("SubRegionName", "", 1)

    def test_are_checked_by_a_dry_run_that_changes_nothing(self, cloud: Cloud, alice: Account) -> None:
        """A dry run answers ResponseContext only, and leaves the cloud as it was. [REQ-013]"""
        before = cloud.fork()
        answer = alice.call("CreateVolume", SubregionName="eu-west-2a", Size=1, DryRun=True)
        assert (set(answer), cloud == before) == ({"ResponseContext"}, True)

    def test_are_refused_by_a_dry_run_like_by_the_call(self, cloud: Cloud, alice: Account) -> None:
        """A dry run of a call that would be refused is refused alike. [REQ-013]"""
        request = sign_request(
            alice, "/api/v1/CreateVolume", b'{"SubregionName": "nowhere", "Size": 1, "DryRun": true}'
        )
        assert error(cloud, request)[1] == "5009"


class TestAnswer:
    def test_has_a_request_id_of_its_own(self, cloud: Cloud, alice: Account) -> None:
        """Every answer has a RequestId, a version 4 UUID, and no two the same. [ID-014] [REQ-006]"""
        ids = [alice.call("ReadVms")["ResponseContext"]["RequestId"] for _ in range(2)]
        assert len(set(ids)) == 2
        assert all(len(i) == 36 and i[14] == "4" for i in ids)

    def test_is_the_same_over_http_and_in_python(self, cloud: Cloud, alice: Account, golden: object) -> None:
        """`Account.call` and HTTP answer the same JSON."""
        over_the_wire = ask(cloud, sign_request(alice, "/api/v1/ReadImages"))[1]["Images"]
        assert over_the_wire == alice.call("ReadImages")["Images"]

    def test_has_warnings_in_a_header(self, cloud: Cloud, alice: Account, golden: Any) -> None:
        """A warning about an allowed but doubtful call is in a header, never a Python warning."""
        body = {"ImageId": golden.image_id, "PermissionsToLaunch": {"Additions": {"GlobalPermission": True}}}
        response = ask(cloud, sign_request(alice, "/api/v1/UpdateImage", json.dumps(body).encode()))[2]
        assert "public" in response.headers["X-Omisim-Warning"]
        assert cloud.warnings == (response.headers["X-Omisim-Warning"],)

    def test_has_the_token_of_the_next_page(self, cloud: Cloud, alice: Account) -> None:
        """The token of the next page is answered as JSON like the rest. [PAG-003]"""
        status, body, _ = ask(cloud, sign_request(alice, "/api/v1/ReadImages", b'{"ResultsPerPage": 3}'))
        assert (status, len(body["Images"]), bool(body["NextPageToken"])) == (200, 3, True)

    @pytest.mark.parametrize(
        ("service", "path", "body"),
        [
            ("api", "/api/v1/ReadImages", b'{"ResultsPerPage": 2}'),
            ("api", "/api/v1/CreateVolume", b'{"SubregionName": "eu-west-2a", "Size": 1, "DryRun": true}'),
            ("fcu", "/", b"Action=DescribeImages&Version=2016-11-15&MaxResults=2"),
            ("fcu", "/", b"Action=CreateVolume&Version=2016-11-15&AvailabilityZone=eu-west-2a&Size=1&DryRun=true"),
        ],
    )
    def test_is_the_same_each_time_a_request_is_sent(self, service: str, path: str, body: bytes) -> None:
        """A request that a client repeats has the same page, or is a dry run again. [REQ-013, PAG-001]"""
        cloud = Cloud(auth="off")
        cloud.account("alice")
        door, before = FrontDoor(cloud.engine), cloud.fork()
        request = HttpRequest("POST", f"{service}.eu-west-2.outscale.com", path, {}, body)
        answers = [door.handle(service, request, START) for _ in range(3)]
        assert len({(answer.status, re.sub(rb"[0-9a-f-]{36}", b"", answer.body)) for answer in answers}) == 1
        assert cloud == before
