"""The exceptions of omisim that code under test may raise in a worker of a pool of processes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from omisim import ApiError, Cloud
from omisim.base.process import ForkedCloud
from omisim.errors import Dropped, EndlessPollingError, Killed
from omisim.intercept import NotServed
from omisim.testing import laws
from omisim.tools.scenario.mistakes import ScenarioError


def break_a_law() -> None:
    """Raise Broken."""
    raise laws.Broken(laws.LAWS["snapshots_of_an_omi_exist"], "a snapshot is missing")


def launch_unknown_image() -> None:
    """Raise ApiError."""
    Cloud().account("alice").create_vms(image_id="ami-00000000")


def lose_connection() -> None:
    """Raise Dropped."""
    cloud = Cloud()
    cloud.faults.add("ReadVms", drop=True)
    cloud.account("alice").read_vms()


def kill_the_client() -> None:
    """Raise Killed."""
    cloud = Cloud()
    cloud.faults.add("ReadVms", kill=True)
    cloud.account("alice").read_vms()


def fork() -> None:
    """Raise ForkedCloud, as a call does in a forked process."""
    raise ForkedCloud


def send_to_load_balancers() -> None:
    """Raise NotServed."""
    raise NotServed("lbu")


def poll_forever() -> None:
    """Raise EndlessPollingError."""
    raise EndlessPollingError("ReadVms")


def mistake_scenario() -> None:
    """Raise ScenarioError."""
    raise ScenarioError("size must be an integer", ("volumes", 0, "size"))


RAISED: Mapping[type[BaseException], Callable[[], Any]] = {
    ApiError: launch_unknown_image,
    Dropped: lose_connection,
    EndlessPollingError: poll_forever,
    ForkedCloud: fork,
    Killed: kill_the_client,
    NotServed: send_to_load_balancers,
    ScenarioError: mistake_scenario,
    ValueError: lambda: Cloud.from_scenario("shared-imag"),
    laws.Broken: break_a_law,
}


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
class TestExceptions:
    @pytest.mark.parametrize("duplicate", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
    def test_can_be_pickled(self, kind: type[BaseException], duplicate: Callable[[BaseException], Any]) -> None:
        """A pool whose worker raised an exception that cannot be pickled would hang."""
        with pytest.raises(kind) as raised:
            RAISED[kind]()
        twin = duplicate(raised.value)
        assert (type(twin), str(twin)) == (type(raised.value), str(raised.value))
        assert getattr(twin, "rule", None) == getattr(raised.value, "rule", None)
