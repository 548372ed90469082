"""Fixtures of omisim's own tests, over those of its plugin."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from doors import DOORS, Door
from hypothesis import HealthCheck, settings
from official import faults, schema

from omisim import Account, Cloud
from omisim.dispatch import Answer
from omisim.model import Image, Vm

settings.register_profile("dev", max_examples=25, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))

SUBREGION = "eu-west-2a"


@pytest.fixture(scope="session", autouse=True)
def _recorder() -> Iterator[None]:
    """Hold every answer that any test is given against the official description."""
    perform = Cloud._perform
    seen: set[tuple[str, str]] = set()

    def recorded(cloud: Cloud, name: str, *args: Any, **kwargs: Any) -> Answer:
        answer = perform(cloud, name, *args, **kwargs)
        body = answer.body()
        body.pop("ResponseContext")
        text = json.dumps(body)
        if (name, text) not in seen:
            seen.add((name, text))
            assert faults(body, schema(f"{name}Response"), name) == []
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cloud, "_perform", recorded)
        yield


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
    return official(alice, "Ubuntu*")


@pytest.fixture(name="vm")
def _vm(alice: Account, ubuntu: Image) -> Vm:
    """A VM of alice's, running by the next call."""
    return alice.create_vms(image_id=ubuntu.image_id)[0]


@pytest.fixture(name="golden")
def _golden(alice: Account, vm: Vm) -> Image:
    """An OMI of alice's, available by the next call."""
    return alice.create_image(vm_id=vm.vm_id, image_name="golden")


@pytest.fixture(name="door", params=DOORS)
def _door(request: pytest.FixtureRequest) -> Door:
    """Each of the two ways in that share the wire."""
    return DOORS[request.param]


@pytest.fixture(name="slow")
def _slow() -> Cloud:
    """A cloud in which transients last, until its clock moves."""
    return Cloud(timing="clock")


def official(account: Account, name: str) -> Image:
    """Return the first official OMI of this name."""
    return account.read_images(filters={"account_aliases": ["Outscale"], "image_names": [name]})[0]
