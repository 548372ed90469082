"""`omisim.mock` in the forms of moto's `mock_aws`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Generator
from io import StringIO
from typing import Any
from unittest import TestCase, TextTestRunner, defaultTestLoader

import boto3
import pytest
from botocore.exceptions import ClientError
from support.plugged import run_plugin

import omisim
from omisim import Cloud

pytest_plugins = ["pytester"]


def add_volume(region: str = "us-east-1") -> str:
    """The code under test, with a client of its own as for AWS."""
    client = boto3.client("ec2", region_name=region, aws_access_key_id="testing", aws_secret_access_key="testing")
    return str(client.create_volume(AvailabilityZone="eu-west-2a", Size=10)["VolumeId"])


class TestMock:
    def test_is_a_context_manager(self) -> None:
        """Clients with any credentials and Region reach the cloud, and nothing is left afterwards."""
        before = dict(os.environ)
        with omisim.mock() as cloud:
            volume_id = add_volume()
            assert [volume.volume_id for volume in cloud.account("alice").read_volumes()] == [volume_id]
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="reports")
            assert [bucket.name for bucket in boto3.resource("s3").buckets.all()] == ["reports"]
        assert dict(os.environ) == before

    def test_is_a_decorator_with_a_new_cloud_for_each_call(self) -> None:
        """Both forms of the decorator keep the signature and the result."""

        @omisim.mock
        def bare(number: int) -> tuple[int, int]:
            """Count."""
            add_volume()
            return number, len(boto3.client("ec2").describe_volumes()["Volumes"])

        @omisim.mock(account="bob")
        def get_cloud_name() -> str:
            return str(boto3.client("ec2").describe_images(Owners=["self"])["Images"])

        assert bare.__doc__ == "Count."
        assert [bare(1), bare(number=2)] == [(1, 1), (2, 1)]
        assert get_cloud_name() == "[]"

    @pytest.mark.parametrize("use", [lambda: None, lambda: omisim.mock(timing="clock")], ids=["bare", "options"])
    def test_decorates_coroutine_functions(self, use: Callable[[], Any]) -> None:
        """The environment lasts until the coroutine has ended."""

        async def add() -> str:
            await asyncio.sleep(0)
            return add_volume()

        decorate = use() or omisim.mock
        assert asyncio.run(decorate(add)()).startswith("vol-")

    @pytest.mark.filterwarnings("error")
    def test_decorates_generator_functions(self) -> None:
        """The cloud of a fixture lasts until its end: the code behind the yield would reach AWS without it."""
        before = dict(os.environ)

        @omisim.mock
        def made() -> Generator[str]:
            yield add_volume()
            yield add_volume()

        first, second = made()
        assert first != second
        opened = made()
        next(opened)
        opened.close()
        assert dict(os.environ) == before

    def test_decorates_asynchronous_generator_functions(self) -> None:
        """The cloud of an asynchronous fixture lasts until its end, too, also if that comes early."""
        before = dict(os.environ)

        @omisim.mock
        async def made() -> AsyncGenerator[str]:
            yield add_volume()
            yield add_volume()

        async def use() -> tuple[str, str]:
            opened = made()
            first = await anext(opened)
            await opened.aclose()
            return first, [volume_id async for volume_id in made()][1]

        first, second = asyncio.run(use())
        assert first != second
        assert dict(os.environ) == before

    def test_passes_what_is_sent_to_an_asynchronous_generator(self) -> None:
        """Its caller sends values and raises exceptions in it, as asynccontextmanager does."""

        @omisim.mock
        async def made() -> AsyncGenerator[Any, str]:
            try:
                yield (yield add_volume()).upper()
            except KeyError:
                yield "caught"

        async def use() -> list[Any]:
            generator = made()
            await anext(generator)
            sent = [await generator.asend("sent"), await generator.athrow(KeyError())]
            with pytest.raises(StopAsyncIteration):
                await anext(generator)
            return sent

        assert asyncio.run(use()) == ["SENT", "caught"]

    def test_takes_a_cloud_or_the_options_of_one(self) -> None:
        """A given cloud is used as it is; its authentication is its own."""
        cloud = Cloud()
        with omisim.mock(cloud, account="carol") as entered:
            assert entered is cloud
            with pytest.raises(ClientError, match="AuthFailure"):
                add_volume()
            boto3.client("ec2").create_volume(AvailabilityZone="eu-west-2a", Size=1)
        assert len(cloud.account("carol").read_volumes()) == 1
        with omisim.mock(timing="clock") as slow:
            add_volume()
            assert slow.account("alice").read_volumes()[0].state == "creating"

    def test_refuses_options_for_a_given_cloud(self) -> None:
        """They would have no effect."""
        with pytest.raises(TypeError, match="timing is an option of a new cloud"):
            omisim.mock(Cloud(), timing="clock")

    def test_refuses_a_name_in_place_of_a_cloud(self) -> None:
        """The name of an account is a keyword argument."""
        with pytest.raises(TypeError, match="cloud must be a Cloud, not 'bob'; name the account by account="):
            omisim.mock("bob")  # type: ignore[call-overload]  # the mistake

    def test_starts_and_stops(self) -> None:
        """`start` and `stop` enter and leave, and nest."""
        outer, inner = omisim.mock(), omisim.mock()
        first = outer.start()
        second = inner.start()
        add_volume()
        inner.stop()
        assert (len(first.account("alice").read_volumes()), len(second.account("alice").read_volumes())) == (0, 1)
        outer.stop()

    def test_does_not_stop_before_it_starts(self) -> None:
        """A stop without a start is a RuntimeError, as that of moto."""
        with pytest.raises(RuntimeError, match=r"stop\(\) was called without start\(\)"):
            omisim.mock().stop()

    def test_decorates_the_tests_of_a_class(self) -> None:
        """A class without a setup has a new cloud for each test, one with a setup shares it with its test."""
        counts: list[int] = []

        def count() -> None:
            counts.append(len(boto3.client("ec2").describe_volumes()["Volumes"]))

        @omisim.mock
        class Plain:
            def test_one(self) -> None:
                add_volume()
                count()

        @omisim.mock()
        class Pytest:
            def setup_method(self, _method: Any) -> None:
                add_volume()

            def test_two(self) -> None:
                count()

        @omisim.mock
        class Unittest(TestCase):
            def setUp(self) -> None:
                add_volume()

            def test_three(self) -> None:
                count()

        for _ in range(2):
            Plain().test_one()
        tests = Pytest()
        tests.setup_method(None)
        tests.test_two()
        tests.teardown_method(None)  # type: ignore[attr-defined]
        TextTestRunner(stream=StringIO()).run(defaultTestLoader.loadTestsFromTestCase(Unittest))
        assert counts == [1, 1, 1, 1]
        assert "AWS_ENDPOINT_URL_EC2" not in os.environ

    def test_leaves_the_environment_of_a_test_whose_setup_fails(self) -> None:
        """Neither unittest nor pytest calls the teardown of such a test, or of one that is skipped."""

        @omisim.mock
        class Skipped(TestCase):
            def setUp(self) -> None:
                self.skipTest("not here")

            def test_one(self) -> None:
                add_volume()

        before = dict(os.environ)
        TextTestRunner(stream=StringIO()).run(defaultTestLoader.loadTestsFromTestCase(Skipped))
        assert dict(os.environ) == before

    def test_lasts_until_the_clean_ups_of_a_test(self) -> None:
        """The clean-ups of unittest, which run after tearDown, reach the cloud too."""
        counts: list[int] = []

        def count() -> None:
            counts.append(len(boto3.client("ec2").describe_volumes()["Volumes"]))

        @omisim.mock
        class Cleaning(TestCase):
            def test_one(self) -> None:
                self.addCleanup(count)
                add_volume()

        TextTestRunner(stream=StringIO()).run(defaultTestLoader.loadTestsFromTestCase(Cleaning))
        assert counts == [1]

    def test_decorates_all_forms_of_tests_that_pytest_runs(self, pytester: pytest.Pytester) -> None:
        """A setup may take the test's method, and a test may be a static method or a class method."""
        source = """
import boto3, omisim

def count(added):
    for _ in range(added):
        boto3.client("ec2").create_volume(AvailabilityZone="eu-west-2a", Size=10)
    return len(boto3.client("ec2").describe_volumes()["Volumes"])

@omisim.mock
class TestSetup:
    def setup_method(self): count(1)
    def teardown_method(self, method): assert count(0) == 2 and method.__name__ == "test"
    def test(self): assert count(1) == 2

@omisim.mock
class TestSetupWithMethod:
    def setup_method(self, method): count(len(method.__name__))
    def teardown_method(self): assert count(0) == 5
    def test(self): assert count(1) == 5

@omisim.mock
class TestStatic:
    @staticmethod
    def test_static(): assert count(1) == 1
    @classmethod
    def test_class(cls): assert count(1) == 1
"""
        run_plugin(pytester, source).assert_outcomes(passed=4)
