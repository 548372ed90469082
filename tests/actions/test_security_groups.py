"""Security groups: their rules, who is in them, and how long a VM holds its groups."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.expect import expect_refusal

from omisim import Account, Cloud
from omisim.model import SecurityGroup

SSH: dict[str, Any] = {"from_port_range": 22, "to_port_range": 22, "ip_protocol": "tcp"}


@pytest.fixture(name="web")
def _web(alice: Account) -> SecurityGroup:
    """A group of the public Cloud."""
    return alice.create_security_group(security_group_name="web", description="for a test")


@pytest.fixture(name="inner")
def _inner(alice: Account) -> SecurityGroup:
    """A group of a Net."""
    net = alice.create_net(ip_range="10.0.0.0/16")
    return alice.create_security_group(security_group_name="web", description="for a test", net_id=net.net_id)


def rules(account: Account, group: SecurityGroup) -> list[dict[str, Any]]:
    """Return the inbound rules of a group as they are answered."""
    answer = account.call("ReadSecurityGroups", Filters={"SecurityGroupIds": [group.security_group_id]})
    inbound_rules: list[dict[str, Any]] = answer["SecurityGroups"][0]["InboundRules"]
    return inbound_rules


def without_ids(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rules without their ids."""
    return [{name: value for name, value in rule.items() if name != "SecurityGroupRuleId"} for rule in rules]


class TestDefaultSecurityGroups:
    def test_exist_for_an_account_and_for_each_net(self, alice: Account) -> None:
        """An account has a default group, and each of its Nets another; members reach each other. [SG-009, NET-006]"""
        net = alice.create_net(ip_range="10.0.0.0/16")
        own, inner = alice.read_security_groups(filters={"security_group_names": ["default"]})
        assert (own.net_id, inner.net_id) == (None, net.net_id)
        for group in (own, inner):
            (rule,) = group.inbound_rules
            assert rule.ip_protocol == "-1"
            assert rule.security_groups_members
            assert rule.security_groups_members[0].security_group_id == group.security_group_id
        alice.delete_net(net_id=net.net_id)
        assert [group.security_group_id for group in alice.read_security_groups()] == [own.security_group_id]

    def test_have_the_vms_launched_without_a_group(self, alice: Account, inner: SecurityGroup) -> None:
        """A VM launched without a group is in the default group of its Net or of the public Cloud. [VM-009]"""
        ubuntu = alice.read_images()[0].image_id
        subnet = alice.create_subnet(ip_range="10.0.0.0/24", net_id=str(inner.net_id))
        outside = alice.create_vms(image_id=ubuntu)[0]
        inside = alice.create_vms(image_id=ubuntu, subnet_id=subnet.subnet_id)[0]
        own, other = alice.read_security_groups(filters={"security_group_names": ["default"]})
        assert [group.security_group_id for group in outside.security_groups] == [own.security_group_id]
        assert [group.security_group_id for group in inside.security_groups] == [other.security_group_id]


class TestSecurityGroups:
    def test_have_no_inbound_rules_at_first(self, web: SecurityGroup, inner: SecurityGroup) -> None:
        """A new group has no inbound rules; in a Net it allows all outbound traffic. [SG-010]"""
        assert web.inbound_rules == inner.inbound_rules == web.outbound_rules == ()
        assert [(rule.ip_protocol, rule.ip_ranges) for rule in inner.outbound_rules] == [("-1", ("0.0.0.0/0",))]

    def test_are_given_by_name_or_id_in_a_launch(self, alice: Account, web: SecurityGroup) -> None:
        """A VM is in the groups that its launch gives, by name or id. [VM-009]"""
        ubuntu = alice.read_images()[0].image_id
        by_id, by_name = (
            alice.create_vms(image_id=ubuntu, **groups)[0]  # type: ignore[arg-type]
            for groups in ({"security_group_ids": [web.security_group_id]}, {"security_groups": ["web", "default"]})
        )
        assert [group.security_group_name for group in by_id.security_groups] == ["web"]
        assert [group.security_group_name for group in by_name.security_groups] == ["web", "default"]

    def test_of_a_vm_are_replaced_by_update_vm(self, alice: Account, web: SecurityGroup) -> None:
        """UpdateVm puts a VM in other groups, and releases the previous ones. [VM-073, SG-008]"""
        vm = alice.create_vms(image_id=alice.read_images()[0].image_id, security_groups=["web"])[0]
        default = alice.read_security_groups()[0].security_group_id
        updated = alice.update_vm(vm_id=vm.vm_id, security_group_ids=[default])
        assert [group.security_group_name for group in updated.security_groups] == ["default"]
        alice.delete_security_group(security_group_name="web")

    def test_are_released_90_seconds_after_their_vm(self, slow: Cloud) -> None:
        """A terminated VM holds its groups for 90 seconds, as was measured. [SG-011]"""
        alice = slow.account("alice")
        web = alice.create_security_group(security_group_name="web", description="for a test").security_group_id
        vm = alice.create_vms(image_id=alice.read_images()[0].image_id, security_group_ids=[web])[0].vm_id
        alice.delete_vms(vm_ids=[vm])
        error = expect_refusal(alice, "DeleteSecurityGroup", SecurityGroupId=web)
        assert (error.rule, error.code) == ("SG-008", "9085")
        slow.advance(seconds=15)
        error = expect_refusal(alice, "DeleteSecurityGroup", SecurityGroupId=web)
        assert (error.rule, error.code) == ("SG-011", "9085")
        assert alice.read_vms()[0].security_groups == ()
        slow.advance(seconds=90)
        alice.delete_security_group(security_group_id=web)

    def test_are_released_at_once_in_eager_timing(self, alice: Account, web: SecurityGroup) -> None:
        """In eager timing a group can be deleted right after its VM. [SG-011]"""
        vm = alice.create_vms(image_id=alice.read_images()[0].image_id, security_groups=["web"])[0]
        alice.delete_vms(vm_ids=[vm.vm_id])
        alice.delete_security_group(security_group_id=web.security_group_id)

    def test_are_released_by_complete_in_manual_timing(self) -> None:
        """In manual timing `complete` releases the groups that a terminated VM holds. [SG-011]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        web = alice.create_security_group(security_group_name="web", description="for a test").security_group_id
        vm = alice.create_vms(image_id=alice.read_images()[0].image_id, security_group_ids=[web])[0].vm_id
        alice.delete_vms(vm_ids=[vm])
        cloud.complete(vm)
        assert not alice.can("DeleteSecurityGroup", SecurityGroupId=web)
        cloud.complete(vm)
        assert alice.can("DeleteSecurityGroup", SecurityGroupId=web)


class TestSecurityGroupRules:
    def test_are_given_flat_or_as_a_list(self, alice: Account, web: SecurityGroup) -> None:
        """Both forms of a request create the same rule."""
        alice.create_security_group_rule(
            flow="Inbound", security_group_id=web.security_group_id, ip_range="10.0.0.0/8", **SSH
        )
        flat = without_ids(rules(alice, web))
        alice.delete_security_group_rule(
            flow="Inbound", security_group_id=web.security_group_id, ip_range="10.0.0.0/8", **SSH
        )
        assert rules(alice, web) == []
        rule_list: Any = [{**SSH, "ip_ranges": ["10.0.0.0/8"]}]
        alice.create_security_group_rule(flow="Inbound", security_group_id=web.security_group_id, rules=rule_list)
        assert without_ids(rules(alice, web)) == flat
        assert flat == [{"FromPortRange": 22, "IpProtocol": "tcp", "IpRanges": ["10.0.0.0/8"], "ToPortRange": 22}]

    def test_of_the_same_ports_are_merged(self, alice: Account, web: SecurityGroup) -> None:
        """Ranges for one protocol and one range of ports are merged in one rule, and removed one by one."""
        for ip_range in ("10.0.0.0/8", "192.0.2.0/24"):
            alice.create_security_group_rule(
                flow="Inbound", security_group_id=web.security_group_id, ip_range=ip_range, **SSH
            )
        (rule,) = rules(alice, web)
        assert rule["IpRanges"] == ["10.0.0.0/8", "192.0.2.0/24"]
        alice.delete_security_group_rule(
            flow="Inbound", security_group_id=web.security_group_id, ip_range="10.0.0.0/8", **SSH
        )
        (rule,) = rules(alice, web)
        assert rule["IpRanges"] == ["192.0.2.0/24"]

    @pytest.mark.parametrize(
        ("parameters", "expected"),
        [
            ({"IpProtocol": "tcp", "IpRange": "10.0.0.9/8"}, ("tcp", 0, 0, "10.0.0.0/8")),
            ({"IpRange": "0.0.0.0/0"}, ("-1", -1, -1, "0.0.0.0/0")),
            ({"IpRange": "0.0.0.0/0", "FromPortRange": 1, "ToPortRange": 9}, ("-1", -1, -1, "0.0.0.0/0")),
            ({"IpProtocol": "icmp", "FromPortRange": 8, "IpRange": "10.0.0.0/8"}, ("icmp", 8, -1, "10.0.0.0/8")),
            ({"IpProtocol": "6", "ToPortRange": 80, "IpRange": "10.0.0.9"}, ("tcp", 0, 80, "10.0.0.9/32")),
        ],
    )
    def test_are_normalized(
        self, alice: Account, inner: SecurityGroup, parameters: dict[str, Any], expected: tuple[object, ...]
    ) -> None:
        """An absent port is 0, since Go clients leave zeros out; ranges begin at their first address. [SG-023]"""
        alice.call("CreateSecurityGroupRule", SecurityGroupId=inner.security_group_id, Flow="Inbound", **parameters)
        (rule,) = rules(alice, inner)
        assert (rule["IpProtocol"], rule["FromPortRange"], rule["ToPortRange"], *rule["IpRanges"]) == expected

    @pytest.mark.parametrize(
        ("kind", "code", "allowed"),
        [(255, 255, True), (-1, -1, True), (256, 0, False), (0, 256, False), (-2, 0, False), (0, -2, False)],
    )
    def test_of_icmp_have_a_type_and_a_code_up_to_255(
        self, alice: Account, web: SecurityGroup, kind: int, code: int, allowed: bool
    ) -> None:
        """Both are 0 to 255, or -1 for any. [SG-023]"""
        call: dict[str, Any] = {"SecurityGroupId": web.security_group_id, "Flow": "Inbound", "IpProtocol": "icmp"}
        call |= {"IpRange": "192.0.2.0/24", "FromPortRange": kind, "ToPortRange": code}
        refusals = alice.why_not("CreateSecurityGroupRule", **call)
        assert [error.rule for error in refusals] == ([] if allowed else ["SG-023"])

    def test_may_refer_to_a_group_of_another_account(self, alice: Account, bob: Account, web: SecurityGroup) -> None:
        """In the public Cloud a rule may allow the group of another account. [SG-026]"""
        theirs = bob.read_security_groups()[0].security_group_id
        group = alice.create_security_group_rule(
            flow="Inbound",
            security_group_id=web.security_group_id,
            security_group_name_to_link="default",
            security_group_account_id_to_link=bob.account_id,
        )
        (rule,) = group.inbound_rules
        assert rule.security_groups_members
        assert rule.security_groups_members[0].security_group_id == theirs

    @pytest.mark.parametrize("place", ["Region", "Net"])
    def test_refuse_a_group_that_no_other_account_may_name(
        self, cloud: Cloud, alice: Account, web: SecurityGroup, inner: SecurityGroup, place: str
    ) -> None:
        """A group of another account in a Net, or in another Region, is refused as if it did not exist.

        [SG-026, REG-001]
        """
        other = cloud.account("eve", region="us-east-2") if place == "Region" else cloud.account("eve")
        own = other.read_security_groups()[0].security_group_id
        target = web.security_group_id if place == "Region" else inner.security_group_id
        member = {"AccountId": alice.account_id, "SecurityGroupId": target}
        rule = {"IpProtocol": "tcp", "FromPortRange": 22, "ToPortRange": 22, "SecurityGroupsMembers": [member]}
        call = {"SecurityGroupId": own, "Flow": "Inbound", "Rules": [rule]}
        assert expect_refusal(other, "CreateSecurityGroupRule", **call).rule == "SG-026"

    def test_of_another_account_keep_a_group_without_being_named(
        self, alice: Account, bob: Account, web: SecurityGroup
    ) -> None:
        """The refusal to delete a group does not tell which groups of other accounts name it. [SG-008/rule]"""
        theirs = bob.read_security_groups()[0].security_group_id
        bob.create_security_group_rule(
            flow="Inbound",
            security_group_id=theirs,
            security_group_name_to_link="web",
            security_group_account_id_to_link=alice.account_id,
        )
        error = expect_refusal(alice, "DeleteSecurityGroup", SecurityGroupId=web.security_group_id)
        assert error.facts["named_by"] == "a group of another account"
        assert theirs not in str(error)

    def test_for_outbound_traffic_of_a_net_can_be_deleted(self, alice: Account, inner: SecurityGroup) -> None:
        """The default outbound rule of a group in a Net can be deleted. [SG-021, SG-010]"""
        group = alice.delete_security_group_rule(
            flow="Outbound", security_group_id=inner.security_group_id, ip_range="0.0.0.0/0"
        )
        assert group.outbound_rules == ()

    @pytest.mark.parametrize("parameters", [{}, {"IpProtocol": "tcp"}])
    def test_without_a_target_have_one_refusal(
        self, alice: Account, web: SecurityGroup, parameters: dict[str, Any]
    ) -> None:
        """`why_not` explains the deletion of a rule without a target from a group that has none with its ports."""
        group = {"SecurityGroupId": web.security_group_id, "Flow": "Inbound"}
        refusals = alice.why_not("DeleteSecurityGroupRule", **group, **parameters)
        assert [refusal.rule for refusal in refusals] == ["SG-025"]

    ports = st.integers(0, 65535)

    @given(requests=st.lists(st.tuples(ports, ports, st.integers(0, 255)), max_size=6, unique=True))
    def test_that_are_created_and_deleted_leave_nothing(self, requests: list[tuple[int, int, int]]) -> None:
        """Rules that are created and deleted, in any order, leave nothing. [SG-027, SG-028]"""
        alice = Cloud().account("alice")
        group = alice.create_security_group(security_group_name="web", description="for a test").security_group_id
        requested_rules = [
            {"FromPortRange": min(a, b), "ToPortRange": max(a, b), "IpRange": f"10.{octet}.0.0/16"}
            for a, b, octet in requests
        ]
        created_rules = []
        for rule in requested_rules:
            parameters = {"SecurityGroupId": group, "Flow": "Inbound", "IpProtocol": "udp", **rule}
            assert alice.can("CreateSecurityGroupRule", **parameters) == (rule not in created_rules)
            if rule not in created_rules:
                alice.call("CreateSecurityGroupRule", **parameters)
                created_rules.append(rule)
        for rule in reversed(created_rules):
            alice.call("DeleteSecurityGroupRule", SecurityGroupId=group, Flow="Inbound", IpProtocol="udp", **rule)
        assert alice.read_security_groups()[-1].inbound_rules == ()
