"""Who calls: modes, logins, lock-out, open actions and Regions, through both doors."""

from __future__ import annotations

import datetime as dt
import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from support.doors import Door, send_refused, send_request
from support.sign import sign_request

from omisim import Account, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.doors.http import HttpRequest
from omisim.engine.lockouts import NO_LOCKOUTS
from omisim.state.settings import Auth

HOST = "api.eu-west-2.outscale.com"
OPEN = [action.name for action in ACTIONS.values() if action.open]


def with_header(action: str, header: str, host: str = HOST, body: bytes = b"{}") -> HttpRequest:
    """Return a request with an Authorization header of any kind."""
    headers = {"content-type": "application/json", "authorization": header, "x-osc-date": "20260101T000000Z"}
    return HttpRequest("POST", host, f"/api/v1/{action}", headers, body)


def basic(login: str, password: str, action: str = "ReadAccessKeys", host: str = HOST) -> HttpRequest:
    """Return a request with a login and a password."""
    return with_header(action, "Basic " + b64encode(f"{login}:{password}".encode()).decode(), host)


class TestBasicLogin:
    @pytest.mark.parametrize("action", ["ReadAccessKeys", "CreateAccessKey"])
    def test_is_accepted_by_the_actions_on_access_keys(
        self, cloud: Cloud, alice: Account, door: Door, action: str
    ) -> None:
        """A login and password manage access keys, and need no valid date. [AUTH-012, AK-011]"""
        assert send_request(door, cloud, basic(alice.email, alice.password, action))[0] == 200

    def test_is_refused_by_other_actions(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """Other actions refuse a correct and a wrong login alike. [AUTH-004]"""
        for password in (alice.password, "guess"):
            request = basic(alice.email, password, "ReadVms")
            assert send_refused(door, cloud, request) == (401, "9", "AUTH-004")

    def test_is_checked_before_an_unserved_action(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """Authentication comes before the question whether an action is served. [AUTH-012, REQ-014]"""
        request = basic(alice.email, alice.password, "CreateApiAccessRule")
        assert send_refused(door, cloud, request) == (400, "8010", "REQ-002/not-served")

    @pytest.mark.parametrize("login", ["", ":", "{email}", "{email}:", ":{password}"])
    def test_needs_login_and_password(self, cloud: Cloud, alice: Account, door: Door, login: str) -> None:
        """A login without a password, or a password without a login, is incomplete. [AUTH-004/login]"""
        text = login.format(email=alice.email, password=alice.password)
        request = with_header("ReadAccessKeys", "Basic " + b64encode(text.encode()).decode())
        assert send_refused(door, cloud, request) == (403, "10", "AUTH-004/login")

    def test_that_is_wrong_or_garbled_is_refused(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """A wrong password, an unknown login and invalid Base64 are refused. [AUTH-012, AUTH-005]"""
        assert send_refused(door, cloud, basic(alice.email, "guess")) == (401, "1", "AUTH-012")
        assert send_refused(door, cloud, basic("nobody@example.com", "x")) == (401, "1", "AUTH-012")
        assert send_refused(door, cloud, with_header("ReadAccessKeys", "Basic %%%")) == (401, "1", "AUTH-005")

    def test_is_valid_in_the_region_of_its_account(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """An account is known in its Region only; a host without a Region means any. [AUTH-012, REG-002]"""
        there = basic(alice.email, alice.password, host="api.us-east-2.outscale.com")
        assert send_refused(door, cloud, there) == (401, "1", "AUTH-012")
        assert send_request(door, cloud, basic(alice.email, alice.password, host="127.0.0.1:8333"))[0] == 200

    @pytest.mark.parametrize("scheme", ["Bearer abc", "Digest username=x", "AWS AKIA:abc", "Negotiate x"])
    def test_with_an_unknown_scheme_is_refused(self, cloud: Cloud, alice: Account, door: Door, scheme: str) -> None:
        """Only signatures and Basic logins are accepted. [AUTH-004/method]"""
        for action in ("ReadVms", "ReadAccessKeys"):
            assert send_refused(door, cloud, with_header(action, scheme)) == (403, "8", "AUTH-004/method")

    def test_with_an_expired_password_has_its_own_error(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """A fault makes a password expire. [AUTH-010]"""
        cloud.faults.add("ReadAccessKeys", error="password-expired")
        assert door(cloud, basic(alice.email, alice.password)).status == 401
        error = cloud.calls()[-1].error
        assert error
        assert error.code == "20"


class TestLockOut:
    def test_counts_logins_and_signatures_together(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """Wrong passwords and wrong signatures in a row lock the account for both. [AUTH-009]"""
        wrong = sign_request(alice, "/api/v1/ReadVms", secret_key="X" * 40)
        for _ in range(2):
            assert send_refused(door, cloud, wrong)[1] == "1"
            assert send_refused(door, cloud, basic(alice.email, "guess"))[1] == "1"
        assert send_refused(door, cloud, sign_request(alice, "/api/v1/ReadVms")) == (401, "13", "AUTH-009")
        assert send_refused(door, cloud, basic(alice.email, alice.password)) == (401, "13", "AUTH-009")
        cloud.advance(seconds=60)
        assert send_request(door, cloud, sign_request(alice, "/api/v1/ReadVms"))[0] == 200

    def test_grows_to_ten_minutes(self) -> None:
        """Each further four failures lock for one minute more, up to ten. [AUTH-009]"""
        lockouts, now, minutes = NO_LOCKOUTS, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), []
        for count in range(1, 49):
            lockouts = lockouts.add_failure("a", now)
            until = lockouts.locked_until("a", now)
            assert (until is None) == (count % 4 != 0)
            if until is not None:
                minutes.append((until - now).total_seconds() / 60)
        assert minutes == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]

    def test_lasts_as_long_after_a_rollback(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """A rollback undoes no lock, and turns its end back with the clock. [AUTH-009]"""
        wrong, right = (basic(alice.email, password) for password in ("guess", alice.password))
        with cloud.savepoint():
            cloud.advance(86_400)
            for _ in range(4):
                send_refused(door, cloud, wrong)
            cloud.advance(20)
        assert send_refused(door, cloud, right) == (401, "13", "AUTH-009")
        with cloud.savepoint():
            cloud.advance(40)
            assert send_request(door, cloud, right)[0] == 200

    @pytest.mark.parametrize("what", ["open action", "date", "unknown key"])
    def test_ignores_failures_that_check_no_secret(self, cloud: Cloud, alice: Account, door: Door, what: str) -> None:
        """An open action, an old date and an unknown key do not count. [AUTH-009, AUTH-011]"""
        request = {
            "open action": sign_request(alice, "/api/v1/ReadRegions", secret_key="X" * 40),
            "date": sign_request(
                alice, "/api/v1/ReadVms", secret_key="X" * 40, at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
            ),
            "unknown key": sign_request(Cloud(seed="elsewhere").account("mallory"), "/api/v1/ReadVms"),
        }[what]
        for _ in range(5):
            door(cloud, request)
        assert send_request(door, cloud, sign_request(alice, "/api/v1/ReadVms"))[0] == 200

    def test_does_not_affect_open_actions(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """A locked account can still call the open actions. [AUTH-011]"""
        for _ in range(4):
            door(cloud, sign_request(alice, "/api/v1/ReadVms", secret_key="X" * 40))
        assert send_request(door, cloud, sign_request(alice, "/api/v1/ReadRegions"))[0] == 200


class TestIdentityOfOpenActions:
    @pytest.mark.parametrize("header", ["", "Basic YTpi", "Basic %%%", "Bearer x", "nonsense", "OSC4-HMAC-SHA256 x"])
    @pytest.mark.parametrize("action", OPEN)
    def test_accepts_any_credentials_or_none(self, cloud: Cloud, door: Door, action: str, header: str) -> None:
        """An open action is answered with any Authorization header. [AUTH-011]"""
        assert send_request(door, cloud, with_header(action, header))[0] == 200

    @pytest.mark.parametrize("auth", ["strict", "lenient", "off"])
    def test_accepts_empty_keys(self, door: Door, auth: Auth) -> None:
        """A client without keys signs with empty ones. [AUTH-011]"""
        cloud = Cloud(auth=auth)
        nobody = Cloud().account("nobody")
        nobody.access_key = nobody.secret_key = ""
        assert send_request(door, cloud, sign_request(nobody, "/api/v1/ReadRegions"))[0] == 200

    def test_recognizes_a_valid_signature(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """A valid signature is not ignored: the caller's own product types are listed. [AUTH-011, CAT-002]"""
        alice.create_product_type(description="mine")
        signed_count, unsigned_count = (
            len(send_request(door, cloud, request)[1]["ProductTypes"])
            for request in (sign_request(alice, "/api/v1/ReadProductTypes"), with_header("ReadProductTypes", ""))
        )
        assert signed_count == unsigned_count + 1


class TestAuthModes:
    def test_are_strict_by_default(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """By default everything is verified. [AUTH-013]"""
        assert send_refused(door, cloud, sign_request(alice, "/api/v1/ReadVms", secret_key="X" * 40))[0] == 401

    def test_of_lenient_check_only_that_the_caller_exists(self, door: Door) -> None:
        """The key or the login must exist; the date and the secret are not checked. [AUTH-013]"""
        cloud = Cloud(auth="lenient")
        alice = cloud.account("alice")
        old = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        for _ in range(5):
            assert (
                send_request(door, cloud, sign_request(alice, "/api/v1/ReadVms", secret_key="X" * 40, at=old))[0] == 200
            )
            assert send_request(door, cloud, basic(alice.email, "guess"))[0] == 200
        stranger = Cloud(seed="elsewhere").account("mallory")
        assert send_refused(door, cloud, sign_request(stranger, "/api/v1/ReadVms")) == (400, "4120", "AUTH-006")
        assert send_refused(door, cloud, basic("nobody@example.com", "x")) == (401, "1", "AUTH-012")
        assert send_refused(door, cloud, with_header("ReadVms", "")) == (401, "1", "AUTH-005")

    @pytest.mark.parametrize("header", ["", "nonsense", "Bearer abc", "Basic YTpi", "Basic %%%"])
    def test_of_off_take_an_unknown_caller_for_the_first_account(self, door: Door, header: str) -> None:
        """An unknown caller is the first account of the Region. [AUTH-013]"""
        cloud = Cloud(auth="off")
        alice, carol = cloud.account("alice"), cloud.account("carol", region="us-east-2")
        for host, account in ((HOST, alice), ("api.us-east-2.outscale.com", carol), ("127.0.0.1:1", alice)):
            answer = send_request(door, cloud, with_header("ReadAccounts", header, host))[1]
            assert answer["Accounts"][0]["AccountId"] == account.account_id

    def test_of_off_recognize_keys_and_logins(self, door: Door) -> None:
        """An existing key or login names its account, whatever the secret is. [AUTH-013]"""
        cloud = Cloud(auth="off")
        cloud.account("alice")
        bob = cloud.account("bob")
        for request in (
            sign_request(bob, "/api/v1/ReadAccounts", secret_key="X" * 40),
            basic(bob.email, "guess", "ReadAccounts"),
        ):
            assert send_request(door, cloud, request)[1]["Accounts"][0]["AccountId"] == bob.account_id

    @pytest.mark.parametrize("other", ["Credential=", "Credential=A,Credential=", "Credential= Credential="])
    def test_of_off_read_one_credential(self, door: Door, other: str) -> None:
        """Only the first credential of a header names a key, so that a header of thousands takes linear time."""
        cloud = Cloud(auth="off")
        alice, bob = cloud.account("alice"), cloud.account("bob")
        for text, account in ((bob.access_key, bob), (other + bob.access_key, alice)):
            request = with_header("ReadAccounts", f"OSC4-HMAC-SHA256 Credential={text}/")
            assert send_request(door, cloud, request)[1]["Accounts"][0]["AccountId"] == account.account_id

    def test_of_off_refuse_a_key_and_a_login_of_another_region(self, door: Door) -> None:
        """The refusal names the account and the Region of the key, although the cloud has accounts. [AUTH-006]"""
        cloud = Cloud(auth="off")
        carol = cloud.account("carol", region="us-east-2")
        refusal = send_refused(door, cloud, sign_request(carol, "/api/v1/ReadVms"))
        assert refusal == (400, "4120", "AUTH-006")
        error = cloud.calls()[-1].error
        assert error is not None
        assert "carol in us-east-2 has this key." in error.explain()
        assert send_refused(door, cloud, basic(carol.email, "guess", "ReadAccounts")) == (401, "1", "AUTH-012")

    def test_of_off_need_an_account(self, door: Door) -> None:
        """A cloud without accounts refuses every call. [AUTH-013, AUTH-005]"""
        assert send_refused(door, Cloud(auth="off"), with_header("ReadVms", "")) == (401, "1", "AUTH-005")


class TestRegionOfARequest:
    @pytest.mark.parametrize(
        ("host", "path"),
        [
            ("api.us-east-2.outscale.com", "/api/v1/ReadSubregions"),
            ("api.US-EAST-2.outscale.com:443", "/api/v1/ReadSubregions"),
            ("127.0.0.1:8333", "/us-east-2/api/v1/ReadSubregions"),
            (HOST, "/us-east-2/api/latest/ReadSubregions"),
        ],
    )
    def test_is_named_by_host_or_path(self, cloud: Cloud, alice: Account, door: Door, host: str, path: str) -> None:
        """A named Region accepts its own keys only; a path takes precedence over a host. [REG-007, AUTH-006]"""
        carol = cloud.account("carol", region="us-east-2")
        answer = send_request(door, cloud, sign_request(carol, path, host=host))[1]
        assert {row["RegionName"] for row in answer["Subregions"]} == {"us-east-2"}
        assert send_refused(door, cloud, sign_request(alice, path, host=host)) == (400, "4120", "AUTH-006")

    def test_is_that_of_the_key_by_default(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """A host without a Region means that of the key; the Region of the scope is ignored. [REG-007]"""
        carol = cloud.account("carol", region="us-east-2")
        for account in (alice, carol):
            request = sign_request(account, "/api/v1/ReadSubregions", host="localhost:8333", region="eu-west-2")
            answer = send_request(door, cloud, request)[1]
            assert {row["RegionName"] for row in answer["Subregions"]} == {account.region}

    def test_must_exist(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """An unknown Region is refused, in the host and in the path. [REG-007]"""
        for host, path in (("api.mars-north-1.outscale.com", "/api/v1/"), (HOST, "/mars-north-1/api/v1/")):
            assert send_refused(door, cloud, sign_request(alice, f"{path}ReadVms", host=host))[2] == "REG-007"


class TestUnusableKeys:
    def test_are_unknown_inactive_or_expired(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """A deleted key is like an unknown one; an inactive or expired one has its own error.

        [AUTH-006, AUTH-008, AK-010]
        """
        request = sign_request(alice, "/api/v1/ReadVms")
        alice.update_access_key(access_key_id=alice.access_key, state="INACTIVE")
        assert send_refused(door, cloud, request) == (400, "4120", "AUTH-008")
        soon = (cloud.now + dt.timedelta(minutes=1)).isoformat()
        alice.update_access_key(access_key_id=alice.access_key, state="ACTIVE", expiration_date=soon)
        assert send_request(door, cloud, request)[0] == 200
        cloud.advance(seconds=60)
        assert send_refused(door, cloud, request) == (400, "4120", "AUTH-008")
        alice.delete_access_key(access_key_id=alice.access_key)
        assert send_refused(door, cloud, request) == (400, "4120", "AUTH-006")


class TestHttpRequests:
    @pytest.mark.parametrize(
        ("path", "origin"),
        [("/api/v1/ReadImages", "*"), ("/eu-west-2/ReadVms", "*"), ("/api/v1/CreateImage", None), ("/", None)],
    )
    def test_with_method_options_are_answered_with_204(
        self, cloud: Cloud, door: Door, path: str, origin: str | None
    ) -> None:
        """OPTIONS is answered 204 for any path, without credentials; pages of any site may read only. [REQ-005]"""
        response = door(cloud, HttpRequest("OPTIONS", HOST, path, {}))
        headers = {name.lower(): value for name, value in response.headers.items()}
        assert response.status == 204
        assert headers["access-control-allow-methods"] == "GET, OPTIONS, POST"
        assert headers.get("access-control-allow-origin") == origin
        assert headers["access-control-max-age"] == "86400"

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
    def test_with_another_method_find_no_action(self, cloud: Cloud, door: Door, method: str) -> None:
        """Actions are POST only. [REQ-002]"""
        request = replace(with_header("ReadRegions", ""), method=method, body=b"")
        assert door(cloud, request).status == 404
        error = cloud.calls()[-1].error
        assert error
        assert error.code == "12000"

    @pytest.mark.parametrize("kind", ["text/xml", "application/x-www-form-urlencoded", "application/jsonp", "json"])
    def test_with_another_content_type_are_refused(self, cloud: Cloud, door: Door, kind: str) -> None:
        """The content type of a body is JSON. [REQ-003]"""
        request = with_header("ReadRegions", "")
        request = replace(request, headers={**request.headers, "content-type": kind})
        assert send_refused(door, cloud, request) == (400, "3010", "REQ-003")

    @pytest.mark.parametrize(
        "kind", ["application/json", "Application/JSON; charset=utf-8", "application/x-amz-json-1.1", ""]
    )
    def test_with_a_variant_of_the_json_type_are_accepted(self, cloud: Cloud, door: Door, kind: str) -> None:
        """Parameters and case of the content type do not matter; an empty one is absent. [REQ-003]"""
        request = with_header("ReadRegions", "")
        assert send_request(door, cloud, replace(request, headers={**request.headers, "content-type": kind}))[0] == 200

    @pytest.mark.parametrize("body", [b"", b" ", b"\n"])
    def test_without_a_body_need_no_content_type(self, cloud: Cloud, door: Door, body: bytes) -> None:
        """An empty body is an empty object, whatever its content type is. [REQ-001, REQ-003]"""
        request = with_header("ReadRegions", "", body=body)
        request = replace(request, headers={**request.headers, "content-type": "application/x-www-form-urlencoded"})
        assert send_request(door, cloud, request)[0] == 200

    @pytest.mark.parametrize(
        ("action", "parameters", "code", "rule"),
        [
            ("ReadVms", "[]", "0", "REQ-004"),
            ("ReadVms", '{"Foo": 1}', "3001", "REQ-008"),
            ("ReadVms", '{"Filters": "a"}', "4110", "REQ-009"),
            ("CreateVolume", "{}", "7000", "REQ-010"),
            ("DeleteAccessKey", '{"AccessKeyId": ""}', "7000", "REQ-010"),
            ("UpdateAccessKey", '{"AccessKeyId": "", "State": "ACTIVE"}', "7000", "REQ-010"),
            ("DeleteKeypair", '{"KeypairName": "", "KeypairId": ""}', "7000", "KEY-005"),
            ("CreateImage", '{"VmId": "i-12345678", "SourceImageId": "ami-12345678"}', "3002", "OMI-003"),
            ("UpdateAccessKey", '{"AccessKeyId": "A", "State": "EXPIRED"}', "4047", "AK-005/state"),
            ("DeleteImage", '{"ImageId": "i-12345678"}', "4104", "ID-015"),
            ("DeleteImage", '{"ImageId": "ami-1"}', "4105", "ID-016"),
            ("CreateEverything", "{}", "12000", "REQ-002"),
        ],
    )
    def test_are_refused_for_the_first_mistake(
        self, cloud: Cloud, alice: Account, door: Door, action: str, parameters: str, code: str, rule: str
    ) -> None:
        """Each mistake has its code and its rule. [REQ-007, REQ-011, REQ-012, REQ-014, AK-007, KEY-005]"""
        request = sign_request(alice, f"/api/v1/{action}", parameters.encode())
        assert send_refused(door, cloud, request)[1:] == (code, rule)

    def test_with_a_value_too_long_are_refused_briefly(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """A value that is too long is 4106, and Details do not repeat it. [REQ-012, REQ-017]"""
        image = cloud.images.official("ubuntu").image_id
        body = json.dumps({"ImageId": image, "UserData": "A" * 800_000}).encode()
        request = sign_request(alice, "/api/v1/CreateVms", body)
        assert send_refused(door, cloud, request)[1] == "4106"
        assert len(send_request(door, cloud, request)[1]["Errors"][0]["Details"]) < 300

    def test_for_a_batch_check_all_ids_first(self, cloud: Cloud, alice: Account, vm: Any, door: Door) -> None:
        """If one id is unknown, no VM is stopped. [REQ-016]"""
        body = json.dumps({"VmIds": [vm.vm_id, "i-00000000"]}).encode()
        assert send_refused(door, cloud, sign_request(alice, "/api/v1/StopVms", body))[1] == "5063"

    def test_that_succeed_are_answered_with_200_and_an_id(self, cloud: Cloud, alice: Account, door: Door) -> None:
        """Success is status 200, for creations too. [REQ-006]"""
        body = b'{"SubregionName": "eu-west-2a", "Size": 1}'
        status, answer = send_request(door, cloud, sign_request(alice, "/api/v1/CreateVolume", body))
        assert (status, set(answer)) == (200, {"ResponseContext", "Volume"})
        assert len(answer["ResponseContext"]["RequestId"]) == 36
