"""`@given` together with the fixtures of the plugin."""

from __future__ import annotations

import pytest
from support.plugged import run_plugin

from omisim.testing.forks import fork_each_example

pytest_plugins = ["pytester"]
HYPOTHESIS = ("-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider")


class TestGivenWithAFixture:
    def test_fails_with_the_remedies(self, pytester: pytest.Pytester) -> None:
        """Hypothesis's health check refuses such a test, and the report says what to do."""
        source = """
            from hypothesis import given, strategies as st

            @given(size=st.integers(1, 5))
            def test_size(omi_cloud, size):
                pass
        """
        result = run_plugin(pytester, source, *HYPOTHESIS)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*[Ff]unction-scoped fixture 'omi_cloud'*", "*@fork_each_example", "*clouds()*"])

    def test_fails_with_the_remedies_for_a_fixture_of_the_suite(self, pytester: pytest.Pytester) -> None:
        """A fixture that the suite builds on those of omisim gets the same advice."""
        source = """
            import pytest
            from hypothesis import given, strategies as st

            @pytest.fixture
            def golden(omi_account):
                return omi_account

            @given(size=st.integers(1, 5))
            def test_size(golden, size):
                pass
        """
        result = run_plugin(pytester, source, *HYPOTHESIS)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*[Ff]unction-scoped fixture 'golden'*", "*@fork_each_example", "*usefixtures*"])


class TestForkEachExample:
    def test_gives_each_example_its_own_cloud(self, pytester: pytest.Pytester) -> None:
        """No example sees what another has done, through any fixture; the marker applies to all."""
        source = """
            import os
            import time

            import pytest
            from hypothesis import given, settings, strategies as st
            from omisim.testing.forks import fork_each_example

            @pytest.mark.omisim(timing="clock", accounts="dora@us-east-2")
            @settings(max_examples=3, deadline=None)
            @given(size=st.integers(1, 5))
            @fork_each_example
            def test_size(omi_cloud, omi_account, omi_accounts, omi_gateway, omi_env, size):
                assert omi_account.cloud is omi_cloud and omi_account.name == "dora"
                assert omi_cloud.timing == "clock"
                assert os.environ["OSC_ACCESS_KEY"] == omi_account.access_key
                omi_gateway.CreateVolume(Size=size, SubregionName="us-east-2a")
                from osc_sdk_python import Gateway
                with Gateway() as own:
                    (volume,) = own.ReadVolumes()["Volumes"]
                assert volume["Size"] == size
                bob = omi_accounts("bob", region="eu-west-2")
                assert bob.cloud is omi_cloud
                assert len(omi_cloud.calls("CreateVolume")) == 1

            @settings(max_examples=3, deadline=None)
            @given(seconds=st.integers(1, 50))
            @fork_each_example
            def test_sleep(omi_cloud, omi_sleep, seconds):
                before = omi_cloud.now
                time.sleep(seconds)
                assert (omi_cloud.now - before).total_seconds() == seconds

            @settings(max_examples=2, deadline=None)
            @given(size=st.integers(1, 5))
            @fork_each_example
            def test_doors(omi_server, omi_oos, omi_cloud, size):
                assert omi_server.cloud is omi_cloud
                omi_oos.create_bucket(Bucket="golden")

            class TestMethod:
                @settings(max_examples=3, deadline=None)
                @given(st.integers(1, 5))
                @fork_each_example
                def test_method(self, omi_account, request, size):
                    assert request.node.name == "test_method"
                    assert omi_account.read_volumes() == ()
                    omi_account.create_volume(subregion_name="eu-west-2a", size=size)
        """
        run_plugin(pytester, source, *HYPOTHESIS).assert_outcomes(passed=4)

    def test_forks_what_a_fixture_of_the_suite_has_made(self, pytester: pytest.Pytester) -> None:
        """Each fork begins with the resources of a fixture that prepares the cloud."""
        source = """
            import pytest
            from hypothesis import given, strategies as st
            from omisim.testing.forks import fork_each_example

            @pytest.fixture
            def volume(omi_account):
                omi_account.create_volume(subregion_name="eu-west-2a", size=1)

            @pytest.mark.usefixtures("volume")
            @given(number=st.integers())
            @fork_each_example
            def test_deletes(omi_account, number):
                (volume,) = omi_account.read_volumes()
                omi_account.delete_volume(volume_id=volume.volume_id)
        """
        run_plugin(pytester, source, *HYPOTHESIS).assert_outcomes(passed=1)

    def test_applies_the_options_of_clients_and_time(self, pytester: pytest.Pytester) -> None:
        """The marker's limiter, children and virtual_time, or the ini options, apply in each fork as in the test."""
        source = """
            import os
            import time

            import pytest
            from hypothesis import given, settings, strategies as st
            from omisim.testing.forks import fork_each_example

            @pytest.mark.omisim(limiter=True)
            @settings(max_examples=1, deadline=None)
            @given(size=st.integers(1, 5))
            @fork_each_example
            def test_limiter(omi_gateway, omi_env, size):
                from osc_sdk_python.limiter import RateLimiter
                assert omi_gateway.call.limiter is not None
                assert RateLimiter.acquire.__module__.startswith("osc_sdk_python")

            @settings(max_examples=1, deadline=None)
            @given(size=st.integers(1, 5))
            @fork_each_example
            def test_clock(omi_fcu, omi_sleep, size):
                before = time.monotonic()
                time.sleep(3600)
                assert 3599 < time.monotonic() - before < 3601

            @pytest.mark.omisim(children=True)
            @settings(max_examples=1, deadline=None)
            @given(size=st.integers(1, 5))
            @fork_each_example
            def test_children(omi_env, size):
                from omisim.clients.intercept.stack import STACK
                assert next(reversed(STACK)).server.startswith("http://127.0.0.1:")
        """
        pytester.makeini("[pytest]\nomisim_virtual_time = true\n")
        run_plugin(pytester, source, *HYPOTHESIS).assert_outcomes(passed=3)

    def test_reports_threads_that_outlive_the_example(self, pytester: pytest.Pytester) -> None:
        """A thread whose requests would be refused from then on fails the example, by name."""
        source = """
            import threading
            from hypothesis import given, settings, strategies as st
            from omisim.testing.forks import fork_each_example

            ended = threading.Event()

            @settings(max_examples=1, deadline=None)
            @given(size=st.integers(1, 5))
            @fork_each_example
            def test_stray(omi_env, size):
                threading.Thread(target=ended.wait, name="stray", daemon=True).start()

            def test_end():
                ended.set()
        """
        result = run_plugin(pytester, source, *HYPOTHESIS)
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(["*threads that the example has not ended: stray*"])

    def test_runs_asynchronous_tests(self, pytester: pytest.Pytester) -> None:
        """A coroutine is awaited inside its fork."""
        source = """
            import asyncio
            from types import SimpleNamespace
            from omisim import Cloud
            from omisim.testing.forks import fork_each_example

            def test_coroutine(request):
                @fork_each_example
                async def each(omi_account, size):
                    await asyncio.sleep(0)
                    assert omi_account.read_volumes() == ()
                    omi_account.create_volume(subregion_name="eu-west-2a", size=size)
                    return size

                assert [asyncio.run(each(request, size)) for size in (1, 2)] == [1, 2]
        """
        run_plugin(pytester, source, *HYPOTHESIS).assert_outcomes(passed=1)

    def test_reports_requests_that_no_cloud_serves(self, pytester: pytest.Pytester) -> None:
        """A request to another service of OUTSCALE fails the example, even if the code under test catches its error."""
        source = """
            from contextlib import suppress

            import requests
            from hypothesis import given, settings, strategies as st
            from omisim.testing.forks import fork_each_example

            @settings(max_examples=1, deadline=None)
            @given(size=st.integers(1, 5))
            @fork_each_example
            def test_stray(omi_env, size):
                with suppress(Exception):
                    requests.get("https://eim.eu-west-2.outscale.com/")
        """
        result = run_plugin(pytester, source, *HYPOTHESIS)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*requests that omisim does not serve: *eim.eu-west-2.outscale.com*"])

    def test_lists_the_calls_of_a_failed_example(self, pytester: pytest.Pytester) -> None:
        """The report of a failure contains the calls that the shrunk example has made in its fork."""
        source = """
            from hypothesis import given, settings, strategies as st
            from omisim.testing.forks import fork_each_example

            @settings(deadline=None)
            @given(size=st.integers(1, 50))
            @fork_each_example
            def test_size(omi_account, size):
                omi_account.create_volume(subregion_name="eu-west-2a", size=size)
                assert size < 5
        """
        result = run_plugin(pytester, source, *HYPOTHESIS)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            ["*Calls in the fork of this example:", "*CreateVolume by alice SubregionName='eu-west-2a' Size=5"]
        )

    def test_is_refused_above_given(self) -> None:
        """The order of the decorators is checked."""
        from hypothesis import given  # noqa: PLC0415
        from hypothesis import strategies as st  # noqa: PLC0415

        @given(size=st.integers())
        def test_size(omi_cloud: object, size: int) -> None:
            """Do nothing."""

        with pytest.raises(TypeError, match="place @fork_each_example below @given: test_size"):
            fork_each_example(test_size)

    def test_is_refused_without_a_fixture_of_the_plugin(self) -> None:
        """A test that uses no cloud has nothing to fork."""

        def test_size(size: int) -> None:
            """Do nothing."""

        with pytest.raises(TypeError, match="test_size must use at least one of omi_cloud, omi_account"):
            fork_each_example(test_size)
