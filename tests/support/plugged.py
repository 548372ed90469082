"""Run a test file with the omisim plugin and without autoloaded plugins."""

from __future__ import annotations

from contextlib import suppress
from textwrap import dedent

# imported here, or each in-process run would import them again, and patch other classes than those of the first run
import anyio._backends._asyncio as _anyio  # noqa: F401
import boto3 as _boto3  # noqa: F401
import httpcore as _httpcore  # noqa: F401
import httpx as _httpx  # noqa: F401
import osc_sdk_python as _sdk  # noqa: F401
import pytest

import omisim.clients.environment
import omisim.clients.intercept.patches
import omisim.clients.sleeping
import omisim.doors.oos

with suppress(ImportError):  # there is none for the lowest version of botocore
    import aiobotocore.session as _aiobotocore  # noqa: F401
with suppress(ImportError):  # it does not exist for Windows
    import uvloop as _uvloop  # noqa: F401

__all__ = ["run_plugin", "run_plugin_isolated"]

omisim.clients.intercept.patches.load_patches()


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
