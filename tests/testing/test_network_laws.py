"""What holds of networks, whatever is called: the public machine, with the actions about networks."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import settings
from support.networks import add_networks

from omisim.actions.framework.registry import ACTIONS
from omisim.testing.machine import CloudMachine

FAMILIES = (
    "internet_services", "nets", "nic_links", "nics", "public_ips", "route_tables", "routes", "security_group_rules",
    "security_groups", "subnets",
)  # fmt: skip
MODULES = {f"omisim.actions.{family}" for family in FAMILIES}
NETWORKS = frozenset(name for name, action in ACTIONS.items() if action.function.__module__ in MODULES)


class NetworkMachine(CloudMachine):
    """Two accounts that have networks make calls about them, and about the life of VMs."""

    accounts: ClassVar = {"alice": "eu-west-2", "bob": "eu-west-2"}
    quotas: ClassVar = {}
    actions = NETWORKS | {"CreateVms", "DeleteVms", "StartVms", "StopVms", "UpdateVm"}

    def prepare(self) -> None:
        """Give each account networks, with a bit of everything in them, a VM that is stopped, and an empty Net."""
        for name in self.accounts:
            ids: dict[str, str] = {}
            add_networks(self.account(name), self.cloud.images.official("ubuntu").image_id, ids)
            self.finish()
            self.call(name, "StopVms", VmIds=[ids["two_nics"]])
            self.call(name, "CreateNet", IpRange="10.2.0.0/16")


class ReleasingMachine(NetworkMachine):
    """A VM that stops gives back its public IPs."""

    switches: ClassVar = {"stopped_public_ip": "released"}


for machine in (NetworkMachine, ReleasingMachine):
    machine.TestCase.settings = settings(
        max_examples=settings().max_examples // 4 or 1, stateful_step_count=30, deadline=None
    )
TestNetworks = NetworkMachine.TestCase
TestReleasedPublicIps = ReleasingMachine.TestCase


def test_network_families_are_families_of_actions() -> None:
    """Each family of network actions is a module that registers actions."""
    assert {action.function.__module__ for action in ACTIONS.values()} >= MODULES
