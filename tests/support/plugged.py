"""Runs tests of a user with the plugin, and with no other plugin unless told."""

from __future__ import annotations

from textwrap import dedent

import osc_sdk_python as _sdk  # noqa: F401 - what a run in this process imports itself, it imports anew each time
import pytest

import omisim.clients.environment
import omisim.clients.sleeping  # noqa: F401

__all__ = ["apart", "plugged"]


def plugged(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    """Return what a run of one test file in this process says, with warnings as errors."""
    pytester.makepyfile(dedent(source))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return pytester.runpytest_inprocess("-p", "omisim.plugin", "-W", "error", *arguments)


def apart(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    """Return what a run in a process of its own says."""
    pytester.makepyfile(dedent(source))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return pytester.runpytest_subprocess("-p", "omisim.plugin", "-W", "error", *arguments)
