"""Fixtures of omisim's own tests, over those of its plugin."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, currently_in_test_context, settings
from support import surface
from support.doors import DOORS, Door
from support.official import faults, schema

from omisim import Account, Cloud
from omisim.actions.framework.request import Request
from omisim.doors.oapi import render
from omisim.engine.dispatch import Answer
from omisim.engine.engine import Engine
from omisim.model import Image, Vm
from omisim.model.serialize import api_names

settings.register_profile("dev", max_examples=25, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))

SUBREGION = "eu-west-2a"


SEEN = pytest.StashKey[set[str]]()  # what the calls of this process have shown of the official description
UNSEEN = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session", autouse=True)
def _recorder(pytestconfig: pytest.Config) -> Iterator[None]:
    """Hold every answer that any test is given against the official description, and note what was shown of it."""
    call = Engine.call
    checked: set[tuple[str, str]] = set()
    seen = pytestconfig.stash.setdefault(SEEN, set())

    def recorded(engine: Engine, asked: Request, *args: Any, **more: Any) -> Answer:
        answer = call(engine, asked, *args, **more)
        name, body, request = asked.action, render.body(answer), api_names(asked.parameters)
        body.pop("ResponseContext")
        text = json.dumps([request, body], default=str)
        if (name, text) not in checked:
            checked.add((name, text))
            assert faults(body, schema(f"{name}Response"), name) == []
            if name in surface.core() and not currently_in_test_context():  # what chance draws may not come again
                seen.update(surface.sent(name, request), surface.answered(name, body))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "call", recorded)
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Gather what a worker has seen."""
    node.config.stash.setdefault(SEEN, set()).update(getattr(node, "workeroutput", {}).get("seen", ()))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Judge, after a whole run that has passed, what the suite has shown of the official description."""
    config = session.config
    seen = config.stash.get(SEEN, set())
    if hasattr(config, "workeroutput"):
        config.workeroutput["seen"] = sorted(seen)
    elif exitstatus == pytest.ExitCode.OK and _is_whole(config):
        config.stash[UNSEEN] = surface.judged(seen)
        if config.stash[UNSEEN]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_whole(config: pytest.Config) -> bool:
    partly = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "collectonly", "stepwise")
    of_all = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return of_all and not any(getattr(config.option, name, None) for name in partly)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what no test shows."""
    unseen = config.stash.get(UNSEEN, [])
    if unseen:
        terminalreporter.section("the official description is not shown as a whole", red=True)
        for line in unseen:
            terminalreporter.line(line)


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
