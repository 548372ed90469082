"""The guard: a test that uses a fixture of omisim cannot send a request to OUTSCALE outside omi_env.

Like `omisim.plugin`, this module imports only pytest until a guard starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

__all__ = [
    "STRAYS", "end_guard", "failing_for_strays", "guard_session", "guard_test", "note_environ", "restore_again",
    "take_strays",
]  # fmt: skip

STRAYS = pytest.StashKey[list[list[str]]]()  # the lists of the requests that were refused
_GUARD = pytest.StashKey[ExitStack]()  # of a test: its guard; of the session: what makes guards cheap
_ENVIRON = pytest.StashKey[Mapping[str, str]]()  # the variables of the process before the first test
_REPLACED_VALUES = "omisim.clients.replaced_values"  # which a context of omisim loads


def guard_session(config: pytest.Config) -> None:
    """Refuse the requests of all tests to OUTSCALE outside omi_env if the ini option `omisim_guard` is true.

    Raises UsageError for another value than true or false.
    """
    try:
        is_guarded = config.getini("omisim_guard")
    except (ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"omisim: omisim_guard must be true or false: {error}") from None
    if is_guarded and STRAYS not in config.stash:
        from omisim.clients.intercept import guard_hosts

        guard = ExitStack()
        config.stash[STRAYS] = [guard.enter_context(guard_hosts())]
        config.add_cleanup(guard.close)


def note_environ(config: pytest.Config) -> None:
    """Note, before the first test, the environment variables of the process."""
    if _ENVIRON not in config.stash:
        replaced_values = sys.modules.get(_REPLACED_VALUES)
        config.stash[_ENVIRON] = replaced_values.original_environ() if replaced_values else dict(os.environ)


def guard_test(item: pytest.Item) -> None:
    """Refuse the requests of a test to OUTSCALE outside omi_env until `end_guard`, unless `omisim_guard` is set."""
    if _GUARD in item.stash:
        return
    item.stash[_GUARD] = ExitStack()
    item.config.add_cleanup(item.stash[_GUARD].close)  # an interrupted test has no teardown
    if item.config.getini("omisim_guard") is not None:
        return  # guarded by the whole session, or not at all
    from omisim.clients.intercept import guard_hosts, keep_patches

    if _GUARD not in item.config.stash:
        item.config.stash[_GUARD] = ExitStack()
        item.config.stash[_GUARD].enter_context(keep_patches())
        item.config.add_cleanup(item.config.stash[_GUARD].close)
    item.stash.setdefault(STRAYS, []).append(item.stash[_GUARD].enter_context(guard_hosts()))


def end_guard(item: pytest.Item) -> None:
    """End the guard of a test, if it has one."""
    if (guard := item.stash.get(_GUARD, None)) is not None:
        guard.close()
        del item.stash[_GUARD]


def restore_again(item: pytest.Item) -> None:
    """Restore, after the last fixture of a test, what the contexts that ended in it had replaced.

    A fixture that was set up before a context, such as monkeypatch, ends later, and puts back what it found inside.
    """
    replaced_values = sys.modules.get(_REPLACED_VALUES)
    if replaced_values is not None:
        replaced_values.restore_again(item.config.stash[_ENVIRON])


@contextmanager
def failing_for_strays(item: pytest.Item) -> Iterator[None]:
    """Raise, after a phase of a test that has passed, an error for the requests to OUTSCALE that no cloud served.

    Only what is raised here is an error to every plugin that judges or repeats tests. The requests are forgotten.
    """
    is_passed = False
    try:
        yield
        is_passed = True
    finally:
        error = take_strays(item)
        if error is not None and is_passed:
            pytest.fail(error, pytrace=False)


def take_strays(node: pytest.Item | pytest.Collector) -> str | None:
    """Return the error of the requests to OUTSCALE that no cloud served, None without any. They are forgotten."""
    strays: list[str] = []
    for recorded in (*node.stash.get(STRAYS, []), *node.config.stash.get(STRAYS, [])):
        strays += recorded
        recorded.clear()
    name = node.nodeid or "the start of the session"  # the import of conftest.py, or a hook in it
    return "\n  ".join([f"{name} tried to leave this machine:", *dict.fromkeys(strays)]) if strays else None
