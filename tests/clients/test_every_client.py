"""Every client library has the same outcome in the process as over HTTP, whatever fault its call meets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from io import BytesIO
from textwrap import dedent
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from support.forking import run_forked
from support.http_clients import (
    ACTION,
    CLIENTS,
    RETRIES,
    Door,
    Outcome,
    call_aiohttp,
    call_httpx,
    call_httpx_async,
    call_requests,
    call_requests_with_retries,
    call_sdk,
    call_urllib3,
    find_outcome,
)
from support.interpreter import TESTS

from omisim import Account, Cloud
from omisim.base.hosts import make_endpoint
from omisim.clients.gateway import speed_up_gateways
from omisim.clients.intercept import NotServed, guard_hosts
from omisim.clients.replaced_values import isolated_environ
from omisim.doors.http import HttpResponse
from omisim.doors.oapi import OapiDoor
from omisim.server import Running

Client = Callable[[Door], int]

# a fault: the arguments of faults.add
FAULTS: dict[str, dict[str, Any]] = {
    "none": {"times": 1, "delay": 0.001},
    "one 503": {"times": 1, "status": 503},
    "as many 503 as retries": {"times": RETRIES, "status": 503},
    "503 for ever": {"times": 100, "status": 503},
    "one 429": {"times": 1, "status": 429},
    "429 for ever": {"times": 100, "status": 429},
    "one 500": {"times": 1, "status": 500},
    "500 for ever": {"times": 100, "status": 500},
    "a refusal": {"times": 100, "error": "insufficient-capacity"},
    "one lost connection": {"times": 1, "drop": True},
    "lost connections": {"times": 100, "drop": True},
    "a lost answer": {"times": 1, "drop": True, "after_effect": True},
    "a 503 after the effect": {"times": 1, "status": 503, "after_effect": True},
    "a long call": {"times": 1, "delay": 3600.0},
}


@pytest.fixture(name="waits", autouse=True)
def _waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between two attempts, which take no time."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr("aiobotocore.endpoint.asyncio.sleep", _no_sleep)
    return pauses


async def _no_sleep(_seconds: float, *_args: Any) -> None:
    """Replace asyncio.sleep."""


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[Running]:
    with Cloud().serve() as server:
        server.cloud.account("alice")
        yield server


def call_inside(cloud: Cloud, client: Client, fault: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a call in the environment of an account."""
    alice = cloud.account("alice")
    if fault:
        cloud.faults.add(ACTION, **fault)
    with alice.environment():
        return find_outcome(client, Door(f"{make_endpoint('api', alice.region)}/api/v1", alice))


def over_http(server: Running, client: Client, fault: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a call over HTTP, with the variables of the server."""
    alice = server.cloud.account("alice")
    server.cloud.faults.clear()
    server.cloud.faults.add(ACTION, **fault)
    with isolated_environ("OSC_", "AWS_", **server.env(alice)), speed_up_gateways():
        return find_outcome(client, Door(f"{server.url}/api/v1", alice))


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
class TestEveryClient:
    @pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
    def test_has_the_outcome_that_it_has_over_http(
        self, cloud: Cloud, server: Running, client: Client, fault: dict[str, Any]
    ) -> None:
        """A client gets the same status or the same exception, after as many calls. [THR-001, THR-003]"""
        assert call_inside(cloud, client, fault) == over_http(server, client, fault)

    def test_is_retried_by_its_own_means(self, cloud: Cloud, client: Client) -> None:
        """What a client does about two refusals by 503: try again, or return the first one."""
        outcome = call_inside(cloud, client, {"times": RETRIES, "status": 503})
        tries_again = client not in (call_requests, call_httpx, call_httpx_async, call_aiohttp)
        assert outcome == (Outcome(200, (), RETRIES + 1) if tries_again else Outcome(503, (), 1))


class TestRetries:
    def test_end_in_the_exception_of_the_library(self, cloud: Cloud) -> None:
        """Refusals without an end raise what requests and urllib3 raise, with the last reason."""
        busy = {"times": 100, "status": 503}
        assert call_inside(cloud, call_urllib3, busy).raised == ("MaxRetryError", "ResponseError")
        assert call_inside(cloud, call_requests_with_retries, busy).raised == (
            "RetryError",
            "MaxRetryError",
            "ResponseError",
        )

    def test_end_in_the_lost_connection(self, cloud: Cloud) -> None:
        """Connections that are lost without an end raise what a closed connection raises."""
        fault = {"times": 100, "drop": True}
        assert call_inside(cloud, call_urllib3, fault).raised == (
            "MaxRetryError",
            "ProtocolError",
            "RemoteDisconnected",
        )
        assert call_inside(cloud, call_sdk, fault).raised == ("ConnectionError", "ProtocolError", "RemoteDisconnected")

    @pytest.mark.parametrize("client", [call_urllib3, call_requests_with_retries])
    def test_wait_as_long_as_retry_after_says(
        self, cloud: Cloud, waits: list[float], client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A header Retry-After delays the next attempt, as over HTTP."""
        handle = OapiDoor.handle
        answers = iter([HttpResponse(503, b"{}", {"Retry-After": "7"}), HttpResponse(429, b"{}", {"Retry-After": "9"})])
        monkeypatch.setattr(OapiDoor, "handle", lambda *request: next(answers, None) or handle(*request))
        assert call_inside(cloud, client, {}).status == 200
        assert waits == [7, 9]

    def test_leave_no_connection_of_the_pool_in_use(self, cloud: Cloud, alice: Account) -> None:
        """A pool of one connection serves one request after the other, whether or not their answers were read."""
        with cloud.intercept(), urllib3.PoolManager(maxsize=1, block=True) as pool:
            url = f"{make_endpoint('api', alice.region)}/api/v1/ReadRegions"
            answers = [pool.request("POST", url, preload_content=False, pool_timeout=0.1) for _ in range(3)]
        assert [answer.status for answer in answers] == [200] * 3


class TestAnswers:
    """What a response of each library offers is what it offers over HTTP."""

    @pytest.mark.parametrize("place", ["inside", "over http", "gateway"])
    def test_of_requests_have_a_reason_and_can_be_streamed(
        self, cloud: Cloud, alice: Account, server: Running, place: str
    ) -> None:
        """`reason`, `raise_for_status` and `iter_content` work through every door."""
        session = alice.gateway().call.session if place == "gateway" else requests.Session()
        url = f"{server.url if place == 'over http' else make_endpoint('api', alice.region)}/api/v1/ReadVms"
        with cloud.intercept(), session:
            answer = session.post(url, json={}, stream=True, timeout=60)
        assert (answer.status_code, answer.reason) == (401, "Unauthorized")
        with pytest.raises(requests.HTTPError, match="401 Client Error: Unauthorized for url"):
            answer.raise_for_status()
        assert b"".join(answer.iter_content(16)).startswith(b'{"Errors"')

    @pytest.mark.parametrize("place", ["inside", "over http"])
    def test_of_requests_are_the_same_however_they_are_sent(
        self, cloud: Cloud, alice: Account, server: Running, place: str
    ) -> None:
        """A plain request, which is answered without a pool, looks like one of a pool: with retries, or streamed."""
        url = f"{server.url if place == 'over http' else make_endpoint('api', alice.region)}/api/v1/ReadRegions"
        with cloud.intercept(), requests.Session() as plain, requests.Session() as retrying:
            retrying.mount("https://", HTTPAdapter(max_retries=1))
            answers = [
                plain.post(url, timeout=60),
                plain.post(url, json={}, timeout=(60, 60)),
                plain.post(url, json={}, timeout=60, stream=True),
                retrying.post(url, json={}, timeout=60),
            ]
        for answer in answers:
            assert answer.json()["Regions"]
            assert answer.headers["Content-Length"] == str(len(answer.content))
            assert b"".join(answer.iter_content(100)) == answer.content
            assert answer.raw.read() == b""
            assert not answer.cookies
        looks = {(r.status_code, r.reason, r.encoding, r.url, r.raw.version, len(r.history)) for r in answers}
        assert looks == {(200, "OK", "utf-8", url, 11, 0)}

    @pytest.mark.parametrize("make_body", [bytes, bytearray, memoryview, BytesIO])
    def test_of_requests_do_not_depend_on_the_type_of_the_body(
        self, cloud: Cloud, alice: Account, make_body: Callable[[bytes], Any]
    ) -> None:
        """A body may be of any type that requests sends over a network."""
        with cloud.intercept():
            url = f"{make_endpoint('api', alice.region)}/api/v1/ReadRegions"
            answer = requests.post(url, data=make_body(b"{}"), timeout=60)
        assert answer.status_code == 200

    def test_of_requests_come_from_a_tool_that_has_replaced_its_adapter(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A library such as responses, which replaces `HTTPAdapter.send`, keeps answering in front of the cloud."""
        monkeypatch.setattr(HTTPAdapter, "send", lambda *_args, **_options: requests.Response())
        with cloud.intercept():
            answer = requests.post(f"{make_endpoint('api', alice.region)}/api/v1/ReadRegions", timeout=60)
        assert answer.status_code is None

    def test_of_aiohttp_need_not_be_read(self, cloud: Cloud, alice: Account) -> None:
        """A response that is not read, a body in chunks and an awaited 100-continue end as over HTTP."""
        url = f"{make_endpoint('api', alice.region)}/api/v1/ReadRegions"

        async def body() -> AsyncIterator[bytes]:
            yield b"{"
            yield b"}"

        async def call() -> list[int]:
            async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
                async with session.post(url, data=body(), expect100=True) as chunked:
                    await chunked.read()
                return [chunked.status, *[(await session.post(url, data=b"{}")).status for _ in range(2)]]

        with cloud.intercept():
            assert asyncio.run(call()) == [200] * 3

    @pytest.mark.parametrize("service", ["oos", "api", "fcu"])
    @pytest.mark.parametrize("library", ["requests", "urllib3", "httpx", "aiohttp"])
    def test_have_no_body_after_head(self, cloud: Cloud, alice: Account, library: str, service: str) -> None:
        """The answer to HEAD has one Content-Length, that of the object or of the refusal, and no body."""
        oos = alice.client("oos")
        oos.create_bucket(Bucket="golden")
        oos.put_object(Bucket="golden", Key="manifest", Body=b"abc" * 100)
        url = oos.generate_presigned_url("head_object", Params={"Bucket": "golden", "Key": "manifest"})
        if service != "oos":
            url = make_endpoint(service, alice.region)

        async def head() -> tuple[Mapping[str, str], bytes]:
            async with aiohttp.ClientSession() as session, session.head(url) as answer:
                return answer.headers, await answer.read()

        def call(send: Callable[[], Any], body: str) -> tuple[Mapping[str, str], bytes]:
            answer = send()
            return answer.headers, getattr(answer, body)

        heads: dict[str, Callable[[], tuple[Mapping[str, str], bytes]]] = {
            "requests": lambda: call(lambda: requests.head(url, timeout=60), "content"),
            "urllib3": lambda: call(lambda: urllib3.request("HEAD", url), "data"),
            "httpx": lambda: call(lambda: httpx.head(url), "content"),
            "aiohttp": lambda: asyncio.run(head()),
        }
        with cloud.intercept():
            headers, body = heads[library]()
        assert body == b""
        (length,) = [int(value) for name, value in headers.items() if name.lower() == "content-length"]
        assert length == 300 if service == "oos" else length > 100

    @pytest.mark.parametrize("value", ["é", b"\xe9", "é".encode(), "€", "a\n", b"a\r\nb: c", "a\t"], ids=ascii)
    @pytest.mark.parametrize("library", ["requests", "urllib3", "httpx"])
    def test_depend_on_the_bytes_of_a_header(
        self, cloud: Cloud, server: Running, library: str, value: str | bytes
    ) -> None:
        """A header arrives as over HTTP, in Latin-1, or raises the library's own error."""
        puts: dict[str, Callable[[str, dict[str, Any]], object]] = {
            "requests": lambda url, headers: requests.put(url, headers=headers, timeout=60),
            "urllib3": lambda url, headers: urllib3.request("PUT", url, headers=headers),
            "httpx": lambda url, headers: httpx.put(url, headers=headers),
        }

        def put(cloud: Cloud) -> dict[str, str] | str:
            oos = cloud.account("alice").client("oos")
            oos.create_bucket(Bucket="golden", ACL="public-read-write")
            endpoint = server.url if cloud is server.cloud else make_endpoint("oos", cloud.account("alice").region)
            url = f"{endpoint}/golden/a"
            try:
                puts[library](url, {"Host": "oos.eu-west-2.outscale.com", "x-amz-meta-name": value})
            except (ValueError, httpx.LocalProtocolError) as error:
                return repr(error)
            metadata: dict[str, str] = oos.head_object(Bucket="golden", Key="a")["Metadata"]
            return metadata

        with cloud.intercept():
            inside = put(cloud)
        with server.cloud.savepoint():
            assert inside == put(server.cloud)

    def test_of_aiohttp_to_a_long_request_come_soon(self, cloud: Cloud, alice: Account) -> None:
        """The time to read a request in many pieces grows with its length, not with the square of it."""
        oos = alice.client("oos")
        oos.create_bucket(Bucket="golden")
        url = oos.generate_presigned_url("put_object", Params={"Bucket": "golden", "Key": "disk"})

        async def body() -> AsyncIterator[bytes]:
            for _ in range(8192):
                yield bytes(4096)

        async def put(**headers: str) -> int:
            async with asyncio.timeout(20), aiohttp.ClientSession(headers=headers) as session:
                return (await session.put(url, data=body())).status

        with cloud.intercept():
            assert [asyncio.run(put()), asyncio.run(put(**{"Content-Length": str(2**25)}))] == [200, 200]
        assert oos.head_object(Bucket="golden", Key="disk")["ContentLength"] == 2**25

    def test_of_aiohttp_are_not_left_to_a_later_context(self, cloud: Cloud, alice: Account) -> None:
        """A session that outlives a context makes a new connection: no earlier cloud answers."""
        url = f"{make_endpoint('api', alice.region)}/api/v1/ReadRegions"

        async def call() -> None:
            async with aiohttp.ClientSession() as session:
                with cloud.intercept():
                    await (await session.post(url, json={})).read()
                with guard_hosts(), pytest.raises(NotServed, match="ReadRegions"):
                    await session.post(url, json={})

        asyncio.run(call())


class TestLateImports:
    @pytest.mark.parametrize("library", ["requests", "urllib3", "httpx", "aiohttp", "aiobotocore.session", "boto3"])
    def test_are_reached_too(self, library: str) -> None:
        """A library that is imported within the context reaches the cloud; omisim imports none by itself."""
        code = f"""
            import sys
            from omisim import Account, Cloud

            with Cloud().intercept():
                roots = {{name.partition(".")[0] for name in sys.modules}}
                assert not roots & {{"requests", "urllib3", "httpx", "aiohttp", "aiobotocore", "botocore"}}, roots
                import {library}
                from omisim.clients.intercept.patches import _applied
                print(*sorted(_applied))
            assert not _applied and not any(type(finder).__module__.startswith("omisim") for finder in sys.meta_path)
        """
        run = run_forked(dedent(code), TESTS, "omisim.cloud")
        assert (run.status, run.stderr) == (0, "")
        assert {
            "requests": "urllib3.connectionpool",
            "urllib3": "urllib3.connectionpool",
            "httpx": "httpx",
            "aiohttp": "aiohttp.connector",
            "aiobotocore.session": "aiobotocore.httpsession",
            "boto3": "botocore.auth",
        }[library] in run.stdout.split()
