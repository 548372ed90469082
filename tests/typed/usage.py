"""Uses of the typed arguments, for mypy: a wrong one has an ignore, which mypy reports when it is not needed."""

from __future__ import annotations

import datetime as dt
from typing import assert_type

from hypothesis import strategies as st

import omisim
from omisim import Account, Cloud, Switches
from omisim.model import Vm
from omisim.model.filters import FiltersImage
from omisim.testing.machine import CloudMachine
from omisim.unittest import with_cloud

SWITCHES: Switches = {"linux_password": "refuse", "most_tags": 50}


def right_uses_pass(cloud: Cloud, alice: Account) -> None:
    """Each value that omisim accepts is accepted by the type checker."""
    Cloud(timing="clock", auth="off", switches=SWITCHES)
    Cloud(timing="eager", auth="lenient", switches={"strict_windows": True})
    Cloud(timing="manual", auth="strict", switches={"OMI-022": "already-exist", "spec_version": "1.40"})
    cloud.account("bob", quotas={"vm_limit": 1, "volume_limit": 0})
    cloud.faults.add("CreateVolume", status=503, times=2)
    cloud.faults.add("CreateVms", error="insufficient-capacity")
    alice.client("oos")
    alice.read_images(filters={"image_names": ["golden"], "tpm_mandatory": False})
    alice.read_snapshots(filters={"volume_sizes": (10,), "from_creation_date": "2026-01-01"})
    alice.read_images(filters=FiltersImage(image_names=("golden",)))
    assert_type(alice.create_vms(image_id="ami-12345678"), tuple[Vm, ...])
    omisim.mock(timing="clock", account="bob")
    with_cloud(timing="clock", account="bob", sleep=True)
    Cloud.from_scenario("shared-image", auth="off")
    cloud.answer("CreateLoadBalancer", lambda call: {"LoadBalancer": {"Name": assert_type(call.account, str)}})


def wrong_uses_fail(cloud: Cloud, alice: Account) -> None:
    """Each value that omisim refuses, and that a type can tell, is refused by the type checker."""
    Cloud(timing="slow")  # type: ignore[arg-type]
    Cloud(auth="none")  # type: ignore[arg-type]
    Cloud(switches={"most_tags": 1.5})  # type: ignore[arg-type]
    Cloud(switches={"most_tag": 50})  # type: ignore[arg-type]
    Cloud(switches={"OMI-22": "already-exist"})  # type: ignore[arg-type]
    Cloud(switches={"OMI-022": "already-exists"})  # type: ignore[arg-type]
    cloud.account("bob", quotas={"vms": 1})  # type: ignore[dict-item]
    cloud.faults.add("CreateVolume", status=404)  # type: ignore[arg-type]
    alice.read_images(filters={"image_name": ["golden"]})  # type: ignore[arg-type]
    alice.read_images(filters={"image_names": "golden"})  # type: ignore[arg-type]
    omisim.mock(timing="slow")  # type: ignore[call-overload]
    with_cloud(sleeps=True)  # type: ignore[call-overload]
    Cloud.from_scenario("shared-image", timings="clock")  # type: ignore[call-arg]
    alice.client("lbu")  # type: ignore[arg-type]
    alice.create_volume(subregion_name="eu-west-2a", siz=10)  # type: ignore[call-arg]
    Switches(start_running="maybe")  # type: ignore[typeddict-item]
    Switches(start_runing="no-op")  # type: ignore[typeddict-unknown-key]


def results_have_types(machine: CloudMachine) -> None:
    """A machine returns what its argument returns."""
    assert_type(machine.do("cloud.now", lambda: machine.cloud.now), dt.datetime)
    assert_type(machine.draw(st.integers()), int)
