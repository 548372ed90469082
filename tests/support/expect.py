"""Assertions about refused calls."""

from __future__ import annotations

from typing import Any

import pytest

from omisim import Account, ApiError

__all__ = ["expect_refusal"]


def expect_refusal(account: Account, action: str, /, **parameters: Any) -> ApiError:
    """Make a call that must be refused and return the error; check that `why_not` agrees and nothing changed."""
    before = account.cloud.fork()
    predicted = account.why_not(action, **parameters)
    with pytest.raises(ApiError) as caught:
        account.call(action, **parameters)
    error = caught.value
    assert [str(error)] == [str(reason) for reason in predicted[:1]]
    assert account.cloud == before, "a refused call has changed the cloud"
    return error
