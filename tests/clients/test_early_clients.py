"""Clients that were made before the environment of the test: at import, in setUpClass, or cached by an earlier test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest
import requests
from aiobotocore.session import AioSession
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError
from osc_sdk_python import Gateway
from requests import HTTPError
from support.plugged import run_plugin

from omisim import Account, Cloud
from omisim.clients.gateway import speed_up_gateways
from omisim.clients.intercept import NotServed

pytest_plugins = ["pytester"]

KEYS = {"aws_access_key_id": "AKIAREAL", "aws_secret_access_key": "real"}
CAUSE = "made before the test's environment"
# a client as a module makes it at import → its first call
AWS_CLIENTS: dict[str, Callable[[], Callable[[], Any]]] = {
    "ec2": lambda: boto3.client("ec2", "eu-west-2", **KEYS).describe_images,
    "s3": lambda: boto3.client("s3", "eu-west-2", **KEYS).list_buckets,
    "s3 of a bucket": lambda: partial(boto3.client("s3", "eu-west-2", **KEYS).list_objects_v2, Bucket="golden"),
    "iam": lambda: boto3.client("iam", **KEYS).list_users,
    "sts in China": lambda: boto3.client("sts", "cn-north-1", **KEYS).get_caller_identity,
    "a signed URL": lambda: partial(requests.get, "https://s3.amazonaws.com/golden/a?X-Amz-Signature=0", timeout=1),
    "a signed URL of version 2": lambda: partial(
        requests.get,
        boto3.client("s3", "us-east-1", config=Config(signature_version="s3"), **KEYS).generate_presigned_url(
            "get_object", Params={"Bucket": "golden", "Key": "a"}
        ),
        timeout=1,
    ),
    "a signed form": lambda: _post_form(Config(signature_version="s3v4")),
    "a signed form of version 2": lambda: _post_form(Config(signature_version="s3")),
}


def _post_form(config: Config) -> Callable[[], Any]:
    form = boto3.client("s3", "us-east-1", config=config, **KEYS).generate_presigned_post("golden", "a")
    return partial(requests.post, form["url"], data=form["fields"], files={"file": b"content"}, timeout=1)


@pytest.fixture(name="bare", autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A machine without any credentials."""
    for name in ("OSC_ACCESS_KEY", "OSC_SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("osc_sdk_python.credentials.STD_PATH", str(tmp_path / "none"))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def early_gateway(**options: Any) -> Gateway:
    """Return a Gateway as a module makes it at import."""
    with speed_up_gateways():
        return Gateway(**options)


class TestWithoutCredentials:
    def test_a_gateway_says_that_it_was_made_too_early(self, alice: Account) -> None:
        """No TypeError of the SDK surfaces: the refusal names the cause and the remedy."""
        gateway = early_gateway()
        with alice.environment(), pytest.raises(NotServed, match=f"{CAUSE}.*make the client inside the test"):
            gateway.ReadVms()

    def test_boto3_says_that_its_client_was_made_too_early(self, alice: Account) -> None:
        """The exception of botocore has a note, which a traceback shows."""
        client = boto3.client("s3", "eu-west-2")
        with alice.environment(), pytest.raises(NoCredentialsError) as failure:
            client.list_buckets()
        assert CAUSE in failure.value.__notes__[0]

    def test_aiobotocore_says_that_its_client_was_made_too_early(self, alice: Account) -> None:
        """An asynchronous client has the same note."""

        async def call() -> None:
            async with AioSession().create_client("s3", region_name="eu-west-2") as client:
                with alice.environment():
                    await client.list_buckets()

        with pytest.raises(NoCredentialsError) as failure:
            asyncio.run(call())
        assert CAUSE in failure.value.__notes__[0]

    def test_basic_authentication_is_enough(self, cloud: Cloud, alice: Account) -> None:
        """A Gateway that was made at import for an e-mail address and its password needs no key."""
        gateway = early_gateway(email=alice.email, password=alice.password)
        with cloud.intercept():
            assert gateway.ReadAccessKeys()["AccessKeys"][0]["AccessKeyId"] == alice.access_key


class TestWithKeysOfItsTime:
    def test_is_refused_with_the_cause(self, cloud: Cloud, alice: Account) -> None:
        """A key that no account of the cloud has is refused, and the fix names where such clients come from."""
        gateway = early_gateway(access_key="REAL0000000000000000", secret_key="R" * 40)
        with alice.environment(), pytest.raises(HTTPError, match="code = 4120"):
            gateway.ReadVms()
        error = cloud.calls("ReadVms")[0].error
        assert error is not None
        assert "No account of this cloud has this key" in error.explain()
        assert "at import, in setUpClass, or cached by an earlier test" in error.explain()

    def test_is_refused_by_object_storage_with_the_cause(self, alice: Account) -> None:
        """The text of botocore's exception names the cause."""
        client = boto3.client("s3", "eu-west-2", endpoint_url="https://oos.eu-west-2.outscale.com", **KEYS)
        with alice.environment(), pytest.raises(ClientError, match="at import, in setUpClass, or cached"):
            client.list_buckets()

    def test_shows_the_cause_in_the_report_of_the_test(self, pytester: pytest.Pytester) -> None:
        """A test whose module made its client at import fails with the cause in its report."""
        source = """
            from osc_sdk_python import Gateway
            from omisim.clients.gateway import speed_up_gateways

            with speed_up_gateways():
                API = Gateway(access_key="REAL0000000000000000", secret_key="R" * 40)

            def test_uses_it(omi_env): API.ReadVms()
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*Fix: No account of this cloud has this key*at import*make it inside the test*"])

    @pytest.mark.parametrize("client", AWS_CLIENTS.values(), ids=AWS_CLIENTS)
    def test_never_reaches_aws_in_silence(self, alice: Account, client: Callable[[], Callable[[], Any]]) -> None:
        """A signed request to AWS is refused by name, and listed, whatever its service."""
        call = client()
        with (
            alice.environment() as environment,
            pytest.raises(NotServed, match=r"a signed request to AWS.*endpoint_url"),
        ):
            call()
        assert len(environment.strays) == 1

    def test_may_read_public_data_of_aws(self, alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        """A request to AWS without a signature passes, as to any other host."""
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        with alice.environment(), pytest.raises(requests.exceptions.ProxyError):
            requests.get("https://s3.amazonaws.com/public/file", timeout=1)


class TestCachedByAnEarlierTest:
    """Keys derive from the seed and the name of the account."""

    def test_keeps_working_for_the_same_name_and_seed(self, alice: Account) -> None:
        """A client of alice signs in as alice in a later cloud of the same seed, regardless of earlier accounts."""
        gateway = early_gateway(access_key=alice.access_key, secret_key=alice.secret_key)
        later = Cloud()
        later.account("carol")
        with later.account("alice").environment():
            assert gateway.ReadAccounts()["Accounts"][0]["FirstName"] == "alice"

    @pytest.mark.parametrize(("seed", "name"), [(0, "carol"), (1, "alice")])
    def test_never_acts_as_another_account(self, alice: Account, seed: int, name: str) -> None:
        """In a cloud without alice, or of another seed, her client is refused. [AUTH-006, ID-010]"""
        gateway = early_gateway(access_key=alice.access_key, secret_key=alice.secret_key)
        later = Cloud(seed=seed)
        with later.account(name).environment(), pytest.raises(HTTPError, match="code = 4120"):
            gateway.ReadAccounts()
        assert [call.error.rule for call in later.calls() if call.error] == ["AUTH-006"]

    def test_has_no_key_of_an_additional_key(self) -> None:
        """The keys that accounts create differ from those that they begin with, whatever their names. [ID-010]"""
        cloud = Cloud()
        accounts = [cloud.account(name) for name in ("0", "1", "2", "alice")]
        keys = [account.access_key for account in accounts]
        keys += [account.create_access_key().access_key_id for account in accounts]
        assert len(set(keys)) == len(keys)
