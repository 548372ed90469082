"""The networks of a VM to be: its Subnet, its NICs, its security groups (domain 6.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from omisim.actions.call import Call, parsed_all
from omisim.ids import Id
from omisim.model import NicForVmCreation, OrDict, SecurityGroupLight
from omisim.plain import api_name

__all__ = ["SecurityGroupId", "check_groups", "check_networks", "nics_alone"]

SecurityGroupId = Annotated[str, Id("security_group")]


def nics_alone(call: Call, given: Mapping[str, Any]) -> None:
    """Refuse what Nics excludes (VM-010)."""
    if "nics" in given:
        excluded = [api_name(n) for n in ("subnet_id", "security_group_ids", "private_ips") if n in given]
        call.check(not excluded, "VM-010", parameters=excluded)


def check_networks(
    call: Call,
    nics: Sequence[OrDict[NicForVmCreation]] | None,
    subnet_id: str | None,
    private_ips: Sequence[str] | None,
) -> None:
    """Refuse Subnets and NICs: none can exist, for Nets are not served yet."""
    for nic in parsed_all(nics):
        call.check(nic.nic_id is None, "VM-010/nic", nic_id=nic.nic_id)
        call.check(nic.subnet_id is None, "VM-012/subnet", subnet_id=nic.subnet_id)
        call.check(nic.nic_id or nic.subnet_id, "VM-011")
    call.check(subnet_id is None, "VM-012/subnet", subnet_id=subnet_id)
    call.check(not private_ips or subnet_id is not None, "VM-013", private_ips=private_ips)


def check_groups(call: Call, names: Sequence[str] | None, ids: Sequence[str] | None) -> tuple[SecurityGroupLight, ...]:
    """Return the security groups of a VM: the account's default one, until others are served (VM-009)."""
    own = call.account.security_group_id
    for name in names or ():
        call.check(name == "default", "VM-009", security_group=name)
    for group_id in ids or ():
        call.check(group_id == own, "VM-009", security_group=group_id)
    return (SecurityGroupLight(security_group_id=own, security_group_name="default"),)
