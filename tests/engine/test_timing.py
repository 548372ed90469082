"""Time: the timings eager, clock and manual, the clocks, and requested failures."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st
from support.catalogue import SUBREGION, find_official
from support.reread import reread

from omisim import Account, ApiError, Cloud, ManualClock, SystemClock
from omisim.base.clock import LATEST, Clock
from omisim.base.frozen import replace
from omisim.model import Image, Vm, Volume, VolumeState


def volume_of(account: Account, size: int = 10) -> Volume:
    """Create a volume."""
    return account.create_volume(subregion_name=SUBREGION, size=size)


class TestEagerTiming:
    def test_answers_the_first_state(self, alice: Account) -> None:
        """The answer of a creation shows its first state. [ST-VOL-1]"""
        assert volume_of(alice).state == "creating"

    def test_runs_every_transient_before_the_next_call(self, alice: Account, golden: Image) -> None:
        """A whole chain of transients has run when control returns. [ST-OMI-5]"""
        assert reread(alice, golden).state == "available"

    def test_does_not_move_the_clock_for_transients(self, cloud: Cloud, alice: Account) -> None:
        """A call moves the clock by one millisecond, however long its transients last."""
        before = cloud.now
        volume_of(alice)
        assert cloud.now - before == dt.timedelta(milliseconds=1)

    def test_keeps_no_transient_for_later(self, cloud: Cloud, alice: Account) -> None:
        """A transient state that ends with its call is never in the table of due transitions."""
        volume_of(alice)
        assert [change.id for change in cloud.engine.state.journal if change.kind == "due"] == []

    def test_forgets_a_transient_that_was_ended_within_its_transaction(self, cloud: Cloud, alice: Account) -> None:
        """A resource that left its transient state before its transaction ended stays in the new state."""
        with cloud.engine.transaction("setup") as tx:
            volume = replace(volume_of(alice), state=VolumeState.CREATING, volume_id="vol-12345678")
            tx.add(volume)
            cloud.fail(volume.volume_id)
        assert reread(alice, volume).state == "error"

    def test_leaves_timers_to_the_clock(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A terminated VM is kept until the clock has passed its retention. [ST-VM-10]"""
        alice.delete_vms(vm_ids=[vm.vm_id])
        assert reread(alice, vm).state == "terminated"
        cloud.advance(seconds=3600)
        assert alice.read_vms() == ()


class TestClockTiming:
    def test_keeps_a_transient_until_it_is_due(self, slow: Cloud) -> None:
        """A transition happens when the clock reaches its due time, not before."""
        alice = slow.account("alice")
        volume = volume_of(alice)
        slow.advance(seconds=4.9)
        assert reread(alice, volume).state == "creating"
        slow.advance(seconds=0.1)
        assert reread(alice, volume).state == "available"

    def test_applies_each_transition_at_its_due_time(self, slow: Cloud) -> None:
        """During a long advance each transition happens at its own time."""
        alice = slow.account("alice")
        start = slow.now
        volume = volume_of(alice)
        slow.advance(seconds=1000)
        ready = slow.timeline(volume.volume_id)[-1]
        assert (ready.at - start, ready.cause) == (dt.timedelta(seconds=5), "due")

    def test_uses_durations_that_were_set(self, slow: Cloud) -> None:
        """`durations` sets how long a state lasts."""
        alice = slow.account("alice")
        slow.durations["volume.creating"] = 600
        volume = volume_of(alice)
        slow.advance(seconds=599)
        assert reread(alice, volume).state == "creating"
        slow.advance(seconds=1)
        assert reread(alice, volume).state == "available"

    def test_refuses_durations_of_unknown_states(self, slow: Cloud) -> None:
        """A state that does not end by itself has no duration."""
        with pytest.raises(ValueError, match=r"known: .*snapshot\.pending"):
            slow.durations["volume.available"] = 1

    def test_ends_all_transients_and_no_timer_on_settle(self, slow: Cloud) -> None:
        """`settle` jumps until no transient is left, and keeps the timers that it did not pass."""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "Ubuntu*").image_id)[0]
        slow.settle()
        assert reread(alice, vm).state == "running"
        alice.delete_vms(vm_ids=[vm.vm_id])
        slow.settle()
        assert reread(alice, vm).state == "terminated"

    def test_restarts_a_running_vm_for_its_omi(self, slow: Cloud) -> None:
        """CreateImage on a running VM stops and restarts it. [OMI-017]"""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "Ubuntu*").image_id)[0]
        slow.settle()
        alice.create_image(vm_id=vm.vm_id, image_name="golden")
        states = [reread(alice, vm).state]
        for _ in range(10):
            slow.advance(seconds=5)
            states.append(reread(alice, vm).state)
        assert list(dict.fromkeys(states)) == ["stopping", "pending", "running"]

    def test_does_not_restart_a_vm_with_no_reboot(self, slow: Cloud) -> None:
        """With NoReboot the VM stays running. [OMI-017]"""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "Ubuntu*").image_id)[0]
        slow.settle()
        alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        assert reread(alice, vm).state == "running"


class TestManualTiming:
    def test_moves_a_transient_by_complete_only(self) -> None:
        """Neither the clock nor `settle` moves a transient."""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = volume_of(alice)
        cloud.advance(seconds=10_000)
        cloud.settle()
        assert reread(alice, volume).state == "creating"
        cloud.complete(volume.volume_id)
        assert reread(alice, volume).state == "available"

    def test_completes_one_step_at_a_time(self) -> None:
        """`complete` is one step on the success path. [ST-SNP-2]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = volume_of(alice)
        cloud.complete(volume.volume_id)
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        states = [reread(alice, snapshot).state]
        for _ in range(2):
            cloud.complete(snapshot.snapshot_id)
            states.append(reread(alice, snapshot).state)
        assert states == ["in-queue", "pending", "completed"]

    def test_completes_what_is_requested_to_fail(self) -> None:
        """`complete` is the success path also after `fail_next`, whose failure is left to a later transition."""
        cloud = Cloud(timing="manual")
        volume = volume_of(cloud.account("alice"))
        cloud.fail_next("volume")
        cloud.complete(volume.volume_id)
        assert reread(cloud.account("alice"), volume).state == "available"
        assert len(cloud.engine.session.failures) == 1

    def test_completes_the_snapshots_of_an_omi(self) -> None:
        """`complete` of a pending OMI completes the snapshots it waits for, and so the OMI. [ST-OMI-5]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "Ubuntu*").image_id)[0]
        cloud.complete(vm.vm_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        cloud.complete(image.image_id)
        assert reread(alice, image).state == "available"

    def test_fails_an_omi_by_a_snapshot_with_a_comment(self) -> None:
        """The comment of the failed snapshot becomes the OMI's StateComment. [ST-OMI-6]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "Ubuntu*").image_id)[0]
        cloud.complete(vm.vm_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        cloud.fail(image.image_id, comment="disk on fire")
        failed = reread(alice, image)
        assert (failed.state, failed.state_comment.state_message) == ("failed", "disk on fire")

    def test_completes_a_link_by_the_id_of_its_volume(self) -> None:
        """`complete` of a volume whose link is in progress completes the link. [ST-VOL-4]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "Ubuntu*").image_id)[0]
        root = vm.block_device_mappings[0].bsu
        cloud.complete(root.volume_id)
        linked = alice.read_volumes(filters={"volume_ids": [root.volume_id]})[0].linked_volumes[0]
        assert linked.state == "attached"

    @pytest.mark.parametrize("row_id", ["vol-00000000", "nonsense"])
    def test_refuses_to_complete_what_is_not_in_progress(self, row_id: str) -> None:
        """`complete` of an unknown id, or of a stable state, is an error."""
        with pytest.raises(ValueError, match="no such resource exists in this cloud; no transition is in progress"):
            Cloud().complete(row_id)


class TestOrderedFailures:
    def test_fail_the_next_transition(self, cloud: Cloud, alice: Account) -> None:
        """`fail_next` lets the next transition of a kind end in its failure state. [ST-SNP-6]"""
        volume = volume_of(alice)
        cloud.fail_next("snapshot", comment="no space")
        first, second = (alice.create_snapshot(volume_id=volume.volume_id) for _ in range(2))
        assert [reread(alice, first).state, reread(alice, second).state] == ["error", "completed"]

    def test_fail_the_next_omi(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """`fail_next("image")` fails the next OMI that waits for snapshots. [ST-OMI-6]"""
        cloud.fail_next("image", comment="no luck")
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        assert reread(alice, image).state == "failed"

    def test_of_a_kind_that_cannot_fail_are_refused(self, cloud: Cloud) -> None:
        """A failure that could never happen is refused with the kinds that can fail."""
        with pytest.raises(ValueError, match=r"can fail \(vm, volume"):
            cloud.fail_next("volume_link")

    @pytest.mark.parametrize("row_id", ["ami-12345678", "snap-1234", ""])
    def test_of_an_id_of_another_kind_are_refused(self, cloud: Cloud, row_id: str) -> None:
        """The id must be valid for the kind."""
        with pytest.raises(ValueError, match=r"is not a snapshot id \(expected snap- and 8 hex digits\)"):
            cloud.fail_next("snapshot", id=row_id)

    def test_with_a_comment_of_another_type_are_refused(self, slow: Cloud) -> None:
        """A comment is text, as the API's StateMessage is."""
        comment: Any = 5
        with pytest.raises(ValueError, match="comment must be a str, not 5"):
            slow.fail_next("snapshot", comment=comment)
        volume = slow.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
        with pytest.raises(ValueError, match="comment must be a str, not 5"):
            slow.fail(volume.volume_id, comment=comment)

    def test_with_a_comment_that_no_answer_can_have_are_refused(self, slow: Cloud) -> None:
        """A lone surrogate in a comment would make each dump and each answer with the comment unreadable."""
        with pytest.raises(ValueError, match="comment must not contain a lone surrogate"):
            slow.fail_next("snapshot", comment="\ud800")
        volume = slow.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
        with pytest.raises(ValueError, match="comment must not contain a lone surrogate"):
            slow.fail(volume.volume_id, comment="\ud800")

    def test_fail_one_resource_by_id(self, slow: Cloud) -> None:
        """`id` selects the resource that fails, others go on. [ST-SNP-6]"""
        alice = slow.account("alice")
        volume = volume_of(alice)
        slow.settle()
        first, second = (alice.create_snapshot(volume_id=volume.volume_id) for _ in range(2))
        slow.fail_next("snapshot", id=second.snapshot_id)
        slow.settle()
        assert [reread(alice, first).state, reread(alice, second).state] == ["completed", "error"]

    def test_of_a_stable_resource_are_refused(self, cloud: Cloud, alice: Account) -> None:
        """An available volume cannot fail."""
        volume = volume_of(alice)
        with pytest.raises(ValueError, match=r"^cannot fail .* is available; can fail: "):
            cloud.fail(volume.volume_id)


class TestClocks:
    def test_begin_in_2026(self, cloud: Cloud) -> None:
        """A cloud's own clock starts at 2026-01-01T00:00:00Z."""
        assert cloud.now == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def test_of_the_user_tick_with_each_commit(self) -> None:
        """Every call that commits moves any ManualClock by a millisecond."""
        clock = ManualClock(dt.datetime(2030, 5, 5, tzinfo=dt.UTC))
        alice = Cloud(clock=clock).account("alice")
        first, second = volume_of(alice), volume_of(alice)
        assert second.creation_date - first.creation_date == dt.timedelta(milliseconds=1)

    def test_do_not_tick_with_reads_and_refusals(self, cloud: Cloud, alice: Account) -> None:
        """Only a call that commits a change moves the clock."""
        before = cloud.now
        alice.read_volumes()
        with pytest.raises(ApiError):
            alice.delete_volume(volume_id="vol-00000000")
        assert cloud.now == before

    def test_without_a_time_zone_are_refused(self) -> None:
        """A naive start would be another time on another machine."""
        with pytest.raises(ValueError, match="time zone"):
            ManualClock(dt.datetime(2026, 1, 1))  # noqa: DTZ001 - the point

    @given(seconds=st.floats(max_value=-1e-6) | st.just(float("nan")) | st.just(float("inf")))
    def test_do_not_run_backwards(self, seconds: float) -> None:
        """A negative or infinite advance is refused, and nothing moves."""
        cloud = Cloud()
        with pytest.raises(ValueError, match="seconds must be a finite, non-negative number"):
            cloud.advance(seconds)
        assert cloud.now == ManualClock().now()

    @pytest.mark.parametrize("seconds", [1e12, 1e30, 10**400])
    def test_do_not_advance_beyond_the_years(self, seconds: float) -> None:
        """A number of seconds that no clock has room for is refused by the last year, however large it is."""
        with pytest.raises(ValueError, match=r"the clock cannot move by .* seconds: it must not pass the year 8999"):
            Cloud().advance(seconds)

    @pytest.mark.parametrize("clock", [ManualClock, SystemClock])
    def test_do_not_settle_beyond_the_years(self, clock: Callable[[], Clock]) -> None:
        """A transition that a dump has in the year 9999 is never reached: the refusal names the last year."""
        start = Cloud(timing="clock", clock=clock())
        volume_of(start.account("alice"))
        volume_of(start.account("alice"))
        dump = start.dump()
        *_, last = dump["rows"]["due"]
        dump["rows"]["due"][last][1]["at"] = "9999-12-31T23:59:59.999999+00:00"
        cloud = Cloud.load(dump)
        rows = cloud.dump()["rows"]
        with pytest.raises(ValueError, match=r"the clock cannot move by .* seconds: it must not pass the year 8999"):
            cloud.settle()
        assert cloud.dump()["rows"] == rows

    def test_stand_still_at_the_end_of_the_years(self) -> None:
        """A commit at the last moment does not move a clock beyond it, and the cloud can be dumped and loaded."""
        cloud = Cloud(clock=ManualClock(LATEST))
        cloud.account("alice").create_keypair(keypair_name="a")
        assert Cloud.load(cloud.dump()).now == cloud.now == LATEST

    def test_that_follow_wall_time_are_equal_if_the_same_time_was_added(self) -> None:
        """A fork of a cloud with a `SystemClock` equals it while time passes, until one of them is advanced."""
        cloud = Cloud(clock=SystemClock())
        cloud.advance(60)
        fork = cloud.fork()
        assert fork == cloud == Cloud.load(cloud.dump())
        fork.advance(1)
        assert fork != cloud != fork

    @pytest.mark.parametrize("date", ["0999-12-31", "9000-01-02", "9999-12-31 23:59:59.999999"])
    def test_of_the_system_refuse_a_frozen_time_outside_of_the_years(self, date: str) -> None:
        """A wall time that ManualClock would refuse is refused by each call, with the years; later calls succeed."""
        cloud = Cloud(clock=SystemClock())
        alice = cloud.account("alice")
        refusal = f"the wall time must be in the years 1000 to 8999, not {date[:4]}"
        with freeze_time(date), pytest.raises(ValueError, match=refusal):
            volume_of(alice)
        assert alice.read_volumes() == ()

    def test_of_the_system_stand_still_at_the_end_of_the_years(self) -> None:
        """A clock that was advanced by 7,000 years shows the last moment if freezegun adds 3,000."""
        cloud = Cloud(clock=SystemClock(dt.timedelta(days=7000 * 365)))
        with freeze_time("5026-01-01"):
            assert volume_of(cloud.account("alice")).creation_date == LATEST

    @pytest.mark.parametrize(
        ("arguments", "refusal"),
        [
            ({"offset": 3600}, "offset must be a timedelta, for example timedelta(hours=1), not 3600"),
            ({"latest": dt.datetime(2026, 1, 1)}, "latest must be a datetime with a time zone"),  # noqa: DTZ001 - the mistake
        ],
    )
    def test_of_the_system_refuse_other_values(self, arguments: dict[str, Any], refusal: str) -> None:
        """A `SystemClock` says what it takes when it is made, not when the cloud first reads it."""
        with pytest.raises(ValueError, match=re.escape(refusal)):
            SystemClock(**arguments)

    def test_of_the_system_follow_freezegun(self) -> None:
        """SystemClock is wall time, frozen or not."""
        with freeze_time("2031-03-03", tz_offset=0) as frozen:
            cloud = Cloud(clock=SystemClock(), timing="clock")
            alice = cloud.account("alice")
            volume = volume_of(alice)
            assert volume.creation_date == dt.datetime(2031, 3, 3, tzinfo=dt.UTC)
            frozen.tick(10)
            assert reread(alice, volume).state == "available"

    def test_of_the_system_can_be_advanced(self) -> None:
        """`advance` grows the offset to wall time."""
        cloud = Cloud(clock=SystemClock())
        before = cloud.now
        cloud.advance(seconds=3600)
        assert cloud.now - before >= dt.timedelta(hours=1)

    def test_of_the_system_never_run_backwards(self) -> None:
        """A wall clock that is turned back does not turn back the cloud's."""
        clock = SystemClock()
        with freeze_time("2031-03-03"):
            late = clock.now()
        with freeze_time("2021-03-03"):
            assert clock.now() == late

    def test_advances_behind_its_latest_time(self) -> None:
        """A clock that freezegun has turned back stands still, but `advance` moves it by the given seconds."""
        cloud = Cloud(clock=SystemClock())
        before = cloud.now
        with freeze_time("2020-01-01"):
            cloud.advance(60)
            assert cloud.now >= before + dt.timedelta(seconds=60)

    def test_of_the_system_keep_their_offset_in_a_fork(self) -> None:
        """A fork of a cloud on a SystemClock is as far ahead as its original."""
        cloud = Cloud(clock=SystemClock())
        cloud.advance(seconds=86_400)
        now, twin = cloud.now, cloud.fork().now
        assert dt.timedelta() <= twin - now < dt.timedelta(minutes=1)
