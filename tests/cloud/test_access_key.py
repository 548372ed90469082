"""Giving an account an access key of the test's own."""

from __future__ import annotations

from typing import Any

import pytest

from omisim import Account, ApiError, Cloud

KEY, SECRET = "AKIAOMISIM0000000001", "S3CR3TS3CR3TS3CR3TS3CR3TS3CR3TS3CR3TS3CR"


class TestSettingAnAccessKey:
    def test_lets_the_account_sign_with_it(self, cloud: Cloud, alice: Account) -> None:
        """The account that is returned, and its clients, use the new key."""
        account = cloud.set_access_key("alice", KEY, SECRET)
        assert (account.access_key, account.secret_key) == (KEY, SECRET)
        assert account.gateway().ReadVms()["Vms"] == []
        assert cloud.account("alice") is account
        assert account.account_id == alice.account_id

    def test_replaces_the_first_key(self, cloud: Cloud, alice: Account) -> None:
        """The key that the account had is gone; a client that holds it is refused. [AUTH-006]"""
        gateway = alice.gateway()
        account = cloud.set_access_key("alice", KEY, SECRET)
        assert [key.access_key_id for key in account.read_access_keys()] == [KEY]
        with pytest.raises(Exception, match="4120"):
            gateway.ReadVms()

    def test_twice_with_the_same_key_changes_nothing(self, cloud: Cloud, alice: Account) -> None:
        """The key that an account has already is kept."""
        first = cloud.set_access_key("alice", KEY, SECRET)
        assert cloud.set_access_key("alice", KEY, SECRET).access_key == first.access_key
        assert len(first.read_access_keys()) == 1

    def test_is_used_whatever_other_keys_the_account_has(self, cloud: Cloud, alice: Account) -> None:
        """The account that is returned signs with the given key, also beside one that CreateAccessKey made."""
        other = alice.create_access_key()
        account = cloud.set_access_key("alice", KEY, SECRET)
        assert (account.access_key, account.secret_key) == (KEY, SECRET)
        assert {key.access_key_id for key in account.read_access_keys()} == {KEY, other.access_key_id}

    @pytest.mark.parametrize("is_first", [True, False])
    def test_that_the_account_has_already_gets_the_secret(
        self, cloud: Cloud, alice: Account, *, is_first: bool
    ) -> None:
        """The given secret replaces that of an existing key, which is then the one that the account signs with."""
        key = alice.access_key if is_first else alice.create_access_key().access_key_id
        account = cloud.set_access_key("alice", key, SECRET)
        assert (account.access_key, account.secret_key) == (key, SECRET)
        assert account.gateway().ReadVms()["Vms"] == []
        assert [each.access_key_id for each in account.read_access_keys()] == [key]

    @pytest.mark.parametrize("is_new", [True, False])
    def test_is_undone_by_a_rollback(self, cloud: Cloud, alice: Account, *, is_new: bool) -> None:
        """`cloud.account` returns an account that signs with the key that it had before, or with its earlier secret."""
        with cloud.savepoint():
            cloud.set_access_key("alice", KEY if is_new else alice.access_key, SECRET)
        account = cloud.account("alice")
        assert (account.access_key, account.secret_key) == (alice.access_key, alice.secret_key)
        assert account.gateway().ReadVms()["Vms"] == []
        assert cloud.account("alice") is account

    def test_of_another_account_is_refused(self, cloud: Cloud, alice: Account, bob: Account) -> None:
        """Two accounts share no key, and nothing changes."""
        before = cloud.fork()
        with pytest.raises(ValueError, match=f"the access key {bob.access_key} belongs to another account"):
            cloud.set_access_key("alice", bob.access_key, SECRET)
        assert cloud == before
        assert alice.access_key == cloud.account("alice").access_key

    @pytest.mark.parametrize(
        ("access_key", "secret_key", "parameter"),
        [(key, SECRET, "access_key") for key in ("", None, 5, "a/b", "a,b", "a b", "a\n", "clé")]
        + [(KEY, secret, "secret_key") for secret in ("", None, 5, "a b", "a\n")],
    )
    def test_that_no_client_can_sign_with_is_refused(
        self, cloud: Cloud, alice: Account, access_key: Any, secret_key: Any, parameter: str
    ) -> None:
        """A key is visible ASCII text that the Authorization header can contain; otherwise nothing changes."""
        before = cloud.fork()
        with pytest.raises(ValueError, match=f"^{parameter} must be visible ASCII characters"):
            cloud.set_access_key("alice", access_key, secret_key)
        assert cloud == before
        assert cloud.account("alice").access_key == alice.access_key

    def test_of_an_unknown_account_is_refused(self, cloud: Cloud) -> None:
        """There is no account to give it to."""
        with pytest.raises(ValueError, match=r"unknown account 'zoe'; known: none; cloud\.account\(name\) creates one"):
            cloud.set_access_key("zoe", KEY, SECRET)

    def test_refused_leaves_the_account_usable(self, cloud: Cloud, alice: Account, bob: Account) -> None:
        """After a refusal the account calls as before."""
        with pytest.raises(ValueError, match="belongs to another account"):
            cloud.set_access_key("alice", bob.access_key, SECRET)
        with pytest.raises(ApiError, match="5063"):
            alice.stop_vms(vm_ids=["i-00000000"])


def test_deleted_leaves_the_account_its_oldest_one(cloud: Cloud, alice: Account) -> None:
    """After a rotation of keys, `cloud.account` signs with the new key, as in a fork; without any key, with none."""
    new = alice.create_access_key().access_key_id
    alice.delete_access_key(access_key_id=alice.access_key)
    assert cloud.account("alice").access_key == cloud.fork().account("alice").access_key == new
    alice.delete_access_key(access_key_id=new)
    account = cloud.account("alice")
    assert account.access_key == account.secret_key == ""
    assert cloud.account("alice") is account


def test_is_added_to_an_account_without_keys(cloud: Cloud, alice: Account) -> None:
    """An account whose every key was deleted gets the key."""
    alice.delete_access_key(access_key_id=alice.access_key)
    account = cloud.set_access_key("alice", KEY, SECRET)
    assert (account.access_key, account.secret_key) == (KEY, SECRET)
