"""Imports: a manifest becomes an OMI, an image a snapshot, in whatever Region and account."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from support.catalogue import find_official
from support.entrances import Entrance
from support.expect import expect_refusal
from support.reread import reread
from support.storing import BUCKET, create_bucket, export_image, export_manifest, presign_url, put_manifest

from omisim import Account, ApiError, Cloud
from omisim.formats.disk_image import GIB, decode, encode
from omisim.model import Content, Image, Vm
from omisim.state.buckets import Place
from omisim.state.storage_signatures import presign

pytestmark = pytest.mark.usefixtures("oos")
WEEK = 604_800


@pytest.fixture(name="carol")
def _carol(cloud: Cloud) -> Account:
    """An account in another Region."""
    return cloud.account("carol", region="us-east-2")


def disk(account: Account, name: str = "disk.raw", body: bytes = b"") -> dict[str, Any]:
    """Put a disk image into the bucket; return what a manifest says of it."""
    account.client("oos").put_object(Bucket=BUCKET, Key=name, Body=body)
    return {"Device": "/dev/sda1", "PreSignedUrl": presign_url(account, name), "Size": 10 * GIB}


def by_hand(*disks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the least that a manifest says."""
    return {"Version": 1, "Image": {"ProductTypes": ["0001"], "Snapshots": list(disks), **more}}


def refuse_import(account: Account, url: str | None) -> ApiError:
    """Return the refusal of an OMI from a manifest at this URL."""
    return expect_refusal(account, "CreateImage", FileLocation=url, ImageName="theirs")


class TestOmiImport:
    def test_in_another_region_has_the_content_of_the_disks(
        self, cloud: Cloud, alice: Account, carol: Account, vm: Vm
    ) -> None:
        """What was written on the disks of a VM is on those of a VM in the other Region. [EXP-019, IMP-009, MAN-012]"""
        data = alice.create_volume(subregion_name="eu-west-2a", size=3)
        alice.link_volume(device_name="/dev/xvdb", vm_id=vm.vm_id, volume_id=data.volume_id)
        root = alice.read_vms()[0].block_device_mappings[0].bsu.volume_id
        cloud.write(root, "/etc/motd", "hello")
        cloud.write(data.volume_id, "/data", "ünïcode")
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        theirs = carol.create_image(file_location=export_manifest(alice, image), image_name="theirs")
        new = carol.create_vms(image_id=theirs.image_id)[0]
        disks = {m.device_name: m.bsu.volume_id for m in carol.read_vms()[0].block_device_mappings}
        assert new.product_codes == image.product_codes
        assert cloud.read(disks["/dev/sda1"], "/etc/motd") == "hello"
        assert cloud.read(disks["/dev/xvdb"], "/data") == "ünïcode"

    def test_is_pending_until_its_snapshots_are_completed(self) -> None:
        """The OMI waits for its snapshots, which belong to the importer. [ST-OMI-4, ST-SNP-5, OMI-064]"""
        cloud = Cloud(timing="clock")
        alice, carol = cloud.account("alice"), cloud.account("carol", region="us-east-2")
        create_bucket(alice)
        source = find_official(alice, "Ubuntu*").image_id
        image = alice.create_image(source_image_id=source, source_region_name=alice.region)
        alice.create_image_export_task(
            image_id=image.image_id, osu_export={"disk_image_format": "raw", "osu_bucket": BUCKET}
        )
        cloud.settle()
        url = presign_url(alice, f"{image.image_id}/manifest.json")
        theirs = carol.create_image(file_location=url, image_name="theirs")
        snapshots = carol.read_snapshots(filters={"account_ids": [carol.account_id]})
        assert (theirs.state, [row.state for row in snapshots]) == ("pending", ["in-queue"])
        cloud.settle()
        assert reread(carol, theirs).state == "available"

    def test_takes_name_and_description_from_the_call(self, alice: Account, carol: Account, golden: Image) -> None:
        """Those of the call take precedence; the location has no signature. [MAN-003, MAN-004, OMI-035]"""
        url = export_manifest(alice, golden)
        image = carol.create_image(file_location=url, image_name="theirs", description="copied")
        assert (image.image_name, image.description, image.file_location) == ("theirs", "copied", url.partition("?")[0])

    def test_does_not_show_the_password_of_its_url(self, alice: Account, carol: Account, golden: Image) -> None:
        """Every account that sees the OMI sees its location, in which a password is replaced. [MAN-004]"""
        url = export_manifest(alice, golden).replace("://", "://name:word@")
        image = carol.create_image(file_location=url, image_name="theirs")
        assert image.file_location == url.partition("?")[0].replace("word", "redacted")

    def test_takes_the_description_of_the_manifest_by_default(self, alice: Account, carol: Account) -> None:
        """The manifest's description counts if the call has none. [MAN-004, MAN-005, MAN-008]"""
        manifest = by_hand(disk(alice), Description="from afar", Architecture="i386", Type="machine", Public=True)
        image = carol.create_image(file_location=put_manifest(alice, manifest), image_name="theirs")
        assert (image.description, image.architecture) == ("from afar", "i386")
        assert not image.permissions_to_launch.global_permission

    def test_keeps_the_product_codes(self, alice: Account, carol: Account) -> None:
        """Product codes cross Regions with an OMI, and the call can add some. [LIC-004, MAN-007, OMI-071]"""
        source = find_official(alice, "Windows*").image_id
        copy = alice.create_image(source_image_id=source, source_region_name=alice.region)
        image = carol.create_image(
            file_location=export_manifest(alice, copy), image_name="theirs", product_codes=["0006"]
        )
        assert image.product_codes == ("0002", "0006")

    def test_maps_its_disks_as_the_manifest_says(self, alice: Account, carol: Account) -> None:
        """Type, IOPS, size in whole GiB and deletion follow the manifest. [MAN-013 to MAN-016]"""
        io1 = {"Device": "/dev/sda2", "Size": 4 * GIB + 1, "VolumeType": "io1", "Iops": 200}
        manifest = by_hand(disk(alice), {**disk(alice), **io1, "DeleteOnTermination": False})
        image = carol.create_image(file_location=put_manifest(alice, manifest), image_name="theirs")
        first, second = (mapping.bsu for mapping in image.block_device_mappings)
        assert first is not None
        assert second is not None
        assert (first.volume_type, first.iops, first.volume_size, first.delete_on_vm_deletion) == (
            "standard",
            None,
            10,
            True,
        )
        assert (second.volume_type, second.iops, second.volume_size, second.delete_on_vm_deletion) == (
            "io1",
            200,
            5,
            False,
        )

    def test_accepts_a_minimal_manifest_written_by_hand(self, alice: Account, carol: Account) -> None:
        """The required keys are enough, and unknown ones are ignored. [MAN-006, MAN-010, MAN-011, MAN-017, MAN-019]"""
        manifest = by_hand({**disk(alice), "Ordering": 1, "CompressedSize": 5}, User="somebody")
        image = carol.create_image(file_location=put_manifest(alice, manifest), image_name="theirs")
        assert reread(carol, image).state == "available"
        assert carol.can("CreateVms", ImageId=image.image_id)

    def test_takes_boot_modes_from_a_manifest(self, alice: Account, carol: Account) -> None:
        """A manifest may have boot modes, though omisim writes none. [MAN-018]"""
        manifest = by_hand(disk(alice), BootModes=["uefi"], TpmMandatory=True)
        image = carol.create_image(file_location=put_manifest(alice, manifest), image_name="theirs")
        assert (image.boot_modes, image.tpm_mandatory) == (("uefi",), True)

    def test_is_independent_of_its_source(self, alice: Account, carol: Account, golden: Image, oos: Any) -> None:
        """The source OMI, its snapshots and the objects may be deleted; the import stays. [IMP-010, IMP-011]"""
        url = export_manifest(alice, golden)
        alice.delete_image(image_id=golden.image_id)
        for snapshot in alice.read_snapshots(filters={"account_ids": [alice.account_id]}):
            alice.delete_snapshot(snapshot_id=snapshot.snapshot_id)
        image = carol.create_image(file_location=url, image_name="theirs")
        for item in oos.list_objects_v2(Bucket=BUCKET)["Contents"]:
            oos.delete_object(Bucket=BUCKET, Key=item["Key"])
        assert reread(carol, image).state == "available"
        assert carol.create_vms(image_id=image.image_id)

    def test_works_between_accounts_of_one_region(self, alice: Account, bob: Account, golden: Image) -> None:
        """An export can be imported by another account of the same Region. [IMP-009]"""
        image = bob.create_image(file_location=export_manifest(alice, golden), image_name="bobs")
        assert reread(bob, image).state == "available"

    def test_needs_a_free_name(self, alice: Account, carol: Account, golden: Image) -> None:
        """An import without a name is incomplete; a name that is taken is refused. [IMP-007]"""
        url = export_manifest(alice, golden)
        assert expect_refusal(carol, "CreateImage", FileLocation=url).code == "7000"
        carol.create_image(file_location=url, image_name="theirs")
        assert refuse_import(carol, url).code == "9015"

    def test_has_a_lineage_across_regions(self, cloud: Cloud, alice: Account, carol: Account, golden: Image) -> None:
        """The lineage goes from the OMI through task and bucket to the import. [LIC-012]"""
        theirs = carol.create_image(file_location=export_manifest(alice, golden), image_name="theirs")
        text = str(cloud.lineage(golden.image_id))
        lines = [line.strip() for line in text.splitlines()]
        chain = ["image ", "exported by: image_export", "written by: object eu-west-2/exports/", "imported from: image"]
        depths = [next(i for i, line in enumerate(lines) if line.startswith(start)) for start in chain]
        assert depths == sorted(depths)
        assert theirs.image_id in lines[depths[-1]]


class TestRefusedManifest:
    @pytest.mark.parametrize("url", ["manifest.json", "ftp://x/y", "s3://bucket/key", "https://", "http://[oos"])
    def test_has_an_invalid_url(self, carol: Account, url: str) -> None:
        """A location that is not an http(s) URL is refused. [IMP-001]"""
        error = refuse_import(carol, url)
        assert (error.code, error.rule) == ("4075", "IMP-001")

    def test_is_outside_this_cloud(self, carol: Account) -> None:
        """A URL outside this cloud's object storage is never fetched. [IMP-002]"""
        url = "https://example.com/manifest.json"
        error = refuse_import(carol, f"{url}?Signature=secret")
        assert (error.code, error.rule, error.facts["file_location"]) == ("4074", "IMP-002", url)

    def test_has_an_unsigned_url(self, cloud: Cloud, alice: Account, carol: Account, golden: Image) -> None:
        """A private object needs a signed URL. [IMP-002, OOS-004]"""
        export_manifest(alice, golden)
        url = alice.read_image_export_tasks()[0].osu_export.osu_manifest_url
        assert refuse_import(carol, url).code == "4074"

    def test_has_a_url_that_does_not_tell_which_keys_exist(
        self, cloud: Cloud, alice: Account, carol: Account, golden: Image
    ) -> None:
        """Without access to a bucket, the import of a missing object is refused like a GET of it. [IMP-002, OOS-004]"""
        url = presign_url(alice, "missing").partition("?")[0]
        with cloud.intercept():
            assert requests.get(url, timeout=5).status_code == 403
        assert refuse_import(carol, url).rule == "IMP-002"

    def test_has_an_expired_url(self, cloud: Cloud, alice: Account, carol: Account, golden: Image) -> None:
        """A URL is valid for at most seven days of the cloud's clock. [IMP-008, OOS-003]"""
        url = export_manifest(alice, golden)
        cloud.advance(WEEK - 1)
        assert carol.can("CreateImage", FileLocation=url, ImageName="theirs")
        cloud.advance(2)
        error = refuse_import(carol, url)
        assert (error.code, "expired" in error.details) == ("4074", True)

    @pytest.mark.parametrize("change", [("Signature=", "Signature=0"), ("Expires=604800", "Expires=604799")])
    def test_has_an_altered_url(self, alice: Account, carol: Account, golden: Image, change: tuple[str, str]) -> None:
        """An altered URL is refused. [IMP-002]"""
        url = export_manifest(alice, golden).replace(*change)
        assert refuse_import(carol, url).code == "4074"

    @pytest.mark.parametrize(
        ("auth", "old", "new", "accepted"),
        [
            ("lenient", "Signature=", "Signature=0", True),
            ("lenient", "Credential=", "Credential=UNKNOWN", False),
            ("off", "Credential=", "Credential=UNKNOWN", True),
            ("off", "?", "?unsigned&", True),
            ("off", "eu-west-2.", "us-east-2.", False),
        ],
    )
    def test_is_read_as_a_client_could_read_it(
        self, cloud: Cloud, alice: Account, carol: Account, golden: Image, auth: str, old: str, new: str, accepted: bool
    ) -> None:
        """An import accepts the URLs that a GET is answered for. [AUTH-013, IMP-002]"""
        url = export_manifest(alice, golden).replace(old, new, 1).partition("?unsigned")[0]
        cloud.engine.change_settings(auth=auth)
        with cloud.intercept():
            assert requests.get(url, timeout=5).ok == accepted
        assert carol.can("CreateImage", FileLocation=url, ImageName="theirs") == accepted

    def test_has_a_url_of_a_deleted_key(self, alice: Account, carol: Account, golden: Image) -> None:
        """A URL is valid as long as its key. [IMP-002, OOS-005]"""
        url = export_manifest(alice, golden)
        alice.delete_access_key(access_key_id=alice.access_key)
        assert refuse_import(carol, url).code == "4074"

    def test_does_not_exist(self, alice: Account, carol: Account, oos: Any, golden: Image) -> None:
        """A valid URL of a missing object finds no manifest. [IMP-005]"""
        url = export_manifest(alice, golden)
        oos.delete_object(Bucket=BUCKET, Key=f"{golden.image_id}/manifest.json")
        error = refuse_import(carol, url)
        assert (error.code, error.rule) == ("5031", "IMP-005")

    def test_carries_the_code_of_a_deleted_product_type(self, alice: Account, carol: Account, golden: Image) -> None:
        """The manifest of an export is accepted though a product type of its OMI was deleted. [LIC-008, MAN-007]"""
        code = alice.create_product_type(description="Billing").product_type_id
        alice.update_image(image_id=golden.image_id, product_codes=["0001", code])
        alice.delete_product_type(product_type_id=code, force=True)
        theirs = carol.create_image(file_location=export_manifest(alice, golden), image_name="theirs")
        assert theirs.product_codes == ("0001", code)

    def test_is_in_a_bucket_that_does_not_exist(self, cloud: Cloud, alice: Account, carol: Account) -> None:
        """A valid URL of a missing bucket finds no manifest. [IMP-005]"""
        key = cloud.engine.state.get("access_key", alice.access_key)
        url = presign(Place("eu-west-2", "nowhere", "manifest.json"), key, cloud.now)
        assert refuse_import(carol, url).code == "5031"

    @pytest.mark.parametrize("text", ["", "{", "\x00", "<xml/>", b"\xff\xfe"])
    def test_is_not_json(self, alice: Account, carol: Account, text: str | bytes) -> None:
        """A manifest is JSON. [IMP-003]"""
        error = refuse_import(carol, put_manifest(alice, text))
        assert (error.code, error.rule) == ("4041", "IMP-003")

    @pytest.mark.parametrize("version", [0, 2, 10**30])
    def test_has_another_version(self, alice: Account, carol: Account, version: int) -> None:
        """Only version 1 is supported. [MAN-001]"""
        url = put_manifest(alice, {**by_hand(disk(alice)), "Version": version})
        error = refuse_import(carol, url)
        assert (error.code, error.rule) == ("4094", "MAN-001")

    @pytest.mark.parametrize("key", ["Version", "Image", "ProductTypes", "Snapshots", "Device", "PreSignedUrl", "Size"])
    def test_lacks_a_required_key(self, alice: Account, carol: Account, key: str) -> None:
        """The refusal names the missing key. [IMP-004, MAN-002, MAN-009, MAN-012]"""
        text = json.dumps(by_hand(disk(alice))).replace(f'"{key}"', '"Other"')
        error = refuse_import(carol, put_manifest(alice, text))
        assert (error.code, error.rule, key in error.details) == ("4040", "IMP-004", True)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"Size": 0}, "Size"),
            ({"Size": -1}, "Size"),
            ({"Size": 14902 * GIB}, "Size"),
            ({"Size": "10"}, "Size"),
            ({"Size": True}, "Size"),
            ({"Size": 1.5}, "Size"),
            ({"Device": "sda1"}, "Device"),
            ({"Device": "/dev/sdb"}, "/dev/sda1"),
            ({"VolumeType": "st1"}, "VolumeType"),
            ({"Iops": 100}, "Iops"),
            ({"VolumeType": "io1"}, "Iops"),
            ({"VolumeType": "io1", "Iops": 99}, "Iops"),
            ({"VolumeType": "io1", "Iops": 13001, "Size": 100 * GIB}, "Iops"),
            ({"VolumeType": "io1", "Iops": 3001}, "Iops"),
            ({"VolumeType": "io1", "Iops": 100, "Size": 3 * GIB}, "Size"),
            ({"Device": "/dev/disk"}, "Device"),
            ({"Device": "/dev/sda1x"}, "Device"),
            ({"DeleteOnTermination": "yes"}, "DeleteOnTermination"),
            ({"PreSignedUrl": 5}, "PreSignedUrl"),
            ({"PreSignedUrl": "disk.qcow2"}, "PreSignedUrl must be a URL, not 'disk.qcow2'"),
            ({"PreSignedUrl": "ftp://example.com/disk"}, "PreSignedUrl must be a URL, not 'ftp://example.com/disk'"),
            (
                {"PreSignedUrl": "https://[oos/disk?X-Amz-Signature=secret"},
                "PreSignedUrl must be a URL, not 'https://[oos/disk'",
            ),
        ],
    )
    def test_has_an_invalid_value_for_a_disk(
        self, alice: Account, carol: Account, change: dict[str, Any], message: str
    ) -> None:
        """The refusal names the invalid value. [IMP-004, MAN-010, MAN-013 to MAN-016]"""
        url = put_manifest(alice, by_hand({**disk(alice), **change}))
        error = refuse_import(carol, url)
        assert (error.code, message in error.details) == ("4040", True)

    @pytest.mark.parametrize(
        "more",
        [
            {"ProductTypes": []},
            {"ProductTypes": [1]},
            {"ProductTypes": ["9999"]},
            {"Architecture": "arm64"},
            {"Type": "kernel"},
            {"Snapshots": []},
            {"Snapshots": [5]},
            {"BootModes": ["bios"]},
            {"Name": 5},
        ],
    )
    def test_has_an_invalid_value_for_the_omi(self, alice: Account, carol: Account, more: dict[str, Any]) -> None:
        """Wrong product codes, architectures and types are refused. [IMP-004, MAN-005, MAN-006, MAN-007]"""
        url = put_manifest(alice, by_hand(disk(alice), **more))
        error = refuse_import(carol, url)
        assert (error.code, error.rule) == ("4040", "IMP-004")

    def test_has_two_roots_or_no_root(self, alice: Account, carol: Account) -> None:
        """Exactly one disk is the root, and no two have the same device. [IMP-004, MAN-010]"""
        url = put_manifest(alice, by_hand(disk(alice), disk(alice)))
        assert refuse_import(carol, url).code == "4040"

    @pytest.mark.parametrize("body", ["5", "[]", "null", '"x"'])
    def test_is_not_an_object(self, alice: Account, carol: Account, body: str) -> None:
        """JSON that is not an object is refused. [IMP-004]"""
        assert refuse_import(carol, put_manifest(alice, body)).code == "4040"

    def test_cannot_be_replaced_by_a_copy_across_regions(self, carol: Account, golden: Image) -> None:
        """CreateImage does not copy across Regions. [CPY-005]"""
        error = expect_refusal(carol, "CreateImage", SourceImageId=golden.image_id, SourceRegionName="eu-west-2")
        assert error.code == "5023"
        own = find_official(carol, "Ubuntu*").image_id
        assert expect_refusal(carol, "CreateImage", SourceImageId=own, SourceRegionName="eu-west-2").code == "8019"


class TestBadDiskImage:
    """A file that cannot be used is found out when it is read: the OMI fails, the snapshot is in error."""

    @pytest.mark.parametrize(
        ("name", "body", "message"),
        [
            ("a.qcow2.gz", encode(Content(), 10, "qcow2")[:100], "truncated"),
            (
                "a.qcow2.gz",
                gzip.compress(gzip.decompress(encode(Content(1, (("/a", "b"),)), 10, "qcow2"))[:70_000], mtime=0),
                "truncated",
            ),
            ("a.qcow2", b"no image", "not a qcow2 image"),
            ("a.qcow2.gz", encode(Content(), 11, "qcow2"), "exceeds the declared"),
            ("a.gz", b"\x1f\x8bnonsense", "damaged"),
        ],
    )
    def test_makes_the_omi_fail_with_a_comment(
        self, alice: Account, carol: Account, name: str, body: bytes, message: str
    ) -> None:
        """The OMI is pending, then failed, and its comment says why. [IMP-006]"""
        entry = {**disk(alice, name, body), "Filename": name}
        image = carol.create_image(file_location=put_manifest(alice, by_hand(entry)), image_name="theirs")
        assert image.state == "pending"
        failed = reread(carol, image)
        comment = str(failed.state_comment.state_message)
        assert (failed.state, message in comment, comment.startswith(f"{name}: ")) == ("failed", True, True)

    def test_with_an_expired_url_makes_the_omi_fail(
        self, cloud: Cloud, alice: Account, carol: Account, golden: Image
    ) -> None:
        """A fresh URL of an old manifest is not enough: the URLs in the manifest have expired. [IMP-006, IMP-008]"""
        export_manifest(alice, golden)
        cloud.advance(WEEK + 1)
        url = presign_url(alice, f"{golden.image_id}/manifest.json")
        image = reread(carol, carol.create_image(file_location=url, image_name="theirs"))
        assert (image.state, "expired" in str(image.state_comment.state_message)) == ("failed", True)

    def test_ends_the_import_of_a_snapshot_in_error(self, alice: Account, carol: Account) -> None:
        """A size that is too small, or a broken file, ends in error. [SNP-012, ST-SNP-5]"""
        for name, body, size in (("a.raw.gz", gzip.compress(b"x" * 600), 512), ("a.qcow2", b"x", GIB)):
            url = disk(alice, name, body)["PreSignedUrl"]
            snapshot = carol.create_snapshot(file_location=url, snapshot_size=size)
            failed = reread(carol, snapshot)
            assert (snapshot.state, failed.state) == ("in-queue", "error")


class TestSnapshotImport:
    @pytest.mark.parametrize("form", ["qcow2", "raw"])
    def test_has_the_content_of_the_disk(self, cloud: Cloud, alice: Account, carol: Account, vm: Vm, form: str) -> None:
        """What was on the disk is on a volume in another Region. [SNP-010, SNP-013, EXP-045]"""
        root = alice.read_vms()[0].block_device_mappings[0].bsu.volume_id
        cloud.write(root, "/etc/motd", "hello")
        snapshot = alice.create_snapshot(volume_id=root)
        alice.create_snapshot_export_task(
            snapshot_id=snapshot.snapshot_id, osu_export={"disk_image_format": form, "osu_bucket": BUCKET}
        )
        key = alice.client("oos").list_objects_v2(Bucket=BUCKET)["Contents"][0]["Key"]
        theirs = carol.create_snapshot(file_location=presign_url(alice, key), snapshot_size=10 * GIB)
        assert (theirs.volume_size, theirs.volume_id, theirs.state) == (10, None, "in-queue")
        volume = carol.create_volume(subregion_name="us-east-2a", snapshot_id=theirs.snapshot_id)
        assert cloud.read(volume.volume_id, "/etc/motd") == "hello"

    def test_loses_the_licence(self, cloud: Cloud, alice: Account, carol: Account) -> None:
        """An OMI registered from it has code 0001; the lineage says where the licence was lost.

        [LIC-005, LIC-012, EXP-048]
        """
        vm = alice.create_vms(image_id=find_official(alice, "Windows*").image_id, vm_type="tinav5.c2r4p1")[0]
        root = reread(alice, vm).block_device_mappings[0].bsu.volume_id
        snapshot = alice.create_snapshot(volume_id=root)
        alice.create_snapshot_export_task(
            snapshot_id=snapshot.snapshot_id, osu_export={"disk_image_format": "raw", "osu_bucket": BUCKET}
        )
        key = alice.client("oos").list_objects_v2(Bucket=BUCKET)["Contents"][0]["Key"]
        theirs = carol.create_snapshot(file_location=presign_url(alice, key), snapshot_size=50 * GIB)
        image = carol.create_image(
            image_name="theirs",
            root_device_name="/dev/sda1",
            block_device_mappings=[{"device_name": "/dev/sda1", "bsu": {"snapshot_id": theirs.snapshot_id}}],
        )
        assert image.product_codes == ("0001",)
        assert "licence 0002 dropped here" in str(cloud.lineage(snapshot.snapshot_id))
        assert "LIC-012" in cloud.warnings[-1]

    @pytest.mark.parametrize(
        ("parameters", "code"),
        [
            ({"FileLocation": "nowhere", "SnapshotSize": GIB}, "4075"),
            ({"FileLocation": "https://example.com/x", "SnapshotSize": GIB}, "4074"),
            ({"FileLocation": "https://example.com/x"}, "7000"),
            ({"SnapshotSize": GIB}, "7000"),
            ({"FileLocation": "https://example.com/x", "SnapshotSize": 0}, "4203"),
            ({"FileLocation": "https://example.com/x", "SnapshotSize": 14_902 * GIB}, "4203"),
        ],
    )
    def test_refuses_invalid_urls_and_sizes(self, carol: Account, parameters: dict[str, Any], code: str) -> None:
        """Invalid and unreachable URLs, missing parameters and impossible sizes are refused.

        [SNP-012, SNP-013, IMP-001]
        """
        assert expect_refusal(carol, "CreateSnapshot", **parameters).code == code

    def test_may_be_as_large_as_a_volume(self, alice: Account, carol: Account) -> None:
        """The maximum is exactly 14901 GiB. [SNP-012]"""
        url = disk(alice)["PreSignedUrl"]
        assert carol.create_snapshot(file_location=url, snapshot_size=14_901 * GIB).volume_size == 14_901
        assert (
            expect_refusal(carol, "CreateSnapshot", FileLocation=url, SnapshotSize=14_901 * GIB + 1).rule == "SNP-012"
        )

    def test_counts_towards_the_quota(self, cloud: Cloud, alice: Account) -> None:
        """An imported snapshot counts like the others of its account. [QTA-008]"""
        dave = cloud.account("dave", quotas={"snapshot_limit": 1})
        url = disk(alice)["PreSignedUrl"]
        dave.create_snapshot(file_location=url, snapshot_size=GIB)
        assert expect_refusal(dave, "CreateSnapshot", FileLocation=url, SnapshotSize=GIB).code == "10026"


class TestFetchOption:
    def test_reads_urls_outside_this_cloud(self, alice: Account, golden: Image) -> None:
        """A cloud with a `fetch` function reads other hosts through it. [IMP-002]"""
        files = {"https://example.com/disk.raw": b"", "https://example.com/m.json": b""}
        entry = {"Device": "/dev/sda1", "PreSignedUrl": "https://example.com/disk.raw", "Size": GIB}
        files["https://example.com/m.json"] = json.dumps(by_hand(entry)).encode()
        cloud = Cloud(fetch=files.__getitem__)
        dave = cloud.account("dave")
        image = dave.create_image(file_location="https://example.com/m.json", image_name="theirs")
        assert reread(dave, image).state == "available"
        error = expect_refusal(dave, "CreateImage", FileLocation="https://example.com/other", ImageName="other")
        assert (error.code, "KeyError" in error.details) == ("4074", True)

    def test_is_asked_once_for_each_file(self) -> None:
        """An import downloads no file twice, neither its disk image nor its manifest. [IMP-002]"""
        entry = {"Device": "/dev/sda1", "PreSignedUrl": "https://example.com/disk.raw", "Size": GIB}
        manifest = json.dumps(by_hand(entry)).encode()
        fetched: list[str] = []

        def fetch(url: str) -> bytes:
            fetched.append(url)
            return manifest if url.endswith(".json") else b""

        dave = Cloud(fetch=fetch).account("dave")
        dave.create_snapshot(file_location="https://example.com/one.raw", snapshot_size=GIB)
        dave.create_image(file_location="https://example.com/m.json", image_name="theirs")
        assert fetched == [f"https://example.com/{name}" for name in ("one.raw", "m.json", "disk.raw")]

    @pytest.mark.parametrize("login", ["", "name:word@"])
    def test_is_not_asked_for_a_url_of_this_cloud(self, login: str) -> None:
        """The cloud's own object storage answers for its URLs, also for one with a login. [IMP-002]"""
        files: dict[str, bytes] = {}
        dave = Cloud(fetch=files.__getitem__).account("dave")
        url = f"https://{login}oos.eu-west-2.outscale.com/bucket/disk.raw"
        refusal = expect_refusal(dave, "CreateSnapshot", FileLocation=url, SnapshotSize=GIB)
        assert (refusal.rule, "KeyError" in refusal.details) == ("IMP-002", False)

    @pytest.mark.parametrize("answer", ["text", None, bytearray(b"disk")])
    def test_that_returns_no_bytes_leaves_the_url_unreadable(self, answer: Any) -> None:
        """The refusal says what the function has returned. [IMP-002]"""
        dave = Cloud(fetch=lambda _url: answer).account("dave")
        for action, others in (("CreateSnapshot", {"SnapshotSize": GIB}), ("CreateImage", {"ImageName": "theirs"})):
            refusal = expect_refusal(dave, action, FileLocation="https://example.com/x", **others)
            assert refusal.rule == "IMP-002"
            assert f"fetch returned {type(answer).__name__}, not bytes" in refusal.details


def test_import_keeps_a_disk_size_larger_than_the_snapshot(alice: Account, carol: Account, golden: Image) -> None:
    """A disk that the OMI maps larger than its snapshot is imported with that size. [MAN-013]"""
    bsu = golden.block_device_mappings[0].bsu
    assert bsu is not None
    image = alice.create_image(
        image_name="larger",
        root_device_name="/dev/sda1",
        block_device_mappings=[
            {"device_name": "/dev/sda1", "bsu": {"snapshot_id": bsu.snapshot_id, "volume_size": 20}},
            {"device_name": "/dev/sdb", "bsu": {"volume_size": 7}},
        ],
    )
    export_image(alice, image)
    theirs = carol.create_image(
        file_location=presign_url(alice, f"{image.image_id}/manifest.json"), image_name="theirs"
    )
    assert [m.bsu.volume_size for m in theirs.block_device_mappings if m.bsu] == [20, 7]
    assert reread(carol, theirs).state == "available"


def test_of_an_image_leaves_the_cloud_to_others_while_it_is_decoded(
    cloud: Cloud, alice: Account, entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a disk image takes to decode, other threads can use the cloud meanwhile."""
    url = disk(alice, body=b"content")["PreSignedUrl"]
    can_lock = list[bool]()

    def take_lock() -> bool:
        could = cloud.engine.lock.acquire(blocking=False)
        if could:
            cloud.engine.lock.release()
        return could

    def note_lock(*args: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            can_lock.append(pool.submit(take_lock).result())
        return decode(*args)

    monkeypatch.setattr("omisim.actions.imports.decode", note_lock)
    entrance.answer(alice, "CreateSnapshot", FileLocation=url, SnapshotSize=10 * GIB)
    assert can_lock == [True]
