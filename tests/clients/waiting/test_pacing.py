"""Libraries of boto3 that limit their own rate, in a cloud's time."""

from __future__ import annotations

import io
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from freezegun import freeze_time

from omisim import Account, Cloud

ADAPTIVE = Config(retries={"mode": "adaptive", "total_max_attempts": 3})
A_MINUTE = 60


def read_throttled(cloud: Cloud, ec2: Any, **options: Any) -> float:
    """Make a request that is throttled once, and return how long the client waited, in the cloud's time."""
    cloud.faults.add("ReadKeypairs", status=503)
    with cloud.sleeping(**options):
        before = cloud.now
        assert ec2.describe_key_pairs()["ResponseMetadata"]["RetryAttempts"] == 1
        return (cloud.now - before).total_seconds()


class TestAdaptiveRetriesOfBotocore:
    @pytest.mark.parametrize("options", [{}, {"virtual_time": True}], ids=["sleeping", "virtual_time"])
    def test_wait_as_long_as_they_need(self, cloud: Cloud, alice: Account, options: dict[str, bool]) -> None:
        """After a refusal they wait for seconds, not until the signature has expired."""
        with alice.environment():
            assert read_throttled(cloud, boto3.client("ec2", config=ADAPTIVE), **options) < A_MINUTE

    def test_wait_as_long_in_frozen_time(self, cloud: Cloud, alice: Account) -> None:
        """The clock of freezegun moves with the wait."""
        with freeze_time("2026-01-01"), alice.environment():
            assert read_throttled(cloud, boto3.client("ec2", config=ADAPTIVE)) < A_MINUTE

    def test_wait_as_long_in_the_next_context(self, cloud: Cloud, alice: Account) -> None:
        """A client that a cache keeps has seen a later time in an earlier context; it does not wait for it again."""
        with alice.environment():
            ec2 = boto3.client("ec2", config=ADAPTIVE)
            for _ in range(2):
                assert read_throttled(cloud, ec2) < A_MINUTE
                with cloud.sleeping():
                    cloud.advance(3600)
                    ec2.describe_key_pairs()


class TestTheBandwidthOfATransfer:
    def test_is_limited_in_the_clouds_time(self, cloud: Cloud, alice: Account) -> None:
        """An upload of 96 KiB at 16 KiB per second takes seconds of the cloud's time."""
        with alice.environment(), cloud.sleeping():
            oos = boto3.client("s3")
            oos.create_bucket(Bucket="golden")
            before = cloud.now
            limit = TransferConfig(max_bandwidth=16 * 1024, use_threads=False)
            oos.upload_fileobj(io.BytesIO(bytes(96 * 1024)), "golden", "disk", Config=limit)
            assert (cloud.now - before).total_seconds() < A_MINUTE
            assert oos.head_object(Bucket="golden", Key="disk")["ContentLength"] == 96 * 1024
