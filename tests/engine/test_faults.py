"""Faults: failures that a test injects, to see how a client handles them."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import requests
from support.catalogue import SUBREGION
from support.storing import export_disk

from omisim import Account, ApiError, Cloud
from omisim.engine.faults import Killed
from omisim.model import Vm


def create(account: Account) -> None:
    """Make a call that would succeed."""
    account.create_volume(subregion_name=SUBREGION, size=1)


class TestFaults:
    def test_refuse_the_given_number_of_calls(self, cloud: Cloud, alice: Account) -> None:
        """A fault refuses the given number of calls of its action, and is used up. [THR-002]"""
        cloud.faults.add("CreateVolume", times=2, status=503)
        for _ in range(2):
            with pytest.raises(ApiError) as refusal:
                create(alice)
            assert (refusal.value.status, refusal.value.code, refusal.value.rule) == (503, "6", "THR-002")
        create(alice)
        assert len(cloud.faults) == 0

    @pytest.mark.parametrize(("status", "code"), [(429, "25"), (500, "2000"), (503, "6")])
    def test_have_the_error_of_their_status(
        self, cloud: Cloud, alice: Account, status: Literal[429, 500, 503], code: str
    ) -> None:
        """A status stands for the error that the API answers with it. [THR-001]"""
        cloud.faults.add("ReadVms", status=status)
        with pytest.raises(ApiError) as refusal:
            alice.read_vms()
        assert (refusal.value.status, refusal.value.code) == (status, code)

    def test_can_be_any_error_by_name(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Any error of the API can be injected by its name. [VM-005]"""
        cloud.faults.add("CreateVms", error="insufficient-capacity")
        with pytest.raises(ApiError) as refusal:
            alice.create_vms(image_id=vm.image_id)
        assert (refusal.value.status, refusal.value.code, refusal.value.type) == (400, "10001", "InsufficientCapacity")

    def test_change_nothing(self, cloud: Cloud, alice: Account) -> None:
        """A call that a fault refuses has changed nothing."""
        cloud.faults.add("CreateVolume")
        before = cloud.fork()
        with pytest.raises(ApiError):
            create(alice)
        assert cloud == before

    def test_with_after_effect_lose_the_answer_only(self, cloud: Cloud, alice: Account) -> None:
        """With after_effect the call is executed and its answer lost: a client that repeats it creates two."""
        cloud.faults.add("CreateVolume", after_effect=True)
        with pytest.raises(ApiError):
            create(alice)
        assert [volume.state for volume in alice.read_volumes()] == ["available"]

    def test_are_retried_by_the_sdk(self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        """The SDK retries a throttled call and succeeds. [THR-003]"""
        waits: list[float] = []
        monkeypatch.setattr("time.sleep", waits.append)
        cloud.faults.add("ReadVolumes", status=429)
        assert alice.gateway().ReadVolumes()["Volumes"] == []
        assert (len(waits), len(cloud.faults)) == (1, 0)

    def test_are_recorded_in_the_call_log(self, cloud: Cloud, alice: Account) -> None:
        """A refused call is in `calls` with its error."""
        cloud.faults.add("CreateVolume", after_effect=True)
        with pytest.raises(ApiError):
            create(alice)
        assert [str(call.error)[:3] for call in cloud.calls("CreateVolume")] == ["503"]

    def test_are_ignored_by_why_not(self, cloud: Cloud, alice: Account) -> None:
        """`why_not` reports rules, not faults, and uses none up."""
        cloud.faults.add("ReadVms")
        assert alice.can("ReadVms")
        assert len(cloud.faults) == 1

    def test_are_not_undone_and_not_forked(self, cloud: Cloud, alice: Account) -> None:
        """A fault that was used up stays used up after a rollback; a fork has none."""
        cloud.faults.add("CreateVolume", times=2)
        with cloud.savepoint(), pytest.raises(ApiError):
            create(alice)
        assert [fault.times for fault in cloud.faults] == [1]
        assert len(cloud.fork().faults) == 0

    def test_can_be_cleared(self, cloud: Cloud, alice: Account) -> None:
        """`clear` removes every fault."""
        cloud.faults.add("CreateVolume", times=9)
        cloud.faults.clear()
        create(alice)

    def test_are_shown(self, cloud: Cloud) -> None:
        """A failing assertion about the faults of a cloud lists them."""
        assert repr(cloud.faults) == "Faults([])"
        cloud.faults.add("CreateVms", status=503)
        assert repr(cloud.faults).startswith("Faults([Fault(action='CreateVms', times=1, ")


class TestFaultOptions:
    def outcomes(self, alice: Account, calls: int, **parameters: Any) -> str:
        """Make calls, and return a text that shows which were refused."""
        outcomes_of_calls = ""
        for _ in range(calls):
            try:
                alice.call("ReadVms", **parameters)
                outcomes_of_calls += "."
            except ApiError:
                outcomes_of_calls += "x"
        return outcomes_of_calls

    def test_every_refuses_each_nth_call(self, cloud: Cloud, alice: Account) -> None:
        """`every` refuses each n-th call, without end or a given number of times. [THR-002]"""
        cloud.faults.add("ReadVms", every=3)
        assert self.outcomes(alice, 9) == "..x..x..x"
        cloud.faults.clear()
        cloud.faults.add("ReadVms", every=2, times=1)
        assert self.outcomes(alice, 6) == ".x...."

    def test_when_selects_calls_by_parameters(self, cloud: Cloud, alice: Account) -> None:
        """`when` matches parameters: objects by their keys, lists by their items. [THR-002]"""
        cloud.faults.add("ReadVms", times=9, when={"Filters": {"VmIds": ["i-00000001"]}})
        assert self.outcomes(alice, 1) == "."
        assert self.outcomes(alice, 1, Filters={"VmIds": ["i-00000002"]}) == "."
        assert self.outcomes(alice, 1, Filters={"VmIds": ["i-00000002", "i-00000001"], "Tags": ["a=b"]}) == "x"

    def test_when_selects_calls_by_a_part_of_an_object(self, cloud: Cloud, alice: Account) -> None:
        """`when` need not have the other required parameters. [THR-002]"""
        cloud.faults.add("CreateTags", when={"Tags": [{"Key": "cursed"}]})
        volume = alice.create_volume(subregion_name=SUBREGION, size=1).volume_id
        alice.create_tags(resource_ids=[volume], tags=[{"key": "blessed", "value": ""}])
        with pytest.raises(ApiError):
            alice.create_tags(resource_ids=[volume], tags=[{"key": "cursed", "value": ""}])

    @pytest.mark.usefixtures("oos")
    def test_when_selects_calls_by_a_signed_url(self, cloud: Cloud, alice: Account) -> None:
        """`when` compares the signature of a URL, too, which the call log does not show. [THR-002]"""
        url = export_disk(alice)
        cloud.faults.add("CreateSnapshot", when={"FileLocation": url})
        with pytest.raises(ApiError, match="IMP-002"):
            alice.create_snapshot(file_location=f"{url}0", snapshot_size=2**30)
        with pytest.raises(ApiError, match="THR-002"):
            alice.create_snapshot(file_location=url, snapshot_size=2**30)

    def test_probability_is_determined_by_the_seed(self) -> None:
        """`probability` gives about the right frequency, and the same one for the same seed. [THR-002]"""
        played = []
        for seed in (1, 1, 2):
            cloud = Cloud(seed=seed)
            cloud.faults.add("ReadVms", probability=0.3)
            played.append(self.outcomes(cloud.account("alice"), 100))
        assert played[0] == played[1] != played[2]
        assert 15 < played[0].count("x") < 45

    def test_delay_takes_the_time_of_the_cloud(self, cloud: Cloud, alice: Account) -> None:
        """A delay alone refuses nothing; with an error the refusal is late. [THR-002]"""
        before = cloud.now
        cloud.faults.add("ReadVms", delay=30)
        cloud.faults.add("ReadVms", delay=30, status=429)
        assert self.outcomes(alice, 3) == ".x."
        assert (cloud.now - before).total_seconds() == 60

    @pytest.mark.parametrize("after_effect", [False, True])
    def test_drop_makes_the_sdk_retry(self, cloud: Cloud, alice: Account, after_effect: bool) -> None:
        """The SDK meets a dropped connection, retries, and creates one volume or two. [THR-002]"""
        cloud.faults.add("CreateVolume", drop=True, after_effect=after_effect)
        gateway = alice.gateway()
        with cloud.intercept(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("time.sleep", lambda _: None)
            gateway.CreateVolume(SubregionName=SUBREGION, Size=1)
        assert len(alice.read_volumes()) == 1 + after_effect
        assert [call.dropped for call in cloud.calls("CreateVolume")] == [True, False]

    def test_drop_reaches_every_client(self, cloud: Cloud, alice: Account) -> None:
        """Inside `intercept` and through the server, a client gets no answer. [THR-002]"""
        cloud.faults.add("ReadRegions", drop=True, times=3)
        with cloud.intercept(), pytest.raises(requests.ConnectionError):
            requests.post("https://api.eu-west-2.outscale.com/api/v1/ReadRegions", timeout=5)
        with cloud.serve() as server, pytest.raises(requests.ConnectionError):
            requests.post(f"{server.url}/api/v1/ReadRegions", timeout=60)
        with pytest.raises(ConnectionError):
            alice.read_regions()


class TestAnyAction:
    def test_counts_calls_of_every_action(self, cloud: Cloud, alice: Account) -> None:
        """A fault of the action "*" hits calls of any action. [THR-002]"""
        cloud.faults.add("*", every=3, times=1)
        alice.read_vms()
        alice.read_volumes()
        with pytest.raises(ApiError):
            alice.read_snapshots()
        alice.read_snapshots()


class TestCutPages:
    def test_page_size_cuts_an_answer_short(self, cloud: Cloud, alice: Account) -> None:
        """The platform returns fewer results than requested, and a token for the rest. [THR-002, PAG-002]"""
        for _ in range(5):
            create(alice)
        cloud.faults.add("ReadVolumes", page_size=2)
        first = alice.call("ReadVolumes", ResultsPerPage=4)
        rest = alice.call("ReadVolumes", NextPageToken=first["NextPageToken"], ResultsPerPage=4)
        assert (len(first["Volumes"]), len(rest["Volumes"])) == (2, 3)
        assert "NextPageToken" not in rest

    def test_page_size_cuts_an_answer_of_a_request_without_a_size(self, cloud: Cloud, alice: Account) -> None:
        """Where the platform alone has cut a page, its token leads to the rest without ResultsPerPage. [PAG-007]"""
        for _ in range(5):
            create(alice)
        cloud.faults.add("ReadVolumes", page_size=2)
        first = alice.call("ReadVolumes")
        rest = alice.call("ReadVolumes", NextPageToken=first["NextPageToken"])
        assert (len(first["Volumes"]), len(rest["Volumes"])) == (2, 3)

    def test_results_are_recorded(self, cloud: Cloud, alice: Account) -> None:
        """The record of a read with pages has the number of its results."""
        create(alice)
        alice.read_volumes()
        alice.read_accounts()
        assert [call.results for call in cloud.calls()] == [None, 1, None]


class TestKill:
    @pytest.mark.parametrize("after_effect", [False, True])
    def test_ends_the_code_under_test(self, cloud: Cloud, alice: Account, after_effect: bool) -> None:
        """No later call of a killed process has an effect, not even one that cleans up."""
        cloud.faults.add("CreateVolume", kill=True, after_effect=after_effect)

        def job() -> None:
            try:
                create(alice)
            except Exception:  # noqa: BLE001 - as careless code has it
                pytest.fail("the process is dead")
            finally:
                alice.create_keypair(keypair_name="late")

        with pytest.raises(Killed, match="killed the process during"):
            job()
        cloud.faults.clear()
        assert len(alice.read_volumes()) == after_effect
        assert alice.read_keypairs() == ()

    def test_leaves_one_fault_that_is_quick_and_silent(self, cloud: Cloud, alice: Account) -> None:
        """One fault ends all calls of a dead process, without the delay and the `meanwhile` of the kill."""
        before, others = cloud.now, []
        cloud.faults.add("ReadVms", kill=True, delay=30, meanwhile=lambda: others.append(cloud.now))
        for _ in range(3):
            with pytest.raises(Killed):
                alice.read_vms()
        assert (len(cloud.faults), len(others), (cloud.now - before).total_seconds()) == (1, 1, 30)

    def test_counts_the_call_that_it_hit(self, cloud: Cloud, alice: Account) -> None:
        """The fault that stays shows that a call was hit, before any later one is."""
        cloud.faults.add("ReadVms", kill=True)
        with pytest.raises(Killed):
            alice.read_vms()
        assert [fault.hits for fault in cloud.faults] == [1]

    def test_is_in_the_call_log(self, cloud: Cloud, alice: Account) -> None:
        """The record of the call shows that it got no answer."""
        cloud.faults.add("ReadVms", kill=True)
        with pytest.raises(Killed):
            alice.read_vms()
        assert cloud.calls("ReadVms").one().dropped

    def test_reaches_clients_in_this_process(self, cloud: Cloud, alice: Account) -> None:
        """The SDK neither retries nor hides it."""
        cloud.faults.add("ReadVms", kill=True)
        with pytest.raises(Killed):
            alice.gateway().ReadVms()
        assert len(cloud.calls()) == 1

    def test_drops_every_connection_of_a_server(self, cloud: Cloud) -> None:
        """A client over HTTP runs elsewhere: it loses this connection and every later one."""
        cloud.faults.add("ReadRegions", kill=True)
        with cloud.serve() as server:
            for _ in range(2):
                with pytest.raises(requests.ConnectionError):
                    requests.post(f"{server.url}/api/v1/ReadRegions", timeout=60)


class TestMeanwhile:
    def test_runs_before_the_call(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Another client's request comes between two calls: the call meets the changed cloud."""
        cloud.faults.add("CreateImage", meanwhile=lambda: alice.delete_vms(vm_ids=[vm.vm_id]))
        with pytest.raises(ApiError) as refusal:
            alice.create_image(vm_id=vm.vm_id, image_name="golden")
        assert refusal.value.rule == "vm/CreateImage/terminated"
        assert alice.read_vms()[0].state == "terminated"  # the refusal undid nothing of it

    def test_is_not_undone_by_a_fault(self, cloud: Cloud, alice: Account) -> None:
        """Its effect remains where the same fault refuses the call."""
        cloud.faults.add("ReadVms", status=503, meanwhile=lambda: create(alice))
        with pytest.raises(ApiError):
            alice.read_vms()
        assert len(alice.read_volumes()) == 1

    def test_may_change_the_caller(self, cloud: Cloud, alice: Account) -> None:
        """The call finds the account as the function has left it, and keeps its changes."""
        cloud.faults.add("UpdateAccount", meanwhile=lambda: alice.update_account(city="Paris"))
        account = alice.update_account(zip_code="75001")
        assert (account.city, account.zip_code) == ("Paris", "75001")

    def test_may_remove_the_caller(self) -> None:
        """The call is refused, so that no resource has an owner that does not exist. [AUTH-005]"""
        cloud = Cloud()
        before = cloud.mark()
        cloud.faults.add("CreateVolume", meanwhile=lambda: cloud.rollback(before))
        with pytest.raises(ApiError) as refusal:
            create(cloud.account("alice"))
        assert refusal.value.rule == "AUTH-005"
        assert cloud == Cloud()

    def test_may_remove_the_caller_of_an_open_call(self) -> None:
        """A read of the catalogue needs no account. [AUTH-011]"""
        cloud = Cloud()
        cloud.faults.add("ReadRegions", meanwhile=cloud.reset)
        assert cloud.account("alice").read_regions()


class TestInvalidFaults:
    @pytest.mark.parametrize(
        ("order", "message"),
        [
            ({"action": "CreateVolum"}, "did you mean CreateVolume"),
            ({"action": ["CreateVms"]}, r"action must be the name of one action, or '\*' for all, not \['CreateVms'\]"),
            ({"action": "CreateVms", "status": 404}, "429, 500, 503"),
            ({"action": "CreateVms", "error": "insufficient-capacities"}, "did you mean insufficient-capacity"),
            (
                {"action": "CreateVms", "error": "in-use", "status": 503},
                "must be 409 for the error in-use, not 503",
            ),
            ({"action": "CreateVms", "times": 0}, "times must be a positive integer"),
            ({"action": "CreateVms", "times": True}, "times must be a positive integer"),
            ({"action": "CreateVms", "every": 0}, "every must be a positive integer"),
            ({"action": "CreateVms", "every": 1.5}, "every must be a positive integer"),
            ({"action": "CreateVms", "probability": 0}, "probability must be a number above 0"),
            ({"action": "CreateVms", "probability": 1.5}, "probability must be a number above 0"),
            ({"action": "CreateVms", "probability": float("nan")}, "probability must be a number above 0"),
            ({"action": "CreateVms", "probability": "often"}, "probability must be a number above 0"),
            ({"action": "CreateVms", "delay": float("inf")}, "delay must be a finite, non-negative number"),
            ({"action": "CreateVms", "delay": 3, "after_effect": True}, "after_effect needs status, error, drop"),
            ({"action": "RunInstances"}, "not 'RunInstances'; .* names of the OUTSCALE API here: CreateVms"),
            ({"action": "CreateLoadBalancer"}, "must be a served action, not 'CreateLoadBalancer': load balancers"),
            ({"action": "ReadVms", "when": {"Filters": {"VmId": ["i-1"]}}}, "Filters.VmId .* Did you mean VmIds"),
            ({"action": "ReadVms", "when": {"Filters": {"VmIds": "i-1"}}}, "VmIds must be a list, not a string"),
            ({"action": "CreateVms", "delay": -1}, "delay must be a finite, non-negative number"),
            ({"action": "CreateVms", "when": {"ImageID": "ami-1"}}, "Did you mean ImageId"),
            ({"action": "CreateVms", "drop": True, "status": 503}, "drop cannot be combined"),
            ({"action": "CreateVms", "kill": True, "status": 503}, "kill cannot be combined"),
            ({"action": "ReadVms", "page_size": 0}, "page_size must be a positive integer"),
            ({"action": "CreateVms", "page_size": 1}, "page_size needs an action with pages, and CreateVms has none"),
            ({"action": "ReadVms", "page_size": 1, "after_effect": True}, "after_effect needs"),
            ({"action": "ReadVms", "page_size": 1, "status": 503}, "page_size cannot be combined"),
            ({"action": "ReadVms", "page_size": 1, "drop": True}, "page_size cannot be combined"),
            ({"action": "ReadVms", "meanwhile": 3}, "meanwhile must be a function without arguments, not 3"),
            ({"action": "*", "when": {"VmIds": []}}, "when cannot be combined with action '\\*'"),
        ],
    )
    def test_are_refused_with_a_suggestion(self, cloud: Cloud, order: dict[str, object], message: str) -> None:
        """A fault of an unknown action, status or error is refused at once, with what was probably meant."""
        with pytest.raises(ValueError, match=message):
            cloud.faults.add(**order)  # type: ignore[arg-type]
        assert len(cloud.faults) == 0
