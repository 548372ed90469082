"""Lock-outs: failed authentications lock an account for a while (AUTH-009)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from omisim.base.frozen import frozen

__all__ = ["NO_LOCKOUTS", "Lockouts"]

FAILURES_PER_LOCK, MAX_MINUTES = 4, 10


@frozen()
class Lockouts:
    """Failed authentications by account. Every fourth in a row locks it, each time a minute longer (AUTH-009).

    `failures` maps an account to the failures in a row and the end of the lock.
    """

    failures: Mapping[str, tuple[int, dt.datetime]]

    def locked_until(self, account_id: str, now: dt.datetime) -> dt.datetime | None:
        """Return the end of an account's lock, or None if it is not locked."""
        _, until = self.failures.get(account_id, (0, now))
        return until if until > now else None

    def add_failure(self, account_id: str, now: dt.datetime) -> Lockouts:
        """Return the lock-outs after a failed authentication."""
        count = self.failures.get(account_id, (0, now))[0] + 1
        minutes = min(count // FAILURES_PER_LOCK, MAX_MINUTES) if count % FAILURES_PER_LOCK == 0 else 0
        return Lockouts({**self.failures, account_id: (count, now + dt.timedelta(minutes=minutes))})

    def turn_back(self, now: dt.datetime, at: dt.datetime) -> Lockouts:
        """Return the lock-outs after the clock was turned from one time to another: a lock lasts as long as before."""
        failures, over = self.failures.items(), dt.timedelta()
        return Lockouts({account: (count, at + max(until - now, over)) for account, (count, until) in failures})

    def forgive(self, account_id: str) -> Lockouts:
        """Return the lock-outs after an authentication that has succeeded."""
        return Lockouts({other: failed for other, failed in self.failures.items() if other != account_id})


NO_LOCKOUTS = Lockouts({})
