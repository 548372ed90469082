"""`Engine.save` and `restore`: a test's cloud returns to an earlier point, with everything that holds it."""

from __future__ import annotations

import pytest
from support.catalogue import SUBREGION

from omisim import Account, ApiError, Cloud


def test_restore_returns_to_the_saved_state(cloud: Cloud, alice: Account) -> None:
    """State, time, settings, calls, faults and requested failures are as they were, any number of times."""
    cloud.faults.add("ReadVms", times=2)
    cloud.fail_next("image")
    saved, before = cloud.engine.save(), cloud.fork()
    for _ in range(2):
        alice.create_volume(subregion_name=SUBREGION, size=1)
        cloud.advance(60)
        cloud.durations["vm.pending"] = 5
        cloud.fail_next("vm")
        with pytest.raises(ApiError):
            alice.read_vms()
        cloud.engine.restore(saved)
        assert cloud == before
        assert len(cloud.calls()) == 0
        assert [fault.times for fault in cloud.faults] == [2]
        assert "vm.pending" not in cloud.durations
        assert [failure.kind for failure in cloud.engine.session.failures] == ["image"]


def test_restore_returns_to_the_saved_lock_outs(cloud: Cloud, alice: Account) -> None:
    """The failed authentications before the save count as before, those after it do not. [AUTH-009]"""
    session = cloud.engine.session
    session.lockouts = before = session.lockouts.add_failure(alice.account_id, cloud.now)
    saved = cloud.engine.save()
    session.lockouts = session.lockouts.add_failure(alice.account_id, cloud.now)
    cloud.engine.restore(saved)
    assert cloud.engine.session.lockouts == before


def test_restore_keeps_accounts_and_clients(cloud: Cloud, alice: Account) -> None:
    """An account and a client that were made before reach the restored cloud."""
    gateway = alice.gateway()
    saved = cloud.engine.save()
    gateway.CreateVolume(SubregionName=SUBREGION, Size=1)
    cloud.engine.restore(saved)
    assert gateway.ReadVolumes()["Volumes"] == []
    assert alice.read_volumes() == ()


def test_restore_keeps_earlier_marks(cloud: Cloud, alice: Account) -> None:
    """A mark from before the save can still be rolled back to; a later one cannot."""
    alice.create_volume(subregion_name=SUBREGION, size=1)
    mark = cloud.mark()
    alice.create_volume(subregion_name=SUBREGION, size=2)
    saved = cloud.engine.save()
    late = cloud.mark()
    cloud.engine.restore(saved)
    assert len(cloud.calls(since=mark)) == 1
    with pytest.raises(ValueError, match="mark must be a live mark"):
        cloud.rollback(late)
    cloud.rollback(mark)
    assert len(alice.read_volumes()) == 1
