"""Fixtures of omisim's own tests, over those of its plugin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from support.catalogue import find_official
from support.entrances import ENTRANCES, Entrance
from support.storing import create_bucket

from omisim import Account, Cloud
from omisim.clients.sdk_description import get_cache_folder
from omisim.model import Image, Vm

SWIFT = [phase for phase in Phase if phase is not Phase.explain]  # which can take minutes after a failure
settings.register_profile("dev", max_examples=25, deadline=None, phases=SWIFT)
settings.register_profile("ci", max_examples=40, deadline=None, phases=SWIFT, derandomize=True)
settings.register_profile("deep", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))

# programs that tests start have homes of their own, and would parse the SDK's description again
if folder := get_cache_folder():
    os.environ["OMISIM_CACHE_DIR"] = str(folder)

pytest_plugins = ["support.real_sleeps", "support.recorder"]


@pytest.fixture(name="cloud")
def _cloud(omi_cloud: Cloud) -> Cloud:
    """A cloud in which every transient has run its course before the next call."""
    return omi_cloud


@pytest.fixture(name="alice")
def _alice(omi_account: Account) -> Account:
    return omi_account


@pytest.fixture(name="bob")
def _bob(cloud: Cloud) -> Account:
    return cloud.account("bob")


@pytest.fixture(name="ubuntu")
def _ubuntu(alice: Account) -> Image:
    """An official OMI with the code of Linux alone."""
    return find_official(alice, "Ubuntu*")


@pytest.fixture(name="vm")
def _vm(alice: Account, ubuntu: Image) -> Vm:
    """A VM of alice's, running by the next call."""
    return alice.create_vms(image_id=ubuntu.image_id)[0]


@pytest.fixture(name="golden")
def _golden(alice: Account, vm: Vm) -> Image:
    """An OMI of alice's, available by the next call."""
    return alice.create_image(vm_id=vm.vm_id, image_name="golden")


@pytest.fixture(name="oos")
def _oos(alice: Account) -> Any:
    """A boto3 S3 client of alice's, who has the bucket `exports`."""
    return create_bucket(alice)


@pytest.fixture(name="slow")
def _slow() -> Cloud:
    """A cloud in which transients last, until its clock moves."""
    return Cloud(timing="clock")


@pytest.fixture(name="timed", params=["eager", "clock"])
def _timed(request: pytest.FixtureRequest) -> Cloud:
    """A cloud in each timing. `settle()` ends what is in progress in both."""
    return Cloud(timing=request.param)


@pytest.fixture(name="entrance", params=ENTRANCES)
def _entrance(request: pytest.FixtureRequest) -> Iterator[Entrance]:
    """Each way into a cloud: a typed call, the SDK, and HTTP."""
    entrance = ENTRANCES[request.param]()
    yield entrance
    entrance.close()
