"""Strategies: what they draw is what they say, and a bad argument is one clear line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from support.storing import BUCKET, export_disk

from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.cloud.cloud import Cloud as AnyCloud
from omisim.formats.disk_image import BadImage, decode
from omisim.formats.manifest import parse_manifest
from omisim.spec.vm_types import find_vm_shape
from omisim.testing import laws, strategies
from omisim.testing.script import bucket
from omisim.testing.strategies import requests

MANY = settings(max_examples=2000, database=None)
URLS = ["https://oos.eu-west-2.outscale.com/a/root", "https://oos.eu-west-2.outscale.com/a/data"]


def world() -> tuple[Cloud, Account]:
    """Return a cloud in which there is something of each kind, and its first account."""
    cloud = Cloud()
    alice, bob = cloud.account("alice"), cloud.account("bob")
    for account in (alice, bob):
        vm = account.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        account.create_image(vm_id=vm.vm_id, image_name="golden")
        account.create_volume(subregion_name="eu-west-2a", size=5)
    return cloud, alice


class TestRequests:
    @given(data=st.data(), action=st.sampled_from(sorted(ACTIONS)))
    def test_of_every_action_are_answered_or_refused(self, data: st.DataObject, action: str) -> None:
        """Each drawn call is answered, or refused with an ApiError; `why_not` agrees. [REQ-008]"""
        cloud, alice = world()
        request = data.draw(requests(action, cloud, alice))
        with suppress(ApiError):
            laws.call(alice, action, **request)

    @pytest.mark.parametrize("action", ["CreateImage", "CreateVms", "UpdateImage", "DeleteSnapshot", "CreateVolume"])
    @pytest.mark.parametrize("fine", [True, False])
    def test_are_both_valid_and_invalid(self, action: str, fine: bool) -> None:
        """Some of the drawn requests succeed, some are refused."""
        cloud, alice = world()
        if action == "DeleteSnapshot":
            alice.create_snapshot(volume_id=alice.read_volumes()[0].volume_id)
        find(
            requests(action, cloud, alice),
            lambda request: alice.can(action, **request) is fine,
            settings=settings(max_examples=2000, database=None),
        )

    def test_repeat_an_earlier_request_with_its_secrets(self) -> None:
        """A repeated request equals the earlier one: its URL has the signature, which the call log does not show."""
        cloud = Cloud()
        alice = cloud.account("alice")
        bucket(alice, BUCKET)
        earlier = {"FileLocation": export_disk(alice), "SnapshotSize": 2**30 + 1, "ClientToken": "first"}
        alice.call("CreateSnapshot", **earlier)
        assert cloud.calls("CreateSnapshot")[-1].parameters != earlier
        repeated = find(
            requests("CreateSnapshot", cloud, alice),
            lambda request: request.get("SnapshotSize") == earlier["SnapshotSize"],
            settings=MANY,
        )
        assert repeated == earlier

    def test_name_resources_of_an_account_whose_name_is_an_address(self) -> None:
        """An account with an @ in its name is one of the user's: only the platform's own accounts own nothing here."""
        cloud = Cloud()
        account = cloud.account("ops@example.org")
        volume_id = account.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        find(requests("DeleteVolume", cloud, account), partial(_names, volume_id), settings=MANY)

    def test_name_own_foreign_and_unknown_ids(self) -> None:
        """Ids of the caller, of other accounts, and of nothing at all are drawn."""
        cloud, alice = world()
        own, other = (row.volume_id for row in (alice.read_volumes()[-1], cloud.account("bob").read_volumes()[-1]))
        for row_id in (own, other, "vol-00000000"):
            find(requests("DeleteVolume", cloud, alice), partial(_names, row_id), settings=MANY)

    @pytest.mark.parametrize("action", ["CreateVms", "DeleteImage", "UpdateImage"])
    def test_shrink_to_one_without_dry_run(self, action: str) -> None:
        """A counter-example about an unknown id shrinks to a request without the unrelated DryRun."""
        cloud, alice = world()
        smallest = find(
            requests(action, cloud, alice),
            lambda request: request.get("ImageId") == "ami-00000000",
            settings=settings(MANY, derandomize=True),
        )
        assert "DryRun" not in smallest

    @given(data=st.data(), action=st.sampled_from(["ReadImages", "ReadVms", "ReadSnapshots", "ReadTags"]))
    def test_have_filters_that_the_read_knows(self, data: st.DataObject, action: str) -> None:
        """Drawn filters exist for the read, though their values may be in a wrong order. [REQ-008, FLT-009]"""
        cloud, alice = world()
        filters = data.draw(strategies.filters(action, cloud, alice))
        assert all(error.rule in ("VM-055", "FLT-009") for error in alice.why_not(action, Filters=filters))


class TestValues:
    @given(name=strategies.image_names())
    def test_of_valid_names_are_accepted(self, name: str) -> None:
        """An OMI can be given each valid name. [OMI-020, OMI-021]"""
        assert not _refused_name(name)

    @given(name=strategies.image_names(valid=False))
    def test_of_invalid_names_are_refused(self, name: str) -> None:
        """Each invalid name is refused. [OMI-020, OMI-021]"""
        assert _refused_name(name)

    @given(kind=st.sampled_from(["valid", "windows", "invalid"]), data=st.data())
    def test_of_vm_types_are_valid_or_invalid_as_asked(
        self, kind: Literal["valid", "windows", "invalid"], data: st.DataObject
    ) -> None:
        """Valid types are accepted, invalid ones refused, and Windows works on those drawn for it.

        [VMT-001, LIC-014]
        """
        shape = find_vm_shape(data.draw(strategies.vm_types(kind)))
        assert (shape is None) == (kind == "invalid")
        if kind == "windows" and shape is not None:
            assert (shape.generation >= 3, shape.vcores >= 2, shape.memory >= 4) == (True, True, True)

    @given(data=st.data())
    def test_of_device_mappings_are_accepted(self, data: st.DataObject) -> None:
        """Mappings for a launch and for a registration are accepted. [OMI-054, BDM-014]"""
        cloud, alice = world()
        snapshot = alice.read_snapshots(filters={"account_ids": [alice.account_id]})[0]
        lists_of_mappings = strategies.device_mappings([snapshot.snapshot_id], root=True, smallest=snapshot.volume_size)
        registration = {"RootDeviceName": "/dev/sda1", "ImageName": "registered"}
        assert alice.why_not("CreateImage", BlockDeviceMappings=data.draw(lists_of_mappings), **registration) == []
        debian = cloud.images.official("debian").image_id
        mappings = data.draw(strategies.device_mappings())
        assert alice.why_not("CreateVms", ImageId=debian, BlockDeviceMappings=mappings) == []

    @given(mappings=strategies.device_mappings(smallest=14_901))
    def test_of_devices_respect_a_minimum_size(self, mappings: list[dict[str, Any]]) -> None:
        """The requested minimum size may be the largest that exists. [VOL-004]"""
        assert all(mapping["Bsu"]["VolumeSize"] == 14_901 for mapping in mappings)

    @given(data=st.data())
    def test_of_permission_changes_are_accepted(self, data: st.DataObject) -> None:
        """A drawn change of permissions is accepted. [OMI-108]"""
        cloud, alice = world()
        permissions = data.draw(strategies.permissions([cloud.account("bob").account_id, "000000000000"]))
        image = alice.read_images(filters={"account_ids": [alice.account_id]})[0]
        assert alice.why_not("UpdateImage", ImageId=image.image_id, PermissionsToLaunch=permissions) == []


class TestFiles:
    @given(data=st.data(), form=st.sampled_from(["qcow2", "raw"]))
    def test_of_valid_disk_images_can_be_decoded(self, data: st.DataObject, form: Literal["qcow2", "raw"]) -> None:
        """A valid disk image has its size and its content. [EXP-045]"""
        body, size = data.draw(strategies.disk_images(form))
        decoded, _ = decode(body, form)
        assert decoded <= size if form == "raw" else decoded == size

    @given(data=st.data(), form=st.sampled_from(["qcow2", "raw"]))
    def test_of_broken_disk_images_are_refused(self, data: st.DataObject, form: Literal["qcow2", "raw"]) -> None:
        """A broken disk image is refused with a reason."""
        body, _ = data.draw(strategies.disk_images(form, valid=False))
        with pytest.raises(BadImage):
            decode(body, form)

    @given(text=strategies.manifests(URLS))
    def test_of_valid_manifests_can_be_read(self, text: bytes) -> None:
        """A valid manifest has a root and product codes."""
        manifest = parse_manifest(text)
        assert manifest.product_types
        assert "/dev/sda1" in [disk.device for disk in manifest.disks]

    @given(text=strategies.manifests(URLS, valid=False))
    def test_of_broken_manifests_are_refused(self, text: bytes) -> None:
        """A broken manifest is refused. [IMP-003, IMP-004]"""
        with pytest.raises(ApiError):
            parse_manifest(text)

    @settings(max_examples=10)
    @given(text=strategies.scenarios())
    def test_of_scenarios_can_be_set_up(self, text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
        """A drawn scenario sets up a cloud."""
        path = tmp_path_factory.mktemp("drawn") / "scenario.toml"
        path.write_text(text)
        assert AnyCloud.from_scenario(path).account("alice").read_vms()


BAD: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: requests("MakeImage", *world()),
        "action must be an action that omisim serves, not 'MakeImage'; did you mean",
    ),
    (lambda: requests("ReadVms", Cloud(), world()[1]), "account must belong to the given cloud"),
    (
        lambda: strategies.filters("CreateVms", *world()),
        "action must be an action with filters, not 'CreateVms'; did you mean",
    ),
    (
        lambda: strategies.vm_types("linux"),  # type: ignore[arg-type]
        "kind must be 'valid', 'invalid' or 'windows', not 'linux'",
    ),
    (
        lambda: strategies.disk_images("vmdk"),  # type: ignore[arg-type]
        "form must be 'qcow2' or 'raw', not 'vmdk'",
    ),
    (lambda: strategies.device_mappings(root=True), "snapshot_ids must be a list of at least one id"),
    (lambda: strategies.device_mappings(smallest=0), "smallest must be an int from 1 to 14901"),
    (lambda: strategies.device_mappings(smallest=1.5), "smallest must be an int from 1 to 14901"),  # type: ignore[arg-type]  # the mistake
    (lambda: strategies.device_mappings("snap-12345678"), "snapshot_ids must be a list of str, not 'snap-12345678'"),
    (lambda: strategies.permissions("123456789012"), "account_ids must be a list of str, not '123456789012'"),
    (lambda: strategies.manifests([5]), r"urls must be a list of str, not \[5\]"),  # type: ignore[list-item]  # the mistake
    (lambda: requests("ReadVms", Cloud(), "alice"), "account must be an Account of the cloud, not 'alice'"),  # type: ignore[arg-type]  # the mistake
    (lambda: strategies.filters("ReadVms", Cloud(), world()[1]), "account must belong to the given cloud"),
    (lambda: strategies.permissions([]), r"account_ids must be a list of at least one id, not \[\]"),
    (lambda: strategies.manifests([]), r"urls must be a list of at least one URL, not \[\]"),
]


class TestStrategyArguments:
    @pytest.mark.parametrize(("make", "message"), BAD)
    def test_that_are_unknown_are_refused_with_the_known(self, make: Callable[[], Any], message: str) -> None:
        """A one-line error lists the known values."""
        with pytest.raises(ValueError, match=message) as failure:
            make()
        assert "\n" not in str(failure.value)


def _names(row_id: str, request: dict[str, Any]) -> bool:
    return request.get("VolumeId") == row_id


def _refused_name(name: str) -> bool:
    return "OMI-02" in " ".join(
        error.rule for error in Cloud().account("a").why_not("CreateImage", VmId="i-00000000", ImageName=name)
    )
