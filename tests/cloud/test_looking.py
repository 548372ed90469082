"""Looking at a cloud: who may do what with an OMI, in what two clouds differ, which ids are near a mistyped one."""

from __future__ import annotations

import pytest
from conftest import SUBREGION

from omisim import Account, ApiError, Cloud
from omisim.model import Image, Vm

OWNER = ("read", "launch", "copy", "export", "modify", "delete")


def share(alice: Account, image: Image, **what: object) -> None:
    """Add to the permissions of an OMI."""
    alice.update_image(image_id=image.image_id, permissions_to_launch={"additions": what})


class TestWhoCan:
    def test_a_private_omi_is_its_owners(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """A new OMI is for its owner alone. [OMI-037, SHR-006]"""
        assert bob
        assert cloud.who_can(golden.image_id) == {"alice": OWNER}

    def test_whom_it_is_shared_with_reads_launches_and_copies(
        self, cloud: Cloud, alice: Account, bob: Account, golden: Image
    ) -> None:
        """A grantee may read, launch and copy; nothing else. [SHR-005]"""
        share(alice, golden, account_ids=[bob.account_id])
        assert cloud.who_can(golden.image_id) == {"alice": OWNER, "bob": ("read", "launch", "copy")}

    def test_public_is_for_its_region(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """A public OMI is for every account of its Region, and for none of another. [SHR-002, SHR-010]"""
        cloud.account("carol", region="us-east-2")
        share(alice, golden, global_permission=True)
        able = cloud.who_can(golden.image_id)
        assert bob.name in able
        assert "carol" not in able

    def test_a_pending_omi_is_only_looked_at(self, slow: Cloud) -> None:
        """An OMI that is not available is read, changed and deleted, not used. [ST-OMI-1]"""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=slow.images.official("debian").image_id)[0]
        slow.settle()
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        assert slow.who_can(image.image_id) == {"alice": ("read", "modify", "delete")}

    def test_an_unknown_omi(self, cloud: Cloud) -> None:
        """Nobody can be asked about an OMI that is not there."""
        with pytest.raises(ValueError, match="no OMI of this cloud"):
            cloud.who_can("ami-00000000")

    def test_agrees_with_what_calls_show(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """What it says is what `can` says, call by call."""
        share(alice, golden, account_ids=[bob.account_id])
        calls = {
            "launch": ("CreateVms", {"ImageId": golden.image_id}),
            "copy": ("CreateImage", {"SourceImageId": golden.image_id, "SourceRegionName": "eu-west-2"}),
            "modify": ("UpdateImage", {"ImageId": golden.image_id, "Description": "mine"}),
            "delete": ("DeleteImage", {"ImageId": golden.image_id}),
        }
        able = cloud.who_can(golden.image_id)
        for account in (alice, bob, cloud.account("eve")):
            rights = able.get(account.name, ())
            assert bool(account.read_images(filters={"image_ids": [golden.image_id]})) == ("read" in rights)
            for right, (action, parameters) in calls.items():
                assert account.can(action, **parameters) == (right in rights), (account, right)


class TestTimeline:
    def test_of_what_never_was_is_refused(self, cloud: Cloud) -> None:
        """A mistyped id is no resource without a history, for `timeline` as for `lineage`."""
        for look in (cloud.timeline, cloud.lineage):
            with pytest.raises(ValueError, match=r"^ami-00000000 is nothing this cloud has had$"):
                look("ami-00000000")

    def test_of_what_was_is_answered(self, alice: Account, vm: Vm) -> None:
        """A deleted OMI has one, and one of the catalogue has none yet."""
        cloud = alice.cloud
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        alice.delete_image(image_id=image.image_id)
        assert cloud.timeline(image.image_id)[-1].after is None
        assert cloud.timeline(vm.image_id) == ()

    def test_of_what_history_forgot_is_empty(self) -> None:
        """A deleted OMI whose changes were trimmed is still one that this cloud has had."""
        cloud = Cloud(history=1)
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        alice.delete_image(image_id=image.image_id)
        alice.create_keypair(keypair_name="later")
        assert cloud.timeline(image.image_id) == ()

    def test_a_lineage_of_nothing(self, cloud: Cloud) -> None:
        """Only what has been here has a lineage."""
        with pytest.raises(ValueError, match="nothing this cloud has had"):
            cloud.lineage("ami-00000000")

    def test_of_a_deleted_volume_ends_with_its_deletion(self, cloud: Cloud, alice: Account) -> None:
        """Each change prints as one line, and the last says that the volume is gone."""
        volume = alice.create_volume(subregion_name=SUBREGION, size=1)
        alice.delete_volume(volume_id=volume.volume_id)
        lines = [str(change) for change in cloud.timeline(volume.volume_id)]
        assert f"volume {volume.volume_id} created, creating (CreateVolume#1)" in lines[0]
        assert lines[-1].endswith(f"volume {volume.volume_id} gone (due)")


class TestDiff:
    def test_a_fork_does_not_differ(self, cloud: Cloud, golden: Image) -> None:
        """A fork that nothing happened to differs in nothing."""
        assert golden
        assert cloud.diff(cloud.fork()) == ()

    def test_says_what_is_only_on_one_side(self, cloud: Cloud, alice: Account) -> None:
        """A new resource is on one side only."""
        twin = cloud.fork()
        volume = alice.create_volume(subregion_name=SUBREGION, size=1)
        assert f"volume {volume.volume_id}: only in this one" in map(str, cloud.diff(twin))
        assert f"volume {volume.volume_id}: only in the other" in map(str, twin.diff(cloud))

    def test_says_which_fields_differ(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """A changed resource is shown with its fields, this side and the other."""
        twin = cloud.fork()
        alice.update_image(image_id=golden.image_id, description="for all")
        assert f"image {golden.image_id}: description for all | " in map(str, cloud.diff(twin))


class TestNear:
    def test_a_mistyped_id_shows_the_one_meant(self, alice: Account, golden: Image) -> None:
        """`explain` of an unknown id lists the ids that differ little from it. [ID-018]"""
        slip = golden.image_id[:-1] + ("0" if golden.image_id[-1] != "0" else "1")
        with pytest.raises(ApiError) as refused:
            alice.delete_image(image_id=slip)
        assert f"Near it: {golden.image_id}" in refused.value.explain()

    def test_never_shows_what_the_caller_may_not_see(self, bob: Account, golden: Image) -> None:
        """A private OMI of another is not listed, nor named in the Details. [ID-018]"""
        slip = golden.image_id[:-1] + ("0" if golden.image_id[-1] != "0" else "1")
        with pytest.raises(ApiError) as refused:
            bob.delete_image(image_id=slip)
        assert golden.image_id not in refused.value.explain()

    def test_reaches_vms_and_volumes(self, alice: Account, vm: Vm) -> None:
        """It works for whatever has an id."""
        slip = vm.vm_id[:-2] + vm.vm_id[:-3:-1]
        if slip != vm.vm_id:
            assert [error.near for error in alice.why_not("StopVms", VmIds=[slip])] == [(vm.vm_id,)]
