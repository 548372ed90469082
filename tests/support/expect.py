"""What tests say of a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from omisim import Account, ApiError

__all__ = ["refused"]


def refused(account: Account, action: str, /, **parameters: Any) -> ApiError:
    """Make a call that must be refused; return the refusal. Checks that nothing changed, and that `why_not` agrees."""
    before = account.cloud.fork()
    foreseen = account.why_not(action, **parameters)
    with pytest.raises(ApiError) as caught:
        account.call(action, **parameters)
    error = caught.value
    assert [str(error)] == [str(reason) for reason in foreseen[:1]]
    assert account.cloud == before, "a refused call has changed something"
    return error
