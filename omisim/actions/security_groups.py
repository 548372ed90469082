"""Security groups: the firewall rules of VMs in the public Cloud and in Nets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.new_account import DEFAULT, make_open_rule
from omisim.actions.quotas import check_each, check_quotas
from omisim.base.frozen import replace
from omisim.model import (
    GroupHold,
    Net,
    NetId,
    Nic,
    SecurityGroup,
    SecurityGroupId,
    SecurityGroupLight,
    SecurityGroupRule,
    Vm,
    view_as,
)
from omisim.model.filters import FiltersSecurityGroup, select_matching
from omisim.model.filters.dicts import FiltersSecurityGroupDict
from omisim.spec.rules import refuse
from omisim.state.state import State

__all__ = ["get_default_group", "resolve_groups", "view_group"]

_NAME = re.compile(r"[a-zA-Z0-9 _.\-:/()#,@\[\]+=&;{}!$*]{1,255}")
_DESCRIPTION = re.compile(r"[a-zA-Z0-9\u00c0-\u024f _.\-:/()#,@\[\]+=&;{}!$*]{1,255}")
_get_members = attrgetter("security_groups_members")


def _view_light_group(group: SecurityGroup) -> SecurityGroupLight:
    """Return the short form of a group, as VMs and NICs show it."""
    return view_as(SecurityGroupLight, group)


def view_group(group: SecurityGroup) -> SecurityGroup:
    """Return the answered form of a group: in a Net, its rules show the groups that they name by id alone (SG-013)."""
    if group.net_id is None or not any(map(_get_members, (*group.inbound_rules, *group.outbound_rules))):
        return group
    inbound, outbound = (tuple(map(_hide_names, rules)) for rules in (group.inbound_rules, group.outbound_rules))
    return replace(group, inbound_rules=inbound, outbound_rules=outbound)


def _hide_names(rule: SecurityGroupRule) -> SecurityGroupRule:
    if not rule.security_groups_members:
        return rule
    members = (replace(member, security_group_name=None) for member in rule.security_groups_members)
    return replace(rule, security_groups_members=tuple(members))


def get_default_group(state: State, account_id: str, net_id: str | None) -> SecurityGroup:
    """Return the default group of an account in a Net, or in the public Cloud if `net_id` is None."""
    group: SecurityGroup = state.find_by("security_group", "name", (account_id, net_id, DEFAULT))[0]
    return group


def resolve_groups(
    call: Call, net_id: str | None, ids: Sequence[str] | None, names: Sequence[str] = ()
) -> tuple[SecurityGroupLight, ...]:
    """Return the requested groups of a VM or a NIC, which must belong to the Net or to the public Cloud (VM-009).

    Without ids and names, returns the default group. Refuses more groups than the quota allows (QTA-014/vm).
    """
    me = call.account.account_id
    if not ids and not names:
        return (_view_light_group(get_default_group(call.state, me, net_id)),)
    groups: dict[str, SecurityGroupLight] = {}
    for group_id in ids or ():
        group: SecurityGroup | None = call.state.get("security_group", group_id)
        if group is None or not call.owns(group):
            call.report(refuse("VM-009", security_group=group_id))
        elif call.check(group.net_id == net_id, _get_location_rule(net_id), security_group=group_id, net_id=net_id):
            groups[group_id] = _view_light_group(group)
    for name in names:
        matching_groups = call.state.find_by("security_group", "name", (me, net_id, name))
        if call.check(matching_groups, "VM-009", security_group=name):
            groups[matching_groups[0].security_group_id] = _view_light_group(matching_groups[0])
    check_each(call, "vm_sg_limit", None, len(groups))
    return tuple(groups.values())


def _get_location_rule(net_id: str | None) -> str:
    return "VM-009/net" if net_id else "VM-009/public"


@action("CreateSecurityGroup", "SecurityGroup")
def create_security_group(
    call: Call, *, description: str, net_id: NetId | None = None, security_group_name: str
) -> SecurityGroup:
    """Create a security group in the public Cloud or in a Net. Returns it.

    In a Net, it allows all outbound traffic.
    """
    is_valid_name = _NAME.fullmatch(security_group_name) and not security_group_name.startswith("sg-")
    call.check(is_valid_name, "SG-001", security_group_name=security_group_name)
    call.check(_DESCRIPTION.fullmatch(description), "SG-002", description=description)
    net = None if net_id is None else call.get_owned(Net, net_id, "NET-002")
    call.check(security_group_name != DEFAULT, "SG-004", security_group_name=security_group_name)
    me = call.account.account_id
    taken = security_group_name != DEFAULT and call.state.find_by(
        "security_group", "name", (me, net_id, security_group_name)
    )
    call.check(not taken, "SG-003", security_group_name=security_group_name)
    if net is None:
        check_quotas(call, {"sg_limit": 1})
    else:
        check_each(call, "vpc_sg_limit", net, 1)
    call.stop_if_refused()
    return call.add(
        SecurityGroup(
            account_id=me,
            description=description,
            net_id=net_id,
            outbound_rules=(make_open_rule(call.tx),) if net_id else (),
            security_group_id=call.new_id("security_group"),
            security_group_name=security_group_name,
        )
    )


@action("ReadSecurityGroups", "SecurityGroups", paged=True)
def read_security_groups(
    call: Call, *, filters: FiltersSecurityGroup | FiltersSecurityGroupDict | None = None
) -> tuple[SecurityGroup, ...]:
    """List the caller's security groups in creation order, including the default ones."""
    parsed_filters = as_parsed(filters)
    groups = select_matching(call.own_rows(SecurityGroup, parsed_filters), parsed_filters)
    return call.take(map(view_group, groups))


def _check_id_or_name(call: Call, parameters: Mapping[str, Any]) -> None:
    call.check("security_group_id" in parameters or "security_group_name" in parameters, "SG-007")


@action("DeleteSecurityGroup", combinations=_check_id_or_name)
def delete_security_group(
    call: Call, *, security_group_id: SecurityGroupId | None = None, security_group_name: str | None = None
) -> None:
    """Delete an unused security group by its id, or by its name in the public Cloud."""
    me = call.account.account_id
    if security_group_id is None:
        matching_groups = call.state.find_by("security_group", "name", (me, None, security_group_name))
        if not matching_groups:
            raise refuse("SG-006/name", security_group_name=security_group_name)
        security_group_id = matching_groups[0].security_group_id
    group = call.get_owned(SecurityGroup, security_group_id, "SG-006")
    name = group.security_group_name
    call.check(name != DEFAULT, "SG-004/delete", security_group_id=security_group_id)
    used_by = _find_users(call, security_group_id)
    call.check(not used_by, "SG-008", security_group_id=security_group_id, used_by=used_by)
    holds: list[GroupHold] = call.state.find_by("group_hold", "security_group_ids", security_group_id)
    held_by = [hold.vm_id for hold in holds]
    call.check(used_by or not held_by, "SG-011", security_group_id=security_group_id, held_by=held_by)
    others: list[SecurityGroup] = call.state.find_by("security_group", "member", security_group_id)
    others = [other for other in others if other is not group]
    named_by = [other.security_group_id for other in others if call.owns(other)] or "a group of another account"
    call.check(not others, "SG-008/rule", security_group_id=security_group_id, named_by=named_by)
    call.drop(group)


def _find_users(call: Call, group_id: str) -> list[str]:
    """Return the ids of the VMs and NICs in a group."""
    vms: list[Vm] = call.state.find_by("vm", "group", group_id)
    nics: list[Nic] = call.state.find_by("nic", "security_groups.security_group_id", group_id)
    return [row.id for row in (*vms, *nics)]
