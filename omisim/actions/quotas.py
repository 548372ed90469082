"""Quotas: the limits of an account. By default, nothing is limited (QTA-020)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.model import (
    Quota,
    QuotaTypes,
)
from omisim.model.filters import FiltersQuota, select_matching
from omisim.model.filters.dicts import FiltersQuotaDict
from omisim.spec.catalog import load_catalog
from omisim.spec.vm_types import VmShape, get_vm_shape

__all__ = ["QUOTAS", "check_each", "check_quotas", "disk_costs", "get_remaining", "read_quotas"]


def _get_total(call: Call, kind: str, name: str) -> int:
    return call.state.get_totals(kind, call.account.account_id).get(name, 0)


def _sum_vms(call: Call, measure: Callable[[VmShape], float]) -> int:
    """Return the sum of what each VM measures that is not terminated."""
    counts = call.state.get_totals("vm", call.account.account_id).items()
    return int(sum(measure(get_vm_shape(vm_type)) * count for vm_type, count in counts))


def _count_own(call: Call, kind: str) -> int:
    return call.state.count(kind, "account_id", call.account.account_id)


# quota → (rule, the amount that the caller uses)
QUOTAS: Mapping[str, tuple[str, Callable[[Call], int]]] = {
    "vm_limit": ("QTA-001", lambda call: _sum_vms(call, lambda _: 1)),
    "core_limit": ("QTA-002", lambda call: _sum_vms(call, lambda shape: shape.vcores)),
    "memory_limit": ("QTA-003", lambda call: _sum_vms(call, lambda shape: shape.memory)),
    "volume_limit": ("QTA-005", partial(_count_own, kind="volume")),
    "volume_size_limit": ("QTA-006", partial(_get_total, kind="volume", name="size")),
    "standard_volume_size_limit": ("QTA-006", partial(_get_total, kind="volume", name="standard size")),
    "gp2_volume_size_limit": ("QTA-006", partial(_get_total, kind="volume", name="gp2 size")),
    "io1_volume_size_limit": ("QTA-006", partial(_get_total, kind="volume", name="io1 size")),
    "iops_limit": ("QTA-007", partial(_get_total, kind="volume", name="iops")),
    "snapshot_limit": ("QTA-008", partial(_count_own, kind="snapshot")),
    "concurrent_snapshot_limit": ("QTA-009", partial(_get_total, kind="snapshot", name="unfinished")),
    "pty_limit": ("LIC-015", partial(_count_own, kind="product_type")),
    "image_export_limit": ("QTA-010", partial(_get_total, kind="image_export", name="unfinished")),
    "snapshot_export_limit": ("QTA-011", partial(_get_total, kind="snapshot_export", name="unfinished")),
    "sg_limit": ("QTA-014", partial(_get_total, kind="security_group", name="public")),
    "vpc_limit": ("QTA-015", partial(_get_total, kind="net", name="all")),
    "igw_limit": ("QTA-015/igw", partial(_count_own, kind="internet_service")),
    "ip_limit": ("QTA-016", partial(_count_own, kind="public_ip")),
}
# quota on a single Net, group, route table or VM → its rule
EACH: Mapping[str, str] = {
    "sg_rule_limit": "QTA-014/rule",
    "vpc_sg_rule_limit": "QTA-014/rule",
    "vm_sg_limit": "QTA-014/vm",
    "vpc_sg_limit": "QTA-014",
    "subnet_limit": "QTA-015/subnet",
    "rtb_limit": "QTA-015/rtb",
    "rtb_rule_limit": "QTA-015/route",
}


def disk_costs(volume_type: str, size: int, iops: int | None) -> dict[str, int]:
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
    return max(limit - QUOTAS[name][1](call), 0)


@lru_cache(maxsize=64)
def _list_limits(own: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    """Return the limits of an account with quotas of its own. A limit of 0, which means unlimited, is left out."""
    limits = {name: row["max"] for name, row in load_catalog().quotas.items()} | dict(own)
    return {name: limit for name, limit in limits.items() if limit}


def check_quotas(call: Call, adding: Mapping[str, int]) -> None:
    """Refuse additions, given as amounts by quota, that would exceed a quota of the caller."""
    for name, rest in get_remaining(call, adding).items():
        limit, more = _list_limits(call.account.quotas)[name], adding[name]
        call.check(more <= rest, QUOTAS[name][0], quota=name, limit=limit, adding=more)


def check_each(call: Call, name: str, used: int, more: int) -> None:
    """Refuse an addition that would exceed a quota on a single resource, which uses `used` of it already."""
    limit = _list_limits(call.account.quotas).get(name)
    call.check(limit is None or used + more <= limit, EACH[name], quota=name, limit=limit, adding=more)


@action("ReadQuotas", "QuotaTypes", paged=True)
def read_quotas(call: Call, *, filters: FiltersQuota | FiltersQuotaDict | None = None) -> tuple[QuotaTypes, ...]:
    """List the caller's quotas with their limits (0: unlimited) and the amounts used (CAT-003, QTA-020)."""
    limits = dict(call.account.quotas)
    rows = (
        Quota(
            account_id=call.account.account_id,
            description=row["says"],
            max_value=limits.get(name, row["max"]),
            name=name,
            quota_collection=row["collection"],
            short_description=row["short"],
            used_value=QUOTAS[name][1](call) if name in QUOTAS else 0,
        )
        for name, row in load_catalog().quotas.items()
    )
    quotas = select_matching(rows, as_parsed(filters))
    return (QuotaTypes(quota_type="global", quotas=quotas),) if quotas else ()
