"""Fail a test in whose process any thread has really slept for more than 0.2 seconds.

A pytest plugin, registered by `tests/conftest.py`. From 3.13 on, Python announces each `time.sleep` to audit hooks, so
that it takes no clock, and a busy machine changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from threading import TIMEOUT_MAX, current_thread

import pytest

MAX_SLEEP = 0.2  # seconds
_sleeps: list[str] = []


def _note_sleep(event: str, args: tuple[object, ...]) -> None:
    """Note a long sleep: an audit hook, which stays for as long as the process lives.

    It is called before `time.sleep` looks at its argument, and infinite sleeps are refused then.
    """
    if event == "time.sleep" and isinstance(args[0], int | float) and MAX_SLEEP < args[0] < TIMEOUT_MAX:
        _sleeps.append(f"{args[0]:g} s in {current_thread().name}")


sys.addaudithook(_note_sleep)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the test that sleeps."""
    result = yield
    sleeps = ", ".join(_sleeps)
    _sleeps.clear()
    assert not sleeps, f"{item.nodeid} has really slept: {sleeps}"
    return result
