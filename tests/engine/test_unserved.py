"""Official actions that omisim does not serve: reads that answer empty lists, and the user's own answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.official import load_description, resolve_reference
from support.plugged import run_plugin

from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import empty_lists, not_served
from omisim.spec.rules import refuse
from omisim.testing.coverage import recording

pytest_plugins = ["pytester"]
# reads whose empty list would not be true: each account has a default set of DHCP options
NOT_EMPTY = {"ReadDhcpOptions"}


def describe(action: str) -> tuple[list[str], dict[str, str]]:
    """Return the required parameters of an action and the types of its answer's keys, from the official description."""
    operation = load_description()["paths"][f"/{action}"]["post"]
    content = operation.get("requestBody", {}).get("content", {})
    request = resolve_reference(content["application/json"]["schema"]) if content else {}
    answer = resolve_reference(operation["responses"]["200"]["content"]["application/json"]["schema"])
    keys = {key: resolve_reference(part).get("type", "object") for key, part in answer["properties"].items()}
    return request.get("required", []), keys


class TestUnservedReads:
    def test_are_those_of_the_official_description(self) -> None:
        """Every read of one list without required parameters answers the empty list, and no other."""
        expected = {}
        for action in not_served():
            required, keys = describe(action)
            lists = [key for key, kind in keys.items() if kind == "array"]
            if action.startswith("Read") and not required and len(lists) == 1 and action not in NOT_EMPTY:
                expected[action] = lists[0]
        assert empty_lists() == expected

    @pytest.mark.parametrize("action", sorted(empty_lists()))
    def test_answer_the_empty_list(self, alice: Account, action: str) -> None:
        """A clean-up tool that lists everything finds nothing, which is true."""
        answer = alice.call(action)
        assert answer == {empty_lists()[action]: [], "ResponseContext": answer["ResponseContext"]}
        assert alice.can(action)

    def test_answer_over_http_and_through_the_sdk(self, cloud: Cloud, alice: Account) -> None:
        """Every door gives the same answer."""
        gateway = alice.gateway()
        assert gateway.ReadLoadBalancers(Filters={"LoadBalancerNames": ["web"]})["LoadBalancers"] == []
        assert gateway.raw("ReadNatServices", ResultsPerPage=10)["NatServices"] == []
        assert [call.error for call in cloud.calls()] == [None, None]

    @pytest.mark.parametrize(
        ("parameters", "rule"),
        [({"Nonsense": 1}, "REQ-008"), ({"Filters": [1]}, "REQ-009"), ({"DryRun": "x"}, "REQ-009")],
    )
    def test_refuse_wrong_parameters(self, alice: Account, parameters: dict[str, Any], rule: str) -> None:
        """Unknown parameters and wrong types are refused, as of every read. [REQ-008, REQ-009]"""
        with pytest.raises(ApiError) as raised:
            alice.call("ReadLoadBalancers", **parameters)
        assert raised.value.rule == rule
        assert [refusal.rule for refusal in alice.why_not("ReadLoadBalancers", **parameters)] == [rule]

    def test_answer_nothing_in_a_dry_run(self, alice: Account) -> None:
        """A dry run answers the context alone."""
        assert set(alice.call("ReadLoadBalancers", DryRun=True)) == {"ResponseContext"}

    def test_are_refused_on_request(self) -> None:
        """`Cloud(unserved="refuse")` refuses them as not served; a fork and a dump keep it. [REQ-002]"""
        cloud = Cloud(unserved="refuse")
        cloud.account("alice")
        for each in (cloud, cloud.fork(), Cloud.load(json.loads(json.dumps(cloud.dump())))):
            with pytest.raises(ApiError) as refusal:
                each.account("alice").call("ReadLoadBalancers")
            assert refusal.value.rule == "REQ-002/not-served"

    @pytest.mark.parametrize("action", ["CreateLoadBalancer", "ReadVmsHealth", "ReadDhcpOptions", "ReadPolicy"])
    def test_do_not_include_other_actions(self, alice: Account, action: str) -> None:
        """Creating stays refused, and so do reads whose empty list would not be true. [REQ-002]"""
        with pytest.raises(ApiError) as refusal:
            alice.call(action)
        assert refusal.value.rule == "REQ-002/not-served"

    def test_count_as_no_coverage(self, alice: Account) -> None:
        """Actions that omisim does not serve do not belong to the model."""
        with recording() as coverage:
            alice.call("ReadLoadBalancers")
        assert not coverage.actions

    def test_mode_is_checked(self) -> None:
        """A wrong mode is refused with the known ones."""
        with pytest.raises(ValueError, match="unserved must be one of empty, refuse, not 'refused'; did you"):
            Cloud(unserved="refused")  # type: ignore[arg-type]


class TestOwnAnswers:
    def test_may_be_a_dict(self, cloud: Cloud, alice: Account) -> None:
        """Each call gets the dict, with a ResponseContext of its own, through every door."""
        cloud.answer("CreateLoadBalancer", {"LoadBalancer": {"LoadBalancerName": "web"}})
        listeners = [{"BackendPort": 80, "LoadBalancerPort": 80, "LoadBalancerProtocol": "HTTP"}]
        by_sdk = alice.gateway().CreateLoadBalancer(LoadBalancerName="web", Listeners=listeners)
        for answer in (alice.call("CreateLoadBalancer"), by_sdk):
            assert answer["LoadBalancer"] == {"LoadBalancerName": "web"}
            assert answer["ResponseContext"]["RequestId"]

    def test_end_with_a_reset_unless_the_cloud_began_with_them(self) -> None:
        """A reset returns to the answers of the constructor."""
        cloud = Cloud(answers={"CreateLoadBalancer": {"LoadBalancer": {"LoadBalancerName": "first"}}})
        cloud.answer("CreateLoadBalancer", {"LoadBalancer": {"LoadBalancerName": "second"}})
        cloud.answer("DeleteLoadBalancer", {})
        cloud.reset()
        alice = cloud.account("alice")
        assert alice.call("CreateLoadBalancer")["LoadBalancer"] == {"LoadBalancerName": "first"}
        assert not alice.can("DeleteLoadBalancer")

    def test_may_be_a_function_of_the_recorded_call(self, cloud: Cloud, alice: Account) -> None:
        """The function sees who calls with what, and may refuse."""

        def create(call: Any) -> dict[str, Any]:
            if not call.parameters.get("LoadBalancerName"):
                raise refuse("REQ-010", parameter="LoadBalancerName")
            group = {"SecurityGroupAccountId": call.account}
            name = call.parameters["LoadBalancerName"]
            return {"LoadBalancer": {"LoadBalancerName": name, "SourceSecurityGroup": group}}

        cloud.answer("CreateLoadBalancer", create)
        answer = alice.call("CreateLoadBalancer", LoadBalancerName="web")
        assert answer["LoadBalancer"] == {
            "LoadBalancerName": "web",
            "SourceSecurityGroup": {"SecurityGroupAccountId": "alice"},
        }
        with pytest.raises(ApiError, match=r"REQ-010.*LoadBalancerName"):
            alice.call("CreateLoadBalancer")
        assert [(call.by_user, call.status) for call in cloud.calls("CreateLoadBalancer")] == [(True, 200), (True, 400)]

    def test_are_logged_as_such_and_count_as_no_coverage(self, cloud: Cloud, alice: Account) -> None:
        """The call log says who answered."""
        cloud.answer("CreateLoadBalancer", {})
        with recording() as coverage:
            alice.call("CreateLoadBalancer", LoadBalancerName="web")
        call = cloud.calls("CreateLoadBalancer").one()
        assert str(call) == "CreateLoadBalancer by alice LoadBalancerName='web' → answered by Cloud.answer"
        assert not coverage.actions

    def test_take_precedence_over_an_empty_list(self, cloud: Cloud, alice: Account) -> None:
        """A read of an unserved family may be answered too; a fork keeps the answer, and its own are its own."""
        cloud.answer("ReadLoadBalancers", {"LoadBalancers": [{"LoadBalancerName": "web"}]})
        fork = cloud.fork()
        fork.answer("CreateLoadBalancer", {})
        assert fork.account("alice").call("ReadLoadBalancers")["LoadBalancers"] == [{"LoadBalancerName": "web"}]
        assert not alice.can("CreateLoadBalancer")
        assert fork.account("alice").can("CreateLoadBalancer")

    def test_are_not_asked_by_dry_runs_and_why_not(self, cloud: Cloud, alice: Account) -> None:
        """A function with side effects runs only for real calls."""
        requests: list[Any] = []

        def create(call: Any) -> dict[str, Any]:
            requests.append(call)
            return {}

        cloud.answer("CreateLoadBalancer", create)
        assert set(alice.call("CreateLoadBalancer", DryRun=True)) == {"ResponseContext"}
        assert alice.why_not("CreateLoadBalancer") == []
        assert requests == []

    @pytest.mark.parametrize(
        ("action", "answer", "message"),
        [
            ("CreateImage", {}, "omisim serves CreateImage: answer.. is for other actions; .*faults.add"),
            ("CreateLoadBalancr", {}, "unknown action 'CreateLoadBalancr'; did you mean CreateLoadBalancer"),
            ("CreateLoadBalancer", [], r"must be a dict of JSON values or a function that returns one, not \[\]"),
            ("CreateLoadBalancer", {"at": object()}, "the answer to CreateLoadBalancer must be a dict of JSON values"),
            (
                "CreateLoadBalancer",
                {"load": float("nan")},
                "the answer to CreateLoadBalancer must be a dict of JSON values",
            ),
        ],
    )
    def test_that_are_wrong_are_refused(self, cloud: Cloud, action: str, answer: Any, message: str) -> None:
        """A served action is refused, and so is everything that could not be an answer."""
        with pytest.raises(ValueError, match=message):
            cloud.answer(action, answer)
        with pytest.raises(ValueError, match=message):
            Cloud(answers={action: answer})

    def test_of_another_type_fail_the_call(self, cloud: Cloud, alice: Account) -> None:
        """A function that returns no dict is a mistake of the test."""
        cloud.answer("CreateLoadBalancer", lambda _: None)  # type: ignore[arg-type, return-value]
        with pytest.raises(TypeError, match="the answer to CreateLoadBalancer must be a dict of JSON values"):
            alice.call("CreateLoadBalancer")

    def test_may_stand_in_a_scenario(self, tmp_path: Path) -> None:
        """The table [answers] holds answers; a mistake in it is shown with its line."""
        path = tmp_path / "balancer.toml"
        answers = "[answers.ReadLoadBalancers]\nLoadBalancers = []\n"
        path.write_text(f'[cloud]\nunserved = "refuse"\n[accounts.alice]\n{answers}')
        alice = Cloud.from_scenario(path).account("alice")
        assert alice.call("ReadLoadBalancers")["LoadBalancers"] == []
        assert not alice.can("ReadNatServices")
        path.write_text("[answers.CreateImage]\n")
        with pytest.raises(ValueError, match=r"balancer.toml:1: .*omisim serves CreateImage"):
            Cloud.from_scenario(path)

    def test_may_stand_in_a_marker(self, pytester: pytest.Pytester) -> None:
        """The marker and the ini option configure the cloud of a test, also after a reset."""
        source = """
            import pytest

            @pytest.mark.omisim(answers={"CreateLoadBalancer": {"LoadBalancer": {}}})
            def test_marker(omi_account):
                assert omi_account.call("CreateLoadBalancer")["LoadBalancer"] == {}
                assert omi_account.why_not("ReadLoadBalancers")

            @pytest.mark.omisim(answers={"CreateLoadBalancer": {"LoadBalancer": {}}})
            def test_reset(omi_cloud):
                omi_cloud.reset()
                assert omi_cloud.account("alice").can("CreateLoadBalancer")

            @pytest.mark.omisim(unserved="empty")
            def test_mode(omi_account):
                assert not omi_account.why_not("ReadLoadBalancers")
        """
        run_plugin(pytester, source, "-o", "omisim_unserved=refuse").assert_outcomes(passed=3)
