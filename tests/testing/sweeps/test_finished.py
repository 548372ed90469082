"""What a run of a sweep that fails may leave behind, and how resources of two runs are compared."""

from __future__ import annotations

import time
from contextlib import suppress

import requests
from support.catalogue import SUBREGION
from support.sweeping import Failed, create_volume, details, make_clock_cloud, outcomes, setup

from omisim import ApiError, Cloud
from omisim.testing import sweep


def back_up_two(cloud: Cloud) -> None:
    """Create two snapshots, one after the other; delete one that fails, and report that."""
    alice = cloud.account("alice")
    volume = alice.read_volumes()[0]
    for _ in range(2):
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        cloud.settle()
        if alice.read_snapshots(filters={"snapshot_ids": [snapshot.snapshot_id]})[0].state != "completed":
            with suppress(ApiError):
                alice.delete_snapshot(snapshot_id=snapshot.snapshot_id)
            raise Failed(snapshot.snapshot_id)


def with_volume() -> Cloud:
    """Return a cloud with a volume, whose transitions take time."""
    cloud = make_clock_cloud()
    create_volume(cloud)
    cloud.settle()
    return cloud


class TestFinished:
    def test_what_a_failing_run_had_finished_may_remain(self) -> None:
        """A run that fails may leave what it no longer uses, but not what it was working on."""

        def two(cloud: Cloud) -> None:
            create_volume(cloud)
            try:
                cloud.account("alice").call("CreateKeypair", KeypairName="late")
            except (ApiError, ConnectionError) as error:
                raise Failed from error

        found_outcomes = outcomes(sweep(setup, two, kinds=["refused", "lost"]))
        assert found_outcomes["call 2, CreateKeypair is throttled (429)"] == "failed cleanly"
        assert found_outcomes["call 2, CreateKeypair: the answer is lost (503)"] == "left something behind"

    def test_work_before_a_failed_transition_may_remain(self) -> None:
        """The first snapshot is finished when the second one fails."""
        report = sweep(with_volume, back_up_two, kinds=["failed"], expected=Failed)
        assert report.counts == {"failed cleanly": 2}

    def test_work_before_a_transient_state_that_remains_may_remain(self) -> None:
        """A key pair is finished when a later volume is not available in time."""

        def poll(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            alice.create_keypair(keypair_name="early")
            alice.create_volume(subregion_name=SUBREGION, size=1)
            for _ in range(60):
                if alice.read_volumes()[0].state == "available":
                    return
                time.sleep(10)
            raise Failed

        assert sweep(make_clock_cloud, poll, kinds=["stalled"]).counts == {"failed cleanly": 1}

    def test_a_request_that_a_door_refuses_uses_nothing(self) -> None:
        """A later request without a signature does not make earlier work unfinished."""

        def make_key_and_volume(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            alice.create_keypair(keypair_name="early")
            volume = alice.create_volume(subregion_name=SUBREGION, size=1)
            state = alice.read_volumes()[0].state
            requests.post("https://api.eu-west-2.outscale.com/api/v1/ReadVms", json={}, timeout=5)
            if state == "error":
                alice.delete_volume(volume_id=volume.volume_id)
                raise Failed

        assert sweep(setup, make_key_and_volume, kinds=["failed"]).counts == {"failed cleanly": 1}


class TestComparison:
    def test_a_surplus_resource_is_compared_with_none(self) -> None:
        """Resources that are equal in both runs are paired first, so that a surplus one makes no others differ."""

        def two_sizes(cloud: Cloud) -> None:
            for size in (1, 2):
                for _ in range(2):
                    with suppress(ApiError, ConnectionError):
                        cloud.account("alice").call("CreateVolume", SubregionName=SUBREGION, Size=size)
                        break

        report = sweep(setup, two_sizes, kinds=["lost", "killed"])
        assert details(report.findings) == {"left behind: volume vol-<id> of alice, available"}
