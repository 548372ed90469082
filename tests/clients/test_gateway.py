"""The real SDK: a Gateway of an account, and clients that omisim did not make."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
import httpx
import osc_sdk_python
import pytest
import requests
import urllib3
from freezegun import freeze_time
from osc_sdk_python import Gateway
from osc_sdk_python.outscale_gateway import ActionNotExists, ParameterNotValid
from osc_sdk_python.problem import LegacyProblemDecoder
from requests import HTTPError

from omisim import Account, ApiError, Cloud
from omisim.clients.intercept import NotServed
from omisim.model import Image


@pytest.fixture(autouse=True)
def _no_environment() -> Iterator[None]:
    """Keep the machine's own configuration out of the SDK."""
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("OSC_")]:
            del os.environ[name]
        yield


def own_gateway(account: Account, **changes: str) -> Gateway:
    """Make a Gateway as a user's code would, parsing its description once for all these tests."""
    gateway = account.gateway()
    profile = osc_sdk_python.credentials.Profile(
        access_key=changes.get("access_key", account.access_key),
        secret_key=changes.get("secret_key", account.secret_key),
        protocol="https",
        region=account.region,
    )
    gateway.call.profile = profile
    gateway.call.session = requests.Session()
    return gateway


class TestGateway:
    def test_is_the_unmodified_class_of_the_sdk(self, alice: Account) -> None:
        """The fixture returns the SDK's class."""
        assert type(alice.gateway()) is osc_sdk_python.Gateway

    def test_reaches_the_cloud_with_a_verified_signature(self, omi_gateway: Gateway, alice: Account) -> None:
        """The cloud answers a call of the SDK whose signature it has verified."""
        assert omi_gateway.ReadAccounts()["Accounts"][0]["AccountId"] == alice.account_id

    def test_raises_the_error_of_the_sdk(self, omi_gateway: Gateway) -> None:
        """A refusal is the SDK's HTTPError, with the API's code and the broken rule."""
        with pytest.raises(HTTPError, match="code = 5023") as refusal:
            omi_gateway.DeleteImage(ImageId="ami-00000000")
        assert refusal.value.response is not None
        assert refusal.value.response.headers["X-Omisim-Rule"] == "OMI-122"

    def test_still_checks_parameter_names(self, omi_gateway: Gateway) -> None:
        """The SDK still checks names before it sends a request."""
        with pytest.raises(ParameterNotValid):
            omi_gateway.ReadVms(Foo=1)
        with pytest.raises(ActionNotExists):
            omi_gateway.ReadEverything()

    def test_has_no_rate_limiter(self, cloud: Cloud, omi_gateway: Gateway) -> None:
        """A hundred calls do not wait for the limit of five a second."""
        with mock.patch("time.sleep", side_effect=AssertionError("it waits")):
            for _ in range(100):
                omi_gateway.ReadVms()
        assert len(cloud.calls("ReadVms")) == 100

    def test_is_signed_in_as_its_account(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """The gateways of two accounts are signed in as two accounts."""
        assert bob.gateway().ReadImages(Filters={"ImageIds": [golden.image_id]})["Images"] == []

    def test_ignores_the_configuration_of_the_machine(self, alice: Account) -> None:
        """Variables of the machine do not redirect a Gateway."""
        os.environ.update(OSC_CONFIG_FILE="/nowhere", OSC_ENDPOINT_API="https://example.com", OSC_LOGIN="x")
        assert alice.gateway().ReadAccounts()["Accounts"][0]["AccountId"] == alice.account_id
        assert os.environ["OSC_CONFIG_FILE"] == "/nowhere"

    @pytest.mark.parametrize("date", ["2015-01-01", "2060-01-01"])
    def test_works_under_frozen_time(self, date: str) -> None:
        """A client under freezegun signs with the frozen time, which the door accepts as the host's. [AUTH-007]"""
        with freeze_time(date):
            assert Cloud().account("alice").gateway().ReadVms()["Vms"] == []

    def test_is_not_searched_for_a_problem_that_it_does_not_have(self, cloud: Cloud, alice: Account) -> None:
        """The SDK decodes an answer once; its search for a problem, which decodes it too, finds none at once."""
        for gateway in (alice.gateway(), own_gateway(alice)):
            with cloud.intercept(), mock.patch.object(LegacyProblemDecoder, "decode", side_effect=AssertionError):
                assert gateway.ReadVms()["Vms"] == []

    def test_is_searched_for_a_problem_in_a_body_that_a_hook_has_replaced(self, cloud: Cloud, alice: Account) -> None:
        """A test that replaces the body of an answer by a hook gets the errors of the SDK, as over HTTP."""

        def replace_body(response: requests.Response, **_: Any) -> None:
            vars(response)["_content"] = b"[]"

        for gateway in (alice.gateway(), own_gateway(alice)):
            gateway.call.session.hooks["response"].append(replace_body)
            with cloud.intercept(), pytest.raises(AttributeError, match="'list' object has no attribute 'status'"):
                gateway.ReadVms()

    def test_answers_with_the_length_of_the_body(self, cloud: Cloud, alice: Account) -> None:
        """A hook of the SDK's session finds the header Content-Length in every answer, as over HTTP."""
        answers: list[requests.Response] = []
        for gateway in (alice.gateway(), own_gateway(alice)):
            gateway.call.session.hooks["response"].append(lambda response, **_: answers.append(response))
            with cloud.intercept():
                gateway.ReadVms()
        assert [int(answer.headers["Content-Length"]) for answer in answers] == [len(a.content) for a in answers]
        assert len(answers) == 2

    def test_answers_as_requests_does(self, alice: Account) -> None:
        """A response has every attribute of one of requests, and shares none that can change."""
        api, responses = alice.gateway(), list[requests.Response]()
        api.call.session.hooks["response"] = [lambda response, *_args, **_kwargs: responses.append(response)]
        api.ReadVolumes()
        api.ReadVolumes()
        one, other = responses
        assert vars(requests.Response()).keys() <= set(dir(one))
        for name in ("headers", "history", "cookies"):
            assert type(getattr(one, name)) is type(getattr(requests.Response(), name))
            assert getattr(one, name) is not getattr(other, name)
        one.request.hooks.clear()  # a local function cannot be pickled
        assert pickle.loads(pickle.dumps(one)).json() == one.json()

    def test_does_not_change_the_sdk(self, alice: Account) -> None:
        """The cache for the SDK's parsers is installed only while a Gateway is created."""
        before = inspect.getattr_static(Gateway, "_convert")
        alice.gateway()
        assert inspect.getattr_static(Gateway, "_convert") is before


class TestIntercept:
    def test_reaches_a_gateway_of_the_user(self, cloud: Cloud, alice: Account) -> None:
        """A Gateway that omisim did not create reaches the cloud inside the context."""
        with cloud.intercept():
            accounts = own_gateway(alice).ReadAccounts()["Accounts"]
        assert accounts[0]["AccountId"] == alice.account_id

    def test_refuses_a_wrong_secret_key(self, cloud: Cloud, alice: Account) -> None:
        """The signature is verified as usual. [AUTH-006]"""
        with cloud.intercept(), pytest.raises(HTTPError, match="status = 401, code = 1"):
            own_gateway(alice, secret_key="X" * 40).ReadVms()

    def test_refuses_an_unknown_access_key(self, cloud: Cloud, alice: Account) -> None:
        """An access key that does not exist is refused. [AUTH-006]"""
        with cloud.intercept(), pytest.raises(HTTPError, match="code = 4120"):
            own_gateway(alice, access_key="A" * 20).ReadVms()

    def test_reaches_urllib3(self, cloud: Cloud) -> None:
        """A request sent by urllib3 alone is answered."""
        with cloud.intercept():
            answer = urllib3.PoolManager().request("POST", "https://api.eu-west-2.outscale.com/api/v1/ReadRegions")
        assert answer.json()["Regions"][0]["RegionName"] == "eu-west-2"

    def test_reaches_httpx(self, cloud: Cloud) -> None:
        """Requests of httpx are answered, synchronous and asynchronous; a dropped connection raises its own error."""
        url = "https://api.eu-west-2.outscale.com/api/v1/ReadRegions"

        async def later() -> httpx.Response:
            async with httpx.AsyncClient() as client:
                return await client.post(url, json={})

        with cloud.intercept():
            answers = [httpx.post(url, json={}), asyncio.run(later())]
            cloud.faults.add("ReadRegions", drop=True)
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.post(url)
        assert [answer.json()["Regions"][0]["RegionName"] for answer in answers] == ["eu-west-2", "eu-west-2"]
        with pytest.raises(httpx.ConnectError):
            httpx.post("http://127.0.0.1:1/")

    def test_asks_the_innermost_cloud_only(self, cloud: Cloud, alice: Account) -> None:
        """No request is forwarded to an outer cloud."""
        other = Cloud(seed="other")
        with cloud.intercept(), other.intercept(), pytest.raises(HTTPError, match="code = 4120"):
            own_gateway(alice).ReadVms()

    def test_can_be_left_in_any_order(self, cloud: Cloud, alice: Account) -> None:
        """Contexts may end in any order; the innermost that remains answers."""
        first, second = cloud.intercept(), Cloud(seed="other").intercept()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        with pytest.raises(HTTPError, match="code = 4120"):
            own_gateway(alice).ReadVms()
        second.__exit__(None, None, None)

    def test_distinguishes_equal_clouds(self, alice: Account, cloud: Cloud) -> None:
        """Two equal clouds are not the same cloud."""
        twin = cloud.fork()
        with cloud.intercept(), twin.intercept():
            own_gateway(alice).ReadVms()
        assert (len(cloud.calls("ReadVms")), len(twin.calls("ReadVms"))) == (0, 1)

    def test_restores_urllib3(self) -> None:
        """After the last context nothing is patched, unless the plugin keeps its patches for the session."""
        program = """if True:
            import urllib3
            from omisim import Cloud
            before = dict(vars(urllib3.HTTPConnectionPool))
            with Cloud().intercept():
                assert vars(urllib3.HTTPConnectionPool) != before
            assert vars(urllib3.HTTPConnectionPool) == before
        """
        subprocess.run([sys.executable, "-c", program], check=True)

    def test_passes_requests_to_other_hosts(self, cloud: Cloud) -> None:
        """A request to a host outside OUTSCALE is sent as usual."""
        with cloud.intercept(), pytest.raises(requests.ConnectionError):
            requests.get("http://127.0.0.1:9/", timeout=1)

    @pytest.mark.parametrize(
        ("host", "sent", "message"),
        [
            ("eim.eu-west-2", {"data": "Version=1&Action=ListUsers"}, "eim ListUsers .*serve eim"),
            ("icu.eu-west-2", {"json": {"Action": "GetAccount"}}, "icu GetAccount .*serve icu"),
            ("lbu.eu-west-2", {"headers": {"X-Osc-Target": "Lbu.DescribeLoadBalancers"}}, "lbu DescribeLoadBalancers "),
            ("osu.eu-west-2", {"data": b"x"}, "service osu is oos now: use https://oos.eu-west-2.outscale.com"),
            ("api.eu-west-2.oks", {}, r"oks \(POST .*serve oks"),
            ("EIM.eu-west-2", {"data": b"Action=GetUser"}, "eim GetUser "),
        ],
    )
    def test_refuses_unserved_outscale_hosts(self, cloud: Cloud, host: str, sent: dict[str, Any], message: str) -> None:
        """A request for another service never reaches the real cloud, and the error names the call in any protocol."""
        with cloud.intercept(), pytest.raises(NotServed, match=message):
            requests.post(f"https://{host}.outscale.com/", timeout=1, **sent)

    def test_refuses_a_botocore_client_of_another_service(self, cloud: Cloud) -> None:
        """The error names the call, and botocore neither wraps it nor tries again."""
        key = {"aws_access_key_id": "A", "aws_secret_access_key": "B"}
        client = boto3.client("iam", "eu-west-2", endpoint_url="https://eim.eu-west-2.outscale.com", **key)
        with cloud.intercept(), pytest.raises(NotServed, match="eim ListUsers"):
            client.list_users()

    def test_accepts_a_host_that_ends_in_a_dot(self, cloud: Cloud) -> None:
        """A host name may be absolute."""
        with cloud.intercept():
            assert requests.post("https://api.eu-west-2.outscale.com./api/v1/ReadRegions", timeout=1).ok


def test_gateway_and_typed_methods_agree(cloud: Cloud, alice: Account) -> None:
    """Two equal clouds stay equal when one is driven by the SDK and the other by typed methods."""
    twin = cloud.fork()
    gateway, typed = alice.gateway(), twin.account("alice")
    gateway.CreateVolume(SubregionName="eu-west-2a", Size=3)
    typed.create_volume(subregion_name="eu-west-2a", size=3)
    with pytest.raises(HTTPError):
        gateway.CreateVolume(SubregionName="eu-west-2a", Size=-3)
    with pytest.raises(ApiError):
        typed.create_volume(subregion_name="eu-west-2a", size=-3)
    assert cloud == twin
