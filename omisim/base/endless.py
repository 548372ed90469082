"""The error of a polling loop that can never finish, which the sleeping clients raise and a sweep recognises."""

from __future__ import annotations

__all__ = ["EndlessPollingError"]


class EndlessPollingError(RuntimeError):
    """The code under test waits again and again for a state that can never come."""
