"""`omisim.testing.sweep`: code runs once per way in which the cloud could have answered, and is judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from support.catalogue import SUBREGION

from omisim import ApiError, Cloud
from omisim.testing import sweep
from omisim.testing.sweeps import KINDS, OUTCOMES, Kind, Options, SweepReport, World, sweep_worlds
from omisim.testing.sweeps.inventory import normalize

LOST: list[Kind] = ["lost"]


class Failed(Exception):
    """An error of the code's own."""


def setup() -> Cloud:
    """Return a cloud with an account."""
    cloud = Cloud()
    cloud.account("alice")
    return cloud


def stored() -> Cloud:
    """Return a cloud with an account that has a bucket with two objects."""
    cloud = setup()
    oos = cloud.account("alice").client("oos")
    oos.create_bucket(Bucket="images")
    for key in ("a", "b"):
        oos.put_object(Bucket="images", Key=key, Body=b"")
    return cloud


def make_clock_cloud() -> Cloud:
    """Return a cloud with an account whose transitions take time."""
    cloud = Cloud(timing="clock")
    cloud.account("alice")
    return cloud


def create_volume(cloud: Cloud) -> None:
    """Create a volume, and report each failure by an error of its own."""
    try:
        cloud.account("alice").call("CreateVolume", SubregionName=SUBREGION, Size=1)
    except (ApiError, ConnectionError) as error:
        raise Failed from error


def retry(cloud: Cloud) -> None:
    """Create a volume, and repeat a call that fails."""
    try:
        create_volume(cloud)
    except Failed:
        create_volume(cloud)


def get_only_world(report: SweepReport) -> World:
    """Return the only finding of a report."""
    (finding,) = report.findings
    return finding


def outcomes(report: SweepReport) -> dict[str, str]:
    """Return the outcome of each world by its deviation."""
    return {without_ids(world.title): world.outcome for world in report.worlds}


def without_ids(text: str) -> str:
    """Return a text with the kinds of its ids."""
    return str(normalize(text))


def details(worlds: Iterable[World]) -> set[str]:
    """Return the details of some worlds."""
    return {without_ids(line) for world in worlds for line in world.details}


class TestDeviations:
    def test_each_call_is_refused_lost_killed_and_delayed(self) -> None:
        """A call that changes the cloud can fail before and after its effect."""
        assert outcomes(sweep(setup, create_volume)) == {
            "call 1, CreateVolume is throttled (429)": "failed cleanly",
            "call 1, CreateVolume is refused (503)": "failed cleanly",
            "call 1, CreateVolume: the answer is lost (dropped connection)": "left something behind",
            "call 1, CreateVolume: the answer is lost (503)": "left something behind",
            "call 1, CreateVolume takes 600 seconds": "survived",
            "call 1, the process is killed after CreateVolume, and the code runs again": "left something behind",
            "volume vol-<id> fails while creating": "wrong result",
        }

    def test_capacity_is_refused_where_the_api_refuses_it(self) -> None:
        """Only a launch can find no capacity."""

        def launch(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            alice.read_vms()
            alice.create_vms(image_id=cloud.images.official("debian").image_id)

        report = sweep(setup, launch, kinds=["refused"], expected=ApiError)
        assert [world.title for world in report.worlds if "capacity" in world.title] == [
            "call 2, CreateVms finds no capacity"
        ]
        assert report.counts == {"failed cleanly": 5}

    def test_a_page_is_cut_short_where_there_are_several_results(self) -> None:
        """Code that ignores NextPageToken sees half of the results."""

        def read(cloud: Cloud) -> list[str]:
            return [volume["VolumeId"] for volume in cloud.account("alice").call("ReadVolumes")["Volumes"]]

        def three() -> Cloud:
            cloud = setup()
            for _ in range(3):
                create_volume(cloud)
            return cloud

        report = sweep(three, read, kinds=["cut"])
        assert get_only_world(report).title == "call 1, ReadVolumes returns 2 of its 3 results at first"
        assert get_only_world(report).details == (
            "returns ['vol-<id>', 'vol-<id>'], not ['vol-<id>', 'vol-<id>', 'vol-<id>']",
        )
        assert sweep(setup, read, kinds=["cut"]).worlds == []

    def test_each_transition_that_can_fail_does(self) -> None:
        """A resource that goes through a transient state twice fails twice, each time in one of the worlds."""

        def launch(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
            alice.stop_vms(vm_ids=[vm.vm_id])
            alice.start_vms(vm_ids=[vm.vm_id])

        report = sweep(setup, launch, kinds=["failed"], holds=lambda _: True, expected=ApiError)
        vms = [world for world in report.worlds if world.title.startswith("vm ")]
        assert [world.outcome for world in vms] == ["failed cleanly", "survived"]
        assert vms[1].script.startswith("cloud.faults.add('StopVms', meanwhile=lambda: cloud.fail_next('vm', id='i-")

    def test_repeated_polls_of_one_state_count_once(self) -> None:
        """Ten reads of an unchanged cloud are one call to deviate from."""

        def poll(cloud: Cloud) -> None:
            for _ in range(10):
                cloud.account("alice").read_vms()

        report = sweep(setup, poll, kinds=["refused", "killed"], expected=ApiError)
        assert (report.calls, len(report.worlds)) == (10, 3)

    def test_each_switch_that_the_run_touched_is_decided_otherwise(self) -> None:
        """Code that fails only under a switch rests on an open question, which is not a finding."""

        def start(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
            with pytest.raises(ApiError):
                alice.start_vms(vm_ids=[vm.vm_id])

        report = sweep(setup, start, kinds=["switch"])
        assert report.findings == []
        (question,) = [world for world in report.open_questions if world.switch == "start_running"]
        assert (question.switch, question.outcome) == ("start_running", "left something behind")
        text = str(report)
        assert "rests on an open question: with switch start_running is 'no-op': left something behind" in text
        assert "evidence: measured in 2026: refused; tested in 2021: no effect" in text

    @pytest.mark.parametrize("way", ["delete", "stop", "share"])
    def test_a_second_client_interferes_on_request(self, way: str) -> None:
        """Another client deletes, stops or shares what the code uses, just before it uses it."""

        def use(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
            image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
            alice.create_tags(resource_ids=[vm.vm_id, image.image_id], tags=[{"key": "used", "value": ""}])

        report = sweep(setup, use, kinds=["interfered"], interfere=[way])
        titles = [world.title for world in report.worlds]
        action = {"delete": "DeleteVms", "stop": "StopVms", "share": "UpdateImage"}[way]
        assert any(f"another client calls {action} of" in title for title in titles)
        assert report.findings
        assert sweep(setup, use, kinds=["interfered"]).worlds == []

    def test_lines_are_what_was_run(self) -> None:
        """The script of a finding reproduces it alone."""
        script = get_only_world(sweep(setup, create_volume, kinds=LOST, limit=1)).script
        cloud = setup()
        exec(script, {"cloud": cloud})
        with pytest.raises(Failed):
            create_volume(cloud)
        assert len(cloud.account("alice").read_volumes()) == 1


class TestJudgement:
    def test_names_what_is_left(self) -> None:
        """Each resource beyond what the clean run leaves is listed with its id and state."""
        report = sweep(setup, retry, kinds=LOST, limit=1)
        assert get_only_world(report).outcome == "left something behind"
        assert details(report.findings) == {"left behind: volume vol-<id> of alice, available"}

    def test_an_error_of_a_library_is_unexpected(self) -> None:
        """An ApiError that the code lets through is a finding, unless it is expected."""

        def read(cloud: Cloud) -> None:
            cloud.account("alice").read_vms()

        report = sweep(setup, read, kinds=["refused"])
        assert {world.outcome for world in report.findings} == {"wrong result"}
        assert "raises omisim.spec.errors.ApiError: 429 25" in report.findings[0].details[0]
        assert sweep(setup, read, kinds=["refused"], expected=ApiError).findings == []

    def test_what_a_failing_run_had_finished_may_remain(self) -> None:
        """A run that fails may leave what it no longer uses, and nothing that it was working on."""

        def two(cloud: Cloud) -> None:
            create_volume(cloud)
            try:
                cloud.account("alice").call("CreateKeypair", KeypairName="late")
            except (ApiError, ConnectionError) as error:
                raise Failed from error

        found_outcomes = outcomes(sweep(setup, two, kinds=["refused", "lost"]))
        assert found_outcomes["call 2, CreateKeypair is throttled (429)"] == "failed cleanly"
        assert found_outcomes["call 2, CreateKeypair: the answer is lost (503)"] == "left something behind"

    def test_holds_replaces_the_conditions(self) -> None:
        """A condition of the test's own: an assertion, or a function that returns False."""

        def at_most_one(cloud: Cloud) -> bool:
            return len(cloud.account("alice").read_volumes()) <= 1

        report = sweep(setup, retry, at_most_one, kinds=LOST)
        assert {world.details for world in report.findings} == {("holds: at_most_one returns False",)}

        def asserting(cloud: Cloud) -> None:
            assert len(cloud.account("alice").read_volumes()) <= 1, "two volumes"

        assert get_only_world(sweep(setup, retry, asserting, limit=1, kinds=LOST)).details == ("holds: two volumes",)
        with pytest.raises(AssertionError, match="after a clean run, holds: never_holds returns False"):
            sweep(setup, retry, holds=never_holds)

    def test_a_result_that_differs_is_wrong(self) -> None:
        """A run that succeeds leaves what the clean run leaves, with the same fields."""

        def careless(cloud: Cloud) -> None:
            create_volume(cloud)
            (volume,) = cloud.account("alice").read_volumes()
            tags = [{"key": "owner", "value": "us"}]
            with suppress(ApiError):
                cloud.account("alice").create_tags(resource_ids=[volume.volume_id], tags=tags)

        report = sweep(setup, careless, kinds=["refused"], expected=(Failed, ApiError))
        assert details(world for world in report.findings if world.title.startswith("call 3")) == {
            "volume vol-<id> of alice, available: tags is [], not [{'key': 'owner', 'value': 'us'}]"
        }

    def test_what_existed_before_is_neither_left_nor_to_be_deleted(self) -> None:
        """A run must not delete what the clean run keeps, and must delete what it deletes."""

        def one() -> Cloud:
            cloud = setup()
            create_volume(cloud)
            return cloud

        def forgiving(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            with suppress(ApiError):
                alice.delete_volume(volume_id=alice.read_volumes()[0].volume_id)

        report = sweep(one, forgiving, kinds=["refused"], expected=ApiError)
        assert details(report.findings) == {"not deleted: volume vol-<id>"}

    def test_one_of_two_transient_states_that_are_alike_stalls(self) -> None:
        """The API refuses the same while a snapshot is in-queue and while it is pending: pending alone is tried."""

        def snapshot(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            volume = alice.create_volume(subregion_name=SUBREGION, size=1)
            cloud.settle()
            alice.create_snapshot(volume_id=volume.volume_id)
            cloud.settle()

        assert list(outcomes(sweep(make_clock_cloud, snapshot, kinds=["stalled"]))) == [
            "each volume that is creating remains so",
            "each snapshot that is pending remains so",
        ]

    def test_a_loop_without_end_is_ended(self) -> None:
        """Code that polls for ever is a finding, whether it sleeps or not."""

        def wait(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            volume = alice.create_volume(subregion_name=SUBREGION, size=1)
            while alice.read_volumes()[0].state != "available":
                time.sleep(5)
            alice.delete_volume(volume_id=volume.volume_id)

        found_outcomes = outcomes(sweep(make_clock_cloud, wait, kinds=["failed", "stalled"]))
        assert found_outcomes["volume vol-<id> fails while creating"] == "never ended"
        assert found_outcomes["each volume that is creating remains so"] == "never ended"

    def test_killed_code_runs_again_until_it_succeeds(self) -> None:
        """Code that can continue after a kill survives it; code that cannot is found."""

        def ensure(cloud: Cloud) -> None:
            if not cloud.account("alice").read_volumes():
                create_volume(cloud)

        assert sweep(setup, ensure, kinds=["killed"]).findings == []

        def run_once(cloud: Cloud) -> None:
            if cloud.account("alice").read_volumes():
                raise Failed("there is a volume already")
            create_volume(cloud)

        finding = sweep(setup, run_once, kinds=["killed"]).findings[-1]
        assert finding.details[0] == "it fails each time it runs again"
        assert finding.script.splitlines() == [
            "cloud.faults.add('CreateVolume', kill=True, after_effect=True)",
            "with suppress(BaseException):", "    code(cloud)", "cloud.faults.clear()", "code(cloud)",
        ]  # fmt: skip


def never_holds(_: Cloud) -> bool:
    """Return False, whatever the cloud is."""
    return False


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
        from osc_sdk_python import Gateway  # noqa: PLC0415

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

    def test_state_between_runs_is_told(self) -> None:
        """Code with a cache in a module is not swept: its second clean run differs from the first."""
        cache: list[int] = []

        def code(cloud: Cloud) -> None:
            if not cache:
                cloud.account("alice").read_vms()
            cache.append(1)

        report = sweep(setup, code)
        assert report.unstable == ["only the first run calls ReadVms {}"]
        assert report.worlds == ()
        assert "The code keeps state between two runs" in str(report)


class TestSamples:
    def many(self, cloud: Cloud) -> None:
        """Make calls of several actions."""
        for kind in ("vms", "volumes", "snapshots", "nets", "nics"):
            getattr(cloud.account("alice"), f"read_{kind}")()

    def test_limit_samples_evenly_by_seed(self) -> None:
        """At most `limit` worlds, spread over the calls; another seed gives others."""
        reports = [sweep(setup, self.many, limit=5, seed=seed, expected=ApiError) for seed in (0, 0, 1)]
        titles = [[world.title for world in report.worlds] for report in reports]
        assert titles[0] == titles[1] != titles[2]
        assert len(titles[0]) == 5
        assert reports[0].left_out > 10
        assert f"{reports[0].left_out} left out by limit" in str(reports[0])

    def test_each_world_of_a_sample_is_one_of_as_many_equal_parts(self) -> None:
        """Ten calls refused in two ways, sampled five times: one world of each two calls."""

        def read(cloud: Cloud) -> None:
            for number in range(10):
                cloud.account("alice").read_volumes(filters={"volume_ids": [f"vol-0000000{number}"]})

        for seed in range(3):
            report = sweep(setup, read, kinds=["refused"], limit=5, seed=seed, expected=ApiError)
            assert [((world.deviations[0].call or 0) + 1) // 2 for world in report.worlds] == [1, 2, 3, 4, 5]

    def test_parts_of_a_sweep_have_its_worlds(self) -> None:
        """Two parts run the worlds of the whole, as many as the limit allows, and count the others once."""

        @contextmanager
        def open_world() -> Iterator[Cloud]:
            yield setup()

        options = Options(limit=7, depth=2, kinds=["refused", "lost"])
        whole, *parts = [sweep_worlds(open_world, retry, options, shard) for shard in ((0, 1), (0, 2), (1, 2))]
        assert len(whole.worlds) == sum(len(part.worlds) for part in parts) == 7
        assert whole.left_out == sum(part.left_out for part in parts)

    def test_depth_2_combines_deviations_where_the_first_had_an_effect(self) -> None:
        """The retry that the first deviation causes fails too; a call that it does not concern is not tried again."""

        def code(cloud: Cloud) -> None:
            retry(cloud)
            cloud.account("alice").read_vms()

        report = sweep(setup, code, depth=2, kinds=["refused"], expected=(Failed, ApiError))
        pairs = [world for world in report.worlds if len(world.deviations) > 1]
        assert [world.title for world in pairs] == [
            f"call 1, CreateVolume is {first}, then call 2, CreateVolume is {second}"
            for first in ("throttled (429)", "refused (503)")
            for second in ("throttled (429)", "refused (503)")
        ]
        assert {world.outcome for world in pairs} == {"failed cleanly"}
        assert pairs[0].script.splitlines() == [
            "cloud.faults.add('CreateVolume', every=2, times=1, status=429)",
            "cloud.faults.add('CreateVolume', status=429)",
        ]

    def test_depth_2_starts_from_a_killed_process(self) -> None:
        """The next run of killed code meets the second deviation, in what the kill has caused."""

        def ensure(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            for leftover in alice.read_volumes():
                alice.delete_volume(volume_id=leftover.volume_id)
            create_volume(cloud)

        report = sweep(setup, ensure, depth=2, kinds=["killed", "refused"], expected=(Failed, ApiError))
        pairs = {without_ids(world.title): world for world in report.worlds if len(world.deviations) > 1}
        killed = "call 2, the process is killed after CreateVolume, and the code runs again"
        pair = pairs[f"{killed}, then in the next run, call 2, DeleteVolume is throttled (429)"]
        assert pair.outcome == "survived"
        assert pair.script.splitlines() == [
            "cloud.faults.add('CreateVolume', kill=True, after_effect=True)",
            "with suppress(BaseException):",
            "    code(cloud)",
            "cloud.faults.clear()",
            "cloud.faults.add('DeleteVolume', status=429)",
            "code(cloud)",
        ]
        assert f"{killed}, then in the next run, call 3, CreateVolume is throttled (429)" not in pairs

    def test_depth_2_finds_code_that_a_second_kill_stops_for_good(self) -> None:
        """Code that cleans up after one kill, in an order that a second kill makes impossible, is found."""

        def careless(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            keypairs, volumes = alice.read_keypairs(), alice.read_volumes()
            if volumes and not keypairs:
                raise Failed("a volume without its keypair")
            for keypair in keypairs:
                alice.delete_keypair(keypair_name=keypair.keypair_name)
            for volume in volumes:
                alice.delete_volume(volume_id=volume.volume_id)
            alice.create_keypair(keypair_name="ours")
            create_volume(cloud)

        assert sweep(setup, careless, kinds=["killed"], holds=lambda _: True).findings == []
        report = sweep(setup, careless, kinds=["killed"], holds=lambda _: True, depth=2)
        kill = "the process is killed after {}, and the code runs again"
        assert {without_ids(world.title) for world in report.findings} == {
            f"call 4, {kill.format('CreateVolume')}, then in the next run, call 3, {kill.format('DeleteKeypair')}"
        }

    def test_depth_2_starts_from_a_switch(self) -> None:
        """Calls that the code makes only under another switch deviate too; they remain an open question."""

        def start(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
            with suppress(ApiError):
                alice.start_vms(vm_ids=[vm.vm_id])
                alice.create_volume(subregion_name=SUBREGION, size=1)

        report = sweep(setup, start, depth=2, kinds=["switch", "lost"])
        titles = [world.title for world in report.open_questions if len(world.deviations) > 1]
        lost = "call 3, CreateVolume: the answer is lost (503)"
        assert f"switch start_running is 'no-op', then {lost}" in titles

    def test_depth_2_counts_its_pairs_in_the_limit(self) -> None:
        """A half of the worlds are single deviations, the others pairs."""
        report = sweep(setup, retry, depth=2, kinds=["refused", "lost"], limit=6)
        assert [len(world.deviations) for world in report.worlds] == [1, 1, 1, 2, 2, 2]


class TestReport:
    def test_is_json(self) -> None:
        """`to_dict` has what the text has."""
        data = sweep(setup, create_volume, kinds=LOST).to_dict()
        assert data["outcomes"] == {"left something behind": 2}
        assert data["findings"] == data["worlds"]
        assert data["findings"][0]["deviations"][0] == {
            "kind": "lost",
            "call": 1,
            "says": "CreateVolume: the answer is lost (dropped connection)",
            "line": "cloud.faults.add('CreateVolume', drop=True, after_effect=True)",
        }

    def test_shows_findings_that_differ_in_the_call_alone_once(self) -> None:
        """Two lost answers with one consequence are one paragraph."""
        text = str(sweep(setup, create_volume, kinds=LOST))
        assert text.count("reproduce:") == 1
        assert "the same in 1 more run: call 1" in text

    @pytest.mark.parametrize(
        ("code", "reason"),
        [(lambda _: None, "the code makes no call"), (create_volume, "no deviation of the selected kinds applies")],
        ids=["no call", "no such deviation"],
    )
    def test_says_why_nothing_was_tried(self, code: Callable[[Cloud], None], reason: str) -> None:
        """A sweep without a run is not taken for a success."""
        assert str(sweep(setup, code, kinds=["cut"])).endswith(f" 0 runs\n  none: {reason}")

    def test_names_are_complete(self) -> None:
        """Every kind and outcome of the documentation exists."""
        assert len(KINDS) == 9
        assert OUTCOMES[0] == "survived"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit must be a positive integer or None, not 0"),
        ({"depth": 3}, "depth must be 1 or 2, not 3"),
        ({"holds": 3}, "holds must be a function of a cloud, not 3"),
        ({"expected": 3}, "expected must be an exception class or a tuple of them, not 3"),
        ({"expected": (ValueError, "x")}, "expected must be an exception class or a tuple of them"),
        ({"kinds": ["lots"]}, r"kinds must be among .*, not 'lots'; did you mean lost\?"),
        ({"kinds": "lost"}, "kinds must be a list of names, for example"),
        ({"interfere": ["delet"]}, "interfere must be among delete, stop, share, not 'delet'"),
        ({"interfere": 3}, "interfere must be a list of names"),
        ({"kinds": 3}, "kinds must be a list of names"),
        ({"delay": 0}, "delay must be a positive number of seconds, not 0"),
        ({"seed": "x"}, "seed must be an int, not 'x'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    """A wrong option is a ValueError that says what was expected."""
    with pytest.raises(ValueError, match=message):
        Options(**options)


@pytest.mark.parametrize("make", [lambda: None, dict])
def test_setup_must_return_a_cloud(make: Callable[[], Any]) -> None:
    """Anything else is refused before the code runs."""
    with pytest.raises(ValueError, match="setup must return a Cloud, not"):
        sweep(make, create_volume)


def test_normalize_hides_what_differs_between_runs() -> None:
    """Ids, dates, addresses and keys are replaced; other values stay."""
    value = {"id": "ami-12345678", "at": "2026-01-01T00:00:00.001Z", "ip": ("10.0.0.4", 3, None, True)}
    assert normalize(value) == {"id": "ami-<id>", "at": "<date>", "ip": ["<ip>", 3, None, True]}
    assert normalize({"b", "a"}) == ["a", "b"]
    answer = {"ResponseMetadata": {"RetryAttempts": 1}, "Expiration": "Thu, 01 Jan 2026 00:10:00 GMT"}
    assert normalize(answer) == {"Expiration": "<date>"}
    assert normalize(object()) is None
