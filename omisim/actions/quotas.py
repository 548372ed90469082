"""Quotas: the limits of an account. By default, nothing is limited (QTA-020)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from itertools import groupby
from typing import Any, NamedTuple

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.tags import TAGGED
from omisim.model import (
    Entity,
    Net,
    Nic,
    Quota,
    QuotaTypes,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Vm,
    VmState,
)
from omisim.model.answers import GLOBAL
from omisim.model.filters import FiltersQuota, select_matching
from omisim.model.filters.dicts import FiltersQuotaDict
from omisim.spec.catalog import load_catalog
from omisim.spec.vm_types import VmShape, get_vm_shape

__all__ = [
    "check_each",
    "check_quotas",
    "compute_disk_costs",
    "compute_shape_costs",
    "count_rules",
    "get_remaining",
    "read_quotas",
]


def _get_total(call: Call, kind: str, name: str) -> int:
    return call.state.get_totals(kind, call.account.account_id).get(name, 0)


def _get_disk_total(call: Call, name: str) -> int:
    """Return a total of the volumes, with what unfinished updates will add to it (QTA-020)."""
    return _get_total(call, "volume", name) + _get_total(call, "volume_update", name)


def _sum_vms(call: Call, measure: Callable[[VmShape], float]) -> int:
    """Return the sum of what each VM measures that is not terminated."""
    counts = call.state.get_totals("vm", call.account.account_id).items()
    return int(sum(measure(get_vm_shape(vm_type)) * count for vm_type, count in counts))


def _count_own(call: Call, kind: str) -> int:
    return call.state.count(kind, "account_id", call.account.account_id)


class AccountQuota(NamedTuple):
    """A quota on a whole account. `count_used` returns the amount that the caller uses."""

    rule: str
    count_used: Callable[[Call], int]


QUOTAS: Mapping[str, AccountQuota] = {
    "vm_limit": AccountQuota("QTA-001", lambda call: _sum_vms(call, lambda _: 1)),
    "core_limit": AccountQuota("QTA-002", lambda call: _sum_vms(call, lambda shape: shape.vcores)),
    "memory_limit": AccountQuota("QTA-003", lambda call: _sum_vms(call, lambda shape: shape.memory)),
    "volume_limit": AccountQuota("QTA-005", partial(_count_own, kind="volume")),
    "volume_size_limit": AccountQuota("QTA-006", partial(_get_disk_total, name="size")),
    "standard_volume_size_limit": AccountQuota("QTA-006", partial(_get_disk_total, name="standard size")),
    "gp2_volume_size_limit": AccountQuota("QTA-006", partial(_get_disk_total, name="gp2 size")),
    "io1_volume_size_limit": AccountQuota("QTA-006", partial(_get_disk_total, name="io1 size")),
    "iops_limit": AccountQuota("QTA-007", partial(_get_disk_total, name="iops")),
    "snapshot_limit": AccountQuota("QTA-008", partial(_count_own, kind="snapshot")),
    "concurrent_snapshot_limit": AccountQuota("QTA-009", partial(_get_total, kind="snapshot", name="unfinished")),
    "pty_limit": AccountQuota("LIC-015", partial(_count_own, kind="product_type")),
    "image_export_limit": AccountQuota("QTA-010", partial(_get_total, kind="image_export", name="unfinished")),
    "snapshot_export_limit": AccountQuota("QTA-011", partial(_get_total, kind="snapshot_export", name="unfinished")),
    "sg_limit": AccountQuota("QTA-014", partial(_get_total, kind="security_group", name="public")),
    "vpc_limit": AccountQuota("QTA-015", partial(_get_total, kind="net", name="all")),
    "igw_limit": AccountQuota("QTA-015/igw", partial(_count_own, kind="internet_service")),
    "ip_limit": AccountQuota("QTA-016", partial(_count_own, kind="public_ip")),
}


class ResourceQuota(NamedTuple):
    """A quota on each resource of a class.

    `count_used` returns the amount that a resource uses, or None for one to which the quota does not apply.
    """

    rule: str
    cls: type[Entity]
    count_used: Callable[[Call, Any], int | None]


def count_rules(rules: Iterable[SecurityGroupRule]) -> int:
    """Return the number of IP ranges and groups in the rules of a security group: each counts as a rule."""
    return sum(len(rule.ip_ranges or ()) + len(rule.security_groups_members or ()) for rule in rules)


def _count_group_rules(_: Call, group: SecurityGroup, *, in_net: bool) -> int | None:
    is_limited = in_net == (group.net_id is not None)
    return count_rules((*group.inbound_rules, *group.outbound_rules)) if is_limited else None


def _count_groups(call: Call, vm: Vm) -> int | None:
    """Return the number of groups of a VM, in a Net that of its NIC with the most (QTA-014/vm)."""
    if vm.state is VmState.TERMINATED:
        return None
    holders: list[Vm | Nic] = [vm, *call.state.find_by("nic", "link_nic.vm_id", vm.vm_id)]
    return max(len(holder.security_groups) for holder in holders)


def _count_in_net(call: Call, net: Any, kind: str) -> int:
    return call.state.count(kind, "net_id", net.net_id)


# kind → its place among the pages of ReadQuotas (`framework/paging.py`)
_PLACES: Mapping[str, int] = {kind: place for place, (kind, _) in enumerate(TAGGED.values())}
# quotas on a single resource, in the order of these places
EACH: Mapping[str, ResourceQuota] = {
    "vm_sg_limit": ResourceQuota("QTA-014/vm", Vm, _count_groups),
    "rtb_rule_limit": ResourceQuota("QTA-015/route", RouteTable, lambda _, table: len(table.routes)),
    "sg_rule_limit": ResourceQuota("QTA-014/rule", SecurityGroup, partial(_count_group_rules, in_net=False)),
    "vpc_sg_rule_limit": ResourceQuota("QTA-014/rule", SecurityGroup, partial(_count_group_rules, in_net=True)),
    "rtb_limit": ResourceQuota("QTA-015/rtb", Net, partial(_count_in_net, kind="route_table")),
    "subnet_limit": ResourceQuota("QTA-015/subnet", Net, partial(_count_in_net, kind="subnet")),
    "vpc_sg_limit": ResourceQuota("QTA-014", Net, partial(_count_in_net, kind="security_group")),
}


def compute_shape_costs(shape: VmShape) -> dict[str, int]:
    """Return the amounts by quota that a VM of this shape uses."""
    return {"vm_limit": 1, "core_limit": shape.vcores, "memory_limit": int(shape.memory)}


def compute_disk_costs(volume_type: str, size: int, iops: int | None) -> dict[str, int]:
    """Return the amounts by quota that a volume uses. Its size is in GiB."""
    costs = {"volume_limit": 1, "volume_size_limit": size}
    of_type = f"{volume_type}_volume_size_limit"
    if of_type in QUOTAS:  # an unknown type has its own refusal
        costs[of_type] = size
    if volume_type == "io1":
        costs["iops_limit"] = iops or 0
    return costs


def get_remaining(call: Call, names: Iterable[str]) -> dict[str, int]:
    """Return the rest of each of these quotas of the caller. An unlimited one is left out."""
    limits = _list_limits(call.account.quotas)
    return {name: _subtract_used(call, name, limits[name]) for name in names if name in limits}


def _subtract_used(call: Call, name: str, limit: int) -> int:
    return max(limit - QUOTAS[name].count_used(call), 0)


@lru_cache(maxsize=64)
def _list_limits(own: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    """Return the limits of an account with quotas of its own. A limit of 0, which means unlimited, is left out."""
    limits = {name: row["max"] for name, row in load_catalog().quotas.items()} | dict(own)
    return {name: limit for name, limit in limits.items() if limit}


def check_quotas(call: Call, adding: Mapping[str, int]) -> None:
    """Refuse additions, given as amounts by quota, that would exceed a quota of the caller."""
    for name, rest in get_remaining(call, adding).items():
        limit, more = _list_limits(call.account.quotas)[name], adding[name]
        call.check(more <= rest, QUOTAS[name].rule, quota=name, limit=limit, adding=more)


def check_each(call: Call, name: str, resource: Entity | None, more: int) -> None:
    """Refuse an addition that would exceed a quota on a single resource. None is one that uses nothing of it yet."""
    limit = _list_limits(call.account.quotas).get(name)
    if limit is not None:
        used = 0 if resource is None else EACH[name].count_used(call, resource) or 0
        call.check(used + more <= limit, EACH[name].rule, quota=name, limit=limit, adding=more)


@action("ReadQuotas", "QuotaTypes", paged=True)
def read_quotas(call: Call, *, filters: FiltersQuota | FiltersQuotaDict | None = None) -> tuple[QuotaTypes, ...]:
    """List the quotas of the caller, and of each of the caller's resources that has some (CAT-003, CAT-003/resource).

    A limit of 0 means unlimited. The amounts used are those of existing resources, and of unfinished updates of volumes
    (QTA-020).
    """
    selection = as_parsed(filters) or FiltersQuota()
    groups = ((of, tuple(select_matching(quotas, selection))) for of, quotas in _list_quotas(call, selection))
    types = (QuotaTypes(quota_type=of, quotas=quotas) for of, quotas in groups if quotas)
    return call.take(types)


def _list_quotas(call: Call, selection: FiltersQuota) -> Iterator[tuple[str, Iterable[Quota]]]:
    """Yield the quotas of the account, then those of each of its resources, at least those that match the filters.

    Those that earlier pages showed are left out.
    """
    ids, wanted, (first_kind, _) = selection.quota_types, selection.quota_names, call.page.first_tag
    used = {name: quota.count_used(call) for name, quota in QUOTAS.items()}
    make_quota = partial(_make_quota, call.account.account_id, dict(call.account.quotas))
    if not call.page.first:
        yield GLOBAL, [make_quota(name, used.get(name, 0), GLOBAL) for name in load_catalog().quotas]
    for cls, names in groupby(EACH, key=lambda name: EACH[name].cls):
        place = _PLACES[cls.kind]
        limited = [name for name in names if wanted is None or name in wanted]
        if not limited or place < first_kind:
            continue
        first = call.page.first if place == first_kind else 0
        if ids is None:
            rows = call.state.find_narrowest(cls.kind, [[("account_id", call.account.account_id)]], first)
        else:
            rows = call.state.find_by_ids(cls.kind, ids, first)
        for row in filter(call.owns, rows):
            amounts = {name: EACH[name].count_used(call, row) for name in limited if not row.is_gone}
            yield row.id, [make_quota(name, n, row.id) for name, n in amounts.items() if n is not None]


def _make_quota(account_id: str, limits: Mapping[str, int], name: str, used: int, quota_type: str) -> Quota:
    row = load_catalog().quotas[name]
    return Quota(
        account_id=account_id,
        description=row["says"],
        max_value=limits.get(name, row["max"]),
        name=name,
        quota_collection=row["collection"],
        quota_type=quota_type,
        short_description=row["short"],
        used_value=used,
    )
