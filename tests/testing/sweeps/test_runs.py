"""The runs of a sweep: what each begins with, how it ends, and what it may not leave behind."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from support.catalogue import SUBREGION
from support.sweeping import LOST, create_volume, details, outcomes, retry, setup, stored

from omisim import ApiError, Cloud
from omisim.testing import sweep


class TestRuns:
    def test_leave_the_base_as_it_is(self) -> None:
        """Each run has a fork; the cloud of `setup` does not change."""
        base = setup()
        before = base.fork()
        states = []

        def code(cloud: Cloud) -> None:
            states.append(cloud)
            create_volume(cloud)

        sweep(lambda: base, code)
        assert base == before
        assert all(cloud is not base for cloud in states)
        assert len(base.calls()) == 0

    def test_keep_the_faults_of_the_base(self) -> None:
        """A fault that `setup` adds happens in every run."""
        base = setup()
        base.faults.add("CreateVolume")
        assert sweep(lambda: base, retry, kinds=["delayed"]).counts == {"survived": 2}

    def test_code_that_makes_its_own_clients_reaches_the_fork(self) -> None:
        """Requests of this process reach the cloud of the run, also inside another environment."""
        from osc_sdk_python import Gateway  # noqa: PLC0415 - as the code under test may

        base = setup()

        def code(_: Cloud) -> None:
            Gateway().CreateKeypair(KeypairName="key")

        with base.account("alice").environment():
            report = sweep(lambda: base, code, kinds=["refused"], expected=())
        assert report.counts == {"survived": 2}
        assert base.account("alice").read_keypairs() == ()

    def test_calls_of_the_test_itself_do_not_fail(self) -> None:
        """Where code uses clients, calls by methods of Account are those of the test."""

        def code(cloud: Cloud) -> None:
            cloud.account("alice").gateway().ReadVms()
            assert cloud.account("alice").read_vms() == ()

        report = sweep(setup, code, kinds=["delayed"])
        assert [world.title for world in report.worlds] == ["call 1, ReadVms takes 600 seconds"]

    def test_object_storage_is_part_of_the_run(self) -> None:
        """Requests to the run's own buckets deviate, in one order with the calls of the API."""

        def code(cloud: Cloud) -> list[str]:
            alice = cloud.account("alice")
            oos = alice.client("oos")
            oos.put_object(Bucket="images", Key="new", Body=b"hello")
            alice.read_vms()
            return [item["Key"] for item in oos.list_objects_v2(Bucket="images")["Contents"]]

        report = sweep(stored, code, expected=ApiError, kinds=["refused", "lost", "killed", "cut"])
        listed = "call 3, ListObjectsV2 returns 2 of its 3 results at first"
        assert outcomes(report) == {
            "call 1, PutObject is throttled (503 SlowDown)": "survived",  # boto3 repeats it
            "call 1, PutObject is refused (500)": "survived",
            "call 1, PutObject: the answer is lost (dropped connection)": "survived",
            "call 1, PutObject: the answer is lost (503)": "survived",
            "call 1, the process is killed after PutObject, and the code runs again": "survived",
            "call 2, ReadVms is throttled (429)": "failed cleanly",
            "call 2, ReadVms is refused (503)": "failed cleanly",
            "call 2, ReadVms: the answer is lost (dropped connection)": "wrong result",
            "call 2, the process is killed after ReadVms, and the code runs again": "survived",
            "call 3, ListObjectsV2 is throttled (503 SlowDown)": "survived",
            "call 3, ListObjectsV2 is refused (500)": "survived",
            "call 3, ListObjectsV2: the answer is lost (dropped connection)": "survived",
            listed: "wrong result",
        }

    def test_repeated_polls_of_object_storage_count_once(self) -> None:
        """Ten looks at an unchanged bucket are one request to deviate from; another key is another request."""

        def poll(cloud: Cloud) -> None:
            oos = cloud.account("alice").client("oos")
            for key in ("a", "b", *["a"] * 9):
                oos.head_object(Bucket="images", Key=key)

        report = sweep(stored, poll, kinds=["delayed"])
        assert (report.calls, [world.deviations[0].call for world in report.worlds]) == (11, [1, 2])

    def test_what_object_storage_keeps_is_judged(self) -> None:
        """An upload that a lost answer leaves, an object with another content: both are findings."""

        def upload(cloud: Cloud) -> None:
            oos = cloud.account("alice").client("oos")
            target: dict[str, Any] = {"Bucket": "images", "Key": "new"}
            target["UploadId"] = oos.create_multipart_upload(**target)["UploadId"]
            parts = [{"PartNumber": 1, "ETag": oos.upload_part(**target, PartNumber=1, Body=b"x")["ETag"]}]
            oos.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})

        finding = next(iter(sweep(stored, upload, kinds=LOST).findings))
        assert finding.title == "call 1, CreateMultipartUpload: the answer is lost (dropped connection)"
        assert finding.details[0].startswith("left behind: multipart upload ")

        def count(cloud: Cloud) -> None:
            oos = cloud.account("alice").client("oos")
            body = oos.get_object(Bucket="images", Key="counter")["Body"].read() if has_counter(oos) else b""
            oos.put_object(Bucket="images", Key="counter", Body=body + b"x")

        def has_counter(oos: Any) -> bool:
            return "counter" in str(oos.list_objects_v2(Bucket="images"))

        (finding,) = sweep(stored, count, kinds=["killed"]).findings
        assert "body is '2 bytes with digest 5dde896', not '1 bytes with digest 2d71164'" in str(finding)

    def test_objects_are_compared_without_ids_and_dates(self) -> None:
        """An object that holds the id of a resource of its run has the same content in each run."""

        def write(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            volume = alice.gateway().CreateVolume(SubregionName=SUBREGION, Size=1)["Volume"]["VolumeId"]
            alice.client("oos").put_object(Bucket="images", Key="volume", Body=volume.encode())

        lost = sweep(stored, write, kinds=LOST)
        assert details(lost.findings) == {"left behind: volume vol-<id> of alice, available"}

    def test_a_process_is_dead_even_if_a_thread_takes_the_exception(self) -> None:
        """Code whose library swallows the end of its process runs again all the same."""

        def careless(cloud: Cloud) -> None:
            with suppress(BaseException):
                create_volume(cloud)

        report = sweep(setup, careless, kinds=["killed"])
        assert details(report.findings) == {"left behind: volume vol-<id> of alice, available"}

    def test_coroutines_are_awaited(self) -> None:
        """Code under test may be a coroutine function."""

        async def code(cloud: Cloud) -> None:
            create_volume(cloud)

        assert len(sweep(setup, code, kinds=LOST).findings) == 2

    def test_an_error_of_the_clean_run_is_raised(self) -> None:
        """Without a deviation, the code has to succeed."""
        with pytest.raises(ZeroDivisionError):
            sweep(setup, lambda _: 1 / 0)

    def test_code_without_a_call_is_refused(self) -> None:
        """A sweep that tries nothing would have no findings, whatever the code does: here it uses another cloud."""
        cloud = setup()
        with pytest.raises(AssertionError, match="tries nothing: the code makes no call of the cloud that it gets"):
            sweep(cloud.fork, lambda _: create_volume(cloud))

    def test_state_between_runs_is_told(self) -> None:
        """Code with a cache in a module is not swept: its second clean run differs from the first."""
        cache: list[int] = []

        def code(cloud: Cloud) -> None:
            if not cache:
                cloud.account("alice").read_vms()
            cache.append(1)

        with pytest.raises(AssertionError) as raised:
            sweep(setup, code)
        assert "The code keeps state between two runs, or sends times or random values" in str(raised.value)
        assert str(raised.value).endswith("\n  only the first run calls ReadVms {}")
        assert str(raised.value).startswith("sweep over 1 call: 0 runs")


class LimitedCode:
    """Code whose third run, the first with a deviation, is hit by the time limit that pytest-timeout sets."""

    def __init__(self, *, wraps: bool = False) -> None:
        self.clouds: list[Cloud] = []
        self.wraps = wraps
        namespace: dict[str, Any] = {"__name__": "pytest_timeout", "fail": pytest.fail}
        exec("def end(): fail('Timeout')", namespace)
        self.end_test = namespace["end"]

    def __call__(self, cloud: Cloud) -> None:
        """Make a call, except in the third run."""
        self.clouds.append(cloud)
        try:
            if len(self.clouds) == 3:
                self.end_test()
        except BaseException as error:
            if self.wraps:
                raise RuntimeError from error
            raise
        cloud.account("alice").read_vms()


class TestTimeLimitOfTheTest:
    def test_ends_the_sweep(self) -> None:
        """It is not a finding about the deviation that happens to be tried, and no other run follows."""
        code = LimitedCode()
        with pytest.raises(pytest.fail.Exception, match="Timeout"):
            sweep(setup, code)
        assert len(code.clouds) == 3

    def test_ends_the_sweep_if_the_code_wraps_it(self) -> None:
        """Code may report any exception by an error of its own."""
        with pytest.raises(RuntimeError):
            sweep(setup, LimitedCode(wraps=True))

    def test_names_the_deviation(self) -> None:
        """Code that waits only there may be the reason."""
        with pytest.raises(pytest.fail.Exception) as caught:
            sweep(setup, LimitedCode(), kinds=["delayed"])
        assert caught.value.__notes__ == ["omisim: the sweep tried this deviation: call 1, ReadVms takes 600 seconds"]

    def test_leaves_no_fault(self) -> None:
        """A call that a fixture makes afterwards succeeds."""
        code = LimitedCode()
        with pytest.raises(pytest.fail.Exception):
            sweep(setup, code)
        assert not list(code.clouds[2].faults)
