"""What a request with many items costs: as much for each as one with few.

The costs are numbers of lines (`support/growth.py`), so they are the same in each run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from support.growth import compare_sizes

from omisim import Account, Cloud
from omisim.actions.sharing import apply_change
from omisim.doors.fcu.selection import find_by_ids
from omisim.model import PermissionsOnResource, PermissionsOnResourceCreation, PermissionsToChange

pytestmark = pytest.mark.usefixtures("unrecorded")

RATIO = 1.1


def change_rules(account: Account, size: int, change: str) -> Callable[[], object]:
    """Return the function that adds or removes a rule with `size` IP ranges."""
    group_id = account.create_security_group(description="test", security_group_name="test").security_group_id
    ranges = [f"10.{number}.0.0/16" for number in range(size)]
    rules = [{"IpProtocol": "tcp", "FromPortRange": 1, "ToPortRange": 1, "IpRanges": ranges}]
    if change == "Delete":
        account.call("CreateSecurityGroupRule", SecurityGroupId=group_id, Flow="Inbound", Rules=rules)
    return partial(account.call, f"{change}SecurityGroupRule", SecurityGroupId=group_id, Flow="Inbound", Rules=rules)


def change_vms(account: Account, size: int, action: str) -> Callable[[], object]:
    """Return the function that makes a call with the ids of `size` VMs."""
    image_id = account.cloud.images.official("ubuntu").image_id
    vms = account.create_vms(image_id=image_id, min_vms_count=size, max_vms_count=size)
    ids = [vm.vm_id for vm in vms]
    more = {"Filters": {"VmIds": ids}} if action == "ReadVms" else {"VmIds": ids}
    return partial(account.call, action, **more)


LISTS: Mapping[str, Callable[[Account, int], Callable[[], object]]] = {
    "CreateSecurityGroupRule": partial(change_rules, change="Create"),
    "DeleteSecurityGroupRule": partial(change_rules, change="Delete"),
    "DeleteVms": partial(change_vms, action="DeleteVms"),
    "ReadVms": partial(change_vms, action="ReadVms"),
    "StopVms": partial(change_vms, action="StopVms"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_long_list_costs_as_much_for_each_item(name: str) -> None:
    """A request with ten times as many items costs ten times as much at most."""

    def make(size: int) -> Callable[[], object]:
        cloud = Cloud()
        work = LISTS[name](cloud.account("alice"), size)

        def undone() -> None:
            with cloud.savepoint():
                work()

        return undone

    few, many = compare_sizes(make, (20, 200))
    assert many <= 10 * RATIO * few


class Counted(str):
    """A text that counts how often it is compared with another."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        """Compare the texts."""
        Counted.compared += 1
        return super().__eq__(other)

    __hash__ = str.__hash__


def remove_accounts(ids: Sequence[str], same_ids: Sequence[str]) -> None:
    """Remove the permissions of accounts."""
    change = PermissionsOnResourceCreation(removals=PermissionsToChange(account_ids=tuple(same_ids)))
    assert apply_change(PermissionsOnResource(account_ids=tuple(ids)), change).account_ids == ()


def select_ids(ids: Sequence[str], same_ids: Sequence[str]) -> None:
    """Find resources by their ids, as FCU does."""
    row: Any = SimpleNamespace(ids={"VolumeId": {"kind": "volume", "attribute": "id"}})
    rows = [SimpleNamespace(id=row_id) for row_id in ids]
    assert find_by_ids(row, {"VolumeId": same_ids}, rows) == rows


@pytest.mark.parametrize("work", [remove_accounts, select_ids])
def test_each_id_of_a_long_list_is_compared_a_few_times(work: Callable[[Sequence[str], Sequence[str]], None]) -> None:
    """Ids are not compared with each other id of a request: a thousand would take a million comparisons."""
    Counted.compared = 0
    work(*([Counted(number) for number in range(500)] for _ in range(2)))
    assert Counted.compared <= 5 * 500
