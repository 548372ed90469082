"""Export tasks: what they ask for, how they go, and what they leave in the bucket."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from support.catalogue import find_official
from support.expect import expect_refusal
from support.storing import BUCKET, TARGET, create_bucket, export_image, list_object_keys, presign_url

from omisim import Account, Cloud
from omisim.model import Image, Snapshot, Vm

pytestmark = pytest.mark.usefixtures("oos")
IMAGE, SNAPSHOT = "CreateImageExportTask", "CreateSnapshotExportTask"


@pytest.fixture(name="snapshot")
def _snapshot(alice: Account, golden: Image) -> Snapshot:
    """The snapshot of the golden OMI's root."""
    return alice.read_snapshots(filters={"account_ids": [alice.account_id]})[0]


def hexadecimal(task_id: str, prefix: str) -> bool:
    """Whether an id is the prefix and eight hexadecimal digits."""
    return task_id.startswith(prefix) and len(task_id) == len(prefix) + 8 and int(task_id[-8:], 16) >= 0


class TestOmiExport:
    def test_answers_a_queued_task(self, alice: Account, golden: Image) -> None:
        """A new task has its target, and no progress yet. [EXP-012, ST-IXT-1, ID-006]"""
        task = alice.call(IMAGE, ImageId=golden.image_id, OsuExport=TARGET)["ImageExportTask"]
        assert hexadecimal(task["TaskId"], "image-export-")
        del task["TaskId"]
        assert task == {
            "Comment": f"Export of image {golden.image_id}",
            "ImageId": golden.image_id,
            "OsuExport": TARGET,
            "Progress": 0,
            "State": "pending/queued",
            "Tags": [],
        }

    def test_goes_from_queued_to_completed_over_time(self) -> None:
        """Progress follows the clock, and the objects appear at the end. [ST-IXT-2, ST-IXT-3, EXP-013]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        create_bucket(alice)
        image = alice.create_image(
            source_image_id=find_official(alice, "Ubuntu*").image_id,
            source_region_name=alice.region,
            image_name="golden",
        )
        alice.create_image_export_task(
            image_id=image.image_id, osu_export={"disk_image_format": "raw", "osu_bucket": BUCKET}
        )
        states = []
        for seconds in (0, 5, 20, 20):
            cloud.advance(seconds)
            task = alice.read_image_export_tasks()[0]
            states.append(
                (task.state, task.progress, len(list_object_keys(cloud)), task.osu_export.osu_manifest_url is not None)
            )
        assert states[0] == ("pending/queued", 0, 0, False)
        assert states[1] == ("pending", 1, 0, False)
        assert states[2] == ("pending", 50, 0, False)
        assert states[3] == ("completed", 100, 2, True)

    def test_writes_a_manifest_and_an_image_of_each_snapshot(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Every volume of the OMI is in the bucket, and the task has the URL of the manifest. [EXP-013, UNK-19]"""
        volume = alice.create_volume(subregion_name="eu-west-2a", size=3)
        alice.link_volume(device_name="/dev/xvdb", vm_id=vm.vm_id, volume_id=volume.volume_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="two disks")
        task = export_image(alice, image)
        digits = task.task_id[-8:]
        names = [f"{image.image_id}/{snapshot_id}-{digits}.qcow2.gz" for snapshot_id in image.snapshot_ids]
        assert sorted(list_object_keys(cloud)) == sorted([*names, f"{image.image_id}/manifest.json"])
        host = "https://oos.eu-west-2.outscale.com"
        assert task.osu_export.osu_manifest_url == f"{host}/{BUCKET}/{image.image_id}/manifest.json"

    def test_writes_the_attributes_of_each_disk(self, alice: Account, vm: Vm, oos: Any) -> None:
        """Type, IOPS and deletion of each volume are in the manifest. [MAN-014, MAN-015, MAN-016]"""
        data = alice.create_volume(subregion_name="eu-west-2a", size=10, volume_type="io1", iops=200)
        alice.link_volume(device_name="/dev/xvdb", vm_id=vm.vm_id, volume_id=data.volume_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="two disks")
        export_image(alice, image)
        body = oos.get_object(Bucket=BUCKET, Key=f"{image.image_id}/manifest.json")["Body"].read()
        disks = json.loads(body)["Image"]["Snapshots"]
        attributes = [(d["Device"], d["VolumeType"], d["Iops"], d["DeleteOnTermination"]) for d in disks]
        assert attributes == [("/dev/sda1", "standard", None, True), ("/dev/xvdb", "io1", 200, False)]

    @pytest.mark.parametrize("form", ["qcow2", "raw"])
    def test_writes_the_virtual_size_of_each_image(self, alice: Account, golden: Image, oos: Any, form: str) -> None:
        """Each image has the size of its disk in bytes. [EXP-045, MAN-013]"""
        export_image(alice, golden, disk_image_format=form)
        objects = oos.list_objects_v2(Bucket=BUCKET)["Contents"]
        key = next(item["Key"] for item in objects if item["Key"].endswith(f".{form}.gz"))
        head = oos.head_object(Bucket=BUCKET, Key=key)
        assert (head["Metadata"], head["ContentType"]) == ({"virtual-size": str(10 * 2**30)}, "application/gzip")

    def test_of_two_devices_with_one_snapshot_can_be_imported(
        self, alice: Account, snapshot: Snapshot, oos: Any
    ) -> None:
        """The image of a snapshot has its size; the manifest has that of each device. [EXP-013, MAN-013]"""
        disks = [
            {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot.snapshot_id}},
            {"device_name": "/dev/sdb", "bsu": {"snapshot_id": snapshot.snapshot_id, "volume_size": 40}},
        ]
        image = alice.create_image(image_name="two", root_device_name="/dev/sda1", block_device_mappings=disks)
        export_image(alice, image)
        key = f"{image.image_id}/manifest.json"
        url = oos.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
        imported = alice.create_image(file_location=url, image_name="imported")
        (imported,) = alice.read_images(filters={"image_ids": [imported.image_id]})
        sizes = [mapping.bsu.volume_size for mapping in imported.block_device_mappings if mapping.bsu]
        assert (imported.state, sizes) == ("available", [snapshot.volume_size, 40])

    @pytest.mark.parametrize("prefix", ["export", "export/"])
    def test_separates_prefix_and_id_by_a_slash(self, cloud: Cloud, alice: Account, golden: Image, prefix: str) -> None:
        """Keys begin with the prefix and the OMI id, and the task shows both. [EXP-010]"""
        task = export_image(alice, golden, osu_prefix=prefix)
        assert task.osu_export.osu_prefix == f"export/{golden.image_id}/"
        assert all(key.startswith(f"export/{golden.image_id}/") for key in list_object_keys(cloud))

    def test_without_a_prefix_uses_the_id_only(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """Without a prefix keys begin with the id of the OMI, and no prefix is answered. [EXP-010]"""
        assert export_image(alice, golden).osu_export.osu_prefix is None
        assert all(key.startswith(f"{golden.image_id}/") for key in list_object_keys(cloud))

    def test_ignores_a_manifest_url(self, alice: Account, golden: Image) -> None:
        """OsuManifestUrl is accepted and has no effect. [EXP-011]"""
        task = alice.create_image_export_task(
            image_id=golden.image_id,
            osu_export={"disk_image_format": "raw", "osu_bucket": BUCKET, "osu_manifest_url": "https://x.example/"},
        )
        assert task.osu_export.osu_manifest_url is None

    @pytest.mark.parametrize("missing", ["DiskImageFormat", "OsuBucket"])
    def test_needs_a_format_and_a_bucket(self, alice: Account, golden: Image, missing: str) -> None:
        """Without a format or a bucket a required parameter is missing. [EXP-001]"""
        target = {name: value for name, value in TARGET.items() if name != missing}
        assert expect_refusal(alice, IMAGE, ImageId=golden.image_id, OsuExport=target).code == "7000"

    def test_needs_an_omi(self, alice: Account) -> None:
        """Without an OMI a required parameter is missing. [EXP-001]"""
        assert expect_refusal(alice, IMAGE, OsuExport=TARGET).code == "7000"

    @pytest.mark.parametrize("form", ["zip", "QCOW2", "vmdk"])
    def test_in_an_unknown_format_is_refused(self, alice: Account, golden: Image, form: str) -> None:
        """Only qcow2 and raw are accepted. [EXP-002]"""
        error = expect_refusal(alice, IMAGE, ImageId=golden.image_id, OsuExport={**TARGET, "DiskImageFormat": form})
        assert (error.code, error.rule) == ("4047", "EXP-002")

    @pytest.mark.parametrize(
        "name", ["Exports", "ab", "a" * 64, "-ab", "ab-", "ab.", "a..b", "a.-b", "a-.b", "1.2.3.999", "a_b"]
    )
    def test_to_an_invalid_bucket_name_is_refused(self, alice: Account, golden: Image, name: str) -> None:
        """The name of the bucket is checked at the call. [EXP-007]"""
        error = expect_refusal(alice, IMAGE, ImageId=golden.image_id, OsuExport={**TARGET, "OsuBucket": name})
        assert (error.code, error.rule) == ("4047", "EXP-007")

    @pytest.mark.parametrize("name", ["abc", "a" * 63, "0.a-b", "1ab", "a--b", "1.2.3", "1.2.3.4.5"])
    def test_to_a_valid_bucket_name_is_accepted(self, alice: Account, golden: Image, name: str) -> None:
        """A name has 3 to 63 lower-case letters, digits, hyphens, and dots between two letters or digits. [EXP-007]"""
        assert alice.can(IMAGE, ImageId=golden.image_id, OsuExport={**TARGET, "OsuBucket": name})

    def test_of_an_official_omi_is_refused(self, alice: Account, ubuntu: Image) -> None:
        """An OMI that the caller sees but does not own is not exported. [EXP-003, LIC-011]"""
        error = expect_refusal(alice, IMAGE, ImageId=ubuntu.image_id, OsuExport=TARGET)
        assert (error.status, error.code, error.type) == (400, "8017", "OperationNotSupported")

    def test_of_a_shared_omi_is_refused(self, alice: Account, bob: Account, golden: Image) -> None:
        """A permission to launch does not allow an export; the owner still can export it. [EXP-003, EXP-004, UNK-15]"""
        alice.update_image(
            image_id=golden.image_id, permissions_to_launch={"additions": {"account_ids": [bob.account_id]}}
        )
        assert expect_refusal(bob, IMAGE, ImageId=golden.image_id, OsuExport=TARGET).code == "8017"
        assert export_image(alice, golden).state == "completed"

    def test_of_a_copy_of_an_official_omi_is_allowed(self, alice: Account, ubuntu: Image) -> None:
        """The caller owns the copy. [CPY-007, LIC-011]"""
        copy = alice.create_image(source_image_id=ubuntu.image_id, source_region_name=alice.region)
        assert export_image(alice, copy).state == "completed"

    def test_of_a_private_omi_of_another_account_is_refused(self, bob: Account, golden: Image) -> None:
        """For the caller that OMI does not exist. [EXP-005]"""
        assert expect_refusal(bob, IMAGE, ImageId=golden.image_id, OsuExport=TARGET).code == "5023"

    @pytest.mark.parametrize(("image_id", "code"), [("snap-12345678", "4104"), ("ami-1234", "4105")])
    def test_of_a_malformed_id_is_refused(self, alice: Account, image_id: str, code: str) -> None:
        """The form of an id is checked first. [EXP-005]"""
        assert expect_refusal(alice, IMAGE, ImageId=image_id, OsuExport=TARGET).code == code

    def test_of_a_pending_omi_is_refused(self) -> None:
        """Only an available OMI is exported. [EXP-006]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "Ubuntu*").image_id)[0]
        cloud.complete(vm.vm_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        assert expect_refusal(alice, IMAGE, ImageId=image.image_id, OsuExport=TARGET).code == "6001"

    def test_is_limited_to_five_at_once(self) -> None:
        """The sixth concurrent export is refused, unless the quota allows more. [EXP-014, QTA-010]"""
        cloud = Cloud(timing="manual")
        alice, bob = cloud.account("alice"), cloud.account("bob", quotas={"image_export_limit": 1})
        for account, most in ((alice, 5), (bob, 1)):
            source = find_official(account, "Ubuntu*").image_id
            image = account.create_image(source_image_id=source, source_region_name=account.region)
            for _ in range(most):
                account.call(IMAGE, ImageId=image.image_id, OsuExport=TARGET)
            error = expect_refusal(account, IMAGE, ImageId=image.image_id, OsuExport=TARGET)
            assert (error.code, error.type) == ("10008", "TooManyResources (QuotaExceded)")
            quota = account.read_quotas(filters={"quota_names": ["image_export_limit"]})[0].quotas[0]
            assert (quota.used_value, quota.max_value) == (most, most)

    def test_is_read_by_its_owner_only(self, alice: Account, bob: Account, golden: Image) -> None:
        """An account reads its own tasks, by OMI and by id; unknown ids find nothing. [EXP-015]"""
        task = export_image(alice, golden)
        assert bob.read_image_export_tasks() == ()
        assert alice.read_image_export_tasks(filters={"image_ids": [golden.image_id]}) == (task,)
        assert alice.read_image_export_tasks(filters={"task_ids": ["image-export-00000000"]}) == ()

    def test_can_be_tagged(self, alice: Account, golden: Image) -> None:
        """The tags of a task are read with it, and by ReadTags as those of a task. [EXP-016]"""
        task_id = export_image(alice, golden).task_id
        alice.create_tags(resource_ids=[task_id], tags=[{"key": "for", "value": "carol"}])
        assert [tag.key for tag in alice.read_image_export_tasks()[0].tags] == ["for"]
        assert [tag.resource_type for tag in alice.read_tags(filters={"resource_ids": [task_id]})] == ["task"]

    def test_warns_about_licences(self, alice: Account) -> None:
        """The call warns that the licences must allow the export. [EXP-018, UNK-16, LIC-010]"""
        windows = find_official(alice, "Windows*")
        copy = alice.create_image(source_image_id=windows.image_id, source_region_name=alice.region)
        assert export_image(alice, copy).state == "completed"
        assert any("EXP-018" in warning for warning in alice.cloud.warnings)

    def test_of_a_licensed_copy_is_refused_under_strict_licences(self) -> None:
        """Under strict_licences a copy with a licence is not exported, one without is. [LIC-010, UNK-16]"""
        cloud = Cloud(switches={"strict_licences": True})
        alice = cloud.account("alice")
        for name, code in (("Windows*", "8017"), ("Ubuntu*", None)):
            source = find_official(alice, name).image_id
            copy = alice.create_image(source_image_id=source, source_region_name=alice.region)
            if code:
                assert expect_refusal(alice, IMAGE, ImageId=copy.image_id, OsuExport=TARGET).code == code
            else:
                assert alice.can(IMAGE, ImageId=copy.image_id, OsuExport=TARGET)

    def test_warns_about_boot_modes_that_are_lost(self, cloud: Cloud, alice: Account, ubuntu: Image) -> None:
        """A manifest has no field for boot modes. [UNK-33]"""
        copy = alice.create_image(
            source_image_id=ubuntu.image_id, source_region_name=alice.region, boot_modes=["uefi"], image_name="uefi"
        )
        export_image(alice, copy)
        assert "UNK-33" in cloud.warnings[-1]

    def test_does_not_warn_for_a_plain_linux_omi(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """A plain Linux OMI with boot mode legacy is exported without a warning. [EXP-018, UNK-33]"""
        export_image(alice, golden)
        assert cloud.warnings == ()

    def test_does_not_prevent_the_deletion_of_its_omi(self) -> None:
        """The OMI can be deleted meanwhile, its snapshots cannot, and a started export goes on. [EXP-017, OMI-126]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        create_bucket(alice)
        source = find_official(alice, "Ubuntu*").image_id
        image = alice.create_image(source_image_id=source, source_region_name=alice.region)
        snapshot_id = image.block_device_mappings[0].bsu.snapshot_id  # type: ignore[union-attr]
        task = alice.call(IMAGE, ImageId=image.image_id, OsuExport=TARGET)["ImageExportTask"]
        cloud.complete(task["TaskId"])
        alice.delete_image(image_id=image.image_id)
        error = expect_refusal(alice, "DeleteSnapshot", SnapshotId=snapshot_id)
        assert (error.code, error.rule) == ("9029", "EXP-017")
        cloud.complete(task["TaskId"])
        assert alice.read_image_export_tasks()[0].state == "completed"
        assert alice.can("DeleteSnapshot", SnapshotId=snapshot_id)

    def test_of_a_shared_snapshot_is_not_named_to_its_owner(self) -> None:
        """The owner of a snapshot that another account exports with its OMI learns no id of that account. [EXP-017]"""
        cloud = Cloud(timing="clock")
        alice, bob = cloud.account("alice"), cloud.account("bob")
        create_bucket(bob)
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        cloud.settle()
        snapshot_id = alice.create_snapshot(volume_id=volume.volume_id).snapshot_id
        alice.update_snapshot(
            snapshot_id=snapshot_id, permissions_to_create_volume={"additions": {"account_ids": [bob.account_id]}}
        )
        cloud.settle()
        mapping = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot_id}}
        image_id = bob.create_image(
            image_name="theirs",
            root_device_name="/dev/sda1",
            block_device_mappings=[mapping],
        ).image_id
        task_id = bob.call(IMAGE, ImageId=image_id, OsuExport=TARGET)["ImageExportTask"]["TaskId"]
        cloud.complete(task_id)
        bob.delete_image(image_id=image_id)
        error = expect_refusal(alice, "DeleteSnapshot", SnapshotId=snapshot_id)
        assert error.rule == "EXP-017"
        assert task_id not in error.explain()

    @pytest.mark.parametrize("is_retired", [False, True], ids=["DeleteImage", "retire"])
    def test_that_is_queued_fails_when_its_omi_is_deleted(self, *, is_retired: bool) -> None:
        """A queued export fails when its OMI is deleted, by its owner or the test, and says why. [OMI-126]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        source = find_official(alice, "Ubuntu*").image_id
        image_id = alice.create_image(source_image_id=source, source_region_name=alice.region).image_id
        alice.call(IMAGE, ImageId=image_id, OsuExport=TARGET)
        if is_retired:
            cloud.retire(image_id)
        else:
            alice.delete_image(image_id=image_id)
        task = alice.read_image_export_tasks()[0]
        assert (task.state, task.comment) == ("failed", f"The OMI {image_id} was deleted.")


class TestFailedExport:
    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ({"osu_bucket": "nowhere"}, "404 NoSuchBucket"),
            ({"osu_bucket": "of-bob"}, "403 AccessDenied"),
            ({"osu_api_key": {"api_key_id": "NOSUCHKEY", "secret_key": "x"}}, "403 InvalidAccessKeyId"),
            ({"osu_prefix": "a" * 980}, "400 KeyTooLongError"),
        ],
    )
    def test_that_object_storage_refuses_is_shown_by_the_task(
        self, cloud: Cloud, alice: Account, bob: Account, golden: Image, target: dict[str, Any], message: str
    ) -> None:
        """The call is answered, the task fails and says why, the bucket is empty. [EXP-008, OOS-008, ST-IXT-4]"""
        create_bucket(bob, "of-bob")
        task = export_image(alice, golden, **target)
        assert (task.state, message in task.comment) == ("failed", True)
        assert list_object_keys(cloud) == []

    def test_with_a_wrong_secret_is_shown_by_the_task(self, alice: Account, bob: Account, golden: Image) -> None:
        """A key without its secret cannot write. [EXP-009]"""
        key = {"api_key_id": bob.access_key, "secret_key": alice.secret_key}
        assert "InvalidAccessKeyId" in export_image(alice, golden, osu_api_key=key).comment

    def test_to_a_bucket_deleted_meanwhile_is_shown_by_the_task(self, oos: Any) -> None:
        """The bucket is checked again when the objects are written. [EXP-008]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        client = create_bucket(alice)
        source = find_official(alice, "Ubuntu*").image_id
        image = alice.create_image(source_image_id=source, source_region_name=alice.region)
        task_id = alice.call(IMAGE, ImageId=image.image_id, OsuExport=TARGET)["ImageExportTask"]["TaskId"]
        cloud.complete(task_id)
        client.delete_bucket(Bucket=BUCKET)
        cloud.complete(task_id)
        assert alice.read_image_export_tasks()[0].state == "failed"

    def test_by_fail_next_has_the_comment(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """`fail_next` makes an export fail, with a comment. [ST-IXT-4]"""
        cloud.fail_next("image_export", comment="the disk is full")
        task = export_image(alice, golden)
        assert (task.state, task.comment) == ("failed", "the disk is full")

    def test_without_an_access_key_is_shown_by_the_task(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """An account without a key cannot write. [EXP-008, OOS-005]"""
        alice.delete_access_key(access_key_id=alice.access_key)
        assert "InvalidAccessKeyId" in export_image(alice, golden).comment

    def test_is_not_the_result_of_the_key_of_another_account(
        self, cloud: Cloud, alice: Account, bob: Account, golden: Image
    ) -> None:
        """With the key of another account the objects go into its bucket, and it owns them. [EXP-009]"""
        create_bucket(bob, "of-bob")
        key = {"api_key_id": bob.access_key, "secret_key": bob.secret_key}
        task = export_image(alice, golden, osu_bucket="of-bob", osu_api_key=key)
        assert task.state == "completed"
        assert {row.account_id for row in cloud.engine.state.rows("object").values()} == {bob.account_id}
        body = bob.client("oos").get_object(Bucket="of-bob", Key=f"{golden.image_id}/manifest.json")["Body"].read()
        assert bob.access_key in json.loads(body)["Image"]["Snapshots"][0]["PreSignedUrl"]

    def test_never_shows_the_secret(self, alice: Account, bob: Account, golden: Image) -> None:
        """OsuApiKey is not answered. [EXP-009]"""
        key = {"ApiKeyId": bob.access_key, "SecretKey": bob.secret_key}
        answer = alice.call(IMAGE, ImageId=golden.image_id, OsuExport={**TARGET, "OsuApiKey": key})
        assert bob.secret_key not in json.dumps([answer, alice.call("ReadImageExportTasks")])


class TestSnapshotExport:
    def test_answers_a_pending_task(self, alice: Account, snapshot: Snapshot) -> None:
        """A new task is pending, and answers its prefix unchanged. [EXP-044, EXP-046, ID-007]"""
        target = {**TARGET, "OsuPrefix": "a/b-"}
        task = alice.call(SNAPSHOT, SnapshotId=snapshot.snapshot_id, OsuExport=target)["SnapshotExportTask"]
        assert hexadecimal(task.pop("TaskId"), "snap-export-")
        assert task == {
            "Comment": f"Export of snapshot {snapshot.snapshot_id}",
            "OsuExport": target,
            "Progress": 0,
            "SnapshotId": snapshot.snapshot_id,
            "State": "pending",
            "Tags": [],
        }

    @pytest.mark.parametrize(
        ("version", "states"),
        [
            ("1.42", ["pending", "initializing", "preparing", "uploading", "completed"]),
            ("1.40", ["pending", "active", "completed"]),
        ],
    )
    def test_goes_through_the_states_of_the_api_version(
        self, version: Literal["1.42", "1.40"], states: list[str]
    ) -> None:
        """The switch spec_version selects the states. [EXP-044]"""
        cloud = Cloud(timing="manual", switches={"spec_version": version})
        alice = cloud.account("alice")
        create_bucket(alice)
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        cloud.complete(volume.volume_id)
        snapshot_id = alice.create_snapshot(volume_id=volume.volume_id).snapshot_id
        cloud.complete(snapshot_id)
        cloud.complete(snapshot_id)
        task_id = alice.call(SNAPSHOT, SnapshotId=snapshot_id, OsuExport=TARGET)["SnapshotExportTask"]["TaskId"]
        shown_states = [alice.read_snapshot_export_tasks()[0].state]
        while shown_states[-1] != "completed":
            cloud.complete(task_id)
            shown_states.append(alice.read_snapshot_export_tasks()[0].state)
        assert shown_states == states

    def test_puts_the_prefix_before_the_name_unchanged(self, cloud: Cloud, alice: Account, snapshot: Snapshot) -> None:
        """The prefix is followed directly by the id, the suffix and the format. [EXP-045]"""
        target = {"disk_image_format": "raw", "osu_bucket": BUCKET, "osu_prefix": "a/b-"}
        task = alice.create_snapshot_export_task(snapshot_id=snapshot.snapshot_id, osu_export=target)
        assert list_object_keys(cloud) == [f"a/b-{snapshot.snapshot_id}-{task.task_id[-8:]}.raw.gz"]

    def test_checks_format_and_bucket_like_an_omi_export(self, alice: Account, snapshot: Snapshot) -> None:
        """Format, bucket and missing parameters are refused as for OMIs. [EXP-040, EXP-041]"""
        for target, code in (
            ({**TARGET, "DiskImageFormat": "zip"}, "4047"),
            ({**TARGET, "OsuBucket": "Exports"}, "4047"),
            ({"OsuBucket": BUCKET}, "7000"),
            ({"DiskImageFormat": "raw"}, "7000"),
        ):
            assert expect_refusal(alice, SNAPSHOT, SnapshotId=snapshot.snapshot_id, OsuExport=target).code == code
        assert expect_refusal(alice, SNAPSHOT, OsuExport=TARGET).code == "7000"

    def test_of_a_shared_snapshot_is_refused(self, alice: Account, bob: Account, snapshot: Snapshot) -> None:
        """A permission to create volumes does not allow an export. [EXP-042, SHR-016, UNK-39]"""
        alice.update_snapshot(
            snapshot_id=snapshot.snapshot_id,
            permissions_to_create_volume={"additions": {"account_ids": [bob.account_id]}},
        )
        error = expect_refusal(bob, SNAPSHOT, SnapshotId=snapshot.snapshot_id, OsuExport=TARGET)
        assert (error.code, error.rule) == ("5054", "EXP-042")

    def test_is_limited_by_its_quota(self) -> None:
        """The quota counts the exports in progress. [EXP-047, QTA-011]"""
        cloud = Cloud()
        alice = cloud.account("alice", quotas={"snapshot_export_limit": 1})
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        snapshot_id = alice.create_snapshot(volume_id=volume.volume_id).snapshot_id
        assert alice.can(SNAPSHOT, SnapshotId=snapshot_id, OsuExport=TARGET)
        cloud.engine.change_settings(timing="manual")
        alice.call(SNAPSHOT, SnapshotId=snapshot_id, OsuExport=TARGET)
        assert expect_refusal(alice, SNAPSHOT, SnapshotId=snapshot_id, OsuExport=TARGET).code == "10008"

    def test_of_a_pending_snapshot_is_refused(self) -> None:
        """Only a completed snapshot is exported. [EXP-043]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        cloud.complete(volume.volume_id)
        snapshot_id = alice.create_snapshot(volume_id=volume.volume_id).snapshot_id
        assert expect_refusal(alice, SNAPSHOT, SnapshotId=snapshot_id, OsuExport=TARGET).code == "6003"

    def test_is_read_by_its_owner_and_can_be_tagged(self, alice: Account, bob: Account, snapshot: Snapshot) -> None:
        """An account reads its own tasks, with their tags. [EXP-049]"""
        task = alice.call(SNAPSHOT, SnapshotId=snapshot.snapshot_id, OsuExport=TARGET)["SnapshotExportTask"]
        alice.create_tags(resource_ids=[task["TaskId"]], tags=[{"key": "a", "value": "b"}])
        mine = alice.read_snapshot_export_tasks(filters={"snapshot_ids": [snapshot.snapshot_id]})
        assert [tag.value for tag in mine[0].tags] == ["b"]
        assert bob.read_snapshot_export_tasks() == ()

    def test_prevents_the_deletion_of_its_snapshot(self) -> None:
        """A snapshot that is being exported cannot be deleted. [EXP-017]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        create_bucket(alice)
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        cloud.complete(volume.volume_id)
        snapshot_id = alice.create_snapshot(volume_id=volume.volume_id).snapshot_id
        cloud.complete(snapshot_id)
        cloud.complete(snapshot_id)
        task = alice.call(SNAPSHOT, SnapshotId=snapshot_id, OsuExport=TARGET)["SnapshotExportTask"]
        assert expect_refusal(alice, "DeleteSnapshot", SnapshotId=snapshot_id).rule == "EXP-017"
        alice.delete_export_task(export_task_id=task["TaskId"])
        assert alice.can("DeleteSnapshot", SnapshotId=snapshot_id)

    def test_warns_about_licences_that_are_lost(self, cloud: Cloud, alice: Account) -> None:
        """The call warns that a licence does not go with a snapshot of a licensed disk. [EXP-048, EXP-050]"""
        vm = alice.create_vms(image_id=find_official(alice, "Windows*").image_id, vm_type="tinav5.c2r4p1")[0]
        alice.create_image(vm_id=vm.vm_id, image_name="golden")
        snapshot = alice.read_snapshots(filters={"account_ids": [alice.account_id]})[0]
        alice.call(SNAPSHOT, SnapshotId=snapshot.snapshot_id, OsuExport=TARGET)
        assert "which must authorise the export (EXP-050). The export drops them" in cloud.warnings[-1]


class TestDeleteExportTask:
    def start(self) -> tuple[Cloud, Account, str]:
        """Return a task of alice's in progress."""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        create_bucket(alice)
        source = find_official(alice, "Ubuntu*").image_id
        image = alice.create_image(source_image_id=source, source_region_name=alice.region)
        task = alice.call(IMAGE, ImageId=image.image_id, OsuExport=TARGET)["ImageExportTask"]
        return cloud, alice, task["TaskId"]

    @pytest.mark.parametrize("steps", [0, 1])
    def test_cancels_an_unfinished_task(self, steps: int) -> None:
        """A queued or pending task is cancelled, can still be read, and writes nothing. [ST-IXT-5, EXP-035, UNK-18]"""
        cloud, alice, task_id = self.start()
        for _ in range(steps):
            cloud.complete(task_id)
        alice.delete_export_task(export_task_id=task_id)
        cloud.settle()
        assert alice.read_image_export_tasks()[0].state == "cancelled"
        assert list_object_keys(cloud) == []

    @pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
    def test_refuses_a_finished_task(self, end: str) -> None:
        """A task that has ended cannot be cancelled. [EXP-034]"""
        cloud, alice, task_id = self.start()
        if end == "failed":
            cloud.fail(task_id)
        elif end == "cancelled":
            alice.delete_export_task(export_task_id=task_id)
        else:
            cloud.complete(task_id)
            cloud.complete(task_id)
        error = expect_refusal(alice, "DeleteExportTask", ExportTaskId=task_id)
        assert (error.status, error.code) == (409, "6003")

    def test_refuses_a_task_of_another_account(self) -> None:
        """The task of another account does not exist for the caller. [EXP-033]"""
        cloud, _, task_id = self.start()
        error = expect_refusal(cloud.account("bob"), "DeleteExportTask", ExportTaskId=task_id)
        assert (error.code, error.rule) == ("5058", "EXP-033")

    @pytest.mark.parametrize(
        ("task_id", "code"),
        [
            (None, "7000"),
            ("ami-12345678", "4104"),
            ("image-export-1234", "4105"),
            ("snap-export-123456789", "4105"),
            ("snap-export-12345678", "5058"),
        ],
    )
    def test_checks_the_form_of_the_id(self, alice: Account, task_id: str | None, code: str) -> None:
        """The id is required, has the prefix and the length of a task id, and exists. [EXP-030, EXP-031, EXP-032]"""
        parameters = {} if task_id is None else {"ExportTaskId": task_id}
        assert expect_refusal(alice, "DeleteExportTask", **parameters).code == code


def test_exported_manifest_is_read_by_a_presigned_url(cloud: Cloud, alice: Account, golden: Image) -> None:
    """The manifest is JSON of version 1 and lists the licences and disks of the OMI.

    [MAN-002, MAN-007, MAN-009, MAN-013]
    """
    export_image(alice, golden)
    key = f"{golden.image_id}/manifest.json"
    assert presign_url(alice, key).startswith("https://")
    manifest = json.loads(alice.client("oos").get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert manifest["Version"] == 1
    assert manifest["Image"]["ProductTypes"] == ["0001"]
    assert [disk["Size"] for disk in manifest["Image"]["Snapshots"]] == [10 * 2**30]


def test_tasks_show_no_key_in_python(alice: Account, golden: Image) -> None:
    """The values of typed methods do not have the key with which a task writes. [AK-009]"""
    key = {"api_key_id": alice.access_key, "secret_key": alice.secret_key}
    target = {"disk_image_format": "qcow2", "osu_bucket": BUCKET, "osu_api_key": key}
    of_image = alice.create_image_export_task(image_id=golden.image_id, osu_export=target)
    of_snapshot = alice.create_snapshot_export_task(snapshot_id=golden.snapshot_ids[0], osu_export=target)
    (read_image,), (read_snapshot,) = alice.read_image_export_tasks(), alice.read_snapshot_export_tasks()
    assert (read_image.state, read_snapshot.state) == ("completed", "completed")
    assert [of_image.api_key, of_snapshot.api_key, read_image.api_key, read_snapshot.api_key] == [None] * 4
