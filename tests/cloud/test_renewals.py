"""Official OMIs that are renewed, where OMIs come from, and root disks without an operating system."""

from __future__ import annotations

import pytest
from support.entrances import Entrance

from omisim import Account, ApiError, Cloud
from omisim.testing import laws
from omisim.testing.script import bucket


class TestRenewal:
    def test_publishes_a_newer_omi(self, entrance: Entrance, timed: Cloud) -> None:
        """A renewed OMI has a new id, name, date and snapshot, and is the newest. [SHR-017/renewed]"""
        alice = timed.account("alice")
        old = timed.images.official("debian")
        new = timed.images.renew("debian")
        assert timed.images.official("debian") == new
        assert new.image_id != old.image_id
        assert new.image_name != old.image_name
        assert new.creation_date > old.creation_date
        assert new.block_device_mappings != old.block_device_mappings
        filters = {"AccountAliases": ["Outscale"], "ImageNames": ["Debian*"]}
        image_ids = {image["ImageId"] for image in entrance.answer(alice, "ReadImages", Filters=filters)["Images"]}
        assert {old.image_id, new.image_id} <= image_ids
        vm = entrance.answer(alice, "CreateVms", ImageId=new.image_id)["Vms"][0]
        assert vm["ImageId"] == new.image_id
        laws.check(timed)

    def test_can_retire_the_earlier_one(self, entrance: Entrance, timed: Cloud) -> None:
        """With `retire`, the earlier OMI is gone; VMs and copies made from it stay. [SHR-017/renewed, OMI-123]"""
        alice = timed.account("alice")
        old = timed.images.official("debian")
        vm_id = alice.create_vms(image_id=old.image_id)[0].vm_id
        timed.images.renew("debian", retire=True)
        assert entrance.refusal(alice, "CreateVms", ImageId=old.image_id) == (400, "5023", "VM-002")
        (vm,) = entrance.answer(alice, "ReadVms", Filters={"VmIds": [vm_id]})["Vms"]
        assert vm["ImageId"] == old.image_id
        timed.settle()
        entrance.answer(alice, "CreateImage", VmId=vm_id, ImageName="golden")

    def test_lets_a_test_see_that_a_source_was_renewed(self, cloud: Cloud, alice: Account) -> None:
        """Code that rebuilds when its source was renewed can be tested. [SHR-017/renewed]"""

        def is_current() -> bool:
            source = alice.read_vms()[0].image_id
            return source == cloud.images.official("debian").image_id

        alice.create_vms(image_id=cloud.images.official("debian").image_id)
        assert is_current()
        for _ in range(2):
            cloud.images.renew("debian")
            assert not is_current()
        assert str(cloud.lineage(cloud.images.official("debian").image_id).parents[0].how) == "renewal of"

    def test_is_undone_by_a_rollback(self, cloud: Cloud) -> None:
        """A renewal is part of the state. [SHR-017/renewed]"""
        before = cloud.images.all()
        with cloud.savepoint():
            cloud.images.renew("windows", "us-east-2")
            assert cloud.images.all() == before
            assert len(cloud.images.all("us-east-2")) == len(before) + 1
        assert len(cloud.images.all("us-east-2")) == len(before)

    def test_of_an_unknown_family_is_refused(self, cloud: Cloud) -> None:
        """A family or a Region that does not exist is refused in one line."""
        with pytest.raises(ValueError, match="family must match an official OMI"):
            cloud.images.renew("beos")
        with pytest.raises(ValueError, match="region must be one of"):
            cloud.images.renew("debian", "mars-1")


class TestOrigin:
    def test_is_shown_by_the_typed_omi(self, cloud: Cloud, alice: Account, bob: Account) -> None:
        """A typed OMI says where it comes from and who supports it, as its reader sees it. [SHR-017/support]"""
        official = cloud.images.official("debian")
        assert (official.origin, official.supported_by) == ("official", "OUTSCALE")
        own = alice.create_image(source_image_id=official.image_id, source_region_name="eu-west-2", image_name="own")
        assert (own.origin, own.supported_by) == ("own", f"account {alice.account_id}")
        alice.update_image(
            image_id=own.image_id, permissions_to_launch={"additions": {"account_ids": [bob.account_id]}}
        )
        (shared,) = bob.read_images(filters={"image_ids": [own.image_id]})
        assert (shared.origin, shared.supported_by) == ("shared", f"account {alice.account_id}")
        product = cloud.marketplace.publish(alice, own.image_id, offer="free", regions=["eu-west-2"])
        (bought,) = bob.read_images(filters={"image_ids": [product.images["eu-west-2"]]})
        assert (bought.origin, bought.supported_by) == ("Marketplace", "vendor alice")
        (firewall,) = bob.read_images(filters={"image_names": ["Acme-Firewall-pty-0a1b2c3d-v3"]})
        assert (firewall.origin, firewall.supported_by) == ("Marketplace", "vendor Acme-Firewall")

    def test_of_an_import_is_shown(self, cloud: Cloud, alice: Account) -> None:
        """An OMI created from a manifest is imported. [SHR-017/support]"""
        bucket(alice, "exports")
        source = cloud.images.official("debian").image_id
        copy = alice.create_image(source_image_id=source, source_region_name="eu-west-2", boot_modes=["legacy"])
        export = {"disk_image_format": "raw", "osu_bucket": "exports"}
        alice.create_image_export_task(image_id=copy.image_id, osu_export=export)
        key = f"{copy.image_id}/manifest.json"
        url = alice.client("oos").generate_presigned_url("get_object", Params={"Bucket": "exports", "Key": key})
        imported = alice.create_image(file_location=url, image_name="imported")
        assert (imported.origin, imported.supported_by) == ("imported", f"account {alice.account_id}")

    def test_does_not_make_omis_unequal(self, cloud: Cloud, alice: Account, bob: Account) -> None:
        """The origin is a matter of who looks, not part of the OMI, and no answer of the API has it."""
        mine = alice.create_image(
            source_image_id=cloud.images.official("debian").image_id, source_region_name="eu-west-2"
        )
        assert mine == cloud.engine.state.get("image", mine.image_id)
        keys = alice.call("ReadImages")["Images"][0].keys()
        assert not {"Origin", "SupportedBy"} & set(keys)
        assert bob.read_images() == tuple(image for image in alice.read_images() if image != mine)

    def test_is_shown_by_the_access_matrix(self, cloud: Cloud, alice: Account, bob: Account) -> None:
        """`who_can` has the origin for each account that may use the OMI, and who supports it. [SHR-017/support]"""
        own = alice.create_image(
            source_image_id=cloud.images.official("debian").image_id, source_region_name="eu-west-2"
        )
        change = {"additions": {"account_ids": [bob.account_id]}}
        alice.update_image(image_id=own.image_id, permissions_to_launch=change)
        access = cloud.who_can(own.image_id)
        assert access == {
            "alice": ("read", "launch", "copy", "export", "modify", "delete"),
            "bob": ("read", "launch", "copy"),
        }
        assert access.origins == {"alice": "own", "bob": "shared"}
        assert access.supported_by == f"account {alice.account_id}"
        assert str(access).splitlines()[-1] == f"supported by {access.supported_by}"

    def test_is_explained_with_a_refusal(self, cloud: Cloud, alice: Account, bob: Account) -> None:
        """`explain` says of each OMI that the caller may see what it is, and nothing of others. [SHR-017/support]"""
        official = cloud.images.official("debian").image_id
        target = {"DiskImageFormat": "raw", "OsuBucket": "exports"}
        with pytest.raises(ApiError) as refusal:
            alice.call("CreateImageExportTask", ImageId=official, OsuExport=target)
        assert f"OMI: {official} is official, supported by OUTSCALE" in refusal.value.explain()
        hidden = bob.create_image(source_image_id=official, source_region_name="eu-west-2").image_id
        with pytest.raises(ApiError) as refusal:
            alice.call("CreateVms", ImageId=hidden)
        assert "OMI:" not in refusal.value.explain()


class TestRootDiskWithoutSystem:
    def _register(self, entrance: Entrance, cloud: Cloud, *, files: bool) -> str:
        """Return the id of an OMI whose root began as an empty volume."""
        alice = cloud.account("alice")
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        cloud.settle()
        if files:
            cloud.write(volume_id, "/boot/vmlinuz", "a kernel")
        snapshot_id = alice.create_snapshot(volume_id=volume_id).snapshot_id
        cloud.settle()
        mapping = {"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": snapshot_id}}
        parameters = {"ImageName": "bare", "RootDeviceName": "/dev/sda1", "BlockDeviceMappings": [mapping]}
        image_id: str = entrance.answer(alice, "CreateImage", **parameters)["Image"]["ImageId"]
        return image_id

    def test_is_warned_of_at_creation_and_launch(self, entrance: Entrance, timed: Cloud) -> None:
        """An OMI without an operating system can be made and launched, each with a warning. [OMI-076]"""
        image_id = self._register(entrance, timed, files=False)
        assert ["OMI-076" in text for text in timed.warnings] == [True]
        alice = timed.account("alice")
        vm_id = entrance.answer(alice, "CreateVms", ImageId=image_id)["Vms"][0]["VmId"]
        assert ["OMI-076" in text for text in timed.warnings] == [True, True]
        timed.settle()
        entrance.answer(alice, "CreateImage", VmId=vm_id, ImageName="golden", NoReboot=True)
        copy = {"SourceImageId": image_id, "SourceRegionName": "eu-west-2", "ImageName": "copy"}
        entrance.answer(alice, "CreateImage", **copy)
        assert ["OMI-076" in text for text in timed.warnings] == [True] * 4

    def test_is_found_after_any_number_of_copies(self, alice: Account, cloud: Cloud) -> None:
        """A disk that was restored and cut 600 times is followed back to the empty volume. [OMI-076]"""
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        for _ in range(600):
            snapshot_id = alice.create_snapshot(volume_id=volume.volume_id).snapshot_id
            volume = alice.create_volume(subregion_name="eu-west-2a", snapshot_id=snapshot_id)
        root = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot_id}}
        alice.create_image(image_name="bare", root_device_name="/dev/sda1", block_device_mappings=[root])
        assert ["OMI-076" in text for text in cloud.warnings] == [True]

    def test_is_no_matter_with_content(self, entrance: Entrance, timed: Cloud) -> None:
        """Content on the disk can be an operating system, as an official OMI or an import can. [OMI-076]"""
        image_id = self._register(entrance, timed, files=True)
        alice = timed.account("alice")
        entrance.answer(alice, "CreateVms", ImageId=image_id)
        official = timed.images.official("debian").image_id
        entrance.answer(alice, "CreateVms", ImageId=official)
        entrance.answer(alice, "CreateImage", SourceImageId=official, SourceRegionName="eu-west-2")
        assert timed.warnings == ()
