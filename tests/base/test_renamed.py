"""Names of attributes that were renamed in this version."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from omisim import Account, ApiError, Cloud

OldName = Callable[[Cloud, Account], tuple[object, object]]


def _error(_cloud: Cloud, alice: Account) -> tuple[object, object]:
    with pytest.raises(ApiError) as caught:
        alice.stop_vms(vm_ids=["i-00000000"])
    return caught.value.near, caught.value.similar_ids


def _query(cloud: Cloud, _alice: Account) -> tuple[object, object]:
    calls = cloud.calls("ReadVms")
    return calls.asked, calls.query


def _closest(cloud: Cloud, _alice: Account) -> tuple[object, object]:
    calls = cloud.calls("ReadVms")
    return calls.near, calls.closest


def _fault(cloud: Cloud, _alice: Account) -> tuple[object, object]:
    fault = cloud.faults.add("ReadVms")
    return fault.met, fault.hits


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (_error, "ApiError.near is now similar_ids"),
        (_query, "Calls.asked is now query"),
        (_closest, "Calls.near is now closest"),
        (_fault, "Fault.met is now hits"),
    ],
)
def test_old_name_of_an_attribute_works_with_a_warning(
    cloud: Cloud, alice: Account, read: OldName, message: str
) -> None:
    """A renamed attribute can still be read under its old name, with a DeprecationWarning."""
    with pytest.warns(DeprecationWarning, match=message):
        old, new = read(cloud, alice)
    assert old == new
