"""Undoing, forking, saving: what State is, and what it is not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.catalogue import SUBREGION
from support.storing import BUCKET, create_bucket

from omisim import Account, ApiError, Cloud
from omisim.model import Image, Vm
from omisim.state.settings import Timing

Step = Callable[[Account], object]


def steps() -> st.SearchStrategy[list[Step]]:
    """Sequences of calls that write, some of them refused."""

    def attempt(step: Step) -> Step:
        def attempt_call(account: Account) -> object:
            try:
                return step(account)
            except ApiError:
                return None

        return attempt_call

    choices: list[Step] = [
        lambda a: a.create_volume(subregion_name=SUBREGION, size=5),
        lambda a: a.create_vms(image_id=a.read_images()[0].image_id),
        lambda a: a.create_snapshot(volume_id=a.read_volumes()[-1].volume_id),
        lambda a: a.create_image(vm_id=a.read_vms()[0].vm_id, image_name=f"image {len(a.read_images())}"),
        lambda a: a.delete_image(image_id=a.read_images()[-1].image_id),
        lambda a: a.delete_volume(volume_id=a.read_volumes()[0].volume_id),
        lambda a: a.delete_vms(vm_ids=[a.read_vms()[-1].vm_id]),
        lambda a: a.stop_vms(vm_ids=[a.read_vms()[0].vm_id]),
        lambda a: a.create_tags(
            resource_ids=[a.read_volumes()[0].volume_id], tags=[{"key": "k", "value": str(len(a.read_tags()))}]
        ),
    ]

    def guard(step: Step) -> Step:
        def run(account: Account) -> object:
            try:
                return step(account)
            except IndexError:  # there is none yet
                return None

        return run

    return st.lists(st.sampled_from([attempt(guard(choice)) for choice in choices]), max_size=12)


class TestSavepoint:
    @given(before=steps(), inside=steps(), timing=st.sampled_from(["eager", "clock", "manual"]))
    def test_undoes_everything_inside(self, before: list[Step], inside: list[Step], timing: Timing) -> None:
        """After a savepoint the cloud equals what it was, whatever happened inside."""
        cloud = Cloud(timing=timing)
        alice = cloud.account("alice")
        for step in before:
            step(alice)
        twin = cloud.fork()
        with cloud.savepoint():
            for step in inside:
                step(alice)
            cloud.advance(seconds=30)
        assert cloud == twin
        assert cloud.dump() == twin.dump()

    def test_undoes_an_account_created_inside(self, cloud: Cloud) -> None:
        """Accounts are State: one created inside is undone, and its handle says so."""
        with cloud.savepoint():
            carol = cloud.account("carol")
        with pytest.raises(ValueError, match="does not exist"):
            carol.read_volumes()

    def test_keeps_the_session(self, cloud: Cloud, alice: Account) -> None:
        """Calls belong to the session, which is never undone."""
        with cloud.savepoint():
            alice.create_volume(subregion_name=SUBREGION, size=1)
        assert [record.action for record in cloud.calls("CreateVolume")] == ["CreateVolume"]

    def test_undoes_its_writes_after_an_error(self, cloud: Cloud, alice: Account) -> None:
        """An exception leaves a savepoint, and the writes are undone."""

        def write_and_fail() -> None:
            with cloud.savepoint():
                alice.create_volume(subregion_name=SUBREGION, size=1)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            write_and_fail()
        assert alice.read_volumes() == ()


class TestMarks:
    def test_can_be_used_twice(self, cloud: Cloud, alice: Account) -> None:
        """Rolling back twice to one mark gives the same cloud twice."""
        mark = cloud.mark()
        sizes = []
        for _ in range(2):
            sizes.append(alice.create_volume(subregion_name=SUBREGION, size=1))
            cloud.rollback(mark)
        assert sizes[0] == sizes[1]

    def test_that_were_undone_are_refused(self, cloud: Cloud, alice: Account) -> None:
        """A mark set after the one rolled back to is no longer valid."""
        outer = cloud.mark()
        alice.create_volume(subregion_name=SUBREGION, size=1)
        inner = cloud.mark()
        cloud.rollback(outer)
        alice.create_volume(subregion_name=SUBREGION, size=1)
        with pytest.raises(ValueError, match="undone"):
            cloud.rollback(inner)

    def test_set_by_a_function_that_fails_are_refused(self, cloud: Cloud, alice: Account) -> None:
        """The call that a `meanwhile` function ends with an error is undone, and the marks set in it are, too."""
        marks = [cloud.mark()]

        def fail() -> None:
            marks.append(cloud.mark())
            raise RuntimeError

        cloud.faults.add("ReadVms", meanwhile=fail)
        with pytest.raises(RuntimeError):
            alice.read_vms()
        with pytest.raises(ValueError, match="undone"):
            cloud.rollback(marks[1])

    def test_can_be_used_after_a_rollback_that_was_undone(self, cloud: Cloud, alice: Account) -> None:
        """A rollback by a `meanwhile` function that fails is undone: its cloud and its marks are as before."""
        first, _ = cloud.mark(), alice.create_volume(subregion_name=SUBREGION, size=1)
        second, before = cloud.mark(), cloud.fork()

        def fail() -> None:
            cloud.rollback(first)
            for _ in range(3):  # more changes than were undone
                alice.create_volume(subregion_name=SUBREGION, size=2)
            raise RuntimeError

        cloud.faults.add("ReadVms", meanwhile=fail)
        with pytest.raises(RuntimeError):
            alice.read_vms()
        assert cloud == before
        cloud.rollback(second)
        assert cloud == before

    def test_used_during_a_call_keep_requested_failures(self, cloud: Cloud, alice: Account) -> None:
        """A rollback by a `meanwhile` function undoes no failure that was requested, as no other rollback does."""
        mark, _ = cloud.mark(), alice.create_keypair(keypair_name="k")
        cloud.fail_next("volume")
        cloud.faults.add("ReadVms", meanwhile=lambda: cloud.rollback(mark))
        alice.read_vms()
        alice.create_volume(subregion_name=SUBREGION, size=1)
        assert [volume.state for volume in alice.read_volumes()] == ["error"]

    def test_of_another_cloud_are_refused(self, cloud: Cloud) -> None:
        """A mark belongs to its cloud."""
        with pytest.raises(ValueError, match="mark must be a live mark of this cloud"):
            cloud.rollback(Cloud().mark())

    def test_restore_a_deletion_in_its_order(self, cloud: Cloud, alice: Account) -> None:
        """A restored volume is at its former place in every list."""
        volumes = [alice.create_volume(subregion_name=SUBREGION, size=1) for _ in range(3)]
        with cloud.savepoint():
            alice.delete_volume(volume_id=volumes[0].volume_id)
        ids = [volume.volume_id for volume in alice.read_volumes()]
        assert ids == [volume.volume_id for volume in volumes]

    def test_let_another_account_reuse_an_id(self, cloud: Cloud, alice: Account) -> None:
        """After a rollback, another account's volume has the same id, and its tags are found."""
        bob, mark = cloud.account("bob"), cloud.mark()
        for account in (alice, bob):
            cloud.rollback(mark)
            volume_id = account.create_volume(subregion_name=SUBREGION, size=1).volume_id
            account.create_tags(resource_ids=[volume_id], tags=[{"key": "k", "value": "v"}])
            assert [tag.resource_id for tag in account.read_tags()] == [volume_id]

    def test_that_are_live_keep_the_history(self) -> None:
        """A bounded history still has everything since a live mark."""
        cloud = Cloud(history=3)
        alice = cloud.account("alice")
        mark = cloud.mark()
        for _ in range(20):
            alice.create_volume(subregion_name=SUBREGION, size=1)
        assert len(cloud.calls()) == 20
        cloud.rollback(mark)
        assert alice.read_volumes() == ()

    def test_are_needed_to_exceed_the_bounded_history(self) -> None:
        """Without a mark, `events` and `calls` are limited to the history."""
        cloud = Cloud(history=5)
        alice = cloud.account("alice")
        for _ in range(50):
            alice.create_volume(subregion_name=SUBREGION, size=1)
        assert (len(cloud.calls()), len(cloud.events) <= 5) == (5, True)

    def test_are_not_needed_for_reads_to_keep_the_history(self) -> None:
        """Reads drop no changes and no ClientTokens, however many calls the log holds."""
        cloud = Cloud(history=10)
        alice = cloud.account("alice")
        volume = alice.create_volume(subregion_name=SUBREGION, size=1, client_token="once")
        alice.delete_volume(volume_id=volume.volume_id)
        before = cloud.fork()
        for _ in range(20):
            alice.read_volumes()
        assert cloud == before

    def test_beyond_the_history_are_refused(self) -> None:
        """Changes that are no longer in the journal cannot be undone."""
        cloud = Cloud(history=1)
        alice = cloud.account("alice")
        for _ in range(9):
            alice.create_volume(subregion_name=SUBREGION, size=1)
        with pytest.raises(ValueError, match="the start of the journal"):
            cloud.engine.state.undo_to(0)


class TestRefusal:
    def test_changes_nothing(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """A refused call leaves the cloud as it was."""
        twin = cloud.fork()
        with pytest.raises(ApiError):
            alice.create_image(vm_id=cloud.timeline(golden.image_id)[0].id, image_name="golden")
        assert cloud == twin

    def test_late_in_a_call_undoes_its_writes(self, cloud: Cloud) -> None:
        """A quota exceeded half-way through a call leaves nothing. [QTA-019]"""
        alice = cloud.account("alice", quotas={"snapshot_limit": 1})
        vm = alice.create_vms(
            image_id=alice.read_images()[0].image_id,
            block_device_mappings=[{"device_name": "/dev/sdb", "bsu": {"volume_size": 1}}],
        )[0]
        twin = cloud.fork()
        with pytest.raises(ApiError, match="10026"):
            alice.create_image(vm_id=vm.vm_id, image_name="golden")
        assert cloud == twin

    def test_of_an_unexpected_error_undoes_its_writes(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When an action raises an unexpected error, what it wrote is undone."""
        before = cloud.fork()
        monkeypatch.setattr("omisim.actions.volumes.add_volume", lambda *_args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            alice.create_volume(subregion_name=SUBREGION, size=1)
        assert cloud == before


class TestFork:
    def test_is_independent_of_its_original(self, cloud: Cloud, alice: Account) -> None:
        """Neither a fork nor its original sees the later changes of the other."""
        twin = cloud.fork()
        alice.create_volume(subregion_name=SUBREGION, size=1)
        twin.account("alice").create_volume(subregion_name=SUBREGION, size=2)
        assert [volume.size for volume in alice.read_volumes()] == [1]
        assert [volume.size for volume in twin.account("alice").read_volumes()] == [2]

    def test_has_its_own_clock_and_an_empty_session(self, cloud: Cloud, alice: Account) -> None:
        """A fork starts at the same time, without calls."""
        alice.read_volumes()
        twin = cloud.fork()
        twin.advance(seconds=5)
        assert (twin.now - cloud.now).total_seconds() == 5
        assert twin.calls() == ()

    def test_gives_the_same_ids(self, cloud: Cloud, alice: Account) -> None:
        """The same calls on two forks give the same answers."""
        twin = cloud.fork()
        volumes = [
            account.create_volume(subregion_name=SUBREGION, size=1) for account in (alice, twin.account("alice"))
        ]
        assert volumes[0] == volumes[1]
        assert cloud == twin


class TestDump:
    @given(history=steps(), timing=st.sampled_from(["eager", "clock", "manual"]))
    def test_loads_as_an_equal_cloud(self, history: list[Step], timing: Timing) -> None:
        """load(dump(x)) equals x, through JSON text, and behaves the same."""
        cloud = Cloud(timing=timing)
        alice = cloud.account("alice")
        for step in history:
            step(alice)
        copy = Cloud.load(json.loads(json.dumps(cloud.dump())))
        assert copy == cloud
        for either in (cloud, copy):
            either.account("alice").create_volume(subregion_name=SUBREGION, size=3)
            either.settle()
        assert copy == cloud

    @pytest.mark.parametrize("data", [{}, {"omisim": 99}, {"omisim": 1}, {"omisim": 1, "settings": 3}, []])
    def test_that_is_damaged_is_refused_in_one_line(self, data: object) -> None:
        """Data that is not a dump is refused in one line."""
        with pytest.raises(ValueError, match="dump"):
            Cloud.load(data)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("kind", "field", "value"),
        [
            ("image", "image_name", 3),
            ("image", "image_name", None),
            ("image", "product_codes", "0001"),
            ("image", "product_codes", [1]),
            ("volume", "size", "10"),
            ("volume", "size", True),
            ("vm", "bsu_optimized", 0),
            ("origin", "label", 3),
        ],
    )
    def test_with_a_field_of_another_type_is_refused(
        self, cloud: Cloud, golden: Image, kind: str, field: str, value: object
    ) -> None:
        """A dump that was edited manually is loaded with fields of their types, or not at all."""
        assert golden
        data = json.loads(json.dumps(cloud.dump()))
        row = next(iter(data["rows"][kind].values()))[1]
        assert field in row
        row[field] = value
        with pytest.raises(ValueError, match=rf"the dump is damaged: rows\.{kind}\..*\.{field}(\[0\])?: "):
            Cloud.load(data)

    @pytest.mark.parametrize(
        ("path", "value", "reason"),
        [
            ("vm.vm_type", "zzz", "there is no VM type 'zzz'"),
            ("nic.link_nic.vm_id", "i-00000000", "there is no vm 'i-00000000'"),
            ("nic.private_ips.0.private_ip", "10.0.0", "must be an IPv4 address, not '10.0.0'"),
            ("subnet.net_id", "vpc-00000000", "there is no net 'vpc-00000000'"),
            ("net.ip_range", "10.0.0.0/15", "must be an IPv4 range in CIDR notation, /16 to /32, not '10.0.0.0/15'"),
            ("subnet.ip_range", "10.0.0.0/33", "must be an IPv4 range in CIDR notation, /16 to /32, not '10.0.0.0/33'"),
            ("route_table.routes.0.destination_ip_range", "", "must be an IPv4 range in CIDR notation, not ''"),
            ("account.region", "mars", "there is no Region 'mars'"),
            ("origin.account_id", "0", "there is no account '0'"),
            ("access_key.state", "LOST", "must be one of ACTIVE, INACTIVE, not 'LOST'"),
            ("image_export.state", "preparing", "there is no state 'preparing'"),
        ],
    )
    def test_with_a_value_that_no_call_writes_is_refused(
        self, cloud: Cloud, alice: Account, ubuntu: Image, golden: Image, path: str, value: str, reason: str
    ) -> None:
        """A dump is refused if an address, a VM type, a state or the id of another row could not be read later."""
        net = alice.create_net(ip_range="10.0.0.0/16")
        subnet = alice.create_subnet(net_id=net.net_id, ip_range="10.0.1.0/24")
        alice.create_vms(image_id=ubuntu.image_id, subnet_id=subnet.subnet_id)
        create_bucket(alice)
        export = {"disk_image_format": "qcow2", "osu_bucket": BUCKET}
        alice.create_image_export_task(image_id=golden.image_id, osu_export=export)
        data = json.loads(json.dumps(cloud.dump()))
        kind, *steps_, field = path.split(".")
        part = next(iter(data["rows"][kind].values()))[1]
        for step in steps_:
            part = part[int(step) if isinstance(part, list) else step]
        part[field] = value
        with pytest.raises(ValueError, match=rf"the dump is damaged: rows\.{kind}\..*\.{field}: {re.escape(reason)}$"):
            Cloud.load(data)

    @pytest.mark.parametrize(
        ("mappings", "reason"),
        [
            ([], "/dev/sda1 must have a snapshot"),
            (
                [{"device_name": "/dev/sda1", "bsu": {"snapshot_id": "snap-00000000"}}],
                "there is no snapshot 'snap-",
            ),
        ],
    )
    def test_with_an_omi_that_cannot_be_launched_is_refused(
        self, cloud: Cloud, golden: Image, mappings: list[Any], reason: str
    ) -> None:
        """An OMI of a dump has a root, and its snapshots exist: a launch could not create the disks."""
        data = json.loads(json.dumps(cloud.dump()))
        data["rows"]["image"][golden.image_id][1]["block_device_mappings"] = mappings
        with pytest.raises(ValueError, match=re.escape(f"{golden.image_id}.block_device_mappings: {reason}")):
            Cloud.load(data)

    @pytest.mark.parametrize(("field", "value"), [("event", "attach"), ("id", "vol-00000000"), ("kind", "comet")])
    def test_with_a_transition_that_cannot_happen_is_refused(self, field: str, value: str) -> None:
        """A due transition belongs to a resource and to its state: every call of the loaded cloud would fail on it."""
        cloud = Cloud(timing="clock")
        cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
        data = json.loads(json.dumps(cloud.dump()))
        ((key, (_, due)),) = data["rows"]["due"].items()
        due[field] = value
        with pytest.raises(ValueError, match=rf"the dump is damaged: rows\.due\.{key}: must be a transition"):
            Cloud.load(data)

    def test_has_only_what_differs_from_the_catalogue(self, cloud: Cloud) -> None:
        """The dump of a new cloud has no rows."""
        assert cloud.dump()["rows"] == {}


class TestReset:
    def test_restores_the_cloud_as_it_was_created(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """After a reset the cloud equals a new one, its clock included."""
        cloud.advance(seconds=10)
        cloud.reset()
        assert cloud == Cloud()
        assert cloud.calls() == ()


def test_clouds_with_as_many_changes_differ_by_content() -> None:
    """Two clouds with as many changes are equal only when the changes are."""
    clouds = [Cloud(), Cloud(), Cloud()]
    for cloud, size in zip(clouds, (1, 1, 2), strict=True):
        cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=size)
    assert clouds[0] == clouds[1]
    assert clouds[0] != clouds[2]
