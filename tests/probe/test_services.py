"""FCU and object storage in the probe: where they are, how they are addressed, and what is deleted there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from support.probing import Probed, serve_probed
from support.storing import create_bucket

from omisim import Cloud
from omisim.probe.connection import Absent, Keys
from omisim.probe.doors import Caller
from omisim.probe.endpoint import Endpoint
from omisim.probe.judge import AGREES, CANNOT_TELL
from omisim.probe.loading import load_experiments, read_call, read_story
from omisim.probe.report import Report
from omisim.probe.runner import CannotTell, Limits, Runner
from omisim.probe.session import Session

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(name="probed", scope="module")
def _probed() -> Iterator[Probed]:
    """A served cloud in which nothing takes time."""
    with serve_probed(Cloud()) as probed:
        yield probed


def make_caller(url: str, **urls: str) -> Caller:
    """Return a caller that is not connected to anything."""
    return Caller(Endpoint(url, Keys("x", "y"), "", now=lambda: NOW, sleep=lambda _: None), urls)


def connect(probed: Probed, **urls: str) -> Caller:
    """Return alice with other URLs of her services."""
    return Caller(probed.endpoints["alice"].api, urls)


def start_runner(probed: Probed, bucket: str = "") -> Runner:
    """Return a run of alice alone."""
    given = {"prefix": "omisim-probe-00000001-", "alice": probed.cloud.account("alice").account_id}
    given |= {"region": "eu-west-2", "subregion_a": "eu-west-2a"} | ({"bucket": bucket} if bucket else {})

    def send(by: str, action: str, parameters: Any, options: Any, door: str) -> Any:
        return probed.endpoints[by].call(action, parameters, options, door)

    return Runner(send, frozenset({"alice"}), given, probed.advance, Limits())


def list_buckets(probed: Probed) -> list[str]:
    """Return the names of alice's buckets."""
    rows = probed.cloud.engine.state.rows("bucket").values()
    return sorted(row.bucket_id.partition("/")[2] for row in rows)


def store(path: str) -> dict[str, Any]:
    """Return the call that stores an object, as an experiment writes it."""
    return {"door": "oos", "do": "PUT", "give": {"Path": path, "Body": "x"}, "rule": "OOS-007"}


class TestServices:
    def test_that_are_left_out_or_missing_decide_nothing(self, probed: Probed) -> None:
        """The findings say why."""
        for urls, reason in (
            ({"fcu": "no"}, "FCU is left out"),
            ({"fcu": f"{probed.url}/nowhere"}, "the endpoint has no FCU: DescribeRegions: the answer (404) is not XML"),
            ({"fcu": "http://127.0.0.1:1"}, "the endpoint has no FCU: DescribeRegions: [Errno 111] Connection refused"),
        ):
            with pytest.raises(Absent) as caught:
                connect(probed, **urls).call("DescribeVolumes", {}, door="fcu")
            assert str(caught.value).startswith(reason)

    def test_are_not_used_before_they_are_needed(self, probed: Probed) -> None:
        """A run of the OUTSCALE API alone makes no request to another service."""
        caller = connect(probed, fcu="http://127.0.0.1:1")
        before = caller.calls
        assert caller.call("ReadVolumes", {}).accepted
        assert caller.calls == before + 1

    @pytest.mark.parametrize("url", ["ftp://x", "http://"])
    def test_have_urls(self, url: str) -> None:
        """Any other text is refused, with the name of the option."""
        with pytest.raises(ValueError, match="--oos must be a URL such as"):
            make_caller("http://127.0.0.1:1", oos=url)

    @pytest.mark.parametrize(
        ("url", "door", "host"),
        [
            ("https://api.eu-west-2.outscale.com", "fcu", "fcu.eu-west-2.outscale.com"),
            ("https://api.us-east-2.outscale.com/api/v1", "oos", "oos.us-east-2.outscale.com"),
        ],
    )
    def test_of_the_cloud_have_hosts_of_their_own(
        self, url: str, door: str, host: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each service of a Region has its host."""
        hosts: list[str] = []

        def refuse(address: tuple[str, int], *_: Any, **__: Any) -> None:
            hosts.append(address[0])
            raise ConnectionRefusedError

        monkeypatch.setattr("socket.create_connection", refuse)
        with pytest.raises(Absent):
            make_caller(url).call("DescribeVolumes", {}, door=door)
        assert hosts == [host]


class TestStoredObjects:
    def test_are_deleted_with_their_bucket(self, probed: Probed) -> None:
        """The probe creates a bucket when an experiment needs one, and leaves none."""
        runner = start_runner(probed)
        (finding,) = runner.run(read_story("one object", {"calls": [store("/{bucket}/{prefix}a")]}, "a test"))
        assert (finding.verdict, list_buckets(probed)) == (AGREES, ["omisim-probe-00000001-bucket"])
        assert (runner.clean(), list_buckets(probed)) == ({}, [])

    def test_are_the_only_ones_that_are_deleted_in_a_bucket_of_the_user(self, probed: Probed) -> None:
        """With --bucket, objects of another name stay."""
        client = create_bucket(probed.cloud.account("alice"), "mine")
        client.put_object(Bucket="mine", Key="kept", Body=b"")
        runner = start_runner(probed, "mine")
        (finding,) = runner.run(read_story("one object", {"calls": [store("/{bucket}/{prefix}a")]}, "a test"))
        assert finding.verdict == AGREES
        assert len(client.list_objects_v2(Bucket="mine")["Contents"]) == 2
        assert runner.clean() == {}
        assert [row["Key"] for row in client.list_objects_v2(Bucket="mine")["Contents"]] == ["kept"]
        client.delete_object(Bucket="mine", Key="kept")
        client.delete_bucket(Bucket="mine")

    @pytest.mark.parametrize("path", ["/mine", "/mine/kept", "/mine/x/omisim-probe-00000001-a"])
    @pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
    def test_of_another_name_are_not_touched(self, probed: Probed, method: str, path: str) -> None:
        """A request that writes must name something of the run."""
        with pytest.raises(CannotTell, match="the name does not begin with the run"):
            start_runner(probed).perform(read_call({"door": "oos", "do": method, "give": {"Path": path}}, "a test"), {})

    def test_of_an_earlier_run_are_deleted(self, probed: Probed) -> None:
        """A bucket with the name of a run is a left-over; one with a similar name is not."""
        alice = probed.cloud.account("alice")
        client = create_bucket(alice, "omisim-probe-0000000a-bucket")
        client.put_object(Bucket="omisim-probe-0000000a-bucket", Key="x", Body=b"")
        create_bucket(alice, "omisim-probe-mine")
        report = Report(probed.url, "eu-west-2", "0", "2026-01-01", "omisim-probe-1")
        Session(probed.endpoints, report, probed.advance, Limits(), {}).delete_leftovers(buckets=True)
        assert report.notes == ["the bucket omisim-probe-0000000a-bucket of an earlier run was deleted"]
        assert list_buckets(probed) == ["omisim-probe-mine"]
        client.delete_bucket(Bucket="omisim-probe-mine")

    def test_are_never_fetched_from_another_host(self, probed: Probed) -> None:
        """A pre-signed URL of another host decides nothing."""
        give = {"Url": "https://example.com/a?X=1"}
        call = {"door": "oos", "do": "GET", "give": give, "rule": "OOS-003"}
        (finding,) = start_runner(probed).run(read_story("elsewhere", {"calls": [call]}, "a test"))
        assert (finding.verdict, finding.measured) == (
            CANNOT_TELL,
            "example.com is not the host of this object storage",
        )


class TestExperimentsOfServices:
    @pytest.mark.parametrize("action", ["RunInstances", "CreateImage", "CopySnapshot", "ImportVolume"])
    def test_create_nothing_that_cannot_be_deleted_again(self, action: str) -> None:
        """An action whose answer does not name all that it creates is refused when the file is read."""
        with pytest.raises(ValueError, match=f"{action} of FCU could not be cleaned up"):
            read_call({"door": "fcu", "do": action}, "a test")

    def test_have_a_known_door(self) -> None:
        """Another service is refused."""
        with pytest.raises(ValueError, match="a test: door must be 'fcu', 'oos' or absent, not 'lbu'"):
            read_call({"door": "lbu", "do": "DescribeLoadBalancers"}, "a test")

    def test_cover_both_services(self) -> None:
        """The package has experiments of FCU and of object storage."""
        doors = {call.door for one in load_experiments() for call in one.calls}
        assert doors == {"", "fcu", "oos"}
