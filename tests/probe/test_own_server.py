"""The experiments of the probe against a server of omisim."""

from __future__ import annotations

import pytest
from support.probing import Probed, serve_probed

from omisim import Cloud
from omisim.probe.judge import AGREES, CANNOT_TELL, DEFAULTS
from omisim.probe.loading import load_experiments
from omisim.probe.plan import NO_REASON, estimate, list_coverage, list_rules
from omisim.probe.runner import Limits
from omisim.spec.catalog import QuotaName

KEPT_STATES = ("terminated", "deleting", "completed")  # of resources that stay readable after their deletion
READS = ("Vms", "Volumes", "Snapshots", "Images", "Nets", "Nics", "PublicIps", "InternetServices", "Keypairs")


def list_resources(probed: Probed) -> list[str]:
    """Return what alice and bob own, without what is only readable any more."""
    found = []
    for name in ("alice", "bob"):
        account = probed.cloud.account(name)
        for read in READS:
            filters = {"AccountIds": [account.account_id]} if read == "Images" else {}
            rows = account.call(f"Read{read}", Filters=filters)[read]
            found += [f"{name}: {row}" for row in rows if row.get("State") not in KEPT_STATES]
    return found


class TestAllExperiments:
    def test_agree_with_our_own_server_within_the_default_bounds_and_leave_nothing(self) -> None:
        """Every experiment decides its rules, in virtual time, and its resources are deleted afterwards.

        A cloud of omisim has no quotas by default: those experiments could not tell.
        """
        with serve_probed(Cloud(timing="clock")) as probed:
            before = list_resources(probed)
            findings = probed.probe(*load_experiments())
            undecided = {one.experiment for one in findings if one.verdict != AGREES}
            assert undecided == {one.name for one in load_experiments() if "quotas" in one.source and one.quotas}
            assert list_resources(probed) == before

    def test_decide_known_rules_and_stay_within_the_default_bound(self) -> None:
        """Each experiment names rules of the model; all but those of quotas, which come last, fit into the bound."""
        experiments = load_experiments()
        assert {rule for one in experiments for rule in one.rules} - set(list_rules()) == set()
        assert len({one.name for one in experiments}) == len(experiments)
        assert estimate([one for one in experiments if not one.quotas], Limits()).resources <= Limits().resources

    def test_exist_for_every_rule_that_has_no_reason_against_it(self) -> None:
        """A rule has an experiment or a reason why none can decide it, but for some new ones; so has a switch."""
        waiting = [row.rule.id for row in list_coverage() if row.reason == NO_REASON]
        assert len(waiting) <= 5, waiting
        decided = {switch for one in load_experiments() for switch in one.switches}
        assert set(DEFAULTS) - decided == {"snapshot_cut"}

    def test_differ_in_nothing_on_a_server_without_transient_states(self) -> None:
        """With the default timing, rules about transient states stay undecided, and none differs."""
        with serve_probed(Cloud()) as probed:
            verdicts = {finding.verdict for finding in probed.probe(*load_experiments())}
        assert verdicts == {AGREES, CANNOT_TELL}


def test_counted_reads_decide_less_but_differ_in_nothing() -> None:
    """With the timing "reads", reading a state ends it."""
    cloud = Cloud(timing="reads")
    cloud.durations["group_hold.releasing"] = 0
    with serve_probed(cloud) as probed:
        lives = [one for one in load_experiments() if one.source.endswith("lives.toml")]
        assert {finding.verdict for finding in probed.probe(*lives)} == {AGREES, CANNOT_TELL}


class TestQuotas:
    @pytest.mark.parametrize(
        "quotas",
        [
            {"volume_limit": 2},
            {"snapshot_limit": 2},
            {"concurrent_snapshot_limit": 1},
            {
                "vm_limit": 3, "core_limit": 20, "memory_limit": 90, "volume_size_limit": 300, "iops_limit": 500,
                "gp2_volume_size_limit": 100, "snapshot_export_limit": 1, "pty_limit": 1,
                "sg_limit": 4, "vpc_sg_limit": 3, "sg_rule_limit": 2, "vm_sg_limit": 2, "vpc_limit": 2, "igw_limit": 2,
                "subnet_limit": 2, "rtb_limit": 3, "rtb_rule_limit": 3, "ip_limit": 2,
            },
        ],
    )  # fmt: skip
    def test_are_decided_where_they_leave_little(self, quotas: dict[QuotaName, int]) -> None:
        """On an account with low quotas, each experiment reaches its quota, and leaves nothing behind."""
        chosen = [one for one in load_experiments() if quotas.keys() & set(one.quotas)]
        with serve_probed(Cloud(timing="clock"), quotas) as probed:
            findings = probed.probe(*chosen)
        assert [one for one in findings if one.verdict != AGREES] == []
        assert len(chosen) == len(quotas)
