"""Bounds, steps and a planted bug for the tests of the model check."""

from __future__ import annotations

from typing import Any

import pytest

from omisim import ApiError
from omisim.actions.framework.call import Call
from omisim.tools.check import Bounds, CheckResult, CheckStep, CheckWorld

SMALL = Bounds(accounts=2, regions=1, images=1)


def make_volume_step(caller: str, size: int = 10) -> CheckStep:
    """Return a step that creates a volume."""
    return CheckStep(caller, "create_volume", {"subregion_name": "eu-west-2a", "size": size})


def make_copy_step(world: CheckWorld, caller: str) -> CheckStep:
    """Return a step that copies the official OMI."""
    source = {"source_image_id": world.official["eu-west-2"], "source_region_name": "eu-west-2"}
    return CheckStep(caller, "create_image", {**source, "image_name": "image 0"})


def take_step(world: CheckWorld, step: CheckStep) -> str:
    """Take a step; return the rule that refused it, or ""."""
    try:
        world.take(step)
    except ApiError as refusal:
        return refusal.rule
    return ""


def list_called_methods(result: CheckResult) -> list[str]:
    """Return the methods that were called, in order, until a law was broken."""
    assert result.violation is not None
    return [step.method for step in result.violation.path]


def plant_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a bug: snapshots can be deleted though an OMI uses them."""
    original_check = Call.check

    def forget_rule(call: Call, ok: object, rule: str, /, **facts: Any) -> bool:
        return original_check(call, ok or rule == "SNP-016", rule, **facts)

    monkeypatch.setattr(Call, "check", forget_rule)
