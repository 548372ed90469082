"""The inbound rules of security groups, and in Nets their outbound rules.

Rules with the same protocol and ports are stored as one rule with all their IP ranges and groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from operator import attrgetter
from typing import Any

from omisim.actions.framework.call import Call, as_parsed_list
from omisim.actions.framework.registry import action
from omisim.actions.quotas import check_each, count_rules
from omisim.actions.security_groups import view_group
from omisim.base.foreign import parse_count
from omisim.base.frozen import replace
from omisim.model import AccountId, OrDict, SecurityGroup, SecurityGroupId, SecurityGroupRule, SecurityGroupsMember
from omisim.spec.rules import refuse

__all__ = ["create_security_group_rule", "delete_security_group_rule"]

FLAT = ("from_port_range", "ip_protocol", "ip_range", "to_port_range")
NUMBERED = {"1": "icmp", "6": "tcp", "17": "udp"}
LAST_PORT, LAST_NUMBER = 65535, 255
Rules = tuple[SecurityGroupRule, ...]
ByPorts = dict[object, SecurityGroupRule]


def _check_rules_alone(call: Call, parameters: Mapping[str, Any]) -> None:
    """Refuse Rules together with the parameters of a single rule (SG-020)."""
    excluded = [call.spell(name) for name in FLAT if name in parameters]
    call.check("rules" not in parameters or not excluded, "SG-020", parameters=excluded)


def _check_new_rules(call: Call, parameters: Mapping[str, Any]) -> None:
    """Refuse a group with both its id and its name too (SG-026/both)."""
    _check_rules_alone(call, parameters)
    for rule in as_parsed_list(parameters.get("rules")):
        for member in rule.security_groups_members or ():
            call.check(member.security_group_id is None or member.security_group_name is None, "SG-026/both")


@action("CreateSecurityGroupRule", "SecurityGroup", combinations=_check_new_rules)
def create_security_group_rule(
    call: Call,
    *,
    flow: str,
    from_port_range: int | None = None,
    ip_protocol: str | None = None,
    ip_range: str | None = None,
    rules: Sequence[OrDict[SecurityGroupRule]] | None = None,
    security_group_account_id_to_link: AccountId | None = None,
    security_group_id: SecurityGroupId,
    security_group_name_to_link: str | None = None,
    to_port_range: int | None = None,
) -> SecurityGroup:
    """Add one rule, or those under Rules, to a group. Returns the group."""
    group = _get_group(call, security_group_id, flow)
    requested_rules = _parse_rules(call, group, "to_link")
    rules_by_ports = _index_by_ports(_get_rules(group, flow))
    for rule in requested_rules:
        duplicates = _find_overlap(rules_by_ports, rule)
        call.check(not duplicates, "SG-027", security_group_id=security_group_id, there=duplicates)
    ports = {_get_ports(rule) for rule in requested_rules}
    used = count_rules(rules_by_ports[each] for each in ports & rules_by_ports.keys())
    for rule in requested_rules:
        _add_rule(call, rules_by_ports, rule)
    changed = _replace_rules(group, flow, tuple(rules_by_ports.values()))
    more = count_rules(rules_by_ports[each] for each in ports) - used
    check_each(call, "vpc_sg_rule_limit" if group.net_id else "sg_rule_limit", group, more)
    return view_group(call.put(changed))


@action("DeleteSecurityGroupRule", "SecurityGroup", combinations=_check_rules_alone)
def delete_security_group_rule(
    call: Call,
    *,
    flow: str,
    from_port_range: int | None = None,
    ip_protocol: str | None = None,
    ip_range: str | None = None,
    rules: Sequence[OrDict[SecurityGroupRule]] | None = None,
    security_group_account_id_to_unlink: AccountId | None = None,
    security_group_id: SecurityGroupId,
    security_group_name_to_unlink: str | None = None,
    to_port_range: int | None = None,
) -> SecurityGroup:
    """Remove one rule, or those under Rules, from a group. Each must equal an existing rule. Returns the group."""
    group = _get_group(call, security_group_id, flow)
    rules_by_ports = _index_by_ports(_get_rules(group, flow))
    for rule in _parse_rules(call, group, "to_unlink"):
        there = frozenset(_find_overlap(rules_by_ports, rule))
        missing = [target for target in _list_targets(rule) if target not in there]
        call.check(not missing, "SG-028", security_group_id=security_group_id, missing=missing)
        if not missing:
            _remove_rule(rules_by_ports, rule)
    return view_group(call.put(_replace_rules(group, flow, tuple(rules_by_ports.values()))))


def _parse_rules(call: Call, group: SecurityGroup, suffix: str) -> list[SecurityGroupRule]:
    """Return the normalized rules of a request: those under Rules, or the single one.

    `suffix` is "to_link" or "to_unlink". The parameter `security_group_name_<suffix>` of a single rule may hold an id.
    """
    parameters = call.values
    members = None
    if (name := parameters.get(f"security_group_name_{suffix}")) is not None:
        field = "security_group_id" if name.startswith("sg-") else "security_group_name"
        owner = parameters.get(f"security_group_account_id_{suffix}")
        members = (SecurityGroupsMember(account_id=owner, **{field: name}),)
    single_rule = SecurityGroupRule(
        from_port_range=parameters.get("from_port_range"),
        ip_protocol=parameters.get("ip_protocol"),
        ip_ranges=(parameters["ip_range"],) if "ip_range" in parameters else None,
        security_groups_members=members,
        to_port_range=parameters.get("to_port_range"),
    )
    return [_normalize_rule(call, group, rule) for rule in as_parsed_list(parameters.get("rules")) or (single_rule,)]


def _get_group(call: Call, group_id: str, flow: str) -> SecurityGroup:
    call.check(flow in ("Inbound", "Outbound"), "SG-021", flow=flow)
    group = call.get_owned(SecurityGroup, group_id, "SG-006")
    call.check(flow != "Outbound" or group.net_id, "SG-021/outbound", security_group_id=group_id)
    return group


def _get_rules(group: SecurityGroup, flow: str) -> Rules:
    return group.inbound_rules if flow == "Inbound" else group.outbound_rules


def _replace_rules(group: SecurityGroup, flow: str, rules: Rules) -> SecurityGroup:
    return replace(group, inbound_rules=rules) if flow == "Inbound" else replace(group, outbound_rules=rules)


def _is_protocol_number(protocol: str) -> bool:
    try:
        parse_count(protocol, LAST_NUMBER)
    except ValueError:
        return False
    return True


def _normalize_rule(call: Call, group: SecurityGroup, rule: SecurityGroupRule) -> SecurityGroupRule:
    """Return a rule with protocol, ports and ranges in their stored form, or refuse it."""
    requested_protocol = rule.ip_protocol or "-1"
    protocol = NUMBERED.get(requested_protocol, requested_protocol) if group.net_id else requested_protocol
    numbered = group.net_id and _is_protocol_number(protocol)
    call.check(protocol in ("tcp", "udp", "icmp", "-1") or numbered, "SG-022", ip_protocol=requested_protocol)
    first, last = _normalize_ports(call, protocol, rule.from_port_range, rule.to_port_range)
    call.check(not rule.service_ids, "SG-029", service_ids=rule.service_ids)
    call.check(rule.ip_ranges or rule.security_groups_members or rule.service_ids, "SG-025")
    ranges = [_normalize_range(call, text) for text in rule.ip_ranges or ()]
    members = [_resolve_member(call, group, member) for member in rule.security_groups_members or ()]
    return SecurityGroupRule(
        from_port_range=first,
        ip_protocol=protocol,
        ip_ranges=tuple(dict.fromkeys(ranges)) or None,
        security_groups_members=tuple(dict.fromkeys(members)) or None,
        to_port_range=last,
    )


def _normalize_ports(call: Call, protocol: str, first: int | None, last: int | None) -> tuple[int, int]:
    """Return the ports of a rule, or for ICMP its type and code, or refuse them.

    An absent port is 0, because Go clients leave zeros out.
    """
    if protocol in ("tcp", "udp"):
        first, last = first or 0, last or 0
        call.check(0 <= first <= last <= LAST_PORT, "SG-023", first=first, last=last)
        return first, last
    if protocol == "icmp":
        kind, code = (-1 if number is None else number for number in (first, last))
        ok = -1 <= kind <= LAST_NUMBER and -1 <= code <= LAST_NUMBER
        call.check(ok, "SG-023", first=kind, last=code)
        return kind, code
    return -1, -1


def _normalize_range(call: Call, text: str) -> str:
    try:
        return str(IPv4Network(text, strict=False))
    except ValueError:
        call.report(refuse("SG-024", ip_range=text))
        return text


def _resolve_member(call: Call, group: SecurityGroup, member: SecurityGroupsMember) -> SecurityGroupsMember:
    """Return the group that a rule refers to by id, or by name in the same Net or in the public Cloud, or refuse it.

    A group of another account that no rule of the caller may name is refused as one that does not exist (SG-026).
    """
    owner = member.account_id or call.account.account_id
    group_reference = member.security_group_id or member.security_group_name
    if group_reference is None:
        raise refuse("SG-026/name")
    target: SecurityGroup | None
    if member.security_group_id is not None:
        target = call.state.get("security_group", member.security_group_id)
    else:
        key = (owner, group.net_id, member.security_group_name)
        target = next(iter(call.state.find_by("security_group", "name", key)), None)
    if target is None or target.account_id != owner or not (call.owns(target) or _is_public(call, target)):
        raise refuse("SG-026", security_group=group_reference)
    rule_id = "SG-026/net" if group.net_id else "SG-026/public"
    call.check(target.net_id == group.net_id, rule_id, security_group=group_reference, net_id=group.net_id)
    return SecurityGroupsMember(
        account_id=owner, security_group_id=target.security_group_id, security_group_name=target.security_group_name
    )


def _is_public(call: Call, group: SecurityGroup) -> bool:
    """Whether accounts of the caller's Region can name a group in rules: it is in the public Cloud (REG-001)."""
    return group.net_id is None and call.get_region(group.account_id) == call.account.region


# --- rules as sets of targets


_get_ports = attrgetter("ip_protocol", "from_port_range", "to_port_range")


def _index_by_ports(rules: Rules) -> ByPorts:
    """Return the rules of a group by their protocol and ports, which differ (SG-012)."""
    return dict(zip(map(_get_ports, rules), rules, strict=True))


def _list_targets(rule: SecurityGroupRule) -> list[str]:
    members = (member.security_group_id for member in rule.security_groups_members or ())
    return [*(rule.ip_ranges or ()), *filter(None, members)]


def _find_overlap(rules: ByPorts, requested: SecurityGroupRule) -> list[str]:
    """Return the targets of a requested rule that the rules already contain."""
    existing = rules.get(_get_ports(requested))
    targets = set(_list_targets(existing)) if existing is not None else ()
    return [target for target in _list_targets(requested) if target in targets]


def _add_rule(call: Call, rules: ByPorts, requested: SecurityGroupRule) -> None:
    """Add a requested rule under a new id, or to the one with the same ports (SG-012)."""
    ports = _get_ports(requested)
    existing = rules.get(ports)
    if existing is None:
        rules[ports] = replace(requested, security_group_rule_id=call.new_id("security_group_rule"))
        return
    ranges = dict.fromkeys((*(existing.ip_ranges or ()), *(requested.ip_ranges or ())))
    members = dict.fromkeys((*(existing.security_groups_members or ()), *(requested.security_groups_members or ())))
    rules[ports] = replace(existing, ip_ranges=tuple(ranges) or None, security_groups_members=tuple(members) or None)


def _remove_rule(rules: ByPorts, requested: SecurityGroupRule) -> None:
    """Remove the targets of a requested rule, and their rule with its last target."""
    ports = _get_ports(requested)
    existing = rules.get(ports)
    if existing is None:
        return  # without a target, which is refused already; why_not goes on
    removed = frozenset((*(requested.ip_ranges or ()), *(requested.security_groups_members or ())))
    ranges = tuple(text for text in existing.ip_ranges or () if text not in removed)
    members = tuple(member for member in existing.security_groups_members or () if member not in removed)
    if ranges or members:
        rules[ports] = replace(existing, ip_ranges=ranges or None, security_groups_members=members or None)
    else:
        del rules[ports]
