"""The refusals measured on the real cloud: omisim answers the same status and the same code."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from omisim import Account, ApiError
from omisim.actions.framework.registry import ACTIONS, not_served

FIXTURE = Path(__file__).parents[2] / "fixtures" / "refusals.toml"
MEASURED: list[dict[str, Any]] = tomllib.loads(FIXTURE.read_text())["refusal"]
SERVED = [case for case in MEASURED if case["action"] in ACTIONS]


def test_measured_refusals_are_67_of_which_53_are_served() -> None:
    """Every recorded refusal is of an action that is served, or that has a reason not to be."""
    assert len(MEASURED) == 67
    assert {case["action"] for case in MEASURED} <= {*ACTIONS, *not_served()}
    assert len(SERVED) == 53


@pytest.mark.parametrize("case", SERVED, ids=lambda case: case["action"])
def test_measured_refusal_has_the_same_status_and_code(alice: Account, case: dict[str, Any]) -> None:
    """What the real cloud refuses is refused with the same status and code. [OMI-106] [OMI-120] [VM-041] [SNP-015]"""
    with pytest.raises(ApiError) as refusal:
        alice.call(case["action"], **case["given"])
    assert (refusal.value.status, refusal.value.code) == (case["status"], case["code"])


def test_measured_refusal_of_an_unserved_action_is_8010(alice: Account) -> None:
    """A measured refusal of an action that is not served is a plain 8010, not another error. [REQ-002]"""
    for case in MEASURED:
        if case["action"] not in ACTIONS:
            with pytest.raises(ApiError, match="8010"):
                alice.call(case["action"], **case["given"])
