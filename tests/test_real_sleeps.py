"""No test of the suite really sleeps for long."""

from __future__ import annotations

import pytest
from support.plugged import run_plugin

pytest_plugins = ["pytester"]


class TestPlugin:
    def test_fails_a_test_that_sleeps(self, pytester: pytest.Pytester) -> None:
        """The test is named, with the seconds and the thread; short sleeps pass, and so do virtual ones."""
        source = """
            import sys
            import time

            def test_long():
                sys.audit("time.sleep", 0.3)  # what the interpreter does in time.sleep(0.3)

            def test_short():
                time.sleep(0.001)

            def test_virtual(omi_sleep):
                time.sleep(60)
        """
        result = run_plugin(pytester, source, "-p", "support.real_sleeps")
        result.assert_outcomes(passed=3, errors=1)
        result.stdout.fnmatch_lines(["*test_long has really slept: 0.3 s in MainThread*"])
