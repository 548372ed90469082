"""Lineage: ancestors, descendants, licences and content along the way, and what deleting a resource would free."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support.catalogue import SUBREGION
from support.snapshots import WIDTHS, check_snapshot, check_width

from omisim import Account, Cloud, Lineage
from omisim.model import Image, Vm
from omisim.state.state import State


@pytest.fixture(name="story", scope="module")
def _story() -> dict[str, Any]:
    """A volume and what became of it: an OMI, a shared copy, a VM with overridden disks, an export and an import."""
    cloud = Cloud()
    alice, bob = cloud.account("alice"), cloud.account("bob")
    carol = cloud.account("carol", region="us-east-2")
    (builder,) = alice.create_vms(image_id=cloud.images.official("rhel").image_id)
    volume_id = builder.block_device_mappings[0].bsu.volume_id
    cloud.write(volume_id, "/etc/motd", "golden")
    golden = alice.create_image(vm_id=builder.vm_id, image_name="golden")
    alice.update_image(image_id=golden.image_id, permissions_to_launch={"additions": {"account_ids": [bob.account_id]}})
    copy = bob.create_image(source_image_id=golden.image_id, source_region_name=bob.region)
    disks = [
        {"device_name": "/dev/sda1", "bsu": {"volume_size": 60, "delete_on_vm_deletion": False}},
        {"device_name": "/dev/sdb", "bsu": {"volume_size": 5, "volume_type": "gp2"}},
    ]
    (vm,) = bob.create_vms(image_id=copy.image_id, block_device_mappings=disks)
    oos = alice.client("oos")
    oos.create_bucket(Bucket="exports")
    export = {"disk_image_format": "qcow2", "osu_bucket": "exports"}
    alice.create_image_export_task(image_id=golden.image_id, osu_export=export)
    key = f"{golden.image_id}/manifest.json"
    url = oos.generate_presigned_url("get_object", Params={"Bucket": "exports", "Key": key})
    imported = carol.create_image(file_location=url, image_name="golden")
    return {
        "cloud": cloud, "builder": builder, "volume_id": volume_id, "golden": golden, "copy": copy, "vm": vm,
        "imported": imported,
    }  # fmt: skip


def list_ids(tree: Lineage) -> set[str]:
    """Return the ids of a tree, ancestors included."""
    return {tree.id, *(i for side in (tree.parents, tree.children) for other in side for i in list_ids(other))}


class TestTree:
    @pytest.mark.parametrize("width", WIDTHS)
    @pytest.mark.parametrize("name", ["golden", "vm"])
    def test_reads_well_at_two_widths(self, story: dict[str, Any], name: str, width: int) -> None:
        """The text has the whole way from volume to import, wrapped between words."""
        entity = story[name]
        text = story["cloud"].lineage(entity.image_id if name == "golden" else entity.vm_id).text(width)
        check_width(text, width)
        check_snapshot(f"lineage-{name}-{width}.txt", text)

    def test_leads_from_the_volume_to_the_import(self, story: dict[str, Any]) -> None:
        """The tree of the OMI has its volume above, and its copy, VM, export, objects and import below."""
        ids = list_ids(story["cloud"].lineage(story["golden"].image_id))
        assert {story["volume_id"], story["builder"].vm_id, story["copy"].image_id, story["vm"].vm_id} <= ids
        assert story["imported"].image_id in ids
        assert any(i.endswith("manifest.json") for i in ids)

    def test_names_regions_licences_and_files(self, story: dict[str, Any]) -> None:
        """The import is carol's, in another Region, with the licence of RHEL and the file of the volume."""
        tree = story["cloud"].lineage(story["imported"].image_id)
        assert (tree.account, tree.region, tree.licences) == ("carol", "us-east-2", ("0001", "0006"))
        assert tree.children[0].files == ("/etc/motd",)

    def test_keeps_deleted_resources(self, cloud: Cloud, alice: Account, golden: Image, vm: Vm) -> None:
        """A deleted OMI remains between its VM and its copy."""
        copy = alice.create_image(source_image_id=golden.image_id, source_region_name=alice.region)
        alice.delete_image(image_id=golden.image_id)
        tree = cloud.lineage(copy.image_id)
        assert (tree.parents[0].id, tree.parents[0].state) == (golden.image_id, "deleted")
        assert tree.parents[0].parents[0].id == vm.vm_id
        assert tree.parents[0].deletion is None

    def test_lists_each_ancestor_once(self, cloud: Cloud, alice: Account) -> None:
        """Generations of OMIs, each with two ways to the one before, do not multiply."""
        image_id = cloud.images.official("debian").image_id
        for generation in range(12):
            (vm,) = alice.create_vms(image_id=image_id)
            image_id = alice.create_image(vm_id=vm.vm_id, image_name=f"generation-{generation}").image_id
        tree = cloud.lineage(image_id)
        assert len(json.dumps(tree.to_dict())) < 60_000
        assert tree.text().count("↑") == len(list_ids(tree) - {child.id for child in tree.children}) - 1

    @pytest.mark.parametrize("duplicate", [lambda tree: pickle.loads(pickle.dumps(tree)), deepcopy, replace])
    def test_of_hundreds_of_generations_can_be_copied_and_compared(
        self, cloud: Cloud, alice: Account, duplicate: Callable[[Lineage], Lineage]
    ) -> None:
        """A copy of a chain of 1,200 generations equals it and has its hash."""
        volume = alice.create_volume(size=1, subregion_name=SUBREGION)
        for _ in range(600):
            snapshot = alice.create_snapshot(volume_id=volume.volume_id)
            volume = alice.create_volume(snapshot_id=snapshot.snapshot_id, subregion_name=SUBREGION)
        tree = cloud.lineage(volume.volume_id, most=2000)
        twin = duplicate(tree)
        assert (twin, hash(twin)) == (tree, hash(tree))
        assert str(twin).count("↑") == 1200

    def test_differs_from_one_with_another_ancestor(self, cloud: Cloud, alice: Account) -> None:
        """Lineages are equal by the whole tree, not by the resource alone."""
        volume = alice.create_volume(size=1, subregion_name=SUBREGION)
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        tree = cloud.lineage(snapshot.snapshot_id)
        cloud.write(volume.volume_id, "/etc/motd", "later")
        assert cloud.lineage(snapshot.snapshot_id) != tree

    def test_is_limited(self, cloud: Cloud, alice: Account, ubuntu: Image) -> None:
        """`most` limits the descendants, and the text counts the others."""
        alice.create_vms(image_id=ubuntu.image_id, min_vms_count=10, max_vms_count=10)
        tree = cloud.lineage(ubuntu.image_id, most=4)
        assert (len(tree.children), tree.omitted) == (4, 6)
        assert "… and 6 more" in str(tree)
        with pytest.raises(ValueError, match="most must be a positive int, not 0"):
            cloud.lineage(ubuntu.image_id, most=0)

    def test_counts_the_ancestors_that_are_left_out(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """An OMI comes from a VM and from its volume: with one ancestor, the text mentions another one."""
        tree = cloud.lineage(golden.image_id, most=1)
        assert (len(tree.parents), tree.omitted_parents) == (1, 1)
        assert tree.parents[0].omitted_parents == 1
        assert str(tree).count("↑ … and 1 more") == 2
        assert "…" not in str(cloud.lineage(golden.image_id))

    def test_refuses_what_is_not_an_id(self, cloud: Cloud) -> None:
        """An unknown id is refused, and so is another value than an id."""
        for value in ("", "ami-00000000"):
            with pytest.raises(ValueError, match="exists in this cloud or in its history"):
                cloud.lineage(value)
        with pytest.raises(ValueError, match="resource_id must be an id such as 'ami-12345678', not of type list"):
            cloud.lineage(["ami-00000000"])  # type: ignore[arg-type]  # the point

    def test_is_refused_for_a_kind_that_has_none(self, cloud: Cloud, alice: Account) -> None:
        """A security group exists, and has no lineage."""
        (group,) = alice.read_security_groups()
        with pytest.raises(ValueError, match=f"{group.security_group_id} has no lineage; these kinds .* image"):
            cloud.lineage(group.security_group_id)


class TestDeviceValues:
    def test_have_their_sources(self, story: dict[str, Any]) -> None:
        """The request overrides the OMI's root; other values are the OMI's, the snapshot's or defaults. [BDM-001]"""
        root, data = (child.values for child in story["cloud"].lineage(story["vm"].vm_id).children)
        assert [(name, source) for name, _, source in root] == [
            ("DeviceName", "OMI"), ("SnapshotId", "OMI"), ("VolumeSize", "request"), ("VolumeType", "OMI"),
            ("DeleteOnVmDeletion", "request"),
        ]  # fmt: skip
        assert data == (
            ("DeviceName", "/dev/sdb", "request"),
            ("SnapshotId", "none", "default"),
            ("VolumeSize", "5 GiB", "request"),
            ("VolumeType", "gp2", "request"),
            ("DeleteOnVmDeletion", "True", "default"),
        )

    def test_come_from_the_snapshot_without_a_size(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """A disk from a snapshot, without a size, is as large as the snapshot. [BDM-004]"""
        snapshot_id = golden.block_device_mappings[0].bsu.snapshot_id  # type: ignore[union-attr]  # a disk
        disk = {"device_name": "/dev/sdb", "bsu": {"snapshot_id": snapshot_id}}
        (vm,) = alice.create_vms(image_id=golden.image_id, block_device_mappings=[disk])
        values = {name: source for name, _, source in cloud.lineage(vm.vm_id).children[1].values}
        assert values["VolumeSize"] == "snapshot"
        assert values["SnapshotId"] == "request"

    def test_survive_a_dump(self, story: dict[str, Any]) -> None:
        """A loaded cloud has the same lineage."""
        cloud, vm_id = story["cloud"], story["vm"].vm_id
        assert str(Cloud.load(json.loads(json.dumps(cloud.dump()))).lineage(vm_id)) == str(cloud.lineage(vm_id))


class TestDeletion:
    def test_of_an_omi_releases_its_snapshots(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """A snapshot that only this OMI maps can be deleted afterwards; one that another maps cannot. [SNP-016]"""
        mapping = golden.block_device_mappings[0]
        assert mapping.bsu is not None
        snapshot_id = mapping.bsu.snapshot_id
        deletion = cloud.lineage(golden.image_id).deletion
        assert deletion is not None
        assert (deletion.refused, deletion.frees) == ("", (snapshot_id,))
        disk = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot_id}}
        alice.create_image(image_name="second", root_device_name="/dev/sda1", block_device_mappings=[disk])
        assert replace(deletion, frees=()) == cloud.lineage(golden.image_id).deletion

    def test_of_an_omi_names_a_snapshot_of_two_devices_once(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """An OMI whose devices have the same snapshot releases it, and descends from it, once."""
        snapshot_id = alice.create_snapshot(volume_id=vm.block_device_mappings[0].bsu.volume_id).snapshot_id
        disks = [{"device_name": name, "bsu": {"snapshot_id": snapshot_id}} for name in ("/dev/sda1", "/dev/sdb")]
        image = alice.create_image(image_name="twice", root_device_name="/dev/sda1", block_device_mappings=disks)
        tree = cloud.lineage(image.image_id)
        assert tree.deletion is not None
        assert tree.deletion.frees == (snapshot_id,)
        assert tree.edges.count((snapshot_id, image.image_id, "registered from")) == 1

    def test_of_a_mapped_snapshot_is_refused(self, cloud: Cloud, golden: Image) -> None:
        """The deletion names the OMI and the rule that refuses it. [SNP-016]"""
        mapping = golden.block_device_mappings[0]
        assert mapping.bsu is not None
        deletion = cloud.lineage(mapping.bsu.snapshot_id or "").deletion
        assert deletion is not None
        assert deletion.refused.endswith("(SNP-016)")
        assert f"DeleteSnapshot is refused now: {deletion.refused}" in deletion.lines()
        assert "once allowed, DeleteSnapshot frees 10 GiB of storage" in deletion.lines()
        assert deletion.used_by == (f"OMI {golden.image_id} golden maps it",)
        assert deletion.gib == 10

    def test_of_a_vm_removes_some_volumes(self, story: dict[str, Any]) -> None:
        """A volume without DeleteOnVmDeletion is kept, the other is deleted with the VM."""
        tree = story["cloud"].lineage(story["vm"].vm_id)
        root, data = (child.id for child in tree.children)
        assert tree.deletion is not None
        assert (tree.deletion.removes, tree.deletion.frees, tree.deletion.gib) == ((data,), (root,), 5)

    def test_of_a_vm_spares_a_volume_that_is_being_unlinked(self) -> None:
        """A volume that is detaching outlives its VM, whatever its DeleteOnVmDeletion."""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        (vm,) = alice.create_vms(
            image_id=cloud.images.official("ubuntu").image_id,
            block_device_mappings=[{"device_name": "/dev/sdb", "bsu": {"volume_size": 5}}],
        )
        cloud.settle()
        root, data = (mapping.bsu.volume_id for mapping in vm.block_device_mappings)
        alice.unlink_volume(volume_id=data)
        deletion = cloud.lineage(vm.vm_id).deletion
        assert deletion is not None
        assert deletion.removes == (root,)

    def test_of_a_linked_volume_is_refused(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A linked volume names its VM; an unlinked one is free."""
        linked = cloud.lineage(vm.block_device_mappings[0].bsu.volume_id).deletion
        assert linked is not None
        assert linked.used_by == (f"VM {vm.vm_id} has it as /dev/sda1",)
        assert linked.refused
        free = cloud.lineage(alice.create_volume(subregion_name=SUBREGION, size=3).volume_id).deletion
        assert free is not None
        assert next(iter(free.lines())) == "DeleteVolume frees 3 GiB of storage"


class TestPictures:
    def test_are_snapshots(self, story: dict[str, Any]) -> None:
        """The mermaid and the SVG of the story."""
        tree = story["cloud"].lineage(story["golden"].image_id)
        check_snapshot("lineage.mmd", tree.mermaid())
        check_snapshot("lineage.svg", tree.svg())

    def test_load_nothing_from_other_hosts(self, story: dict[str, Any]) -> None:
        """The SVG is well-formed, and its only address is the namespace."""
        svg = story["cloud"].lineage(story["golden"].image_id).svg()
        assert ET.fromstring(svg).tag.endswith("svg")
        assert svg.count("http") == svg.count("http://www.w3.org/2000/svg") == 1

    def test_show_where_a_licence_was_dropped(self, cloud: Cloud, alice: Account) -> None:
        """The arrow to an OMI that lacks the code of its snapshot says so. [LIC-012]"""
        (vm,) = alice.create_vms(image_id=cloud.images.official("rhel").image_id)
        snapshot = alice.create_snapshot(volume_id=vm.block_device_mappings[0].bsu.volume_id)
        device = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot.snapshot_id}}
        alice.create_image(image_name="bare", root_device_name="/dev/sda1", block_device_mappings=[device])
        assert "without 0006" in cloud.lineage(snapshot.snapshot_id).mermaid()

    def test_show_the_licence_of_the_disks_of_a_copy(self, cloud: Cloud, alice: Account) -> None:
        """The snapshot of a copied OMI has the licence of the OMI, and so has the object of its export. [LIC-012]"""
        source = cloud.images.official("windows").image_id
        copy = alice.create_image(source_image_id=source, source_region_name=alice.region)
        alice.client("oos").create_bucket(Bucket="exports")
        target = {"disk_image_format": "raw", "osu_bucket": "exports"}
        task = alice.create_snapshot_export_task(snapshot_id=copy.snapshot_ids[0], osu_export=target)
        snapshot, (stored,) = cloud.lineage(copy.snapshot_ids[0]), cloud.lineage(task.task_id).children
        assert (snapshot.licences, stored.licences) == (("0002",), ("0002",))

    def test_escape_names(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Text of users cannot leave its place in either picture."""
        tree = replace(cloud.lineage(vm.vm_id), label='<b>"&')
        assert ET.fromstring(tree.svg()) is not None
        assert '<b>"&' not in tree.mermaid()
        assert alice


class TestIndex:
    def test_returns_all_children_of_a_busy_parent(self, cloud: Cloud, alice: Account, ubuntu: Image) -> None:
        """Many children are found in order of creation, also after an undone creation."""
        vms = [vm.vm_id for _ in range(3) for vm in alice.create_vms(
            image_id=ubuntu.image_id, min_vms_count=20, max_vms_count=20)]  # fmt: skip
        with cloud.savepoint():
            alice.create_vms(image_id=ubuntu.image_id, min_vms_count=20, max_vms_count=20)
            assert len(cloud.lineage(ubuntu.image_id).children) == len(vms) + 20
        assert [child.id for child in cloud.lineage(ubuntu.image_id).children] == vms
        more = [vm.vm_id for vm in alice.create_vms(image_id=ubuntu.image_id, min_vms_count=20, max_vms_count=20)]
        assert [child.id for child in cloud.lineage(ubuntu.image_id).children] == [*vms, *more]

    def test_makes_a_lineage_visit_its_relatives_only(self, cloud: Cloud, alice: Account, ubuntu: Image) -> None:
        """The number of rows that a lineage reads does not grow with the cloud."""
        vm_id = alice.create_vms(image_id=ubuntu.image_id)[0].vm_id
        few = count_reads(cloud, vm_id)
        alice.create_vms(image_id=ubuntu.image_id, min_vms_count=20, max_vms_count=20)
        assert count_reads(cloud, vm_id) == few


def count_reads(cloud: Cloud, resource_id: str) -> int:
    """Return how many rows `lineage` gets."""
    count, get = 0, State.get

    def count_read(state: State, kind: str, row_id: str) -> Any:
        nonlocal count
        count += 1
        return get(state, kind, row_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(State, "get", count_read)
        cloud.lineage(resource_id)
    return count
