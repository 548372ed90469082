"""Which worlds a sweep tries: samples, pairs and limits, and its options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from support.catalogue import SUBREGION
from support.sweeping import LOST, Failed, create_volume, retry, setup, without_ids

from omisim import ApiError, Cloud
from omisim.testing import sweep
from omisim.testing.sweeps import Options, Sweep


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
        whole, *parts = [Sweep(open_world, retry, options).run(shard) for shard in ((0, 1), (0, 2), (1, 2))]
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
        ({"kinds": []}, "kinds must not be empty: no run would have a deviation"),
        ({"delay": 0}, "delay must be a positive number of seconds, not 0"),
        ({"seed": "x"}, "seed must be an int, not 'x'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    """A wrong option is a ValueError that says what was expected."""
    with pytest.raises(ValueError, match=message):
        Options(**options)


def test_names_may_come_from_an_iterator() -> None:
    """Every run sees them all."""
    report = sweep(setup, create_volume, kinds=iter(LOST), interfere=iter(["delete"]))
    assert [world.deviations[0].kind for world in report.worlds] == ["lost", "lost"]


def test_a_sweep_takes_functions() -> None:
    """A cloud or a result in the place of a function is refused, with the function that was probably meant."""
    with pytest.raises(
        ValueError, match=r"setup must be a function that returns a Cloud, such as cloud.fork, not <cloud"
    ):
        sweep(Cloud(), create_volume)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ValueError, match="code must be a function of a cloud, not None"):
        sweep(setup, None)  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("make", [lambda: None, dict])
def test_setup_must_return_a_cloud(make: Callable[[], Any]) -> None:
    """Anything else is refused before the code runs."""
    with pytest.raises(ValueError, match="setup must return a Cloud, not"):
        sweep(make, create_volume)
