"""Views of a cloud: access matrix, timeline, diff, and the ids that are similar to a mistyped one."""

from __future__ import annotations

import inspect

import pytest
from support.catalogue import SUBREGION

from omisim import Account, ApiError, Cloud
from omisim.model import Image, Vm

OWNER = ("read", "launch", "copy", "export", "modify", "delete")


def share(alice: Account, image: Image, **what: object) -> None:
    """Add to the permissions of an OMI."""
    alice.update_image(image_id=image.image_id, permissions_to_launch={"additions": what})


def mistype(resource_id: str, digits: int = 1) -> str:
    """Return an id with other digits at its end."""
    return resource_id[:-digits] + "".join("1" if digit == "0" else "0" for digit in resource_id[-digits:])


class TestAccessMatrix:
    def test_gives_a_private_omi_to_its_owner_only(
        self, cloud: Cloud, alice: Account, bob: Account, golden: Image
    ) -> None:
        """A new OMI is for its owner only. [OMI-037, SHR-006]"""
        assert bob
        assert cloud.who_can(golden.image_id) == {"alice": OWNER}

    def test_lets_a_grantee_read_launch_and_copy(
        self, cloud: Cloud, alice: Account, bob: Account, golden: Image
    ) -> None:
        """A grantee may read, launch and copy; nothing else. [SHR-005]"""
        share(alice, golden, account_ids=[bob.account_id])
        assert cloud.who_can(golden.image_id) == {"alice": OWNER, "bob": ("read", "launch", "copy")}

    def test_gives_a_public_omi_to_every_account_of_its_region(
        self, cloud: Cloud, alice: Account, bob: Account, golden: Image
    ) -> None:
        """A public OMI is for every account of its Region, and for none of another. [SHR-002, SHR-010]"""
        cloud.account("carol", region="us-east-2")
        share(alice, golden, global_permission=True)
        able = cloud.who_can(golden.image_id)
        assert bob.name in able
        assert "carol" not in able

    def test_excludes_launches_of_a_pending_omi(self, slow: Cloud) -> None:
        """An OMI that is not available can be read, modified and deleted, not launched or copied. [ST-OMI-1]"""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=slow.images.official("debian").image_id)[0]
        slow.settle()
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        assert slow.who_can(image.image_id) == {"alice": ("read", "modify", "delete")}

    def test_refuses_an_unknown_omi(self, cloud: Cloud) -> None:
        """An OMI id that does not exist is refused."""
        with pytest.raises(ValueError, match="not an OMI of this cloud"):
            cloud.who_can("ami-00000000")

    def test_agrees_with_can_for_each_call(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """The access matrix agrees with `can` for each call."""
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


METHODS_WITH_IDS = [
    (name, parameter)
    for name, method in inspect.getmembers(Cloud, inspect.isfunction)
    for parameter in inspect.signature(method).parameters
    if not name.startswith("_") and (parameter == "id" or parameter.endswith("_id"))
]


@pytest.mark.parametrize(("name", "parameter"), METHODS_WITH_IDS)
@pytest.mark.parametrize("is_list", [True, False])
def test_an_id_is_not_the_resource(cloud: Cloud, vm: Vm, name: str, parameter: str, *, is_list: bool) -> None:
    """Each method that takes the id of a resource refuses the resource itself, and a list, by its type."""
    method = getattr(cloud, name)
    others = {known: "vm" for known in ("kind", "path", "text") if known in inspect.signature(method).parameters}
    before = cloud.fork()
    with pytest.raises(ValueError, match=rf"^{parameter} must be an id such as 'ami-12345678', not of type "):
        method(**others, **{parameter: [vm.vm_id] if is_list else vm})
    assert cloud == before


def test_an_id_is_not_the_omi_that_is_published(cloud: Cloud, alice: Account, golden: Image) -> None:
    """The Marketplace takes the id of an OMI, too."""
    with pytest.raises(ValueError, match=r"^image_id must be an id such as 'ami-12345678', not of type Image$"):
        cloud.marketplace.publish(alice, golden)  # type: ignore[arg-type]  # the point


class TestTimeline:
    def test_of_an_unknown_id_is_refused(self, cloud: Cloud) -> None:
        """An id that never existed is refused, by `timeline` and by `lineage`."""
        for look in (cloud.timeline, cloud.lineage):
            with pytest.raises(ValueError, match=r"^no resource ami-00000000 exists in this cloud or in its history$"):
                look("ami-00000000")

    def test_of_a_deleted_resource_is_kept(self, alice: Account, vm: Vm) -> None:
        """A deleted OMI has a timeline, and an OMI of the catalogue has an empty one."""
        cloud = alice.cloud
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        alice.delete_image(image_id=image.image_id)
        assert cloud.timeline(image.image_id)[-1].after is None
        assert cloud.timeline(vm.image_id) == ()

    def test_of_a_resource_beyond_the_history_is_empty(self) -> None:
        """A deleted OMI whose changes were trimmed is still known."""
        cloud = Cloud(history=1)
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        alice.delete_image(image_id=image.image_id)
        alice.create_keypair(keypair_name="later")
        assert cloud.timeline(image.image_id) == ()

    def test_is_refused_like_a_lineage_for_an_unknown_omi(self, cloud: Cloud) -> None:
        """Only an id that has existed has a lineage."""
        with pytest.raises(ValueError, match="no resource ami-00000000 exists"):
            cloud.lineage("ami-00000000")

    def test_of_a_deleted_volume_ends_with_its_deletion(self, cloud: Cloud, alice: Account) -> None:
        """Each change prints as one line, and the last says that the volume is gone."""
        volume = alice.create_volume(subregion_name=SUBREGION, size=1)
        alice.delete_volume(volume_id=volume.volume_id)
        lines = [str(change) for change in cloud.timeline(volume.volume_id)]
        assert f"volume {volume.volume_id} created, creating (CreateVolume#1)" in lines[0]
        assert lines[-1].endswith(f"volume {volume.volume_id} gone (due)")

    @pytest.mark.parametrize(("seconds", "shown"), [(0.00005, "0"), (0.25, "0.25"), (1_234_567, "1234567")])
    def test_shows_times_to_the_millisecond(self, seconds: float, shown: str) -> None:
        """The time between two changes is a decimal number without an exponent."""
        cloud = Cloud(timing="clock")
        cloud.durations["volume.creating"] = seconds
        volume = cloud.account("alice").create_volume(subregion_name=SUBREGION, size=1)
        cloud.settle()
        assert str(cloud.timeline(volume.volume_id)).endswith(f"(by itself, {shown} s later)")


class TestDiff:
    def test_of_a_fork_is_empty(self, cloud: Cloud, golden: Image) -> None:
        """A fork without any change has no differences."""
        assert golden
        assert cloud.diff(cloud.fork()) == ()

    def test_lists_resources_that_only_one_cloud_has(self, cloud: Cloud, alice: Account) -> None:
        """A new resource is in one cloud only."""
        twin = cloud.fork()
        volume = alice.create_volume(subregion_name=SUBREGION, size=1)
        assert f"volume {volume.volume_id}: only in this one" in map(str, cloud.diff(twin))
        assert f"volume {volume.volume_id}: only in the other" in map(str, twin.diff(cloud))

    def test_lists_resources_of_this_cloud_first_in_creation_order(self, cloud: Cloud, alice: Account) -> None:
        """A resource that only the other cloud has comes last, also if it is older than the new ones of this one."""
        deleted = alice.create_volume(subregion_name=SUBREGION, size=1)
        twin = cloud.fork()
        alice.delete_volume(volume_id=deleted.volume_id)
        created = [alice.create_volume(subregion_name=SUBREGION, size=1) for _ in range(9)]
        listed = [difference.id for difference in cloud.diff(twin) if difference.kind == "volume"]
        assert listed == [volume.volume_id for volume in (*created, deleted)]

    def test_lists_the_fields_that_differ(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """A changed resource is shown with its fields, in this cloud and in the other."""
        twin = cloud.fork()
        alice.update_image(image_id=golden.image_id, description="for all")
        assert f"image {golden.image_id}: description for all | " in map(str, cloud.diff(twin))


@pytest.mark.parametrize("method", ["diff", "become"])
def test_methods_that_take_a_cloud_refuse_anything_else(cloud: Cloud, method: str) -> None:
    """The error shows the value, and how to get a cloud."""
    with pytest.raises(ValueError, match=r"other must be a Cloud, for example cloud\.fork\(\), not 'other'"):
        getattr(cloud, method)("other")


class TestSimilarIds:
    def test_explain_a_mistyped_id(self, alice: Account, golden: Image) -> None:
        """`explain` of an unknown id lists the ids that differ little from it. [ID-018]"""
        with pytest.raises(ApiError) as refusal:
            alice.delete_image(image_id=mistype(golden.image_id))
        assert f"Similar ids: {golden.image_id}" in refusal.value.explain()

    def test_exclude_what_the_caller_may_not_see(self, bob: Account, golden: Image) -> None:
        """A private OMI of another account is neither listed nor named in the Details. [ID-018]"""
        with pytest.raises(ApiError) as refusal:
            bob.delete_image(image_id=mistype(golden.image_id))
        assert golden.image_id not in refusal.value.explain()

    def test_include_vms_and_volumes(self, alice: Account, vm: Vm) -> None:
        """An id with two wrong digits is found for other kinds of resources, too. [ID-018]"""
        volume_id = vm.block_device_mappings[0].bsu.volume_id
        errors = (
            *alice.why_not("StopVms", VmIds=[mistype(vm.vm_id, 2)]),
            *alice.why_not("DeleteVolume", VolumeId=mistype(volume_id, 2)),
        )
        assert [error.similar_ids for error in errors] == [(vm.vm_id,), (volume_id,)]
