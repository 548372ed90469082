"""The assertions of `omisim.testing.checks`: each passes where it should, and fails in words that explain."""

from __future__ import annotations

from typing import Any

import pytest

from omisim import Account, ApiError, Cloud
from omisim.model import Image, Vm
from omisim.testing import checks, laws

EVERYBODY = {"additions": {"global_permission": True}}


def lines(failed: pytest.ExceptionInfo[AssertionError]) -> list[str]:
    """Return what an assertion says."""
    return [line.strip() for line in str(failed.value).splitlines()]


class TestNothingLeft:
    def test_holds_for_an_unused_account(self, cloud: Cloud, alice: Account) -> None:
        """An account, its access key and the official OMIs are not remnants."""
        checks.nothing_left(cloud)
        checks.nothing_left(cloud, account=alice.name)

    def test_lists_what_is_left_in_deletion_order(self, cloud: Cloud, alice: Account, golden: Image, vm: Vm) -> None:
        """The VM comes first, then the OMI, its snapshot and the volumes; deleting in this order works."""
        alice.create_keypair(keypair_name="pair")
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        with pytest.raises(AssertionError) as failed:
            checks.nothing_left(cloud)
        output = lines(failed)
        assert output[0] == "6 left behind, to be deleted in this order:"
        assert [line.split()[0] for line in output[1:]] == ["VM", "OMI", "snapshot", "volume", "volume", "keypair"]
        assert output[1] == f"VM {vm.vm_id} of alice, running: DeleteVms"
        assert output[2] == f"OMI golden {golden.image_id} of alice, available: DeleteImage"
        alice.delete_vms(vm_ids=[vm.vm_id])
        alice.delete_image(image_id=golden.image_id)
        alice.delete_snapshot(
            snapshot_id=alice.read_snapshots(filters={"account_ids": [alice.account_id]})[0].snapshot_id
        )
        alice.delete_volume(volume_id=alice.read_volumes()[0].volume_id)
        alice.delete_keypair(keypair_name="pair")
        checks.nothing_left(cloud)

    def test_lists_a_net_from_the_inside_out(self, cloud: Cloud, alice: Account) -> None:
        """What is in a Net comes before it; its default security group and its main route table go with it."""
        net = alice.create_net(ip_range="10.0.0.0/16").net_id
        subnet = alice.create_subnet(net_id=net, ip_range="10.0.1.0/24").subnet_id
        alice.create_security_group(net_id=net, security_group_name="web", description="web")
        alice.create_route_table(net_id=net)
        alice.create_nic(subnet_id=subnet)
        alice.create_public_ip()
        alice.create_internet_service()
        with pytest.raises(AssertionError) as failed:
            checks.nothing_left(cloud)
        for line in lines(failed)[1:]:
            action = line.rpartition(": ")[2]
            row_id = next(word for word in line.split() if "-" in word)
            alice.call(action, **{f"{action.removeprefix('Delete')}Id": row_id})
        checks.nothing_left(cloud)

    def test_counts_extra_access_keys_and_objects_in_buckets(self, cloud: Cloud, alice: Account) -> None:
        """A second access key is a remnant, and so are objects and then their bucket."""
        alice.create_access_key()
        oos = alice.client("oos")
        oos.create_bucket(Bucket="exports")
        oos.put_object(Bucket="exports", Key="disk", Body=b"0")
        with pytest.raises(AssertionError) as failed:
            checks.nothing_left(cloud)
        assert [line.rpartition(": ")[2] for line in lines(failed)[1:]] == [
            "DeleteAccessKey",
            "oos.delete_object",
            "oos.delete_bucket",
        ]

    def test_can_be_limited_to_an_account_or_to_new_resources(
        self, cloud: Cloud, alice: Account, bob: Account, vm: Vm
    ) -> None:
        """Resources of another account, or from before a mark, do not count."""
        checks.nothing_left(cloud, account="bob")
        mark = cloud.mark()
        checks.nothing_left(cloud, since=mark)
        bob.create_volume(subregion_name="eu-west-2a", size=1)
        checks.nothing_left(cloud, account="alice", since=mark)
        with pytest.raises(
            AssertionError, match=r"^1 left behind.*:\n  volume vol-\w+ of bob, available: DeleteVolume$"
        ):
            checks.nothing_left(cloud, since=mark)

    def test_has_a_deletion_order_that_is_never_refused(
        self, cloud: Cloud, alice: Account, golden: Image, vm: Vm
    ) -> None:
        """`deletion_order` returns the ids that the check lists; deleting in this order is never refused."""
        snapshot_id = alice.read_snapshots(filters={"account_ids": [alice.account_id]})[0].snapshot_id
        volume_id = vm.block_device_mappings[0].bsu.volume_id
        order = checks.deletion_order(cloud, account="alice")
        assert order == (vm.vm_id, golden.image_id, snapshot_id, volume_id)
        alice.delete_vms(vm_ids=[order[0]])
        alice.delete_image(image_id=order[1])
        alice.delete_snapshot(snapshot_id=order[2])
        assert checks.deletion_order(cloud) == ()

    def test_ignores_resources_that_are_being_deleted(self, slow: Cloud) -> None:
        """A VM that shuts down, and the volume that goes with it, are not remnants."""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=slow.images.official("debian").image_id)[0]
        slow.settle()
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        slow.settle()
        alice.delete_volume(volume_id=volume.volume_id)
        alice.delete_vms(vm_ids=[vm.vm_id])
        checks.nothing_left(slow)

    @pytest.mark.parametrize(("goes", "unlinked", "count"), [(True, False, 2), (False, False, 3), (True, True, 3)])
    def test_knows_what_goes_with_a_vm_before_it_is_gone(
        self, slow: Cloud, goes: bool, unlinked: bool, count: int
    ) -> None:
        """While a VM shuts down, the list is that of afterwards: DeleteOnVmDeletion decides for its linked volumes."""
        alice = slow.account("alice")
        net_id = alice.create_net(ip_range="10.0.0.0/16").net_id
        subnet_id = alice.create_subnet(net_id=net_id, ip_range="10.0.1.0/24").subnet_id
        image_id = slow.images.official("debian").image_id
        disk = {"device_name": "/dev/sdb", "bsu": {"volume_size": 1, "delete_on_vm_deletion": goes}}
        (vm,) = alice.create_vms(image_id=image_id, subnet_id=subnet_id, block_device_mappings=[disk])
        slow.settle()
        if unlinked:
            alice.unlink_volume(volume_id=alice.read_vms()[0].block_device_mappings[1].bsu.volume_id)
        alice.delete_vms(vm_ids=[vm.vm_id])
        left = checks.deletion_order(slow)
        slow.settle()
        assert left == checks.deletion_order(slow)
        assert len(left) == count

    def test_counts_unfinished_exports_only(self, slow: Cloud) -> None:
        """An export in progress is a remnant, a finished one is history."""
        alice = slow.account("alice")
        alice.client("oos").create_bucket(Bucket="exports")
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        slow.settle()
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        slow.settle()
        mark = slow.mark()
        target = {"disk_image_format": "raw", "osu_bucket": "exports"}
        alice.create_snapshot_export_task(snapshot_id=snapshot.snapshot_id, osu_export=target)
        with pytest.raises(
            AssertionError, match=r"^1 left .*:\n  export of a snapshot \S+ of alice, pending: DeleteEx"
        ):
            checks.nothing_left(slow, since=mark)
        slow.settle()
        with pytest.raises(AssertionError, match=r"^1 left behind.*:\n  object "):
            checks.nothing_left(slow, since=mark)

    def test_refuses_an_unknown_account(self, cloud: Cloud, alice: Account) -> None:
        """A mistyped account is refused with a suggestion: otherwise the check would always hold."""
        with pytest.raises(ValueError, match=r"unknown account 'alise'; did you mean alice\?; known: alice"):
            checks.nothing_left(cloud, account="alise")


class TestNothingPublic:
    def test_names_the_call_that_made_an_omi_public(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """The check names the public OMI, and the call and time that made it public."""
        checks.nothing_public(cloud)
        mark = cloud.mark()
        alice.update_image(image_id=golden.image_id, permissions_to_launch=EVERYBODY)
        with pytest.raises(AssertionError) as failed:
            checks.nothing_public(cloud, since=mark)
        output = lines(failed)
        assert output[0] == "1 public in the Region:"
        assert output[1].startswith(
            f"OMI golden {golden.image_id} of alice, available, since UpdateImage#3 at 2026-01-01T"
        )
        checks.nothing_public(cloud, since=cloud.mark())
        alice.update_image(image_id=golden.image_id, permissions_to_launch={"removals": {"global_permission": True}})
        checks.nothing_public(cloud)

    def test_refuses_a_mark_of_another_cloud(self, cloud: Cloud) -> None:
        """A mark of another cloud would hide what was made public."""
        with pytest.raises(ValueError, match="mark must be a live mark of this cloud"):
            checks.nothing_public(cloud, since=cloud.fork().mark())

    def test_finds_public_snapshots(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """A public snapshot gives the disk away as well."""
        snapshot_id = alice.read_snapshots(filters={"account_ids": [alice.account_id]})[0].snapshot_id
        alice.update_snapshot(snapshot_id=snapshot_id, permissions_to_create_volume=EVERYBODY)
        with pytest.raises(AssertionError, match=f"snapshot {snapshot_id} of alice"):
            checks.nothing_public(cloud, account="alice")


class TestTagged:
    def test_lists_resources_without_the_key(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """Each resource of the given kinds that lacks the key is listed."""
        alice.create_tags(resource_ids=[golden.image_id], tags=[{"key": "owner", "value": "web"}])
        checks.tagged(cloud, "owner", kinds=["image"])
        with pytest.raises(AssertionError, match=f"1 not tagged:\n  OMI golden {golden.image_id} of .*: no ttl$"):
            checks.tagged(cloud, "owner", "ttl", kinds=["image"])
        with pytest.raises(AssertionError, match=r"^3 not tagged:\n  snapshot .*\n  VM .*\n  volume .*: no owner$"):
            checks.tagged(cloud, "owner")

    def test_refuses_a_single_kind_outside_a_list(self, cloud: Cloud) -> None:
        """The name of a kind is not taken for a list of letters."""
        with pytest.raises(ValueError, match=r"kinds must be a list of kinds, such as \['image'\], not 'image'"):
            checks.tagged(cloud, "owner", kinds="image")

    def test_refuses_a_kind_without_tags(self, cloud: Cloud) -> None:
        """A kind whose resources have no tags is refused."""
        with pytest.raises(
            ValueError, match=r"kinds must be kinds that can have tags, not 'images'; did you mean image\?"
        ):
            checks.tagged(cloud, "owner", kinds=["images"])


class TestOrder:
    def test_of_deletions_is_checked_by_when_they_ended(
        self, cloud: Cloud, alice: Account, golden: Image, vm: Vm
    ) -> None:
        """A resource that was deleted too early, or not at all, is named."""
        snapshot_id = alice.read_snapshots(filters={"account_ids": [alice.account_id]})[0].snapshot_id
        alice.delete_vms(vm_ids=[vm.vm_id])
        alice.delete_image(image_id=golden.image_id)
        with pytest.raises(AssertionError, match=f"^{snapshot_id} was not deleted, but {golden.image_id} was$"):
            checks.deleted_in_order(cloud, golden.image_id, snapshot_id)
        alice.delete_snapshot(snapshot_id=snapshot_id)
        checks.deleted_in_order(cloud, vm.vm_id, golden.image_id, snapshot_id)
        with pytest.raises(AssertionError, match=f"^{golden.image_id} was deleted before {snapshot_id}, not after it$"):
            checks.deleted_in_order(cloud, snapshot_id, golden.image_id)

    def test_of_deletions_leaves_out_the_end_of_a_link(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A volume that was unlinked was not deleted."""
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        alice.link_volume(volume_id=volume_id, vm_id=vm.vm_id, device_name="/dev/sdb")
        alice.unlink_volume(volume_id=volume_id)
        with pytest.raises(AssertionError, match=f"^{volume_id} was not deleted$"):
            checks.deleted_in_order(cloud, volume_id)

    def test_of_calls_is_checked_among_successful_calls(self, cloud: Cloud, golden: Image) -> None:
        """Other calls in between do not matter; a missing call is named with the calls that were made instead."""
        cloud.account("alice").read_vms()
        checks.called_in_order(cloud, "CreateVms", "CreateImage", "ReadVms")
        with pytest.raises(
            AssertionError, match=r"^CreateVms was not called successfully after CreateImage; successful calls: "
        ):
            checks.called_in_order(cloud, "CreateImage", "CreateVms")
        with pytest.raises(AssertionError, match=r"^ReadVms was not called successfully; successful calls: none$"):
            checks.called_in_order(cloud, "ReadVms", since=cloud.mark())
        with pytest.raises(ValueError, match="did you mean ReadVms"):
            checks.called_in_order(cloud, "ReadVm")


class TestCalls:
    def test_that_must_not_happen_are_listed_with_parameters(self, cloud: Cloud, golden: Image, vm: Vm) -> None:
        """A forbidden call that was made is shown with its parameters."""
        checks.not_called(cloud, "DeleteVms")
        checks.not_called(cloud, "CreateImage", ImageName="silver")
        with pytest.raises(
            AssertionError, match=r"^1 calls of CreateImage NoReboot=False|^1 calls of CreateImage:\n  Cre"
        ):
            checks.not_called(cloud, "CreateImage")

    def test_that_were_refused_are_listed_with_their_rule(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """Refusals that the code under test swallowed are listed."""
        checks.nothing_refused(cloud)
        with pytest.raises(ApiError):
            alice.create_image(source_image_id=golden.image_id, source_region_name="eu-west-2", image_name="golden")
        with pytest.raises(
            AssertionError, match=r"^1 refused calls:\n  CreateImage by alice .* → 409 9015 .*\(OMI-022\)"
        ):
            checks.nothing_refused(cloud)
        checks.nothing_refused(cloud, since=cloud.mark())

    def test_that_drop_a_licence_raise_a_warning(self, cloud: Cloud, alice: Account) -> None:
        """A licence that is lost on the way through a snapshot is a warning."""
        windows = cloud.images.official("windows").image_id
        vm = alice.create_vms(image_id=windows, vm_type="tinav5.c2r4p2")[0]
        golden = alice.create_image(vm_id=vm.vm_id, image_name="windows")
        checks.no_warnings(cloud)
        disk = golden.block_device_mappings[0].bsu
        assert disk is not None
        bsu = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": disk.snapshot_id}}
        alice.create_image(image_name="bare", root_device_name="/dev/sda1", block_device_mappings=[bsu])
        with pytest.raises(AssertionError, match=r"^1 warnings:\n  .*\(CreateImage by alice .*\)$"):
            checks.no_warnings(cloud)


VARIADIC = ((checks.called_in_order, "action"), (checks.deleted_in_order, "id"), (checks.tagged, "key"))
CHECKS = (laws.check, laws.broken, *(getattr(checks, name) for name in checks.__all__))


class TestArguments:
    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_are_a_cloud_first(self, alice: Account, check: Any) -> None:
        """An account in place of its cloud is a TypeError that says so, for checks of the laws too."""
        with pytest.raises(TypeError, match=f"^{check.__name__} takes a Cloud, not <account .*: pass alice.cloud$"):
            check(alice, "ReadVms")

    @pytest.mark.parametrize(("check", "noun"), VARIADIC)
    def test_are_not_empty(self, cloud: Cloud, check: Any, noun: str) -> None:
        """A check of no action, resource or tag would always pass, and is a TypeError."""
        with pytest.raises(TypeError, match=f"{check.__name__} takes at least one {noun}"):
            check(cloud)

    @pytest.mark.parametrize(("check", "noun"), VARIADIC)
    def test_are_not_a_list(self, cloud: Cloud, vm: Vm, check: Any, noun: str) -> None:
        """A list in place of single arguments is a TypeError that says so, whatever the cloud contains."""
        with pytest.raises(TypeError, match=f"{check.__name__} takes each {noun} as a str, not list"):
            check(cloud, [vm.vm_id])
