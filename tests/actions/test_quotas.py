"""Quotas: what an account may have at most, where a test sets it."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.catalogue import SUBREGION
from support.expect import expect_refusal
from support.networks import add_networks

from omisim import Account, Cloud
from omisim.model.filters.dicts import FiltersQuotaDict
from omisim.spec.catalog import QuotaName, load_catalog

VOLUME = {"SubregionName": SUBREGION, "Size": 10}


def make_limited_account(**quotas: int) -> Account:
    """Return an account with these quotas."""
    return Cloud().account("dave", quotas=quotas)  # type: ignore[arg-type]


def test_names_for_type_checkers_are_those_of_the_catalogue() -> None:
    """`QuotaName` has the quotas of the catalogue and no others."""
    assert get_args(QuotaName) == tuple(load_catalog().quotas)


def count_used(account: Account, quota: str) -> int:
    """Return the amount of a quota that ReadQuotas says an account uses."""
    filters: FiltersQuotaDict = {"quota_names": [quota], "quota_types": ["global"]}
    return account.read_quotas(filters=filters)[0].quotas[0].used_value


def launch(account: Account, **more: Any) -> dict[str, Any]:
    """Return the parameters of a launch of two vCores and four GiB."""
    image = account.read_images(filters={"account_aliases": ["Outscale"], "image_names": ["Ubuntu*"]})[0]
    return {"ImageId": image.image_id, "VmType": "tinav5.c2r4p2", **more}


class TestEachQuota:
    @pytest.mark.parametrize(
        ("quota", "limit", "rule", "code"),
        [
            ("vm_limit", 1, "QTA-001", "10010"),
            ("core_limit", 3, "QTA-002", "10029"),
            ("memory_limit", 7, "QTA-003", "10042"),
            ("volume_limit", 1, "QTA-005", "10018"),
        ],
    )
    def test_on_vms_refuses_one_too_many(self, quota: str, limit: int, rule: str, code: str) -> None:
        """A second VM that would exceed a quota is refused. [QTA-001, QTA-002, QTA-003, QTA-005, VM-006]"""
        dave = make_limited_account(**{quota: limit})
        assert dave.call("CreateVms", **launch(dave))
        error = expect_refusal(dave, "CreateVms", **launch(dave))
        assert (error.rule, error.code, error.facts["quota"]) == (rule, code, quota)

    @pytest.mark.parametrize(("quota", "limit", "code"), [("core_limit", 5, "10029"), ("memory_limit", 11, "10042")])
    def test_on_shapes_limits_a_larger_type(self, quota: str, limit: int, code: str) -> None:
        """A VM cannot get a type that exceeds a quota with the other VMs. [QTA-002, QTA-003, VM-006]"""
        dave = make_limited_account(**{quota: limit})
        dave.call("CreateVms", **launch(dave))
        vm = dave.call("CreateVms", **launch(dave))["Vms"][0]["VmId"]
        dave.call("StopVms", VmIds=[vm])
        error = expect_refusal(dave, "UpdateVm", VmId=vm, VmType="tinav5.c4r8p2")
        assert (error.code, error.facts["quota"], error.facts["adding"]) == (code, quota, 2 if limit == 5 else 4)
        assert dave.can("UpdateVm", VmId=vm, VmType="tinav5.c3r7p2")

    @pytest.mark.parametrize("quota", ["volume_size_limit", "standard_volume_size_limit"])
    def test_on_sizes_counts_gib(self, quota: str) -> None:
        """The GiB of all volumes count, and those of each type. [QTA-006, VOL-018]"""
        dave = make_limited_account(**{quota: 25})
        dave.call("CreateVolume", **VOLUME)
        dave.call("CreateVolume", **VOLUME)
        error = expect_refusal(dave, "CreateVolume", **VOLUME)
        assert (error.rule, error.code) == ("QTA-006", "10024")
        assert dave.can("CreateVolume", **VOLUME | {"Size": 5})

    def test_on_iops_counts_io1_volumes(self) -> None:
        """The IOPS of io1 volumes are summed. [QTA-007, VOL-018]"""
        dave = make_limited_account(iops_limit=500)
        fast = {**VOLUME, "VolumeType": "io1"}
        volume = dave.call("CreateVolume", **fast, Iops=400)["Volume"]["VolumeId"]
        assert expect_refusal(dave, "CreateVolume", **fast, Iops=200).rule == "QTA-007"
        assert expect_refusal(dave, "UpdateVolume", VolumeId=volume, Iops=600).code == "10025"
        assert dave.can("UpdateVolume", VolumeId=volume, Iops=500)

    def test_on_sizes_limits_growth(self) -> None:
        """A volume cannot grow beyond the quota. [QTA-006]"""
        dave = make_limited_account(volume_size_limit=25)
        volume = dave.call("CreateVolume", **VOLUME)["Volume"]["VolumeId"]
        assert expect_refusal(dave, "UpdateVolume", VolumeId=volume, Size=26).rule == "QTA-006"
        assert dave.can("UpdateVolume", VolumeId=volume, Size=25)

    @pytest.mark.parametrize(
        ("quota", "limit", "update"),
        [
            ("volume_size_limit", 90, {"Size": 50}),
            ("io1_volume_size_limit", 60, {"VolumeType": "io1", "Iops": 200, "Size": 50}),
            ("iops_limit", 350, {"VolumeType": "io1", "Iops": 200}),
        ],
    )
    def test_on_volumes_counts_what_unfinished_updates_will_add(
        self, quota: QuotaName, limit: int, update: dict[str, Any]
    ) -> None:
        """What an unfinished update will add counts from the call on, for other updates and in ReadQuotas. [QTA-020]"""
        cloud = Cloud(timing="clock")
        dave = cloud.account("dave", quotas={quota: limit})
        first, second = (dave.call("CreateVolume", **VOLUME)["Volume"]["VolumeId"] for _ in range(2))
        dave.call("UpdateVolume", VolumeId=first, **update)  # by a task: the volume is being created
        used = count_used(dave, quota)
        error = expect_refusal(dave, "UpdateVolume", VolumeId=second, **update)
        assert (error.facts["quota"], error.facts["limit"]) == (quota, limit)
        cloud.settle()
        assert count_used(dave, quota) == used

    def test_on_sizes_forgets_an_update_that_failed(self) -> None:
        """An update that has failed no longer counts. [QTA-020]"""
        dave = Cloud(timing="clock").account("dave", quotas={"volume_size_limit": 60})
        volume = dave.call("CreateVolume", **VOLUME)["Volume"]["VolumeId"]
        dave.cloud.fail(dave.call("UpdateVolume", VolumeId=volume, Size=60)["Volume"]["TaskId"])
        assert dave.can("CreateVolume", **VOLUME | {"Size": 50})

    def test_on_sizes_forgets_the_update_of_a_deleted_volume(self) -> None:
        """The update of a volume fails when its deletion begins, and no longer counts. [QTA-020, ST-VOL-10]"""
        dave = Cloud(timing="manual").account("dave", quotas={"volume_size_limit": 60})
        volume = dave.call("CreateVolume", **VOLUME)["Volume"]["VolumeId"]
        dave.call("UpdateVolume", VolumeId=volume, Size=60)
        dave.call("DeleteVolume", VolumeId=volume)
        task = dave.read_volume_update_tasks()[0]
        assert (task.state, task.comment) == ("failed", f"The volume {volume} was deleted.")
        dave.cloud.complete(volume)
        assert dave.can("CreateVolume", **VOLUME | {"Size": 60})

    def test_on_snapshots_counts_those_of_a_copied_omi(self) -> None:
        """A copy of an OMI has its own snapshots: it is refused if they exceed the quota. [QTA-008, OMI-063]"""
        dave = make_limited_account(snapshot_limit=1)
        vm = dave.call("CreateVms", **launch(dave))["Vms"][0]
        golden = dave.call("CreateImage", VmId=vm["VmId"], ImageName="golden")["Image"]["ImageId"]
        copy = {"SourceImageId": golden, "SourceRegionName": dave.region, "ImageName": "copy"}
        assert expect_refusal(dave, "CreateImage", **copy).rule == "QTA-008"

    def test_on_snapshots_counts_those_of_a_new_omi(self) -> None:
        """The snapshots of an OMI count like others. [QTA-008, OMI-062, SNP-020]"""
        dave = make_limited_account(snapshot_limit=1)
        vm = dave.call("CreateVms", **launch(dave))["Vms"][0]
        dave.call("CreateImage", VmId=vm["VmId"], ImageName="golden")
        volume = vm["BlockDeviceMappings"][0]["Bsu"]["VolumeId"]
        assert expect_refusal(dave, "CreateSnapshot", VolumeId=volume).code == "10026"

    def test_on_concurrent_snapshots_counts_unfinished_ones(self) -> None:
        """Only snapshots in progress count. [QTA-009]"""
        dave = Cloud(timing="clock").account("dave", quotas={"concurrent_snapshot_limit": 1})
        volume = dave.call("CreateVolume", **VOLUME)["Volume"]["VolumeId"]
        dave.cloud.settle()
        dave.call("CreateSnapshot", VolumeId=volume)
        assert expect_refusal(dave, "CreateSnapshot", VolumeId=volume).rule == "QTA-009"
        dave.cloud.settle()
        assert dave.can("CreateSnapshot", VolumeId=volume)


GROUP = {"SecurityGroupName": "web", "Description": "for a test"}
SUBNET = {"IpRange": "10.0.1.0/24", "NetId": "{net}"}
RULES = {
    "SecurityGroupId": "{group}",
    "Flow": "Inbound",
    "Rules": [{"IpRanges": ["10.0.0.0/8", "192.0.2.0/24"], "IpProtocol": "tcp"}],
}
ROUTE = {"RouteTableId": "{table}", "DestinationIpRange": "0.0.0.0/0", "GatewayId": "{gateway}"}


class TestNetworkQuotas:
    @pytest.mark.parametrize(
        ("quota", "limit", "rule", "code", "action", "parameters"),
        [
            ("sg_limit", 4, "QTA-014", "10038", "CreateSecurityGroup", GROUP),
            ("vpc_sg_limit", 2, "QTA-014", "10038", "CreateSecurityGroup", {**GROUP, "NetId": "{net}"}),
            ("sg_rule_limit", 1, "QTA-014/rule", "10017", "CreateSecurityGroupRule", RULES),
            ("vm_sg_limit", 1, "QTA-014/vm", "10036", "CreateVms", {"SecurityGroups": ["group", "named"]}),
            ("vpc_limit", 2, "QTA-015", "10022", "CreateNet", {"IpRange": "10.0.0.0/16"}),
            ("igw_limit", 2, "QTA-015/igw", "10023", "CreateInternetService", {}),
            ("subnet_limit", 4, "QTA-015/subnet", "10022", "CreateSubnet", {**SUBNET, "IpRange": "10.0.9.0/24"}),
            ("rtb_limit", 3, "QTA-015/rtb", "10037", "CreateRouteTable", {"NetId": "{net}"}),
            (
                "rtb_rule_limit",
                2,
                "QTA-015/route",
                "10040",
                "CreateRoute",
                {**ROUTE, "DestinationIpRange": "192.0.2.0/24"},
            ),
            ("ip_limit", 3, "QTA-016", "10011", "CreatePublicIp", {}),
        ],
    )
    def test_refuse_one_too_many(
        self, quota: str, limit: int, rule: str, code: str, action: str, parameters: dict[str, Any]
    ) -> None:
        """A resource beyond the quota is refused, and allowed when the quota is one higher.

        [QTA-014, QTA-014/rule, QTA-014/vm, QTA-015, QTA-015/igw, QTA-015/subnet, QTA-015/rtb, QTA-015/route, QTA-016]
        """
        for allowed in (limit, limit + 1):
            dave = make_limited_account(**{quota: allowed})
            image_id = dave.read_images()[0].image_id
            ids: dict[str, str] = {}
            add_networks(dave, image_id, ids)
            ids_by_reference = {f"{{{name}}}": row_id for name, row_id in ids.items()}
            request = {name: ids_by_reference.get(str(value), value) for name, value in parameters.items()}
            request |= {"ImageId": image_id} if action == "CreateVms" else {}
            if allowed == limit:
                error = expect_refusal(dave, action, **request)
                assert (error.rule, error.code, error.facts["quota"]) == (rule, code, quota)
            else:
                assert dave.can(action, **request)

    @pytest.mark.parametrize("action", ["CreateVms", "CreateNic", "UpdateNic", "UpdateVm"])
    def test_on_groups_holds_for_each_nic(self, action: str) -> None:
        """The groups of a NIC are limited, however it gets them. [QTA-014/vm]"""
        dave = make_limited_account(vm_sg_limit=2)
        net_id = dave.create_net(ip_range="10.0.0.0/16").net_id
        subnet_id = dave.create_subnet(net_id=net_id, ip_range="10.0.1.0/24").subnet_id
        groups = [
            dave.create_security_group(net_id=net_id, security_group_name=name, description="for a test")
            for name in ("a", "b", "c")
        ]
        image_id = dave.read_images()[0].image_id
        (vm,) = dave.create_vms(image_id=image_id, subnet_id=subnet_id)
        assert vm.nics is not None
        nic_id = vm.nics[0].nic_id
        nic = {"SecurityGroupIds": [group.security_group_id for group in groups], "SubnetId": subnet_id}

        def make_request(nic: dict[str, Any]) -> dict[str, Any]:
            return {
                "CreateVms": {"ImageId": image_id, "Nics": [{"DeviceNumber": 0, **nic}]},
                "CreateNic": nic,
                "UpdateNic": {"NicId": nic_id, "SecurityGroupIds": nic["SecurityGroupIds"]},
                "UpdateVm": {"VmId": vm.vm_id, "SecurityGroupIds": nic["SecurityGroupIds"]},
            }[action]

        assert expect_refusal(dave, action, **make_request(nic)).rule == "QTA-014/vm"
        assert dave.can(action, **make_request({**nic, "SecurityGroupIds": nic["SecurityGroupIds"][:2]}))

    def test_on_rules_counts_both_directions(self) -> None:
        """The outbound rule that a group of a Net begins with counts, and each range of a rule. [QTA-014/rule]"""
        dave = make_limited_account(vpc_sg_rule_limit=2)
        net_id = dave.create_net(ip_range="10.0.0.0/16").net_id
        group = dave.create_security_group(net_id=net_id, security_group_name="web", description="for a test")
        request = {**RULES, "SecurityGroupId": group.security_group_id}
        assert expect_refusal(dave, "CreateSecurityGroupRule", **request).rule == "QTA-014/rule"
        assert dave.can("CreateSecurityGroupRule", **{**request, "Rules": [{"IpRanges": ["10.0.0.0/8"]}]})

    def test_on_rules_counts_each_range_once(self) -> None:
        """A range that is added to a rule counts beside those that the rule has. [QTA-014/rule]"""
        dave = make_limited_account(sg_rule_limit=3)
        group = dave.create_security_group(security_group_name="web", description="for a test")

        def add(*ip_ranges: str) -> dict[str, Any]:
            rules = [{"IpRanges": ip_ranges, "IpProtocol": "tcp"}]
            return {"SecurityGroupId": group.security_group_id, "Flow": "Inbound", "Rules": rules}

        dave.call("CreateSecurityGroupRule", **add("10.0.0.0/8", "192.0.2.0/24"))
        error = expect_refusal(dave, "CreateSecurityGroupRule", **add("198.51.100.0/24", "203.0.113.0/24"))
        assert (error.rule, error.facts["adding"]) == ("QTA-014/rule", 2)
        assert dave.can("CreateSecurityGroupRule", **add("198.51.100.0/24"))


class TestQuotas:
    @given(limit=st.integers(1, 6), least=st.integers(1, 8), most=st.integers(1, 8))
    def test_limit_a_launch_to_what_fits(self, limit: int, least: int, most: int) -> None:
        """As many VMs as fit are launched between minimum and maximum; none if fewer than the minimum fit.

        [VM-004, QTA-019]
        """
        dave = make_limited_account(vm_limit=limit)
        call = launch(dave, MinVmsCount=least, MaxVmsCount=most)
        if not least <= min(limit, most):
            assert expect_refusal(dave, "CreateVms", **call).rule == ("VM-004" if least > most else "QTA-001")
        else:
            assert len(dave.call("CreateVms", **call)["Vms"]) == min(limit, most)

    def test_do_not_count_terminated_vms(self) -> None:
        """A terminated VM does not count, though it is still read. [QTA-020]"""
        dave = make_limited_account(vm_limit=1)
        vm = dave.call("CreateVms", **launch(dave))["Vms"][0]
        dave.call("DeleteVms", VmIds=[vm["VmId"]])
        assert dave.can("CreateVms", **launch(dave))

    def test_of_zero_are_no_limit(self) -> None:
        """A quota of 0 means no limit."""
        assert make_limited_account(vm_limit=0).can("CreateVms", **launch(make_limited_account()))

    def test_do_not_apply_unless_set(self, alice: Account) -> None:
        """Nothing is limited by default, for the real values are not published."""
        assert len(alice.call("CreateVms", **launch(alice, MinVmsCount=50, MaxVmsCount=50))["Vms"]) == 50

    def test_count_one_account_only(self) -> None:
        """Resources of one account do not count for another. [SHR-004]"""
        dave = make_limited_account(vm_limit=1)
        dave.call("CreateVms", **launch(dave))
        eve = dave.cloud.account("eve", quotas={"vm_limit": 1})
        assert eve.can("CreateVms", **launch(eve))

    def test_with_an_unknown_name_are_refused(self) -> None:
        """An account cannot be created with an unknown quota."""
        with pytest.raises(ValueError, match="vm_limit"):
            make_limited_account(vms=1)


class TestReadQuotas:
    def test_shows_limits_and_usage(self) -> None:
        """Each quota has its limit, 0 for none, and the number of resources that count. [CAT-003, QTA-020, QTA-021]"""
        dave = make_limited_account(vm_limit=3)
        dave.call("CreateVms", **launch(dave, MaxVmsCount=2))
        rows = {row.name: row for group in dave.read_quotas() for row in group.quotas}
        quota = rows["vm_limit"]
        assert (quota.max_value, quota.used_value, quota.short_description) == (3, 2, "VM Limit")
        assert (rows["core_limit"].max_value, rows["core_limit"].used_value) == (0, 4)
        assert (rows["volume_size_limit"].used_value, rows["image_export_limit"].max_value) == (20, 5)

    def test_has_the_short_descriptions_of_the_cloud(self, alice: Account) -> None:
        """A quota is found by the short description that the real service gives it. [QTA-021]"""
        names = {"Core Limit": "core_limit", "Security Groups Limit": "sg_limit", "Internet Gateway Limit": "igw_limit"}
        found = alice.read_quotas(filters={"short_descriptions": [*names]})
        assert {row.short_description: row.name for group in found for row in group.quotas} == names

    @pytest.mark.parametrize(
        ("filters", "names"),
        [
            ({"quota_names": ["vm_limit"]}, {"vm_limit"}),
            ({"collections": ["LBU"]}, {"lb_limit", "lb_listeners_limit", "lb_rules_limit"}),
            ({"short_descriptions": ["VM Limit"], "quota_types": ["global"]}, {"vm_limit"}),
            ({"quota_types": ["nothing"]}, set()),
        ],
    )
    def test_filters_by_every_field(self, alice: Account, filters: FiltersQuotaDict, names: set[str]) -> None:
        """Quotas are found by name, collection, type and short description; unknown values find none. [CAT-003]"""
        assert {row.name for group in alice.read_quotas(filters=filters) for row in group.quotas} == names


def list_used(account: Account, *quota_types: str) -> dict[str, dict[str, int]]:
    """Return the amounts used by quota type and name: of all types, or of these."""
    groups = account.read_quotas(filters={"quota_types": quota_types} if quota_types else None)
    return {group.quota_type: {row.name: row.used_value for row in group.quotas} for group in groups}


class TestResourceQuotas:
    def test_show_the_use_at_which_a_limit_refuses_more(self, alice: Account) -> None:
        """A Net and a route table show what counts against their limits, as in TestNetworkQuotas. [CAT-003/resource]"""
        ids: dict[str, str] = {}
        add_networks(alice, alice.read_images()[0].image_id, ids)
        assert list_used(alice, ids["net"], ids["table"]) == {
            ids["table"]: {"rtb_rule_limit": 2},
            ids["net"]: {"rtb_limit": 3, "subnet_limit": 4, "vpc_sg_limit": 2},
        }

    def test_of_security_groups_count_ranges_and_groups(self, alice: Account) -> None:
        """Each range and each group in the rules of a group counts, inbound and outbound. [QTA-014/rule]"""
        net_id = alice.create_net(ip_range="10.0.0.0/16").net_id
        names = {"security_group_name": "web", "description": "for a test"}
        public = alice.create_security_group(**names).security_group_id
        private = alice.create_security_group(**names, net_id=net_id).security_group_id
        for group_id in (public, private):
            member = {"security_group_id": group_id}
            rule = {"ip_ranges": ["10.0.0.0/8", "192.0.2.0/24"], "security_groups_members": [member]}
            alice.create_security_group_rule(security_group_id=group_id, flow="Inbound", rules=[rule])
        used = {public: {"sg_rule_limit": 3}, private: {"vpc_sg_rule_limit": 4}}
        assert list_used(alice, public, private) == used

    def test_of_vms_end_with_the_vm(self, alice: Account) -> None:
        """A VM has the quota on its security groups until it is terminated. [CAT-003/resource, QTA-020]"""
        (vm,) = alice.create_vms(image_id=alice.read_images()[0].image_id)
        assert list_used(alice, vm.vm_id) == {vm.vm_id: {"vm_sg_limit": 1}}
        alice.delete_vms(vm_ids=[vm.vm_id])
        assert list_used(alice, vm.vm_id) == {}

    def test_of_vms_in_a_net_count_the_groups_of_each_nic(self, alice: Account) -> None:
        """A VM in a Net shows the use of its NIC with the most groups. [CAT-003/resource, QTA-014/vm]"""
        ids: dict[str, str] = {}
        add_networks(alice, alice.read_images()[0].image_id, ids)
        assert list_used(alice, ids["two_nics"]) == {ids["two_nics"]: {"vm_sg_limit": 1}}
        default = alice.read_nics(filters={"nic_ids": [ids["secondary"]]})[0].security_groups[0].security_group_id
        alice.update_nic(nic_id=ids["secondary"], security_group_ids=[default, ids["net_group"]])
        assert list_used(alice, ids["two_nics"]) == {ids["two_nics"]: {"vm_sg_limit": 2}}

    def test_of_nets_end_when_their_deletion_begins(self) -> None:
        """A Net that is being deleted has no quotas. [CAT-003/resource, NET-018]"""
        alice = Cloud(timing="manual").account("alice")
        net_id = alice.create_net(ip_range="10.0.0.0/16").net_id
        alice.delete_net(net_id=net_id)
        assert [net.state for net in alice.read_nets()] == ["deleting"]
        assert list_used(alice, net_id) == {}

    def test_stand_among_the_global_ones_unused(self, alice: Account) -> None:
        """The limit on each resource is found without one, as a global quota with a use of 0. [CAT-003/resource]"""
        alice.create_net(ip_range="10.0.0.0/16")
        assert list_used(alice, "global")["global"]["subnet_limit"] == 0

    def test_belong_to_the_owner_of_the_resource(self, alice: Account, bob: Account) -> None:
        """The quotas of another account's resource are not found. [CAT-003/resource]"""
        net_id = alice.create_net(ip_range="10.0.0.0/16").net_id
        assert list_used(bob, net_id) == {}
