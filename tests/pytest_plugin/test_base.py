"""An overridden `omi_base`, and the mistakes in it."""

from __future__ import annotations

import pytest
from support.plugged import run_plugin

pytest_plugins = ["pytester"]


class TestOverriddenBase:
    def test_of_a_module_leaves_other_modules_alone(self, pytester: pytest.Pytester) -> None:
        """A module that overrides it with a fork begins with its own resources, and the next module without them."""
        pytester.makepyfile(
            test_first="""
                import pytest

                @pytest.fixture(scope="module")
                def omi_base(omi_base):
                    cloud = omi_base.fork()
                    cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
                    return cloud

                def test_volume(omi_account):
                    assert len(omi_account.read_volumes()) == 1
            """
        )
        source = """
            def test_no_volume(omi_account):
                assert omi_account.read_volumes() == ()
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_that_forgets_to_return_fails_with_the_remedy(self, pytester: pytest.Pytester) -> None:
        """Each test that uses its cloud fails in one line, through any fixture."""
        source = """
            import pytest
            from omisim import Cloud

            @pytest.fixture(scope="session")
            def omi_base():
                cloud = Cloud()
                cloud.account("alice")

            def test_cloud(omi_cloud):
                pass

            def test_account(omi_account):
                pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(errors=2)
        expected = "omisim: omi_base must return a Cloud, not None; *return cloud*"
        result.stdout.fnmatch_lines([expected])
        result.stdout.no_fnmatch_line("*AttributeError*")

    @pytest.mark.parametrize("value", ["Cloud", "Cloud().account('alice')", "5"])
    def test_that_returns_something_else_is_refused(self, pytester: pytest.Pytester, value: str) -> None:
        """The class, an account and other objects are not accepted as a cloud."""
        source = f"""
            import pytest
            from omisim import Cloud

            @pytest.fixture(scope="session")
            def omi_base():
                return {value}

            def test_cloud(omi_cloud):
                pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["omisim: omi_base must return a Cloud, not *"])

    @pytest.mark.parametrize("base", ["clock", "manual", "reads"])
    def test_goes_on_in_the_timing_of_a_test(self, pytester: pytest.Pytester, base: str) -> None:
        """A transient state of the base ends by the timing of the marker, and by waiting under omi_sleep."""
        source = f"""
            import time
            import pytest
            from omisim import Cloud

            @pytest.fixture(scope="session")
            def omi_base():
                cloud = Cloud(timing={base!r})
                cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
                return cloud

            @pytest.mark.omisim(timing="eager")
            def test_eager(omi_gateway):
                assert omi_gateway.ReadVolumes()["Volumes"][0]["State"] == "available"

            @pytest.mark.omisim(timing="reads")
            def test_reads(omi_gateway):
                states = [omi_gateway.ReadVolumes()["Volumes"][0]["State"] for _ in range(2)]
                assert states == ["creating", "available"]

            def test_sleeping(omi_sleep, omi_gateway):
                time.sleep(5)
                assert omi_gateway.ReadVolumes()["Volumes"][0]["State"] == "available"

            @pytest.mark.omisim(timing="manual")
            def test_manual(omi_cloud, omi_account):
                omi_cloud.advance(60)
                (volume,) = omi_account.read_volumes()
                assert volume.state == "creating"
                omi_cloud.complete(volume.volume_id)
        """
        run_plugin(pytester, source).assert_outcomes(passed=4)

    @pytest.mark.parametrize(
        "preparation",
        [
            "omi_base.account('alice').create_keypair(keypair_name='k')",
            "omi_base.advance(3600)",
            "omi_base.answer('CreateLoadBalancer', {})",
            "omi_base.default_region = 'us-east-2'",
            "omi_base.durations['vm.pending'] = 4",
            "omi_base.engine.history = 5",
            "omi_base.fail_next('snapshot')",
            "omi_base.faults.add('CreateVolume')",
            "omi_base.set_capacity('eu-west-2a', 1)",
            "omi_base = Cloud(clock=ManualClock(datetime(2030, 1, 1, tzinfo=UTC)))",
            "omi_base = Cloud(clock=SystemClock())",
        ],
    )
    def test_refuses_a_marker_that_would_lose_its_preparation(
        self, pytester: pytest.Pytester, preparation: str
    ) -> None:
        """A test whose marker needs a new cloud fails, because that cloud would lack what a fork takes over."""
        source = f"""
            from datetime import UTC, datetime
            import pytest
            from omisim import Cloud, ManualClock, SystemClock

            @pytest.fixture(scope="session")
            def omi_base(omi_base):
                {preparation}
                return omi_base

            @pytest.mark.omisim(seed=7)
            def test_seed(omi_cloud): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["omisim: the marker cannot set seed: omi_base has already created the cloud"])

    def test_that_changes_nothing_permits_every_marker(self, pytester: pytest.Pytester) -> None:
        """A test with a cloud of its own loses nothing, also if the wall time has been turned back meanwhile."""
        pytester.makeini("[pytest]\nomisim_clock = system\n")
        source = """
            import pytest
            from freezegun import freeze_time

            @pytest.fixture(scope="session")
            def omi_base(omi_base):
                return omi_base

            @pytest.fixture
            def past(omi_base):
                with freeze_time("2020-01-01"):
                    yield

            @pytest.mark.omisim(seed=7)
            def test_seed(past, omi_cloud):
                assert (omi_cloud.now.year, omi_cloud.engine.settings.seed) == (2020, "7")
        """
        run_plugin(pytester, source).assert_outcomes(passed=1)
