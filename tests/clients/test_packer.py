"""Packer's builders: the requests that they send, over the line, decoded as strictly as Go does."""

from __future__ import annotations

import pytest
from clients.go_client import Go, Refusal
from clients.packer import Packer

from omisim import Account, Cloud
from omisim.server import Running


@pytest.fixture(name="api", params=["1.6", "1.7.1"])
def _api(request: pytest.FixtureRequest, slow: Cloud, server: Running, me: Account) -> Go:
    """The plugin of today, and that which Packer 1.7.1 had built in: another path, another service."""
    path, service = ("/api/v1", "oapi") if request.param == "1.6" else ("/oapi/latest", "osc")
    return Go(server, me, slow.advance, service=service, path=path)


class TestPackerBsu:
    def test_builds_an_omi_and_leaves_nothing_else(self, slow: Cloud, me: Account, api: Go) -> None:
        """The OMI is available, shared and tagged, and the VM, its volume and its keypair are deleted."""
        bob = slow.account("bob")
        image_id = Packer(api, "golden").bsu(share=[bob.account_id])
        (image,) = me.read_images(filters={"image_ids": [image_id]})
        assert (image.state, image.permissions_to_launch.account_ids) == ("available", (bob.account_id,))
        (snapshot,) = me.read_snapshots()
        assert snapshot.permissions_to_create_volume.account_ids == (bob.account_id,)
        assert {tag.key for tag in snapshot.tags} == {"base", "of"}
        assert [vm.state for vm in me.read_vms()] == ["terminated"]
        slow.settle()
        assert (me.read_volumes(), me.read_keypairs(), me.read_public_ips()) == ((), (), ())

    def test_leaves_its_security_group_behind(self, me: Account, api: Go) -> None:
        """The terminated VM still holds the group: Packer tells its user to delete it manually."""
        Packer(api, "golden").bsu()
        (remaining,) = [group for group in me.read_security_groups() if group.security_group_name != "default"]
        api.sleep(120)
        me.delete_security_group(security_group_id=remaining.security_group_id)

    def test_stops_if_the_name_is_taken(self, api: Go) -> None:
        """Without force a second build ends before it has begun."""
        Packer(api, "golden").bsu()
        with pytest.raises(AssertionError, match="name conflicts"):
            Packer(api, "golden").bsu()

    def test_replaces_an_omi_by_force(self, me: Account, api: Go) -> None:
        """force_deregister and force_delete_snapshot delete the old OMI and its snapshots first."""
        old = Packer(api, "golden").bsu()
        new = Packer(api, "golden").bsu(force=True)
        assert new != old
        assert [image.image_id for image in me.read_images(filters={"account_ids": [me.account_id]})] == [new]
        assert len(me.read_snapshots()) == 1

    def test_registers_an_omi_with_its_own_mappings(self, me: Account, api: Go) -> None:
        """omi_block_device_mappings register an OMI from snapshots, with the given product codes."""
        volume = me.create_volume(subregion_name="eu-west-2a", size=4)
        api.sleep(60)
        snapshot = me.create_snapshot(volume_id=volume.volume_id)
        api.sleep(600)
        bsu = {"DeleteOnVmDeletion": False, "SnapshotId": snapshot.snapshot_id, "VolumeSize": 9, "VolumeType": "gp2"}
        image_id = Packer(api, "golden").bsu(mappings=[{"DeviceName": "/dev/sda1", "Bsu": bsu}], product_codes=["0001"])
        (image,) = me.read_images(filters={"image_ids": [image_id]})
        assert [m.bsu.volume_size for m in image.block_device_mappings if m.bsu] == [9]

    def test_finds_no_source_by_an_alias_in_account_ids(self, api: Go) -> None:
        """Version 1.7.1 puts every owner into AccountIds, even an alias: it finds nothing, without an error."""
        with pytest.raises(ValueError, match="empty"):
            Packer(api, "golden", {"ImageNames": ["Ubuntu*"], "AccountIds": ["Outscale"]}).bsu()


def test_packer_bsusurrogate_builds_an_omi_from_snapshots(me: Account, api: Go) -> None:
    """The device that was launched beside the root is the root of the OMI."""
    image_id = Packer(api, "golden").surrogate()
    (image,) = me.read_images(filters={"image_ids": [image_id]})
    assert [(m.device_name, m.bsu.volume_size) for m in image.block_device_mappings if m.bsu] == [("/dev/sda1", 12)]
    api.sleep(60)
    assert me.read_volumes() == ()


def test_packer_bsuvolume_leaves_a_tagged_volume(me: Account, api: Go) -> None:
    """osc-bsuvolume keeps the volume; without a communicator its security group has no ports."""
    (volume,) = Packer(api, "golden", port=0).volumes()
    api.sleep(60)
    assert [(row.volume_id, row.state, row.size) for row in me.read_volumes()] == [(volume, "available", 7)]


class TestPackerChroot:
    @pytest.fixture(name="host")
    def _host(self, slow: Cloud, me: Account) -> str:
        """The VM that Packer runs on."""
        vm = me.create_vms(image_id=slow.images.official("debian").image_id)[0]
        slow.settle()
        return vm.vm_id

    def test_copies_a_foreign_source_first(self, me: Account, api: Go, host: str) -> None:
        """A copy, named by a date in Go's format, provides the snapshot and is deleted with it. [OMI-021]"""
        image_id = Packer(api, "golden").chroot(host)
        api.sleep(60)
        mine = me.read_images(filters={"account_ids": [me.account_id]})
        assert [image.image_id for image in mine] == [image_id]
        assert len(me.read_snapshots()) == 1
        assert len(me.read_volumes()) == 1

    def test_uses_an_own_omi_without_a_copy(self, me: Account, api: Go, host: str) -> None:
        """An OMI of the account itself need not be copied."""
        Packer(api, "base").chroot(host)
        image_id = Packer(api, "golden", {"ImageNames": ["base"], "AccountIds": [me.account_id]}).chroot(host)
        assert len(me.read_images(filters={"account_ids": [me.account_id]})) == 2
        (image,) = me.read_images(filters={"image_ids": [image_id]})
        assert [m.bsu.volume_size for m in image.block_device_mappings if m.bsu] == [12]


def test_refusal_can_be_decoded_by_packer(api: Go) -> None:
    """Status, Code and Type are strings and numbers where Go expects them."""
    with pytest.raises(Refusal, match="5063") as refusal:
        api.call("StopVms", VmIds=["i-00000000"])
    assert (refusal.value.status, refusal.value.code) == (400, "5063")
