"""What licences authorise: the duty to check them, a warning by default, is enforced where a test sets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.entrances import Entrance

from omisim import Account, ApiError, Cloud
from omisim.model import Image
from omisim.testing import laws
from omisim.testing.script import bucket

TARGET = {"DiskImageFormat": "qcow2", "OsuBucket": "exports"}
TYPE = "tinav5.c2r4p1"
Route = Callable[[Account], tuple[str, dict[str, Any]]]


def _launch(account: Account) -> str:
    image_id = account.cloud.images.official("windows").image_id
    vm_id = account.create_vms(image_id=image_id, vm_type=TYPE)[0].vm_id
    account.cloud.settle()
    return vm_id


def _export_image(account: Account, image_id: str) -> tuple[str, dict[str, Any]]:
    account.cloud.settle()
    return "CreateImageExportTask", {"ImageId": image_id, "OsuExport": TARGET}


def _export_snapshot(account: Account, snapshot_id: str | None) -> tuple[str, dict[str, Any]]:
    account.cloud.settle()
    return "CreateSnapshotExportTask", {"SnapshotId": snapshot_id, "OsuExport": TARGET}


def _find_root(account: Account, vm_id: str) -> str:
    (vm,) = account.read_vms(filters={"vm_ids": [vm_id]})
    return vm.block_device_mappings[0].bsu.volume_id


def _register(account: Account, snapshot_id: str, **more: Any) -> Image:
    mapping = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot_id}}
    return account.create_image(
        image_name="registered", root_device_name="/dev/sda1", block_device_mappings=[mapping], **more
    )


def of_a_vm(account: Account) -> tuple[str, dict[str, Any]]:
    """An OMI made from a Windows VM."""
    return _export_image(account, account.create_image(vm_id=_launch(account), image_name="golden").image_id)


def of_a_copy(account: Account) -> tuple[str, dict[str, Any]]:
    """A copy of the official OMI."""
    source = account.cloud.images.official("windows").image_id
    return _export_image(account, account.create_image(source_image_id=source, source_region_name="eu-west-2").image_id)


def of_a_stripped_omi(account: Account) -> tuple[str, dict[str, Any]]:
    """An OMI whose product code was removed; its disk is still that of Windows."""
    image_id = account.create_image(vm_id=_launch(account), image_name="golden").image_id
    account.update_image(image_id=image_id, product_codes=["0001"])
    return _export_image(account, image_id)


def of_a_registered_omi(account: Account) -> tuple[str, dict[str, Any]]:
    """An OMI registered, without a code, from a snapshot of a Windows disk."""
    snapshot_id = account.create_snapshot(volume_id=_find_root(account, _launch(account))).snapshot_id
    account.cloud.settle()
    return _export_image(account, _register(account, snapshot_id).image_id)


def of_a_snapshot_of_an_omi(account: Account) -> tuple[str, dict[str, Any]]:
    """The snapshot of a copy of the official OMI."""
    source = account.cloud.images.official("windows").image_id
    image = account.create_image(source_image_id=source, source_region_name="eu-west-2")
    bsu = image.block_device_mappings[0].bsu
    assert bsu is not None
    return _export_snapshot(account, bsu.snapshot_id)


def of_a_volume_of_a_vm(account: Account) -> tuple[str, dict[str, Any]]:
    """A snapshot of the root volume of a Windows VM."""
    return _export_snapshot(
        account, account.create_snapshot(volume_id=_find_root(account, _launch(account))).snapshot_id
    )


def of_a_copied_snapshot(account: Account) -> tuple[str, dict[str, Any]]:
    """A copy of a snapshot of a volume that was restored from a snapshot of a Windows disk."""
    first = account.create_snapshot(volume_id=_find_root(account, _launch(account))).snapshot_id
    account.cloud.settle()
    volume = account.create_volume(snapshot_id=first, subregion_name="eu-west-2a").volume_id
    account.cloud.settle()
    second = account.create_snapshot(volume_id=volume).snapshot_id
    account.cloud.settle()
    copy = account.create_snapshot(source_snapshot_id=second, source_region_name="eu-west-2")
    return _export_snapshot(account, copy.snapshot_id)


IMAGES: list[Route] = [of_a_vm, of_a_copy, of_a_stripped_omi, of_a_registered_omi]
SNAPSHOTS: list[Route] = [of_a_snapshot_of_an_omi, of_a_volume_of_a_vm, of_a_copied_snapshot]


@pytest.mark.parametrize("route", [*IMAGES, *SNAPSHOTS], ids=lambda route: route.__name__)
class TestExport:
    def test_is_warned_of_by_default(self, entrance: Entrance, route: Route) -> None:
        """As long as nothing is said about a licence, its duty is a warning. [EXP-018, EXP-050]"""
        cloud = Cloud()
        alice = cloud.account("alice")
        action, parameters = route(alice)
        entrance.answer(alice, action, **parameters)
        assert any("licences 0002" in warning for warning in cloud.warnings)

    def test_is_refused_by_a_licence_that_forbids_it(self, entrance: Entrance, timed: Cloud, route: Route) -> None:
        """A licence without the right to export refuses every route, and is a fact. [EXP-018, EXP-050]"""
        alice = timed.account("alice")
        action, parameters = route(alice)
        timed.licences.set("0002", export=False)
        rule = "EXP-018" if route in IMAGES else "EXP-050"
        assert entrance.refusal(alice, action, **parameters) == (400, "8017", rule)
        (refusal,) = alice.why_not(action, **parameters)
        assert refusal.facts["licence"] == "0002"
        timed.licences.set("0002", export=True)
        entrance.answer(alice, action, **parameters)
        assert not any("0002, which" in text or "licences 0002" in text for text in timed.warnings)

    def test_is_refused_under_strict_licences(self, entrance: Entrance, route: Route) -> None:
        """The switch refuses every route, too, unless the licence authorises it. [LIC-010]"""
        cloud = Cloud()
        alice = cloud.account("alice")
        action, parameters = route(alice)  # OMI-114 forbids to strip an OMI under the switch
        cloud.engine.set_switch("strict_licences", True)
        assert entrance.refusal(alice, action, **parameters) == (400, "8017", "LIC-010")
        cloud.licences.set("0002", export=True)
        entrance.answer(alice, action, **parameters)


class TestCarriedCodes:
    @pytest.fixture(name="code")
    def _code(self, alice: Account, bob: Account) -> str:
        """The code of a product type of alice's, which an OMI carries that she shares with bob."""
        code = alice.create_product_type(description="Billing").product_type_id
        source = alice.cloud.images.official("ubuntu").image_id
        image = alice.create_image(source_image_id=source, source_region_name="eu-west-2", product_codes=[code])
        share = {"account_ids": [bob.account_id]}
        alice.update_image(image_id=image.image_id, permissions_to_launch={"additions": share})
        return code

    def test_can_be_kept_by_a_copy_and_in_it(self, bob: Account, code: str) -> None:
        """A copy may name the codes of its source, and UpdateImage those of its OMI. [OMI-074, OMI-113]"""
        (shared,) = bob.read_images(filters={"product_codes": [code]})
        copy = bob.create_image(source_image_id=shared.image_id, source_region_name="eu-west-2", product_codes=[code])
        codes = (*copy.product_codes, "0006")
        assert bob.update_image(image_id=copy.image_id, product_codes=codes).product_codes == codes

    def test_can_be_kept_from_a_vm_and_from_its_snapshot(self, cloud: Cloud, bob: Account, code: str) -> None:
        """An OMI may name the codes of its VM, and of the origin of its snapshots. [OMI-074, LIC-012]"""
        (shared,) = bob.read_images(filters={"product_codes": [code]})
        vm_id = bob.create_vms(image_id=shared.image_id)[0].vm_id
        assert bob.create_image(vm_id=vm_id, image_name="made", product_codes=[code]).product_codes == ("0001", code)
        snapshot_id = bob.create_snapshot(volume_id=_find_root(bob, vm_id)).snapshot_id
        registered = _register(bob, snapshot_id, product_codes=["0001", code])
        assert registered.product_codes == ("0001", code)
        assert cloud.warnings == ()

    def test_can_be_kept_from_a_snapshot_of_an_omi(self, alice: Account, bob: Account, code: str) -> None:
        """An OMI may name the codes of the OMI that its snapshot is part of. [OMI-074, LIC-012]"""
        snapshot_id = _share_snapshot(alice, bob, code)
        registered = _register(bob, snapshot_id, product_codes=[code])
        assert registered.product_codes == (code,)

    @pytest.mark.parametrize("snapshot_id", ["snap-00000000", None], ids=["absent", "private"])
    def test_do_not_tell_that_a_snapshot_exists(
        self, alice: Account, bob: Account, code: str, snapshot_id: str | None
    ) -> None:
        """The code of a private snapshot is as unknown as that of one that does not exist. [OMI-074, ID-018]"""
        (image,) = alice.read_images(filters={"product_codes": [code]})
        root = _find_root(alice, alice.create_vms(image_id=image.image_id)[0].vm_id)
        private = alice.create_snapshot(volume_id=root).snapshot_id
        with pytest.raises(ApiError) as caught:
            _register(bob, snapshot_id or private, product_codes=[code])
        assert caught.value.rule == "OMI-074"

    def test_are_not_given_to_other_omis(self, bob: Account, code: str) -> None:
        """The code of another account is unknown to an OMI that does not carry it. [OMI-074]"""
        source = bob.cloud.images.official("ubuntu").image_id
        own = bob.create_image(source_image_id=source, source_region_name="eu-west-2").image_id
        assert [e.rule for e in bob.why_not("UpdateImage", ImageId=own, ProductCodes=["0001", code])] == ["OMI-074"]


def _share_snapshot(owner: Account, grantee: Account, code: str) -> str:
    """Share the snapshot of the OMI of `owner` that carries a code, and return its id."""
    snapshot_id = owner.read_images(filters={"product_codes": [code]})[0].snapshot_ids[0]
    change = {"additions": {"account_ids": [grantee.account_id]}}
    owner.update_snapshot(snapshot_id=snapshot_id, permissions_to_create_volume=change)
    return snapshot_id


class TestLicences:
    @pytest.mark.parametrize("is_deleted", [True, False], ids=["deleted", "updated"])
    def test_stay_with_a_disk_without_the_omi(self, cloud: Cloud, alice: Account, *, is_deleted: bool) -> None:
        """A licence that UpdateImage has added binds the disk when its OMI has lost it, or is gone. [LIC-012]"""
        cloud.licences.set("0002", export=False)
        source = cloud.images.official("debian").image_id
        image = alice.create_image(source_image_id=source, source_region_name="eu-west-2")
        laws.call(alice, "UpdateImage", ImageId=image.image_id, ProductCodes=["0002"])
        if is_deleted:
            alice.delete_image(image_id=image.image_id)
        else:
            alice.update_image(image_id=image.image_id, product_codes=["0001"])
        _, parameters = _export_snapshot(alice, image.snapshot_ids[0])
        assert [error.rule for error in alice.why_not("CreateSnapshotExportTask", **parameters)] == ["EXP-050"]

    def test_of_other_codes_do_not_matter(self, entrance: Entrance, cloud: Cloud, alice: Account) -> None:
        """An OMI of plain Linux is exported whatever other licences forbid. [EXP-018]"""
        cloud.licences.set("0002", export=False)
        source = cloud.images.official("debian").image_id
        image_id = alice.create_image(source_image_id=source, source_region_name="eu-west-2").image_id
        entrance.answer(alice, "CreateImageExportTask", ImageId=image_id, OsuExport=TARGET)

    def test_do_not_extend_to_volumes_that_are_linked_later(self, cloud: Cloud, alice: Account) -> None:
        """An empty volume that is linked to a licensed VM stays free of its licence. [EXP-050]"""
        cloud.licences.set("0002", export=False)
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        alice.link_volume(vm_id=_launch(alice), volume_id=volume.volume_id, device_name="/dev/sdb")
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        assert alice.can("CreateSnapshotExportTask", SnapshotId=snapshot.snapshot_id, OsuExport=TARGET)

    def test_of_own_product_types_can_forbid(self, entrance: Entrance, cloud: Cloud, alice: Account) -> None:
        """The licence of an account's own product type forbids like a built-in one. [EXP-018, LIC-007]"""
        code = alice.create_product_type(description="appliance").product_type_id
        source = cloud.images.official("debian").image_id
        image_id = alice.create_image(
            source_image_id=source, source_region_name="eu-west-2", product_codes=[code]
        ).image_id
        cloud.licences.set(code, export=False)
        refusal = entrance.refusal(alice, "CreateImageExportTask", ImageId=image_id, OsuExport=TARGET)
        assert refusal == (400, "8017", "EXP-018")

    def test_of_marketplace_products_can_forbid(self, cloud: Cloud, alice: Account, bob: Account) -> None:
        """The code of a product is a licence: a buyer's copy of its OMI is not exported. [EXP-018, MKT-008]"""
        source = cloud.images.official("debian").image_id
        image = alice.create_image(source_image_id=source, source_region_name="eu-west-2")
        product = cloud.marketplace.publish(alice, image.image_id, offer="free", regions=["eu-west-2"])
        cloud.licences.set(product.product_code, export=False)
        own = bob.create_image(source_image_id=product.images["eu-west-2"], source_region_name="eu-west-2")
        (refusal,) = bob.why_not("CreateImageExportTask", ImageId=own.image_id, OsuExport=TARGET)
        assert (refusal.rule, refusal.facts["licence"]) == ("EXP-018", product.product_code)

    def test_travel_through_a_bucket(self, cloud: Cloud, alice: Account) -> None:
        """A disk that was exported before the licence forbade it keeps its licence in the import. [EXP-050, LIC-012]"""
        bucket(alice, "exports")
        snapshot = alice.create_snapshot(volume_id=_find_root(alice, _launch(alice)))
        task = alice.create_snapshot_export_task(
            snapshot_id=snapshot.snapshot_id, osu_export={"disk_image_format": "raw", "osu_bucket": "exports"}
        )
        (place,) = (child.id for child in cloud.lineage(task.task_id).children)
        assert place.endswith("gz")
        name = place.partition("/")[2].partition("/")[2]
        url = alice.client("oos").generate_presigned_url("get_object", Params={"Bucket": "exports", "Key": name})
        imported = alice.create_snapshot(file_location=url, snapshot_size=100 * 2**30)
        cloud.licences.set("0002", export=False)
        _, parameters = _export_snapshot(alice, imported.snapshot_id)
        assert [error.rule for error in alice.why_not("CreateSnapshotExportTask", **parameters)] == ["EXP-050"]

    def test_are_part_of_the_cloud(self, cloud: Cloud) -> None:
        """Rollbacks undo a decision, forks and dumps carry it, None takes it back."""
        with cloud.savepoint():
            cloud.licences.set("0002", export=False)
            assert cloud.licences.all() == cloud.fork().licences.all() == {"0002": False}
            assert Cloud.load(cloud.dump()).licences.all() == {"0002": False}
        assert cloud.licences.all() == {}
        cloud.licences.set("0006", export=True)
        cloud.licences.set("0006", export=None)
        assert cloud.licences.all() == {}

    def test_are_withdrawn_to_those_of_the_constructor(self) -> None:
        """A withdrawn decision gives way to that of the constructor."""
        cloud = Cloud(licences={"0002": {"export": False}})
        cloud.licences.set("0002", export=True)
        assert cloud.licences.all() == {"0002": True}
        cloud.licences.set("0002", export=None)
        assert cloud.licences.all() == {"0002": False}

    def test_of_a_deleted_product_type_survive_a_dump(self, cloud: Cloud, alice: Account) -> None:
        """OMIs keep the code of a deleted product type, and so does a dump its licence."""
        code = alice.create_product_type(description="ours").product_type_id
        cloud.licences.set(code, export=False)
        alice.delete_product_type(product_type_id=code)
        assert Cloud.load(cloud.dump()).licences.all() == {code: False}

    @pytest.mark.parametrize("part", ["settings.licences", "rows.licence"])
    def test_of_unknown_codes_are_refused_in_a_dump(self, cloud: Cloud, part: str) -> None:
        """A dump with a decision about a licence that does not exist is damaged: it would never apply."""
        dump = cloud.dump() | {"rows": {"licence": {}}}
        section, name = part.split(".")
        dump[section][name]["0042"] = False if section == "settings" else [1, False]
        with pytest.raises(ValueError, match=rf"the dump is damaged: {part}.0042: code must be one of 0002,"):
            Cloud.load(dump)

    def test_are_given_to_the_constructor(self) -> None:
        """A cloud can begin with decisions, which a reset keeps."""
        cloud = Cloud(licences={"0002": {"export": False}})
        cloud.reset()
        assert cloud.licences.all() == cloud.fork().licences.all() == {"0002": False}
        assert Cloud.load(cloud.dump()).licences.all() == {"0002": False}

    @pytest.mark.parametrize("code", ["0001", "2", "pty-00000000", 2])
    def test_are_those_of_known_codes(self, cloud: Cloud, code: Any) -> None:
        """Only the codes of product types have licences, and Linux has none."""
        with pytest.raises(ValueError, match=r"code must be one of 0002, 0003, [^c]*0009, pty-"):
            cloud.licences.set(code, export=False)
        with pytest.raises(ValueError, match="export must be True, False or None, not 'no'"):
            cloud.licences.set("0002", export="no")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("licences", "says"),
        [
            ("0002", "licences must be like"),
            ({"9": {"export": False}}, "code must be one of 0002"),
            ({"0002": False}, "the licence 0002 must be"),
            ({"0002": {"export": 0}}, "the licence 0002 must be"),
            ({"0002": {"exports": False}}, "the licence 0002 must be"),
        ],
    )
    def test_are_checked_by_the_constructor(self, licences: Any, says: str) -> None:
        """A wrong argument is refused in one line."""
        with pytest.raises(ValueError, match=says):
            Cloud(licences=licences)

    def test_hold_the_law(self, cloud: Cloud, alice: Account) -> None:
        """An export under a licence that forbids it breaks a law; one before the decision does not. [EXP-018]"""
        action, parameters = of_a_copy(alice)
        mark = cloud.mark()
        alice.call(action, **parameters)
        cloud.licences.set("0002", export=False)
        laws.check(cloud, since=mark)
        with pytest.raises(ApiError, match="EXP-018"):
            laws.call(alice, action, **parameters)


def test_licences_are_set_by_a_scenario(tmp_path: Any) -> None:
    """A scenario sets them in [cloud], or after its own product types in a step."""
    path = tmp_path / "licences.toml"
    path.write_text(
        """
[cloud]
licences = { "0002" = { export = false } }

[accounts]
alice = {}

[[steps]]
do = "CreateProductType"
as = "own"
Description = "our appliance"

[[steps]]
do = "licences.set"
code = "{own}"
export = false

[[steps]]
do = "images.renew"
as = "newer"
family = "debian"
""",
        encoding="utf-8",
    )
    cloud = Cloud.from_scenario(path)
    assert cloud.licences.all() == {"0002": False, cloud.named("own"): False}
    assert cloud.named("newer") == cloud.images.official("debian").image_id


@pytest.mark.omisim(licences={"0002": {"export": False}})
def test_licences_are_set_by_the_marker(omi_cloud: Cloud) -> None:
    """The marker takes the constructor's argument."""
    assert omi_cloud.licences.all() == {"0002": False}
