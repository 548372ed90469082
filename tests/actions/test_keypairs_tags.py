"""Keypairs and tags."""

from __future__ import annotations

import base64

import pytest
from support.expect import expect_refusal

from omisim import Account, Cloud
from omisim.model import Vm
from omisim.model.filters.dicts import FiltersKeypairDict

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl carol"


class TestKeypairs:
    def test_are_generated_with_a_private_key_answered_once(self, alice: Account) -> None:
        """Without a public key an RSA key is generated; its private half is answered once.

        [KEY-002, KEY-004, FLD-009]
        """
        keypair = alice.call("CreateKeypair", KeypairName="pair")["Keypair"]
        assert keypair["PrivateKey"].startswith("-----BEGIN")
        assert keypair["KeypairType"] == "ssh-rsa"
        read = alice.call("ReadKeypairs")["Keypairs"][0]
        assert read == {name: value for name, value in keypair.items() if name != "PrivateKey"}

    def test_can_be_imported(self, alice: Account) -> None:
        """A public key in Base64 is imported, with no private half. [KEY-003, KEY-004]"""
        encoded = base64.b64encode(ED25519.encode()).decode()
        keypair = alice.call("CreateKeypair", KeypairName="mine", PublicKey=encoded)["Keypair"]
        assert (keypair["KeypairType"], "PrivateKey" in keypair) == ("ssh-ed25519", False)
        assert len(keypair["KeypairFingerprint"].split(":")) == 16

    @pytest.mark.parametrize("by", ["KeypairName", "KeypairId"])
    def test_are_deleted_by_name_or_id(self, alice: Account, by: str) -> None:
        """A keypair is deleted by its name or by its id. [KEY-005]"""
        keypair = alice.call("CreateKeypair", KeypairName="pair")["Keypair"]
        alice.call("DeleteKeypair", **{by: keypair[by]})
        assert alice.read_keypairs() == ()

    def test_have_names_unique_within_one_account(self, alice: Account, bob: Account) -> None:
        """Another account may use the same name. [KEY-001]"""
        alice.create_keypair(keypair_name="pair")
        assert bob.can("CreateKeypair", KeypairName="pair")

    def test_can_be_tagged_and_filtered(self, alice: Account) -> None:
        """A keypair is tagged by its id, and found by name, type or tag. [KEY-007, ID-009]"""
        keypair = alice.create_keypair(keypair_name="pair")
        alice.create_tags(resource_ids=[keypair.keypair_id], tags=[{"key": "team", "value": "blue"}])
        searches: list[FiltersKeypairDict] = [
            {"keypair_names": ["pair"]},
            {"keypair_types": ["ssh-rsa"]},
            {"tags": ["team=blue"]},
        ]
        for filters in searches:
            assert [row.keypair_id for row in alice.read_keypairs(filters=filters)] == [keypair.keypair_id]
        assert alice.read_tags()[0].resource_type == "keypair"

    def test_need_a_name_even_in_a_dry_run(self, alice: Account) -> None:
        """DryRun with a missing name is a missing parameter. [KEY-008]"""
        assert expect_refusal(alice, "CreateKeypair", DryRun=True).code == "7000"

    def test_are_imported_in_base64_only(self, alice: Account) -> None:
        """A public key that is not encoded in Base64 is refused. [KEY-003]"""
        assert expect_refusal(alice, "CreateKeypair", KeypairName="mine", PublicKey="ssh-rsa AAAA").code == "4032"


class TestTags:
    def test_replace_the_value_of_an_existing_key(self, alice: Account, vm: Vm) -> None:
        """A key has one value, the latest. [TAG-001, TAG-004]"""
        for value in ("blue", "red"):
            alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": "team", "value": value}])
        tags = alice.read_tags()
        assert [(tag.resource_id, tag.resource_type, tag.key, tag.value) for tag in tags] == [
            (vm.vm_id, "instance", "team", "red")
        ]

    @pytest.mark.parametrize(("value", "count"), [("red", 1), ("blue", 0), ("", 0)])
    def test_are_deleted_by_their_value_or_an_empty_one(self, alice: Account, vm: Vm, value: str, count: int) -> None:
        """A given value must be that of the tag; an empty one matches any. [TAG-010, TAG-011]"""
        alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": "team", "value": "blue"}])
        alice.delete_tags(resource_ids=[vm.vm_id], tags=[{"key": "team", "value": value}])
        assert len(alice.read_tags()) == count

    def test_are_set_on_all_resources_or_none(self, alice: Account, vm: Vm) -> None:
        """If one resource is unknown, nothing is tagged. [TAG-015, TAG-005]"""
        call = {"ResourceIds": [vm.vm_id, "vol-00000000"], "Tags": [{"Key": "a", "Value": "b"}]}
        assert expect_refusal(alice, "CreateTags", **call).code == "5064"

    def test_are_filtered_by_keys_and_values_independently(self, alice: Account, vm: Vm) -> None:
        """Keys and values are matched independently, and literally. [TAG-012, TAG-013, TAG-014]"""
        alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
        assert [tag.key for tag in alice.read_tags(filters={"keys": ["a"], "values": ["1", "2"]})] == ["a"]
        assert alice.read_tags(filters={"keys": ["*"]}) == ()

    def test_with_platform_keys_are_stored_like_others(self, alice: Account, vm: Vm) -> None:
        """Keys that trigger platform features are stored like others. [TAG-016]"""
        assert alice.can("CreateTags", ResourceIds=[vm.vm_id], Tags=[{"Key": "osc.fcu.eip.auto-attach", "Value": "x"}])

    def test_need_key_and_value(self, alice: Account, vm: Vm) -> None:
        """A tag has a key and a value and nothing else. [TAG-002]"""
        for tag, code in (({"Key": "a"}, "7000"), ({"Key": "a", "Value": "b", "More": "c"}, "3001")):
            assert expect_refusal(alice, "CreateTags", ResourceIds=[vm.vm_id], Tags=[tag]).code == code


def test_tags_of_a_resource_are_limited_by_a_switch() -> None:
    """most_tags limits the tags of a resource; a new value of an existing key is not a new tag. [TAG-009, UNK-23]"""
    cloud = Cloud(switches={"most_tags": 2})
    alice = cloud.account("alice")
    volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
    alice.create_tags(resource_ids=[volume_id], tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "1"}])
    alice.create_tags(resource_ids=[volume_id], tags=[{"key": "a", "value": "2"}])
    more = {"ResourceIds": [volume_id], "Tags": [{"Key": "c", "Value": "1"}]}
    assert expect_refusal(alice, "CreateTags", **more).code == "10041"
    alice.delete_tags(resource_ids=[volume_id], tags=[{"key": "b", "value": ""}])
    assert alice.can("CreateTags", **more)
