"""Fixtures that are set up before those of omisim end after them, and put back what they found inside them."""

from __future__ import annotations

import os

import pytest
from support.plugged import run_plugin

pytest_plugins = ["pytester"]

SOURCE = """
    import os
    import signal
    import threading
    import time
    from contextlib import ExitStack
    from unittest import mock

    import osc_sdk_python.credentials
    import pytest

    @pytest.fixture
    def patches():
        with ExitStack() as stack:
            yield stack

    @pytest.fixture(autouse=True)
    def _first(monkeypatch):
        monkeypatch.setenv("AWS_PROFILE", "ci")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")

    def read():
        values = dict(os.environ, path=osc_sdk_python.credentials.STD_PATH)
        values |= {"sleep": time.sleep, "time": time.time, "lock": threading.Lock, "alarm": signal.alarm}
        del values["PYTEST_CURRENT_TEST"]
        return values

    BEFORE = read() | {"AWS_PROFILE": "ci", "AWS_ACCESS_KEY_ID": "testing"}
"""


class TestLateFixture:
    @pytest.fixture(autouse=True)
    def _machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The developer's own configuration."""
        monkeypatch.setenv("OSC_PROFILE", "work")
        monkeypatch.setenv("AWS_CA_BUNDLE", "/etc/ssl/cert.pem")
        monkeypatch.delenv("OSC_SECRET_KEY", raising=False)

    @pytest.mark.parametrize(
        "change",
        [
            "monkeypatch.setenv('OSC_SECRET_KEY', 'x')",
            "monkeypatch.setenv('OSC_PROFILE', 'bob')",
            "monkeypatch.setenv('HOME', '/tmp')",
            "monkeypatch.setattr(osc_sdk_python.credentials, 'STD_PATH', 'x')",
            "monkeypatch.setattr(time, 'sleep', print)",
            "monkeypatch.setattr(time, 'time', print)",
            "monkeypatch.setattr(threading, 'Lock', print)",
            "monkeypatch.setattr(signal, 'alarm', print)",
            "patches.enter_context(mock.patch.dict(os.environ, {'OSC_REGION': 'us-east-2'}, clear=True))",
        ],
    )
    def test_leaves_nothing_of_the_cloud_behind(self, pytester: pytest.Pytester, change: str) -> None:
        """The next test finds the variables and functions of the process, whatever the test has replaced."""
        source = f"""{SOURCE}
    @pytest.mark.omisim(virtual_time=True)
    def test_changes(monkeypatch, patches, omi_env, omi_sleep):
        {change}

    def test_later():
        assert read() == BEFORE
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    @pytest.mark.parametrize(
        "test",
        [
            "@omisim.mock\n    def test_changes(monkeypatch): change(monkeypatch)",
            "def test_changes(monkeypatch):\n        with omisim.mock(): change(monkeypatch)",
            "@omisim.unittest.with_cloud\n    def test_changes(monkeypatch, cloud): change(monkeypatch)",
            "def test_changes(monkeypatch):\n        with alice.environment(): change(monkeypatch)",
            "def test_changes(monkeypatch):\n        with alice.cloud.sleeping(): change(monkeypatch)",
        ],
    )
    def test_leaves_nothing_of_a_context_in_a_test_behind(self, pytester: pytest.Pytester, test: str) -> None:
        """The contexts of a test's body leave as little as the fixtures, although monkeypatch ends after them."""
        source = f"""{SOURCE}
    import omisim.unittest

    alice = omisim.Cloud().account("alice")

    def change(monkeypatch):
        for name in ("HOME", "OSC_SECRET_KEY", "OSC_PROFILE", "AWS_ENDPOINT_URL_S3"):
            monkeypatch.setenv(name, "x")
        monkeypatch.setattr(osc_sdk_python.credentials, "STD_PATH", "x")
        monkeypatch.setattr(time, "sleep", print)

    {test}

    def test_later():
        assert read() == BEFORE
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_leaves_a_context_that_is_still_open(self, pytester: pytest.Pytester) -> None:
        """The environment of a module stays whole after tests, although its setup has left one of the same account."""
        source = """
    import os

    import pytest
    from osc_sdk_python.limiter import RateLimiter

    import omisim

    @pytest.fixture(scope="module", autouse=True)
    def environment():
        alice = omisim.Cloud().account("alice")
        with alice.environment():
            pass
        with alice.environment() as environment:
            yield environment, RateLimiter.acquire

    @pytest.mark.parametrize("turn", range(2))
    def test_in_the_module(environment, turn):
        assert environment[0].variables.items() <= os.environ.items()
        assert RateLimiter.acquire is environment[1]
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_leaves_virtual_time_that_is_still_open(self, pytester: pytest.Pytester) -> None:
        """The virtual time of a module stays after tests, although its setup has left one and replaced a function."""
        source = """
    import time

    import pytest

    import omisim

    @pytest.fixture(scope="module", autouse=True)
    def sleep():
        cloud = omisim.Cloud()
        with pytest.MonkeyPatch.context() as patch, cloud.sleeping():
            patch.setattr(time, "sleep", print)
        with cloud.sleeping():
            yield time.sleep

    @pytest.mark.parametrize("turn", range(2))
    def test_in_the_module(sleep, turn):
        assert time.sleep is sleep
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_keeps_what_a_wider_fixture_has_set_meanwhile(self, pytester: pytest.Pytester) -> None:
        """A variable that a session fixture sets or deletes during the first test stays so for the next one."""
        source = f"""{SOURCE}
    @pytest.fixture(scope="session", autouse=True)
    def _session():
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("OSC_PROFILE")
            patch.setenv("OSC_REGION", "us-east-2")
            yield

    @pytest.mark.parametrize("turn", range(2))
    def test_keeps(monkeypatch, omi_env, turn):
        monkeypatch.setenv("OSC_PROFILE", "bob")
        monkeypatch.setenv("OSC_REGION", "eu-west-2")

    def test_later():
        assert os.environ["OSC_REGION"] == "us-east-2"
        assert "OSC_PROFILE" not in os.environ
        """
        run_plugin(pytester, source).assert_outcomes(passed=3)
        assert os.environ["OSC_PROFILE"] == "work"

    def test_keeps_a_variable_that_is_its_own(self, pytester: pytest.Pytester) -> None:
        """A fixture deletes what it has set inside omi_env: time_machine sets TZ, and fails if another deletes it."""
        source = """
    import os

    import pytest

    @pytest.fixture
    def traveller():
        yield lambda zone: os.environ.update(TZ=zone)
        del os.environ["TZ"]

    def test_travels(traveller, omi_env):
        traveller("Europe/Paris")

    def test_goes_on(omi_env, omi_gateway):
        os.environ["SEEN"] = "1"

    def test_later():
        assert os.environ.pop("SEEN") == "1"
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("TZ", raising=False)
            run_plugin(pytester, source).assert_outcomes(passed=3)
