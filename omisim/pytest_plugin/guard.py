"""The guard: a test that uses a fixture of omisim cannot send a request to OUTSCALE outside omi_env.

Like `omisim.plugin`, this module imports only pytest until a guard starts.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest

__all__ = ["STRAYS", "end_guard", "fail_for_strays", "guard_session", "guard_test"]

STRAYS = pytest.StashKey[list[list[str]]]()  # the lists of the requests that were refused
_GUARD = pytest.StashKey[ExitStack]()  # of a test: its guard; of the session: what makes guards cheap


def guard_session(config: pytest.Config) -> None:
    """Refuse the requests of all tests to OUTSCALE outside omi_env if the ini option `omisim_guard` is true.

    Raises UsageError for another value than true or false.
    """
    try:
        is_guarded = config.getini("omisim_guard")
    except (ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"omisim: omisim_guard must be true or false: {error}") from None
    if is_guarded:
        from omisim.clients.intercept import guard_hosts

        guard = ExitStack()
        config.stash[STRAYS] = [guard.enter_context(guard_hosts())]
        config.add_cleanup(guard.close)


def guard_test(item: pytest.Item) -> None:
    """Refuse the requests of a test to OUTSCALE outside omi_env until `end_guard`, unless `omisim_guard` is set."""
    if _GUARD in item.stash or item.config.getini("omisim_guard") is not None:
        return  # guarded already, or by the whole session, or not at all
    from omisim.clients.intercept import guard_hosts, keep_patches

    if _GUARD not in item.config.stash:
        item.config.stash[_GUARD] = ExitStack()
        item.config.stash[_GUARD].enter_context(keep_patches())
        item.config.add_cleanup(item.config.stash[_GUARD].close)
    item.stash[_GUARD] = ExitStack()
    item.config.add_cleanup(item.stash[_GUARD].close)  # an interrupted test has no teardown
    item.stash.setdefault(STRAYS, []).append(item.stash[_GUARD].enter_context(guard_hosts()))


def end_guard(item: pytest.Item) -> None:
    """End the guard of a test, if it has one."""
    if (guard := item.stash.get(_GUARD, None)) is not None:
        guard.close()
        del item.stash[_GUARD]


def fail_for_strays(item: pytest.Item, report: pytest.TestReport) -> None:
    """Fail a passing test for the requests to OUTSCALE that no cloud served, and forget them."""
    strays: list[str] = []
    for recorded in (*item.stash.get(STRAYS, []), *item.config.stash.get(STRAYS, [])):
        strays += recorded
        recorded.clear()
    if strays and report.passed:
        lines = [f"{report.nodeid} tried to leave this machine:", *dict.fromkeys(strays)]
        report.outcome, report.longrepr = "failed", "\n  ".join(lines)
