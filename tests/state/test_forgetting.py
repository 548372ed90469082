"""What outlives a resource, its origin and its ClientToken, is kept as far back as the history, and no longer."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.catalogue import SUBREGION
from support.storing import TARGET, create_bucket, export_manifest

from omisim import ApiError, Cloud
from omisim.cloud.lineage import Lineage
from omisim.state.lineage import KINDS
from omisim.state.sqlite_store import SqliteStore, create_tables, read_dump
from omisim.state.state import State

HISTORY = 20
CALLS = 60
Parameters = dict[str, Any]


def list_own(cloud: Cloud, kind: str) -> list[str]:
    """Return the ids of alice's resources of a kind."""
    account_id = cloud.account("alice").account_id
    return [row.id for row in cloud.engine.state.rows(kind).values() if row.account_id == account_id]


def make_call(cloud: Cloud, draw: random.Random) -> None:
    """Create, derive or delete a resource; the same numbers give the same call in each cloud."""
    kind = draw.choice(["volume", "snapshot", "image", "vm"])
    source, number = draw.choice(list_own(cloud, kind) or [""]), str(draw.randrange(10**9))
    new = {"ClientToken": number}
    calls: dict[str, list[tuple[str, Parameters]]] = {
        "volume": [
            ("CreateSnapshot", {"VolumeId": source, **new}),
            ("CreateVolume", {"SubregionName": SUBREGION, "Size": 10, **new}),
            *[("DeleteVolume", {"VolumeId": source})] * 2,
        ],
        "snapshot": [
            ("CreateVolume", {"SnapshotId": source, "SubregionName": SUBREGION}),
            ("DeleteSnapshot", {"SnapshotId": source}),
        ],
        "image": [
            ("CreateImage", {"SourceImageId": source, "SourceRegionName": "eu-west-2", "ImageName": number}),
            ("CreateVms", {"ImageId": source, "MaxVmsCount": 2, **new}),
            ("CreateImageExportTask", {"ImageId": source, "OsuExport": TARGET}),
            *[("DeleteImage", {"ImageId": source})] * 2,
        ],
        "vm": [
            ("CreateImage", {"VmId": source, "ImageName": number}),
            *[("DeleteVms", {"VmIds": [source]})] * 2,
        ],
    }
    action, parameters = draw.choice(calls[kind])
    with suppress(ApiError):
        cloud.account("alice").call(action, **parameters)
    cloud.advance(7200)  # terminated VMs disappear


def prepare(history: int, seed: int = 0) -> Cloud:
    """Return a cloud with an OMI of alice's, whose VMs are the others' ancestors."""
    cloud = Cloud(history=history, seed=seed)
    alice = cloud.account("alice")
    create_bucket(alice)
    (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
    alice.create_image(vm_id=vm.vm_id, image_name="golden")
    return cloud


def list_ancestors(lineage: Lineage) -> list[tuple[Any, ...]]:
    """Return all ancestors of a resource, with what is shown of each."""
    return [
        (parent.id, parent.how, parent.state, parent.label, parent.licences, list_ancestors(parent))
        for parent in lineage.parents
    ]


def list_unneeded(cloud: Cloud) -> list[str]:
    """Return the origins and tokens that no resource, no kept change and no descendant needs."""
    state = cloud.engine.state
    kept = {change.id for change in state.journal}
    kept |= {
        parent
        for change in state.journal
        if change.kind == "origin"
        for origin in (change.before, change.after)
        if origin is not None
        for _, parent in origin.parents
    }
    live = {row_id for kind in KINDS for row_id in state.rows(kind)} | kept
    sources = {
        snapshot_id
        for task in state.rows("image_export").values()
        for snapshot_id in (task.source.snapshot_ids if task.source else ())
    }
    origins = [
        row_id
        for row_id in state.rows("origin")
        if row_id not in live | sources and not state.find_by("origin", "parent", row_id)
    ]
    return origins + [key for key, token in state.rows("token").items() if not live.intersection(token.ids)]


@settings(max_examples=2)
@given(st.integers(0, 10**6))
def test_a_long_run_keeps_what_live_resources_and_the_history_need(seed: int) -> None:
    """Nothing else is kept, the ancestors of live resources stay, and forks, dumps, marks and stores agree."""
    cloud, whole = prepare(HISTORY), prepare(10**6)
    draws = random.Random(seed), random.Random(seed)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        create_tables(database, cloud.engine.describe())
        cloud.engine.keep_in(SqliteStore(database, "memory"))
        fork = cloud.fork()
        for number in range(CALLS):
            make_call(cloud, draws[0])
            make_call(whole, draws[1])
            if number == HISTORY:
                before = cloud.dump()
                with cloud.savepoint():
                    for _ in range(2 * HISTORY):
                        make_call(cloud, random.Random(number))
                assert cloud.dump() == before
        assert list_unneeded(cloud) == []
        assert fork == prepare(HISTORY)
        for kind in KINDS:
            assert list_own(cloud, kind) == list_own(whole, kind)
            for row_id in list_own(cloud, kind):
                assert list_ancestors(cloud.lineage(row_id)) == list_ancestors(whole.lineage(row_id))
        with cloud.engine.atomic():
            cloud.engine.next_request_id()  # the store loses with a commit what the one before has forgotten
        assert {**read_dump(database), "session": None} == {**cloud.dump(), "session": None}
        assert Cloud.load(cloud.dump()) == cloud


def delete_all(cloud: Cloud) -> None:
    """Delete everything that alice has, and let the history pass."""
    alice = cloud.account("alice")
    for vm in alice.read_vms():
        alice.delete_vms(vm_ids=[vm.vm_id])
    for image in alice.read_images(filters={"account_ids": [alice.account_id]}):
        alice.delete_image(image_id=image.image_id)
    for snapshot in alice.read_snapshots(filters={"account_ids": [alice.account_id]}):
        alice.delete_snapshot(snapshot_id=snapshot.snapshot_id)
    for volume in alice.read_volumes():
        alice.delete_volume(volume_id=volume.volume_id)
    cloud.advance(86_400)
    for _ in range(3):
        pass_history(cloud)


def pass_history(cloud: Cloud) -> None:
    """Make as many changes as the history keeps, and those that trim it."""
    alice = cloud.account("alice")
    group = alice.read_security_groups()[0].security_group_id
    for number in range(2 * HISTORY):
        alice.create_tags(resource_ids=[group], tags=[{"key": "k", "value": str(number)}])


@pytest.fixture
def cloud() -> Cloud:
    """A cloud with a short history."""
    return prepare(HISTORY)


class TestAnEmptyCloud:
    @settings(max_examples=2)
    @given(st.integers(0, 10**6))
    def test_keeps_nothing_of_its_past(self, seed: int) -> None:
        """When all resources are gone for long, the rows are those of a cloud that has just begun."""
        cloud, draw = prepare(HISTORY), random.Random(seed)
        for _ in range(CALLS // 3):
            make_call(cloud, draw)
        exports = cloud.engine.state.rows("image_export")
        delete_all(cloud)
        state = cloud.engine.state
        assert not state.rows("origin") or exports
        assert state.rows("token") == {}
        assert set(state.rows("content")) <= {row_id for kind in KINDS for row_id in state.rows(kind)}


class TestToken:
    def test_is_refused_while_the_history_knows_its_resource(self, cloud: Cloud) -> None:
        """A token whose resource was deleted is refused, then new again when the history has passed. [SNP-014/gone]"""
        alice = cloud.account("alice")
        parameters: Parameters = {"subregion_name": SUBREGION, "size": 1, "client_token": "t"}
        volume = alice.create_volume(**parameters)
        alice.delete_volume(volume_id=volume.volume_id)
        with pytest.raises(ApiError) as refusal:
            alice.create_volume(**parameters)
        assert refusal.value.rule == "SNP-014/gone"
        pass_history(cloud)
        pass_history(cloud)
        assert alice.create_volume(**parameters).volume_id != volume.volume_id

    def test_stays_for_as_long_as_its_resource(self, cloud: Cloud) -> None:
        """The token of a resource that exists repeats its creation, however long ago. [SNP-014]"""
        alice = cloud.account("alice")
        parameters: Parameters = {"subregion_name": SUBREGION, "size": 1, "client_token": "t"}
        volume = alice.create_volume(**parameters)
        pass_history(cloud)
        pass_history(cloud)
        assert alice.create_volume(**parameters).volume_id == volume.volume_id


class TestLineage:
    def test_of_a_deleted_resource_ends_with_the_history(self, cloud: Cloud) -> None:
        """A deleted volume has a lineage until the history has passed its deletion."""
        alice = cloud.account("alice")
        volume = alice.create_volume(subregion_name=SUBREGION, size=1)
        alice.delete_volume(volume_id=volume.volume_id)
        assert cloud.lineage(volume.volume_id).state == "deleted"
        pass_history(cloud)
        pass_history(cloud)
        with pytest.raises(ValueError, match="no resource"):
            cloud.lineage(volume.volume_id)

    def test_of_a_live_resource_keeps_deleted_ancestors(self, cloud: Cloud) -> None:
        """A volume from a deleted snapshot of a deleted volume shows both, and their licences."""
        alice = cloud.account("alice")
        first = alice.create_volume(subregion_name=SUBREGION, size=1)
        snapshot = alice.create_snapshot(volume_id=first.volume_id)
        second = alice.create_volume(subregion_name=SUBREGION, snapshot_id=snapshot.snapshot_id)
        alice.delete_snapshot(snapshot_id=snapshot.snapshot_id)
        alice.delete_volume(volume_id=first.volume_id)
        before = cloud.lineage(second.volume_id)
        pass_history(cloud)
        pass_history(cloud)
        assert cloud.lineage(second.volume_id) == before

    def test_of_an_export_still_tells_whether_its_disks_hold_a_system(self, cloud: Cloud) -> None:
        """An OMI imported from the export of an empty disk is warned of, when that disk is long gone. [OMI-076]"""
        alice = cloud.account("alice")
        volume = alice.create_volume(subregion_name=SUBREGION, size=1)
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        disk = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot.snapshot_id}}
        empty = alice.create_image(image_name="empty", root_device_name="/dev/sda1", block_device_mappings=[disk])
        (vm,) = alice.create_vms(image_id=empty.image_id)
        image = alice.create_image(image_name="exported", vm_id=vm.vm_id)
        url = export_manifest(alice, image)
        delete_all(cloud)
        alice.create_image(image_name="imported", file_location=url)
        assert ["OMI-076" in text for text in cloud.warnings] == [True] * 4


@pytest.mark.parametrize("number", range(3))
def test_an_interruption_is_made_up_for(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """After an interruption of the trim, the next one forgets what this one would have."""
    alice = cloud.account("alice")
    for name in ("a", "b"):
        volume = alice.create_volume(subregion_name=SUBREGION, size=1, client_token=name)
        alice.delete_volume(volume_id=volume.volume_id)
    twin, real, calls = cloud.fork(), State.forget, iter(range(1000))

    def forget(state: State, kind: str, row_id: str) -> None:
        if next(calls) == number:
            raise KeyboardInterrupt
        real(state, kind, row_id)

    monkeypatch.setattr(State, "forget", forget)
    with pytest.raises(KeyboardInterrupt):
        pass_history(cloud)
    monkeypatch.setattr(State, "forget", real)
    for _ in range(2):
        pass_history(cloud)
        pass_history(twin)
    assert list_unneeded(cloud) == []
    assert cloud.engine.state.rows("origin") == twin.engine.state.rows("origin")
    assert cloud.engine.state.rows("token") == twin.engine.state.rows("token")


def test_a_mark_keeps_everything_since(cloud: Cloud) -> None:
    """While a mark exists, nothing is forgotten that a rollback to it needs: the history before it is whole again."""
    alice = cloud.account("alice")
    volume = alice.create_volume(subregion_name=SUBREGION, size=1, client_token="t")
    before, mark = cloud.dump(), cloud.mark()
    alice.delete_volume(volume_id=volume.volume_id)
    pass_history(cloud)
    pass_history(cloud)
    assert cloud.lineage(volume.volume_id).state == "deleted"
    cloud.rollback(mark)
    assert cloud.dump() == before
    assert alice.create_volume(subregion_name=SUBREGION, size=1, client_token="t").volume_id == volume.volume_id
