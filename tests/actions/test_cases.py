"""The cases of `omisim/probe/refusals`: each rule that refuses a call, broken and kept."""

from __future__ import annotations

import pytest
from support.expect import expect_refusal
from support.world import NAMES, get_world

from omisim.probe.loading import Case, load_cases


@pytest.mark.parametrize("case", load_cases(), ids=str)
def test_rule_refuses_the_broken_call_and_lets_the_kept_one_pass(case: Case) -> None:
    """A call that breaks a rule is refused with its code and changes nothing; one that keeps it is not refused."""
    cloud = get_world().cloud.fork()
    cloud.engine.change_settings(switches=case.switches)
    account = cloud.account(case.by)
    error = expect_refusal(account, case.action, **get_world().fill(case.broken))
    assert (error.rule, error.code) == (case.rule, case.code), error
    if case.kept is not None:
        assert account.why_not(case.action, **get_world().fill(case.kept)) == []


def test_cases_document_every_resource_of_the_world() -> None:
    """The names that `omisim/probe/world.toml` explains are those that the world has."""
    assert set(NAMES) == set(get_world().ids)
