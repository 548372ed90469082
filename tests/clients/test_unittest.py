"""`omisim.unittest`: a cloud for suites of unittest, prepared once for a class and restored after each test."""

from __future__ import annotations

import time
import unittest
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from osc_sdk_python import Gateway
from support.plugged import run_plugin

from omisim import Cloud
from omisim.unittest import CloudMixin, CloudTestCase, with_cloud

pytest_plugins = ["pytester"]
UNSERVED = "eim.eu-west-2.outscale.com"


def run(cls: type[unittest.TestCase]) -> unittest.TestResult:
    """Run the tests of a class with unittest, in order."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(cls).run(result)
    return result


def leave() -> None:
    """Send a request to a service that omisim does not serve, and catch the error: code under test."""
    with suppress(Exception):
        urllib.request.urlopen(f"https://{UNSERVED}")


def check(cls: type[unittest.TestCase], count: int) -> None:
    """Run a class whose tests all pass."""
    result = run(cls)
    assert (result.errors, result.failures, result.testsRun) == ([], [], count)


class TestMixin:
    def test_shares_what_set_up_class_creates(self) -> None:
        """Each test begins with the state of `setUpClass`, whatever the tests before have done."""

        class Tests(CloudTestCase):
            image_id: ClassVar[str]

            @classmethod
            def setUpClass(cls) -> None:
                super().setUpClass()
                (vm,) = cls.account.create_vms(image_id=cls.cloud.images.official("debian").image_id)
                cls.image_id = cls.account.create_image(vm_id=vm.vm_id, image_name="golden").image_id

            def test_1(self) -> None:
                self.account.delete_image(image_id=self.image_id)
                self.cloud.faults.add("ReadImages", status=503)

            def test_2(self) -> None:
                filters = {"ImageIds": [self.image_id]}
                assert len(self.gateway.ReadImages(Filters=filters)["Images"]) == 1
                assert self.cloud.calls("DeleteImage") == ()

        check(Tests, 2)
        check(Tests, 2)

    def test_redirects_clients_of_the_code_under_test(self) -> None:
        """A Gateway without arguments reaches the cloud, in the test and in `setUpClass`."""

        class Tests(CloudTestCase):
            omisim: ClassVar[dict[str, Any]] = {"account": "build", "region": "us-east-2"}

            @classmethod
            def setUpClass(cls) -> None:
                super().setUpClass()
                assert cls.cloud.accounts == ("build",)
                Gateway().CreateVolume(SubregionName="us-east-2a", Size=1)

            def test(self) -> None:
                assert len(self.account.read_volumes()) == 1

        check(Tests, 1)

    def test_takes_the_region_as_the_default_of_the_cloud(self) -> None:
        """With `region`, official OMIs and further accounts are in this Region too."""

        class Tests(CloudTestCase):
            omisim: ClassVar[dict[str, Any]] = {"region": "us-east-2", "environment": False}

            def test(self) -> None:
                assert self.account.can("CreateVms", ImageId=self.cloud.images.official("debian").image_id)
                assert self.cloud.account("bob").region == "us-east-2"

        check(Tests, 1)

    def test_moves_time_instead_of_waiting(self) -> None:
        """With `sleep`, a polling loop takes no time."""

        class Tests(CloudTestCase):
            omisim: ClassVar[dict[str, Any]] = {"timing": "clock", "sleep": True, "environment": False}

            def test(self) -> None:
                volume = self.account.create_volume(subregion_name="eu-west-2a", size=1)
                while self.account.read_volumes()[0].state != "available":
                    time.sleep(60)
                assert volume

        check(Tests, 1)

    def test_begins_with_a_scenario(self) -> None:
        """A scenario sets up the cloud."""

        class Tests(CloudTestCase):
            omisim: ClassVar[dict[str, Any]] = {"scenario": "shared-image", "environment": False}

            def test(self) -> None:
                assert self.cloud.named("golden")

        check(Tests, 1)

    def test_works_with_asynchronous_tests(self) -> None:
        """The mixin stands before any TestCase, and does without calls of super in setUp."""

        class Tests(CloudMixin, unittest.IsolatedAsyncioTestCase):
            omisim: ClassVar[dict[str, Any]] = {"environment": False}

            def setUp(self) -> None:
                self.account.create_volume(subregion_name="eu-west-2a", size=1)

            async def test_1(self) -> None:
                assert len(self.account.read_volumes()) == 1

            async def test_2(self) -> None:
                assert len(self.account.read_volumes()) == 1

        check(Tests, 2)

    def test_separates_classes(self) -> None:
        """A subclass has a cloud of its own."""

        class First(CloudTestCase):
            omisim: ClassVar[dict[str, Any]] = {"environment": False}
            clouds: ClassVar[list[Cloud]] = []

            def test(self) -> None:
                self.clouds.append(self.cloud)

        class Second(First):
            pass

        check(First, 1)
        check(Second, 1)
        assert First.clouds[0] is not First.clouds[1]

    def test_fails_for_a_request_that_would_leave_the_machine(self) -> None:
        """A test fails for a request to a service that omisim does not serve, even if the code catches the error."""

        class Tests(CloudTestCase):
            def test_1(self) -> None:
                leave()

            def test_2(self) -> None:
                pass

        result = run(Tests)
        ((_, text),) = result.failures
        assert f"tried to leave this machine:\n  a connection to {UNSERVED}" in text
        assert (result.errors, result.testsRun) == ([], 2)

    def test_asks_for_super(self) -> None:
        """A `setUpClass` that forgets `super` is an error of each test, and the run goes on."""

        class Tests(CloudTestCase):
            @classmethod
            def setUpClass(cls) -> None:
                pass

            def test(self) -> None:
                pass

        result = run(Tests)
        assert result.testsRun == 1
        assert "Tests.setUpClass must call super().setUpClass() first" in result.errors[0][1]

    def test_opens_nothing_when_it_is_collected(self) -> None:
        """Pytest looks at each attribute of a class before it runs the tests: no cloud is created by that."""

        class Tests(CloudTestCase):
            pass

        assert [name for name in dir(Tests) if getattr(Tests, name, None) is not None and "_omisim" in name] == []
        assert not hasattr(Tests, "cloud")
        assert not hasattr(Tests, "gateway")

    def test_refuses_a_wrong_option(self) -> None:
        """An unknown option is an error of the class, with the names that exist."""

        class Tests(CloudTestCase):
            omisim: ClassVar[dict[str, Any]] = {"timming": "clock"}

            def test(self) -> None:
                pass

        ((_, text),) = run(Tests).errors
        assert "unknown option 'timming'; did you mean timing?" in text

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            (["sleep"], "omisim must be a mapping of options, not ['sleep']"),
            ({"sleep": "yes"}, "sleep must be True or False, not 'yes'"),
        ],
    )
    def test_refuses_options_of_another_type(self, options: Any, error: str) -> None:
        """The error of the class says what was expected."""

        class Tests(CloudTestCase):
            omisim = options

            def test(self) -> None:
                pass

        ((_, text),) = run(Tests).errors
        assert error in text

    def test_is_refused_behind_the_test_case(self) -> None:
        """The mixin comes first among the bases, or its setUpClass would never run."""
        with pytest.raises(TypeError, match="Tests must name CloudMixin before TestCase"):

            class Tests(unittest.TestCase, CloudMixin):
                pass


class TestDecorator:
    def test_gives_a_function_a_cloud(self) -> None:
        """The cloud is the last positional argument, and new each time."""

        @with_cloud(timing="clock", environment=False)
        def test(first: int, cloud: Cloud) -> tuple[int, str, tuple[str, ...]]:
            cloud.account("zoe")
            return first, cloud.timing, cloud.accounts

        assert test(1) == test(1) == (1, "clock", ("zoe",))  # type: ignore[call-arg]  # the decorator adds the cloud

    def test_gives_a_method_and_a_coroutine_a_cloud(self) -> None:
        """Methods of a TestCase, asynchronous ones too."""

        class Tests(unittest.IsolatedAsyncioTestCase):
            @with_cloud(environment=False)
            def test_1(self, cloud: Cloud) -> None:
                assert cloud.accounts == ()

            @with_cloud(environment=False)
            async def test_2(self, cloud: Cloud) -> None:
                assert cloud.accounts == ()

        check(Tests, 2)

    def test_takes_no_region_as_the_default(self) -> None:
        """`region=None`, as `Cloud.account` takes it, is the default Region, like `scenario=None` no scenario."""

        @with_cloud(region=None, scenario=None)
        def function(cloud: Cloud) -> str:
            return cloud.default_region

        assert function() == "eu-west-2"  # type: ignore[call-arg]  # the decorator adds the cloud

    def test_gives_each_test_of_a_class_a_cloud(self) -> None:
        """`self.cloud` is there in setUp already, and clients reach it."""

        @with_cloud(account="zoe")
        class Tests(unittest.TestCase):
            cloud: Cloud

            def setUp(self) -> None:
                assert self.cloud.accounts == ("zoe",)
                Gateway().CreateVolume(SubregionName="eu-west-2a", Size=1)

            def test_1(self) -> None:
                assert len(self.cloud.account("zoe").read_volumes()) == 1

            def test_2(self) -> None:
                assert len(self.cloud.account("zoe").read_volumes()) == 1

        check(Tests, 2)

    def test_fails_for_a_request_that_would_leave_the_machine(self) -> None:
        """A function fails, and so does each test of a class, although the code catches the error."""

        @with_cloud
        class Tests(unittest.TestCase):
            def test(self) -> None:
                leave()

        assert "tried to leave this machine" in run(Tests).failures[0][1]
        with pytest.raises(AssertionError, match="tried to leave this machine"):
            with_cloud(lambda _: leave())()  # type: ignore[call-arg]  # the decorator adds the cloud

    def test_needs_no_parentheses(self) -> None:
        """Without options, the name alone decorates a TestCase and a function."""

        @with_cloud
        class Tests(unittest.TestCase):
            cloud: Cloud

            def test(self) -> None:
                assert self.cloud.accounts == ("alice",)

        @with_cloud
        def name_accounts(cloud: Cloud) -> tuple[str, ...]:
            return cloud.accounts

        check(Tests, 1)
        assert name_accounts() == ("alice",)  # type: ignore[call-arg]  # the decorator adds the cloud

    def test_leaves_other_arguments_to_pytest(self, pytester: pytest.Pytester) -> None:
        """Fixtures, parameters and mocks stand before the cloud, for which pytest looks for no fixture."""
        source = """
            from unittest import mock
            import pytest
            from omisim.unittest import with_cloud

            @with_cloud
            def test_alone(cloud):
                assert cloud.accounts == ("alice",)

            @pytest.mark.parametrize("name", ["alice"])
            @with_cloud
            def test_function(tmp_path, name, cloud):
                assert tmp_path.is_dir() and cloud.accounts == (name,)

            class TestClass:
                @mock.patch("os.getcwd")
                @with_cloud(account="zoe")
                def test_method(self, getcwd, tmp_path, cloud):
                    assert tmp_path.is_dir() and not getcwd.called and cloud.accounts == ("zoe",)
        """
        run_plugin(pytester, source).assert_outcomes(passed=3)

    @pytest.mark.parametrize("function", [lambda: None, lambda self: self, lambda *, cloud: cloud])
    def test_refuses_a_function_without_a_parameter_for_the_cloud(self, function: Any) -> None:
        """The mistake is reported where the function is defined."""
        with pytest.raises(TypeError, match="must take the cloud as its last positional argument"):
            with_cloud(function)

    def test_refuses_a_generator(self) -> None:
        """A fixture that yields would run after its cloud had ended."""

        def fixture(cloud: Cloud) -> Iterator[Cloud]:
            yield cloud

        with pytest.raises(TypeError, match="the cloud of the generator fixture ends before it runs"):
            with_cloud(fixture)

    def test_refuses_options_without_a_name(self) -> None:
        """An option in the place of the function is a mistake."""
        with pytest.raises(TypeError, match="takes its options by name, not 'clock'"):
            with_cloud("clock")  # type: ignore[call-overload]  # the mistake

    def test_refuses_another_class(self) -> None:
        """A class of pytest has fixtures instead."""
        with pytest.raises(TypeError, match="Plain is not a TestCase: another class uses the fixture omi_cloud"):

            @with_cloud()
            class Plain:
                pass
