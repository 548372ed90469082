"""Access keys: made, read, switched off, expired, deleted."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from typing import Any

import pytest
from requests import HTTPError
from support.expect import expect_refusal

from omisim import Account, Cloud
from omisim.doors.http import HttpRequest
from omisim.doors.oapi import OapiDoor


def codes(account: Account, access_key: dict[str, Any]) -> str:
    """Return the code of a call signed with a key of the account's, "" when it is accepted."""
    gateway = account.gateway()
    gateway.call.profile.access_key = access_key["AccessKeyId"]
    gateway.call.profile.secret_key = access_key["SecretKey"]
    try:
        gateway.ReadVms()
    except HTTPError as error:
        return str(error.response.json()["Errors"][0]["Code"])
    return ""


@pytest.fixture(name="access_key")
def _access_key(alice: Account) -> dict[str, Any]:
    key: dict[str, Any] = alice.call("CreateAccessKey", Tag="pipeline")["AccessKey"]
    return key


class TestCreateAccessKey:
    def test_answers_an_active_key_and_its_secret_once(self, alice: Account, access_key: dict[str, Any]) -> None:
        """A new key is active and signs; its secret is in this answer only. [AK-002, AK-009]"""
        assert access_key["State"] == "ACTIVE"
        assert codes(alice, access_key) == ""
        read = alice.call("ReadAccessKeys", Filters={"AccessKeyIds": [access_key["AccessKeyId"]]})["AccessKeys"]
        assert read == [{name: value for name, value in access_key.items() if name != "SecretKey"}]

    def test_allows_ten_keys_at_most(self, alice: Account) -> None:
        """An account has at most ten keys, its first included. [AK-001, QTA-012]"""
        for _ in range(9):
            alice.create_access_key()
        assert expect_refusal(alice, "CreateAccessKey").code == "10005"

    @pytest.mark.parametrize("date", ["2025-12-31", "2025-12-31T00:00:00Z", "soon"])
    def test_refuses_an_expiry_that_is_not_in_the_future(
        self, alice: Account, access_key: dict[str, Any], date: str
    ) -> None:
        """An expiry in the past and one that is not a date are refused, each with its own code. [AK-004]"""
        assert expect_refusal(alice, "CreateAccessKey", ExpirationDate=date).code == "4047"
        call = {"AccessKeyId": access_key["AccessKeyId"], "ExpirationDate": date}
        assert expect_refusal(alice, "UpdateAccessKey", **call).code == "4123"

    def test_refuses_an_expiry_now(self, cloud: Cloud, alice: Account) -> None:
        """A key that expires at this moment is refused. [AK-004]"""
        assert alice.can("CreateAccessKey", ExpirationDate=(cloud.now + dt.timedelta(milliseconds=1)).isoformat())
        assert expect_refusal(alice, "CreateAccessKey", ExpirationDate=cloud.now.isoformat()).rule == "AK-004"


class TestAccessKeys:
    def test_that_are_inactive_cannot_sign(self, alice: Account, access_key: dict[str, Any]) -> None:
        """An inactive key is refused, and works again once it is active. [AK-010, AUTH-008]"""
        alice.update_access_key(access_key_id=access_key["AccessKeyId"], state="INACTIVE")
        assert codes(alice, access_key) == "4120"
        alice.update_access_key(access_key_id=access_key["AccessKeyId"], state="ACTIVE")
        assert codes(alice, access_key) == ""

    def test_that_have_expired_cannot_sign(self, cloud: Cloud, alice: Account) -> None:
        """A key expires when the cloud's clock reaches its date; its state stays. [AK-004, AK-010]"""
        end = (cloud.now + dt.timedelta(days=2)).isoformat()
        access_key = alice.call("CreateAccessKey", ExpirationDate=end)["AccessKey"]
        assert codes(alice, access_key) == ""
        cloud.advance(seconds=2 * 86_400)
        assert codes(alice, access_key) == "4120"
        assert {key.state for key in alice.read_access_keys()} == {"ACTIVE"}

    def test_that_were_deleted_are_unknown(self, alice: Account, access_key: dict[str, Any]) -> None:
        """A deleted key is an unknown one. [AK-007]"""
        alice.delete_access_key(access_key_id=access_key["AccessKeyId"])
        assert codes(alice, access_key) == "4120"

    def test_are_not_needed_for_typed_methods(self, cloud: Cloud, alice: Account) -> None:
        """Typed methods need no key: an account without any can create one. [AK-003]"""
        alice.delete_access_key(access_key_id=alice.access_key)
        assert Cloud.load(cloud.dump()).account("alice").create_access_key().access_key_id


class TestUpdateAccessKey:
    def test_of_the_state_removes_the_expiry(self, alice: Account) -> None:
        """A state given without a date removes the expiry. [AK-006]"""
        access_key = alice.create_access_key(expiration_date="2030-01-01")
        updated_key = alice.update_access_key(access_key_id=access_key.access_key_id, tag="x")
        assert updated_key.expiration_date == dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
        assert alice.update_access_key(access_key_id=access_key.access_key_id, state="ACTIVE").expiration_date is None

    def test_can_remove_date_and_tag(self, alice: Account) -> None:
        """The date and the tag can be removed. [AK-005]"""
        access_key = alice.create_access_key(expiration_date="2030-01-01", tag="x")
        cleared = alice.update_access_key(
            access_key_id=access_key.access_key_id, clear_expiration_date=True, clear_tag=True
        )
        assert (cleared.expiration_date, cleared.tag) == (None, None)

    def test_ignores_a_date_and_a_tag_that_are_cleared(self, alice: Account) -> None:
        """A date or a tag beside the parameter that clears it is ignored, even a past date. [AK-006/clear]"""
        key = alice.create_access_key(expiration_date="2030-01-01", tag="x").access_key_id
        cleared = alice.update_access_key(
            access_key_id=key, clear_expiration_date=True, clear_tag=True, expiration_date="2020-01-01", tag="y"
        )
        assert (cleared.expiration_date, cleared.tag) == (None, None)

    def test_needs_a_change_to_an_existing_state(self, alice: Account, access_key: dict[str, Any]) -> None:
        """An update without a change, or to an unknown state, is refused. [AK-005]"""
        assert expect_refusal(alice, "UpdateAccessKey", AccessKeyId=access_key["AccessKeyId"]).code == "7000"
        call = {"AccessKeyId": access_key["AccessKeyId"], "State": "EXPIRED"}
        assert expect_refusal(alice, "UpdateAccessKey", **call).rule == "AK-005/state"

    def test_refuses_unknown_and_foreign_keys(self, alice: Account, bob: Account) -> None:
        """An unknown key, or another account's, is refused, each action with its own code. [AK-007, AK-007/update]"""
        assert expect_refusal(bob, "UpdateAccessKey", AccessKeyId=alice.access_key, State="INACTIVE").code == "4122"
        assert expect_refusal(bob, "DeleteAccessKey", AccessKeyId=alice.access_key).code == "5076"

    def test_refuses_every_user_name(self, alice: Account) -> None:
        """EIM users are not modelled: no name of a user exists. [ACC-003/user, AK-004/update, AK-005/state]"""
        assert expect_refusal(alice, "ReadAccessKeys", UserName="eve").code == "5075"


class TestReadAccessKeys:
    def test_filters_by_id_state_and_tag(self, alice: Account, access_key: dict[str, Any]) -> None:
        """Keys are found by id, state and tag. [AK-009]"""
        assert [key.access_key_id for key in alice.read_access_keys(tag="pipeline")] == [access_key["AccessKeyId"]]
        assert alice.read_access_keys(filters={"states": ["INACTIVE"]}) == ()

    def test_shows_no_secret_in_python(self, alice: Account, access_key: dict[str, Any]) -> None:
        """The values of typed methods have no secret but that of a new key. [AK-009]"""
        updated = alice.update_access_key(access_key_id=access_key["AccessKeyId"], state="INACTIVE", tag="old")
        assert {key.secret_key for key in (updated, *alice.read_access_keys())} == {""}
        assert codes(alice, alice.call("CreateAccessKey")["AccessKey"]) == ""


def ask(cloud: Cloud, action: str, login: str, host: str = "api.eu-west-2.outscale.com") -> tuple[int, str]:
    """Make a request with Basic credentials; return its status and the rule that refused it."""
    headers = {"authorization": f"Basic {login}", "content-type": "application/json"}
    response = OapiDoor(cloud.engine).handle(HttpRequest("POST", host, f"/api/v1/{action}", headers, b"{}"), cloud.now)
    return response.status, response.headers.get("X-Omisim-Rule", "")


class TestPasswordLogin:
    def test_creates_a_key_when_none_is_left(self, cloud: Cloud, alice: Account) -> None:
        """With login and password a key is created although the account has none to sign with. [AK-011, AUTH-012]"""
        alice.delete_access_key(access_key_id=alice.access_key)
        login = b64encode(f"{alice.email}:{alice.password}".encode()).decode()
        assert ask(cloud, "CreateAccessKey", login) == (200, "")
        assert len(alice.read_access_keys()) == 1

    def test_is_refused_by_other_actions(self, cloud: Cloud, alice: Account) -> None:
        """Other actions need a signature. [AUTH-004]"""
        login = b64encode(f"{alice.email}:{alice.password}".encode()).decode()
        assert ask(cloud, "ReadVms", login) == (401, "AUTH-004")

    def test_must_be_correct_and_in_its_region(self, cloud: Cloud, alice: Account) -> None:
        """A wrong password, a garbled login and one of another Region are refused. [AUTH-012, AUTH-005]"""
        right = b64encode(f"{alice.email}:{alice.password}".encode()).decode()
        wrong = b64encode(f"{alice.email}:guess".encode()).decode()
        assert ask(cloud, "ReadAccessKeys", wrong) == (401, "AUTH-012")
        assert ask(cloud, "ReadAccessKeys", "%%%") == (401, "AUTH-005")
        assert ask(cloud, "ReadAccessKeys", right, "api.us-east-2.outscale.com") == (401, "AUTH-012")
