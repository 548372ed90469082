"""How the runs of a sweep are judged beside the clean run."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from support.catalogue import SUBREGION
from support.sweeping import (
    LOST,
    Failed,
    create_volume,
    details,
    get_only_world,
    make_clock_cloud,
    outcomes,
    retry,
    setup,
)

from omisim import ApiError, Cloud
from omisim.testing import sweep
from omisim.testing.sweeps.inventory import normalize


def with_vm() -> Cloud:
    """Return a cloud in which the account alice has a VM."""
    cloud = setup()
    cloud.account("alice").create_vms(image_id=cloud.images.official("debian").image_id)
    return cloud


def with_image() -> Cloud:
    """Return the same with an OMI of the VM."""
    cloud = with_vm()
    alice = cloud.account("alice")
    alice.create_image(vm_id=alice.read_vms()[0].vm_id, image_name="golden", no_reboot=True)
    return cloud


def never_holds(_: Cloud) -> bool:
    """Return False, whatever the cloud is."""
    return False


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

    def test_a_condition_that_raises_does_not_hold(self) -> None:
        """It may look for a resource that the run lacks: the run is a finding, and the sweep goes on."""

        def has_a_small_volume(cloud: Cloud) -> bool:
            return cloud.account("alice").read_volumes()[0].size == 1

        report = sweep(setup, create_volume, has_a_small_volume, kinds=["refused"])
        (line,) = {world.details[-1] for world in report.findings}
        assert line.startswith("holds raises IndexError: tuple index out of range (test_judge.py:")

    def test_an_error_without_a_text_is_its_name(self) -> None:
        """No colon is left at the end of the line."""

        def unhandled(cloud: Cloud) -> None:
            try:
                create_volume(cloud)
            except Failed as error:
                raise ValueError from error

        (line,) = get_only_world(sweep(setup, unhandled, kinds=["refused"], limit=1)).details
        assert line.startswith("raises ValueError (")

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

    def test_a_vm_that_existed_before_may_be_deleted(self) -> None:
        """Its links and its volumes go with it, in every run."""

        def delete(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            alice.delete_vms(vm_ids=[vm.vm_id for vm in alice.read_vms()])

        report = sweep(with_vm, delete, kinds=["refused"], expected=ApiError)
        assert {world.outcome for world in report.worlds} == {"failed cleanly"}

    @pytest.mark.parametrize("way", ["delete", "stop", "share"])
    def test_what_a_second_client_does_is_not_a_mistake_of_the_code(self, way: str) -> None:
        """A run survives if the second client could have come after it with the same result."""

        def tag(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            ids = [
                alice.read_vms()[0].vm_id,
                *(image.image_id for image in alice.read_images(filters={"image_names": ["golden"]})),
            ]
            for row_id in ids:
                with suppress(ApiError):  # it no longer exists
                    alice.create_tags(resource_ids=[row_id], tags=[{"key": "used", "value": ""}])

        report = sweep(with_image, tag, kinds=["interfered"], interfere=[way])
        assert {world.outcome for world in report.worlds} == {"survived"}

    def test_holds_is_called_once_for_a_run_with_a_second_client(self) -> None:
        """A condition of the user's may change the cloud, so that it would not hold a second time."""

        def touch(cloud: Cloud) -> None:
            cloud.account("alice").read_images(
                filters={"image_ids": [cloud.account("alice").read_images()[-1].image_id]}
            )

        clouds: list[int] = []
        report = sweep(
            with_image,
            touch,
            holds=lambda cloud: clouds.append(id(cloud.engine)),
            kinds=["interfered"],
            interfere=["share"],
        )
        assert report.worlds
        assert len(clouds) == 2 + len(report.worlds)

    def test_what_the_code_misses_because_of_a_second_client_is_a_mistake(self) -> None:
        """A run does not survive if neither the clean run nor a second client after it has the same result."""

        def save(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            with suppress(ApiError):
                alice.create_image(vm_id=alice.read_vms()[0].vm_id, image_name="new", no_reboot=True)

        report = sweep(with_vm, save, kinds=["interfered"], interfere=["delete"])
        assert "missing: OMI new of alice" in details(report.findings)

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

    def test_a_new_key_pair_has_another_key(self) -> None:
        """A key that the cloud generates differs in each run, as ids do: it is part of no result."""

        def create(cloud: Cloud) -> str:
            waiting = ["first", "second"]
            while True:
                name = waiting.pop(0)
                try:
                    keypair = cloud.account("alice").create_keypair(keypair_name=name)
                except ApiError:
                    waiting.append(name)  # created after the other one, and so with another key
                    continue
                if not waiting:
                    return f"{keypair.private_key} {keypair.keypair_fingerprint}"

        assert {world.details for world in sweep(setup, create, kinds=["refused"]).worlds} == {()}

    def test_a_vm_is_not_named_after_its_key_pair(self) -> None:
        """The name of a key pair is in a field of the VM, and is not its own."""

        def launch(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            alice.create_keypair(keypair_name="key")
            alice.create_vms(image_id=cloud.images.official("debian").image_id, keypair_name="key")

        report = sweep(setup, launch, kinds=["lost"], holds=None)
        left = [line for line in details(report.findings) if line.startswith("left behind: VM")]
        assert left == ["left behind: VM i-<id> of alice, running"]


def test_normalize_hides_what_differs_between_runs() -> None:
    """Ids, dates, addresses and keys are replaced; other values stay."""
    value = {"id": "ami-12345678", "at": "2026-01-01T00:00:00.001Z", "ip": ("10.0.0.4", 3, None, True)}
    assert normalize(value) == {"id": "ami-<id>", "at": "<date>", "ip": ["<ip>", 3, None, True]}
    assert normalize({"b", "a"}) == ["a", "b"]
    answer = {"ResponseMetadata": {"RetryAttempts": 1}, "Expiration": "Thu, 01 Jan 2026 00:10:00 GMT"}
    assert normalize(answer) == {"Expiration": "<date>"}
    assert normalize(object()) is None
