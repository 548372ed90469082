"""Faults: refusals that a test orders, to see how a client bears them."""

from __future__ import annotations

import pytest
from conftest import SUBREGION

from omisim import Account, ApiError, Cloud
from omisim.model import Vm


def create(account: Account) -> None:
    """Make a call that would succeed."""
    account.create_volume(subregion_name=SUBREGION, size=1)


class TestFaults:
    def test_refuse_as_many_calls_as_were_ordered(self, cloud: Cloud, alice: Account) -> None:
        """A fault refuses the next calls of its action, as many as ordered, and is gone. [THR-002]"""
        cloud.faults.add("CreateVolume", times=2, status=503)
        for _ in range(2):
            with pytest.raises(ApiError) as refused:
                create(alice)
            assert (refused.value.status, refused.value.code, refused.value.rule) == (503, "6", "THR-002")
        create(alice)
        assert len(cloud.faults) == 0

    @pytest.mark.parametrize(("status", "code"), [(429, "25"), (500, "2000"), (503, "6")])
    def test_speak_the_dialect_of_the_api(self, cloud: Cloud, alice: Account, status: int, code: str) -> None:
        """A status stands for the error the API gives with it. [THR-001]"""
        cloud.faults.add("ReadVms", status=status)
        with pytest.raises(ApiError) as refused:
            alice.read_vms()
        assert (refused.value.status, refused.value.code) == (status, code)

    def test_can_be_any_error_by_name(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Any error of the API can be ordered by its name. [VM-005]"""
        cloud.faults.add("CreateVms", error="insufficient-capacity")
        with pytest.raises(ApiError) as refused:
            alice.create_vms(image_id=vm.image_id)
        assert (refused.value.status, refused.value.code, refused.value.type) == (400, "10001", "InsufficientCapacity")

    def test_change_nothing(self, cloud: Cloud, alice: Account) -> None:
        """A call that a fault refuses has changed nothing."""
        cloud.faults.add("CreateVolume")
        before = cloud.fork()
        with pytest.raises(ApiError):
            create(alice)
        assert cloud == before

    def test_after_effect_does_what_was_asked(self, cloud: Cloud, alice: Account) -> None:
        """With after_effect the call is done and its answer lost: a client that just repeats it makes two."""
        cloud.faults.add("CreateVolume", after_effect=True)
        with pytest.raises(ApiError):
            create(alice)
        assert [volume.state for volume in alice.read_volumes()] == ["available"]

    def test_reach_a_real_client(self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        """The SDK tries a throttled call again and gets through. [THR-003]"""
        waits: list[float] = []
        monkeypatch.setattr("time.sleep", waits.append)
        cloud.faults.add("ReadVolumes", status=429)
        assert alice.gateway().ReadVolumes()["Volumes"] == []
        assert (len(waits), len(cloud.faults)) == (1, 0)

    def test_are_noted_in_the_journal_of_calls(self, cloud: Cloud, alice: Account) -> None:
        """The call that was refused stands in `calls` with its error."""
        cloud.faults.add("CreateVolume", after_effect=True)
        with pytest.raises(ApiError):
            create(alice)
        assert [str(call.error)[:3] for call in cloud.calls("CreateVolume")] == ["503"]

    def test_are_unknown_to_why_not(self, cloud: Cloud, alice: Account) -> None:
        """`why_not` speaks of rules, not of faults, and uses none up."""
        cloud.faults.add("ReadVms")
        assert alice.can("ReadVms")
        assert len(cloud.faults) == 1

    def test_outlive_a_rollback_and_stay_with_their_cloud(self, cloud: Cloud, alice: Account) -> None:
        """A fault that was used up stays used up; a fork has none."""
        cloud.faults.add("CreateVolume", times=2)
        with cloud.savepoint(), pytest.raises(ApiError):
            create(alice)
        assert [fault.times for fault in cloud.faults] == [1]
        assert len(cloud.fork().faults) == 0

    def test_can_be_called_off(self, cloud: Cloud, alice: Account) -> None:
        """`clear` calls all of them off."""
        cloud.faults.add("CreateVolume", times=9)
        cloud.faults.clear()
        create(alice)


class TestOrdersThatCannotBe:
    @pytest.mark.parametrize(
        ("order", "said"),
        [
            ({"action": "CreateVolum"}, "did you mean CreateVolume"),
            ({"action": "CreateVms", "status": 404}, "429, 500, 503"),
            ({"action": "CreateVms", "error": "insufficient-capacities"}, "did you mean insufficient-capacity"),
            ({"action": "CreateVms", "error": "in-use", "status": 503}, "in-use has the status 409"),
            ({"action": "CreateVms", "times": 0}, "from 1 up"),
        ],
    )
    def test_are_refused_with_what_is_known(self, cloud: Cloud, order: dict[str, object], said: str) -> None:
        """A fault of an unknown action, status or error is refused at once, with what was probably meant."""
        with pytest.raises(ValueError, match=said):
            cloud.faults.add(**order)  # type: ignore[arg-type]
        assert len(cloud.faults) == 0
