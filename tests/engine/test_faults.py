"""Faults: refusals that a test orders, to see how a client bears them."""

from __future__ import annotations

from typing import Any

import pytest
import requests
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


class TestWhichAndHow:
    def outcomes(self, alice: Account, calls: int, **parameters: Any) -> str:
        """Make calls; spell which were refused."""
        seen = ""
        for _ in range(calls):
            try:
                alice.call("ReadVms", **parameters)
                seen += "."
            except ApiError:
                seen += "x"
        return seen

    def test_can_be_every_so_many_th(self, cloud: Cloud, alice: Account) -> None:
        """`every` refuses each n-th call without end, or as often as told. [THR-002]"""
        cloud.faults.add("ReadVms", every=3)
        assert self.outcomes(alice, 9) == "..x..x..x"
        cloud.faults.clear()
        cloud.faults.add("ReadVms", every=2, times=1)
        assert self.outcomes(alice, 6) == ".x...."

    def test_can_be_those_with_these_parameters(self, cloud: Cloud, alice: Account) -> None:
        """`when` names what a request has, objects by their keys, lists by their items. [THR-002]"""
        cloud.faults.add("ReadVms", times=9, when={"Filters": {"VmIds": ["i-00000001"]}})
        assert self.outcomes(alice, 1) == "."
        assert self.outcomes(alice, 1, Filters={"VmIds": ["i-00000002"]}) == "."
        assert self.outcomes(alice, 1, Filters={"VmIds": ["i-00000002", "i-00000001"], "Tags": ["a=b"]}) == "x"

    def test_can_be_those_with_a_part_of_an_object(self, cloud: Cloud, alice: Account) -> None:
        """`when` need not name what a request needs beside it. [THR-002]"""
        cloud.faults.add("CreateTags", when={"Tags": [{"Key": "cursed"}]})
        volume = alice.create_volume(subregion_name=SUBREGION, size=1).volume_id
        alice.create_tags(resource_ids=[volume], tags=[{"key": "blessed", "value": ""}])
        with pytest.raises(ApiError):
            alice.create_tags(resource_ids=[volume], tags=[{"key": "cursed", "value": ""}])

    def test_can_be_by_chance_from_the_seed(self) -> None:
        """`probability` is about as often, and the same for the same seed. [THR-002]"""
        played = []
        for seed in (1, 1, 2):
            cloud = Cloud(seed=seed)
            cloud.faults.add("ReadVms", probability=0.3)
            played.append(self.outcomes(cloud.account("alice"), 100))
        assert played[0] == played[1] != played[2]
        assert 15 < played[0].count("x") < 45

    def test_can_take_time(self, cloud: Cloud, alice: Account) -> None:
        """A delay alone refuses nothing; with an error the refusal is late. [THR-002]"""
        before = cloud.now
        cloud.faults.add("ReadVms", delay=30)
        cloud.faults.add("ReadVms", delay=30, status=429)
        assert self.outcomes(alice, 3) == ".x."
        assert (cloud.now - before).total_seconds() == 60

    @pytest.mark.parametrize("after_effect", [False, True])
    def test_can_drop_the_connection(self, cloud: Cloud, alice: Account, after_effect: bool) -> None:
        """The SDK meets a dropped connection, tries again, and makes one volume or two. [THR-002]"""
        cloud.faults.add("CreateVolume", drop=True, after_effect=after_effect)
        gateway = alice.gateway()
        with cloud.intercept(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("time.sleep", lambda _: None)
            gateway.CreateVolume(SubregionName=SUBREGION, Size=1)
        assert len(alice.read_volumes()) == 1 + after_effect
        assert [call.dropped for call in cloud.calls("CreateVolume")] == [True, False]

    def test_drop_the_line_of_any_client(self, cloud: Cloud, alice: Account) -> None:
        """Inside `intercept` and over the server, a client gets no answer. [THR-002]"""
        cloud.faults.add("ReadRegions", drop=True, times=3)
        with cloud.intercept(), pytest.raises(requests.ConnectionError):
            requests.post("https://api.eu-west-2.outscale.com/api/v1/ReadRegions", timeout=5)
        with cloud.serve() as server, pytest.raises(requests.ConnectionError):
            requests.post(f"{server.url}/api/v1/ReadRegions", timeout=5)
        with pytest.raises(ConnectionError):
            alice.read_regions()


class TestOrdersThatCannotBe:
    @pytest.mark.parametrize(
        ("order", "said"),
        [
            ({"action": "CreateVolum"}, "did you mean CreateVolume"),
            ({"action": "CreateVms", "status": 404}, "429, 500, 503"),
            ({"action": "CreateVms", "error": "insufficient-capacities"}, "did you mean insufficient-capacity"),
            ({"action": "CreateVms", "error": "in-use", "status": 503}, "in-use has the status 409"),
            ({"action": "CreateVms", "times": 0}, "from 1 up"),
            ({"action": "CreateVms", "times": True}, "from 1 up"),
            ({"action": "CreateVms", "every": 0}, "from 1 up"),
            ({"action": "CreateVms", "every": 1.5}, "from 1 up"),
            ({"action": "CreateVms", "probability": 0}, "never happen"),
            ({"action": "CreateVms", "probability": 1.5}, "never happen"),
            ({"action": "CreateVms", "probability": float("nan")}, "never happen"),
            ({"action": "CreateVms", "probability": "often"}, "never happen"),
            ({"action": "CreateVms", "delay": float("inf")}, "never happen"),
            ({"action": "CreateVms", "delay": 3, "after_effect": True}, "refuses nothing"),
            ({"action": "CreateLoadBalancer"}, "is no action that is served: load balancers"),
            ({"action": "ReadVms", "when": {"Filters": {"VmId": ["i-1"]}}}, "Filters.VmId .* Did you mean VmIds"),
            ({"action": "ReadVms", "when": {"Filters": {"VmIds": "i-1"}}}, "VmIds must be a list, not a string"),
            ({"action": "CreateVms", "delay": -1}, "never happen"),
            ({"action": "CreateVms", "when": {"ImageID": "ami-1"}}, "Did you mean ImageId"),
            ({"action": "CreateVms", "drop": True, "status": 503}, "no status"),
        ],
    )
    def test_are_refused_with_what_is_known(self, cloud: Cloud, order: dict[str, object], said: str) -> None:
        """A fault of an unknown action, status or error is refused at once, with what was probably meant."""
        with pytest.raises(ValueError, match=said):
            cloud.faults.add(**order)  # type: ignore[arg-type]
        assert len(cloud.faults) == 0
