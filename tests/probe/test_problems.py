"""Endpoints that throttle, drop calls, refuse permissions, and runs that are interrupted: nothing is left behind."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any, Literal

import pytest
from support.probing import Probed, serve_probed

from omisim import Cloud
from omisim.probe.connection import Answer, Connection, Keys, Response, Unreachable
from omisim.probe.endpoint import Endpoint
from omisim.probe.experiments import Experiment
from omisim.probe.judge import AGREES, CANNOT_TELL
from omisim.probe.ledger import read_resource
from omisim.probe.loading import load_experiments, read_story
from omisim.probe.matching import find_differences
from omisim.probe.report import Report
from omisim.probe.runner import Limits, Stopped
from omisim.probe.session import Interrupted, Session
from omisim.testing.remnants import iter_remnants

# an experiment that creates resources with parts: a VM has a volume, an OMI has snapshots
VM_AND_IMAGE = read_story(
    "a VM and an OMI",
    {
        "calls": [
            {"do": "CreateVms", "give": {"ImageId": "{ubuntu}"}, "save": {"vm": "Vms.0.VmId"}, "rule": "VM-001"},
            {"do": "CreateImage", "give": {"VmId": "{vm}", "ImageName": "{prefix}image", "NoReboot": True}},
        ]
    },
    "a test",
)


@pytest.fixture(name="probed")
def _probed() -> Iterator[Probed]:
    """A served cloud in which nothing takes time."""
    with serve_probed(Cloud()) as probed:
        yield probed


def find_experiment(rule: str) -> Experiment:
    """Return the first experiment that decides a rule."""
    return next(one for one in load_experiments() if rule in one.rules and one.source.startswith("refusals"))


def count_volumes(probed: Probed) -> int:
    """Return the number of alice's volumes that are not about to disappear."""
    return len(probed.cloud.account("alice").call("ReadVolumes")["Volumes"])


def start_session(probed: Probed, **more: Any) -> Session:
    """Return a session with a new report."""
    report = Report(probed.url, "eu-west-2", "0", "2026-01-01", "omisim-probe-1")
    return Session(probed.endpoints, report, probed.advance, more.pop("limits", Limits()), {}, **more)


def run_session(session: Session, *experiments: Experiment) -> Report:
    """Run experiments, and return the report."""
    rules = frozenset(rule for one in experiments for rule in one.rules)
    session.run(experiments, rules, lambda *_: None, lambda **_: None)
    return session.report


class TestThrottling:
    @pytest.mark.parametrize("status", [429, 503])
    def test_is_waited_out_with_growing_pauses(self, probed: Probed, status: Literal[429, 503]) -> None:
        """A throttled call is repeated."""
        pauses: list[float] = []
        account = probed.cloud.account("alice")
        keys = Keys(account.access_key, account.secret_key)
        endpoint = Endpoint(probed.url, keys, "", now=lambda: probed.cloud.now, sleep=pauses.append)
        probed.cloud.faults.add("ReadVolumes", times=3, status=status)
        assert endpoint.call("ReadVolumes", {}).accepted
        assert pauses == [1, 2, 4]
        endpoint.connection.close()

    @pytest.mark.parametrize(
        ("door", "action", "parameters"),
        [("", "ReadVolumes", {}), ("fcu", "DescribeVolumes", {}), ("oos", "GET", {"Path": "/"})],
    )
    def test_by_a_proxy_is_waited_out_too(
        self, probed: Probed, monkeypatch: pytest.MonkeyPatch, door: str, action: str, parameters: dict[str, Any]
    ) -> None:
        """A proxy in front of the endpoint throttles with a page of HTML."""
        send, answers = Connection.send, [Response(503, {}, b"<html><p>busy</html>")] * 2
        monkeypatch.setattr(Connection, "send", lambda *args, **more: answers.pop() if answers else send(*args, **more))
        assert probed.endpoints["alice"].call(action, parameters, {}, door).accepted

    def test_that_does_not_end_decides_nothing(self, probed: Probed) -> None:
        """After six tries the experiment could not tell."""
        probed.cloud.faults.add("DeleteVolume", times=6, status=503)
        (finding,) = probed.probe(find_experiment("VOL-020"))
        assert finding.verdict == CANNOT_TELL
        assert finding.measured.startswith("the endpoint throttles")


class TestCalls:
    def test_without_an_answer_decide_nothing(self, probed: Probed) -> None:
        """A dropped connection is one experiment that could not tell; what exists is deleted."""
        probed.cloud.faults.add("CreateSnapshot", times=2, drop=True)
        (finding,) = probed.probe(find_experiment("SNP-004"))
        assert finding.verdict == CANNOT_TELL
        assert count_volumes(probed) == 0

    def test_without_permission_decide_nothing(self, probed: Probed) -> None:
        """A refusal because of permissions is not a difference."""
        probed.cloud.faults.add("CreateVolume", times=1, error="not-authorized")
        (finding,) = probed.probe(find_experiment("VOL-004"))
        assert (finding.verdict, finding.measured[:13]) == (CANNOT_TELL, "no permission")

    def test_that_reach_a_quota_decide_nothing(self, probed: Probed) -> None:
        """A quota that is reached while the world is created is reported with its code."""
        probed.cloud.faults.add("CreateVolume", times=1, error="too-many-volumes")
        (finding,) = probed.probe(find_experiment("VOL-041"))
        assert finding.verdict == CANNOT_TELL
        assert "a quota of the account is reached" in finding.measured

    def test_that_all_fail_end_the_run(self, probed: Probed) -> None:
        """After three calls in a row without an answer the run stops."""
        probed.cloud.faults.add("DeleteVolume", times=20, drop=True)
        experiments = [replace(find_experiment("VOL-020"), name=str(number)) for number in range(9)]
        with pytest.raises(Stopped, match="3 calls in a row had no answer"):
            run_session(start_session(probed), *experiments)

    def test_that_cannot_be_marked_end_the_run(self, probed: Probed) -> None:
        """Without the permission to tag, what was created is deleted at once."""
        probed.cloud.faults.add("CreateTags", times=9, error="not-authorized")
        with pytest.raises(Stopped, match="what it creates cannot be marked"):
            run_session(start_session(probed), find_experiment("VOL-041"))
        assert count_volumes(probed) == 0


class TestInterruptedRuns:
    def test_clean_up_after_any_call(self, probed: Probed) -> None:
        """A run that stops between two calls deletes what it has created, even if it is not marked yet."""
        for number in count():
            asked = iter(range(1000))
            session = start_session(probed, stop=lambda asked=asked, number=number: next(asked) >= number)
            with suppress(Interrupted):
                run_session(session, VM_AND_IMAGE)
            assert session.report.left == {}, number
            assert list(iter_remnants(probed.cloud, "alice", None)) == [], number
            if session.report.done:
                break
        assert number > 9

    @pytest.mark.parametrize("action", ["CreateTags", "DeleteVms", "DeleteImage", "DeleteSnapshot"])
    def test_clean_up_after_lost_connections(self, probed: Probed, action: str) -> None:
        """What was created is marked and deleted later, if the connection was lost meanwhile."""
        session = start_session(probed)
        probed.cloud.faults.add(action, drop=True, times=2)
        report = run_session(session, VM_AND_IMAGE)
        assert (report.left, report.notes) == ({}, [])
        assert list(iter_remnants(probed.cloud, "alice", None)) == []

    def test_say_which_creation_had_no_answer(self, probed: Probed) -> None:
        """Without the answer, the probe cannot know what it has created."""
        probed.cloud.faults.add("CreateVms", drop=True, after_effect=True)
        report = run_session(start_session(probed), VM_AND_IMAGE)
        note = "no answer to CreateVms of the first account: what these calls may have created has no mark"
        assert report.notes == [note]

    def test_delete_their_bucket_after_a_lost_connection(self, probed: Probed) -> None:
        """A deletion in object storage is repeated."""
        call = {"door": "oos", "do": "PUT", "give": {"Path": "/{bucket}/{prefix}note", "Body": "x"}, "rule": "OOS-007"}
        for action in ("DeleteObject", "DeleteBucket"):
            probed.cloud.faults.add(action, drop=True, times=1)
        report = run_session(start_session(probed), read_story("an object", {"calls": [call]}, "a test"))
        assert (report.left, len(probed.cloud.engine.state.rows("bucket"))) == ({}, 0)


class TestLeftovers:
    def test_of_an_earlier_run_are_deleted_and_reported(self, probed: Probed) -> None:
        """What has the mark of the probe is deleted at the start of the next run, and nothing else is."""
        alice = probed.cloud.account("alice")
        kept, left = (alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id for _ in range(2))
        alice.create_tags(resource_ids=[left], tags=[{"key": "omisim-probe", "value": "omisim-probe-9"}])
        session = start_session(probed)
        session.delete_leftovers()
        assert session.report.notes == ["deleted 1 left-over of run omisim-probe-9"]
        assert [row.volume_id for row in alice.read_volumes()] == [kept]

    def test_have_the_mark_of_a_run(self, probed: Probed, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where an endpoint ignores filters, a tag with another key does not mark a resource as a left-over."""
        alice = probed.cloud.account("alice")
        keypair = alice.create_keypair(keypair_name="prod-key")
        alice.create_tags(resource_ids=[keypair.keypair_id], tags=[{"key": "stage", "value": "prod"}])
        call = Endpoint.call

        def ignore_filters(endpoint: Endpoint, action: str, parameters: dict[str, Any], options: Any = None) -> Any:
            return call(endpoint, action, {name: parameters[name] for name in parameters if name != "Filters"}, options)

        monkeypatch.setattr(Endpoint, "call", ignore_filters)
        start_session(probed).delete_leftovers()
        assert len(alice.read_keypairs()) == 1

    def test_without_the_mark_are_not_deleted(self, probed: Probed) -> None:
        """An id that was recorded, but names a resource of someone else by now, is left with the reason."""
        volume = probed.cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
        ledger = start_session(probed).runner.ledger
        ledger.owners[volume.volume_id] = "alice"
        assert ledger.clean() == {volume.volume_id: "it does not have the mark omisim-probe=omisim-probe-1"}
        assert count_volumes(probed) == 1

    def test_are_read_by_their_ids(self, probed: Probed) -> None:
        """Of the answer to a read, the resource with the id counts, not the first one."""
        rows = [{"VolumeId": "vol-11111111", "State": "in-use"}, {"VolumeId": "vol-22222222", "State": "available"}]
        answers = Answer(200, {"Volumes": [None, *rows]})
        assert read_resource(lambda *_: answers, "alice", "vol-22222222")[0] == rows[1]
        assert read_resource(lambda *_: answers, "alice", "vol-33333333")[0] is None

    def test_that_cannot_be_deleted_are_named(self, probed: Probed) -> None:
        """What remains is in the report, with the reason."""
        probed.cloud.faults.add("DeleteVolume", times=500, error="internal-error")
        report = run_session(start_session(probed), find_experiment("VOL-041"))
        assert [reason[:3] for reason in report.left.values()] == ["500"]
        assert report.notes[-1].startswith("still there, with the tag omisim-probe=omisim-probe-1: vol-")

    @pytest.mark.parametrize(("times", "remaining"), [(1, []), (500, ["ReadVolumes does not show whether it exists"])])
    def test_that_cannot_be_read_are_not_taken_for_gone(self, probed: Probed, times: int, remaining: list[str]) -> None:
        """A clean-up whose reads are refused, for example because a key has expired, tries again and says so."""
        session = start_session(probed)
        probed.cloud.faults.add("ReadVolumes", times=times, error="not-authorized")
        create = {"do": "CreateVolume", "give": {"SubregionName": "{subregion_a}", "Size": 1}, "rule": "VOL-001"}
        report = run_session(session, read_story("a volume", {"calls": [create]}, "a test"))
        assert [reason.partition(":")[0] for reason in report.left.values()] == remaining
        assert bool(remaining) is any(row.kind == "volume" for row in iter_remnants(probed.cloud, None, None))


class TestBounds:
    def test_hold_whatever_the_endpoint_accepts(self, probed: Probed) -> None:
        """A call that asks for more than the bound is not made, even if it should be refused."""
        calls = [
            {"do": "CreateVms", "give": {"ImageId": "{ubuntu}", "MaxVmsCount": 300}, "code": "1", "rule": "VM-001"}
        ]
        (finding,) = probed.probe(read_story("too many", {"calls": calls}, "a test"))
        assert finding.measured == "the bound of 200 resources is reached"

    def test_are_not_needed_for_what_an_agreeing_endpoint_refuses(self, probed: Probed) -> None:
        """Refusals count nothing."""
        (finding,) = probed.probe(find_experiment("VOL-004"))
        assert finding.verdict == AGREES


@pytest.mark.parametrize(
    ("pattern", "answer", "difference"),
    [
        ({"A": 1}, {"A": 1, "B": 2}, None),
        ({"A": 1}, {}, "A is absent, expected 1"),
        ({"A": "~x+"}, {"A": "xx"}, None),
        ({"A": "~x+"}, {"A": "xy"}, "A is 'xy', expected to match x+"),
        ({"A": [1]}, {"A": [1, 2]}, "A has 2 items, expected 1"),
        ({"A": {"Any": 2}}, {"A": [1, 2]}, None),
        ({"A": {"All": 2}}, {"A": [1, 2]}, "A has an item unlike 2"),
        ({"A": {"None": 2}}, {"A": [1, 2]}, "A has an item like 2"),
        ({"A": {"Len": 1}}, {"A": [1, 2]}, "A has 2 items, expected 1"),
        ({"A": True}, {"A": 1}, "A is 1, expected True"),
    ],
)
def test_patterns_match_answers(pattern: Any, answer: Any, difference: str | None) -> None:
    """A pattern names what an answer must have."""
    assert next(find_differences(pattern, answer), None) == difference


@pytest.mark.parametrize("url", ["", "ftp://x", "http://"])
def test_endpoints_must_be_urls(url: str) -> None:
    """Any other text is refused."""
    with pytest.raises(ValueError, match="ENDPOINT must be a URL such as"):
        Endpoint(url, Keys("", ""), "", now=lambda: dt.datetime.now(dt.UTC), sleep=lambda _: None)


def test_an_endpoint_that_does_not_answer_in_time_is_unreachable() -> None:
    """The time-out is one line."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        endpoint = Endpoint(url, Keys("x", "y"), "", now=lambda: now, sleep=lambda _: None, timeout=0.05)
        with pytest.raises(Unreachable, match=r"ReadVolumes: no answer within 0\.05 seconds"):
            endpoint.call("ReadVolumes", {})
