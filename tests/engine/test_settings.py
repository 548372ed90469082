"""The settings of a cloud that can change after its start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from omisim import Cloud
from omisim.state.settings import Timing

CHANGES: dict[str, Callable[[Cloud], Any]] = {
    "capacity": lambda cloud: cloud.set_capacity("eu-west-2a", 3),
    "unknown images": lambda cloud: cloud.allow_unknown_images(),
    "durations": lambda cloud: cloud.durations.update({"vm.pending": 3}),
    "answers": lambda cloud: cloud.answer("ReadCas", {"Cas": []}),
    "switches": lambda cloud: cloud.engine.set_switch("most_tags", 1),
}


@pytest.fixture(params=CHANGES)
def change(request: pytest.FixtureRequest) -> Callable[[Cloud], Any]:
    """A way to change the settings of a cloud."""
    return CHANGES[request.param]


class TestChange:
    def test_is_undone_with_the_unit_of_work_that_fails(self, change: Callable[[Cloud], Any]) -> None:
        """A unit of work that fails returns to the settings that it began with."""
        cloud = Cloud()
        before, inside = cloud.engine.settings, []

        def fail() -> None:
            change(cloud)
            inside.append(cloud.engine.settings)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            cloud.engine.run(fail)
        assert inside != [before]
        assert cloud.engine.settings is before

    def test_in_a_fork_leaves_the_cloud_unchanged(self, change: Callable[[Cloud], Any]) -> None:
        """A cloud and its fork have the same settings until one of them changes its own."""
        cloud = Cloud()
        fork = cloud.fork()
        assert fork.engine.settings == cloud.engine.settings
        change(fork)
        assert fork.engine.settings != cloud.engine.settings

    def test_keeps_requested_failures(self, change: Callable[[Cloud], Any]) -> None:
        """A failure that is requested before the change still happens."""
        cloud = Cloud()
        cloud.fail_next("vm")
        change(cloud)
        alice = cloud.account("alice")
        alice.create_vms(image_id=cloud.images.official("debian").image_id)
        assert [vm.state for vm in alice.read_vms()] == ["terminated"]


class TestChangeOfTiming:
    @pytest.mark.parametrize(("timing", "left"), [("manual", 20), ("clock", 5)])
    def test_begins_transient_states_again(self, timing: Timing, left: int) -> None:
        """A transient state goes on in another timing as if it had just begun, and in the same one as it was."""
        cloud = Cloud(timing=timing)
        alice = cloud.account("alice")
        alice.create_vms(image_id=cloud.images.official("debian").image_id)
        cloud.advance(15)
        cloud.engine.change_timing("clock")
        cloud.advance(left - 1)
        assert [vm.state for vm in alice.read_vms()] == ["pending"]
        cloud.advance(1)
        assert [vm.state for vm in alice.read_vms()] == ["running"]

    def test_leaves_timers_as_they_are(self) -> None:
        """A terminated VM is listed for an hour in all, whatever the timing becomes meanwhile."""
        cloud = Cloud()
        alice = cloud.account("alice")
        (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
        alice.delete_vms(vm_ids=[vm.vm_id])
        cloud.advance(3000)
        cloud.engine.change_timing("clock")
        cloud.advance(600)
        assert alice.read_vms() == ()


class TestSwitch:
    def test_has_the_values_of_the_constructor(self) -> None:
        """A switch that is set later is checked as the argument `switches` is."""
        with pytest.raises(ValueError, match="switch os_family must be one of 'absent', 'sent', not 'windows'"):
            Cloud().engine.set_switch("os_family", "windows")
