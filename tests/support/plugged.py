"""Run a test file with the omisim plugin and without autoloaded plugins."""

from __future__ import annotations

from textwrap import dedent

import osc_sdk_python as _sdk  # noqa: F401 - imported here, or each in-process run would import it again
import pytest

import omisim.clients.environment
import omisim.clients.sleeping  # noqa: F401

__all__ = ["run_plugin", "run_plugin_isolated"]


def run_plugin(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    """Run a test file in this process, with warnings as errors, and return the result."""
    pytester.makepyfile(dedent(source))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return pytester.runpytest_inprocess("-p", "omisim.plugin", "-W", "error", *arguments)


def run_plugin_isolated(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    """Run a test file in a separate process and return the result."""
    pytester.makepyfile(dedent(source))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return pytester.runpytest_subprocess("-p", "omisim.plugin", "-W", "error", *arguments)
