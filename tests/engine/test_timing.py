"""Time: the three timings, the clocks, and what happens by itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from conftest import SUBREGION, official
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from omisim import Account, ApiError, Cloud, ManualClock, SystemClock
from omisim.model import Image, Snapshot, Vm, Volume


def volume_of(account: Account, size: int = 10) -> Volume:
    """Create a volume."""
    return account.create_volume(subregion_name=SUBREGION, size=size)


def now_of(account: Account, thing: Volume | Snapshot | Vm | Image) -> str:
    """Return the state that a read shows."""
    match thing:
        case Volume():
            return account.read_volumes(filters={"volume_ids": [thing.volume_id]})[0].state
        case Snapshot():
            return account.read_snapshots(filters={"snapshot_ids": [thing.snapshot_id]})[0].state
        case Vm():
            return account.read_vms(filters={"vm_ids": [thing.vm_id]})[0].state
        case Image():
            return account.read_images(filters={"image_ids": [thing.image_id]})[0].state


class TestEager:
    def test_answers_the_first_state(self, alice: Account) -> None:
        """The answer of a creation shows its first state. [ST-VOL-1]"""
        assert volume_of(alice).state == "creating"

    def test_has_run_the_chain_by_the_next_call(self, alice: Account, golden: Image) -> None:
        """A whole chain of transients has run when control returns. [ST-OMI-5]"""
        assert now_of(alice, golden) == "available"

    def test_does_not_move_time_for_transients(self, cloud: Cloud, alice: Account) -> None:
        """A call moves the clock by its one millisecond, however long its transients last."""
        before = cloud.now
        volume_of(alice)
        assert cloud.now - before == dt.timedelta(milliseconds=1)

    def test_leaves_timers_to_the_clock(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A terminated VM is kept until the clock has passed its retention. [ST-VM-10]"""
        alice.delete_vms(vm_ids=[vm.vm_id])
        assert now_of(alice, vm) == "terminated"
        cloud.advance(seconds=3600)
        assert alice.read_vms() == ()


class TestClockTiming:
    def test_keeps_a_transient_until_it_is_due(self, slow: Cloud) -> None:
        """A transition happens when the clock reaches its due time, not before."""
        alice = slow.account("alice")
        volume = volume_of(alice)
        slow.advance(seconds=4.9)
        assert now_of(alice, volume) == "creating"
        slow.advance(seconds=0.1)
        assert now_of(alice, volume) == "available"

    def test_applies_what_fell_due_at_its_own_time(self, slow: Cloud) -> None:
        """What falls due on the way of a long advance happens each at its own time."""
        alice = slow.account("alice")
        start = slow.now
        volume = volume_of(alice)
        slow.advance(seconds=1000)
        ready = slow.timeline(volume.volume_id)[-1]
        assert (ready.at - start, ready.cause) == (dt.timedelta(seconds=5), "due")

    def test_durations_can_be_set(self, slow: Cloud) -> None:
        """`durations` says how long a state lasts."""
        alice = slow.account("alice")
        slow.durations["volume.creating"] = 600
        volume = volume_of(alice)
        slow.advance(seconds=599)
        assert now_of(alice, volume) == "creating"
        slow.advance(seconds=1)
        assert now_of(alice, volume) == "available"

    def test_unknown_durations_are_refused_with_the_list(self, slow: Cloud) -> None:
        """A state that does not end by itself has no duration."""
        with pytest.raises(ValueError, match=r"known ones: .*snapshot\.pending"):
            slow.durations["volume.available"] = 1

    def test_settle_ends_all_transients_and_no_timer(self, slow: Cloud) -> None:
        """`settle` jumps until no transient is left, and leaves the timers that it did not pass."""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=official(alice, "Ubuntu*").image_id)[0]
        slow.settle()
        assert now_of(alice, vm) == "running"
        alice.delete_vms(vm_ids=[vm.vm_id])
        slow.settle()
        assert now_of(alice, vm) == "terminated"

    def test_the_root_of_a_running_vm_is_cut_with_a_restart(self, slow: Cloud) -> None:
        """CreateImage on a running VM takes it down and brings it up again. [OMI-017]"""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=official(alice, "Ubuntu*").image_id)[0]
        slow.settle()
        alice.create_image(vm_id=vm.vm_id, image_name="golden")
        seen = [now_of(alice, vm)]
        for _ in range(10):
            slow.advance(seconds=5)
            seen.append(now_of(alice, vm))
        assert list(dict.fromkeys(seen)) == ["stopping", "pending", "running"]

    def test_no_reboot_leaves_the_vm_alone(self, slow: Cloud) -> None:
        """With NoReboot the VM runs on. [OMI-017]"""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=official(alice, "Ubuntu*").image_id)[0]
        slow.settle()
        alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        assert now_of(alice, vm) == "running"


class TestManualTiming:
    def test_only_complete_moves_a_transient(self) -> None:
        """Neither the clock nor `settle` moves a transient."""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = volume_of(alice)
        cloud.advance(seconds=10_000)
        cloud.settle()
        assert now_of(alice, volume) == "creating"
        cloud.complete(volume.volume_id)
        assert now_of(alice, volume) == "available"

    def test_complete_takes_one_step(self) -> None:
        """`complete` is one step on the success path. [ST-SNP-2]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = volume_of(alice)
        cloud.complete(volume.volume_id)
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        seen = [now_of(alice, snapshot)]
        for _ in range(2):
            cloud.complete(snapshot.snapshot_id)
            seen.append(now_of(alice, snapshot))
        assert seen == ["in-queue", "pending", "completed"]

    def test_completing_an_omi_completes_its_snapshots(self) -> None:
        """`complete` of a pending OMI completes the snapshots it waits for, and so the OMI. [ST-OMI-5]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=official(alice, "Ubuntu*").image_id)[0]
        cloud.complete(vm.vm_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        cloud.complete(image.image_id)
        assert now_of(alice, image) == "available"

    def test_failing_an_omi_fails_a_snapshot_and_keeps_the_comment(self) -> None:
        """The comment of the failed snapshot becomes the OMI's StateComment. [ST-OMI-6]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=official(alice, "Ubuntu*").image_id)[0]
        cloud.complete(vm.vm_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        cloud.fail(image.image_id, comment="disk on fire")
        failed = alice.read_images(filters={"image_ids": [image.image_id]})[0]
        assert (failed.state, failed.state_comment.state_message) == ("failed", "disk on fire")

    def test_the_id_of_a_link_is_its_volumes(self) -> None:
        """`complete` of a volume whose link is under way completes the link. [ST-VOL-4]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=official(alice, "Ubuntu*").image_id)[0]
        root = vm.block_device_mappings[0].bsu
        cloud.complete(root.volume_id)
        linked = alice.read_volumes(filters={"volume_ids": [root.volume_id]})[0].linked_volumes[0]
        assert linked.state == "attached"

    @pytest.mark.parametrize("row_id", ["vol-00000000", "nonsense"])
    def test_nothing_to_complete_is_an_error(self, row_id: str) -> None:
        """`complete` of what is not there says so."""
        with pytest.raises(ValueError, match="is nothing this cloud has"):
            Cloud().complete(row_id)


class TestFailures:
    def test_the_next_transition_fails(self, cloud: Cloud, alice: Account) -> None:
        """`fail_next` lets the next transition of a kind end in its failure state. [ST-SNP-6]"""
        volume = volume_of(alice)
        cloud.fail_next("snapshot", comment="no space")
        first, second = (alice.create_snapshot(volume_id=volume.volume_id) for _ in range(2))
        assert [now_of(alice, first), now_of(alice, second)] == ["error", "completed"]

    def test_an_omi_can_be_told_to_fail(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """`fail_next("image")` fails the next OMI that waits for snapshots. [ST-OMI-6]"""
        cloud.fail_next("image", comment="no luck")
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        assert now_of(alice, image) == "failed"

    def test_a_kind_that_cannot_fail_is_refused_with_the_list(self, cloud: Cloud) -> None:
        """A fault that could never fire is refused."""
        with pytest.raises(ValueError, match="can: vm, volume"):
            cloud.fail_next("volume_link")

    @pytest.mark.parametrize("row_id", ["ami-12345678", "snap-1234", "", 3])
    def test_an_id_of_another_kind_is_refused(self, cloud: Cloud, row_id: Any) -> None:
        """So is one of what no snapshot has for an id."""
        with pytest.raises(ValueError, match=r"^it would never happen: .* is no id of a snapshot: snap- and 8 hex"):
            cloud.fail_next("snapshot", id=row_id)

    def test_one_resource_can_be_told_to_fail(self, slow: Cloud) -> None:
        """`id` is the one that fails, others go on. [ST-SNP-6]"""
        alice = slow.account("alice")
        volume = volume_of(alice)
        slow.settle()
        first, second = (alice.create_snapshot(volume_id=volume.volume_id) for _ in range(2))
        slow.fail_next("snapshot", id=second.snapshot_id)
        slow.settle()
        assert [now_of(alice, first), now_of(alice, second)] == ["completed", "error"]

    def test_a_failure_that_cannot_be_now_is_refused(self, cloud: Cloud, alice: Account) -> None:
        """An available volume cannot fail."""
        volume = volume_of(alice)
        with pytest.raises(ValueError, match="is available: it cannot fail now"):
            cloud.fail(volume.volume_id)


class TestClocks:
    def test_a_cloud_begins_in_2026(self, cloud: Cloud) -> None:
        """A cloud's own clock starts at 2026-01-01T00:00:00Z."""
        assert cloud.now == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def test_the_users_own_manual_clock_ticks_too(self) -> None:
        """Every call that commits moves any ManualClock by a millisecond."""
        clock = ManualClock(dt.datetime(2030, 5, 5, tzinfo=dt.UTC))
        alice = Cloud(clock=clock).account("alice")
        first, second = volume_of(alice), volume_of(alice)
        assert second.creation_date - first.creation_date == dt.timedelta(milliseconds=1)

    def test_reads_and_refusals_do_not_move_it(self, cloud: Cloud, alice: Account) -> None:
        """Only a call that commits a change moves the clock."""
        before = cloud.now
        alice.read_volumes()
        with pytest.raises(ApiError):
            alice.delete_volume(volume_id="vol-00000000")
        assert cloud.now == before

    def test_a_clock_without_a_time_zone_is_refused(self) -> None:
        """A naive start would mean another time on another machine."""
        with pytest.raises(ValueError, match="time zone"):
            ManualClock(dt.datetime(2026, 1, 1))  # noqa: DTZ001 - the point

    @given(seconds=st.floats(max_value=-1e-6) | st.just(float("nan")) | st.just(float("inf")))
    def test_time_does_not_run_backwards(self, seconds: float) -> None:
        """A negative or infinite advance is refused, and nothing moves."""
        cloud = Cloud()
        with pytest.raises(ValueError, match="clock"):
            cloud.advance(seconds)
        assert cloud.now == ManualClock().now()

    def test_freezegun_rules_the_system_clock(self) -> None:
        """SystemClock is wall time, frozen or not."""
        with freeze_time("2031-03-03", tz_offset=0) as frozen:
            cloud = Cloud(clock=SystemClock(), timing="clock")
            alice = cloud.account("alice")
            volume = volume_of(alice)
            assert volume.creation_date == dt.datetime(2031, 3, 3, tzinfo=dt.UTC)
            frozen.tick(10)
            assert now_of(alice, volume) == "available"

    def test_the_system_clock_can_be_advanced(self) -> None:
        """`advance` grows the offset to wall time."""
        cloud = Cloud(clock=SystemClock())
        before = cloud.now
        cloud.advance(seconds=3600)
        assert cloud.now - before >= dt.timedelta(hours=1)

    def test_the_system_clock_never_runs_backwards(self) -> None:
        """A wall clock that is turned back does not turn the cloud's."""
        clock = SystemClock()
        with freeze_time("2031-03-03"):
            late = clock.now()
        with freeze_time("2021-03-03"):
            assert clock.now() == late

    def test_fork_keeps_the_offset_to_the_system_clock(self) -> None:
        """A fork of a cloud on a SystemClock is as far ahead as its original."""
        cloud = Cloud(clock=SystemClock())
        cloud.advance(seconds=86_400)
        now, twin = cloud.now, cloud.fork().now
        assert dt.timedelta() <= twin - now < dt.timedelta(minutes=1)
