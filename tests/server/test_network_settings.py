"""Proxies, certificates and addresses: what a machine's network settings do to clients, in the process and outside."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import boto3
import httpx
import pytest
import requests
import trustme
import urllib3
from botocore.utils import should_bypass_proxies
from osc_sdk_python import Gateway

from omisim import Account, Cloud
from omisim.clients.gateway import speed_up_gateways
from omisim.clients.replaced_values import isolated_environ
from omisim.server import run_server
from omisim.tools.cli import main

DEAD = "http://127.0.0.1:9"  # a proxy that does not answer
REGIONS = "https://api.eu-west-2.outscale.com/api/v1/ReadRegions"


@pytest.fixture(name="proxy", autouse=True)
def _proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which every request goes through a proxy that does not answer."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, DEAD)
        monkeypatch.setenv(name.lower(), DEAD)
    for name in ("NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def call_requests(url: str, **options: Any) -> int:
    """Call by a session of requests."""
    with requests.Session() as session:
        session.trust_env = options.pop("trust_env", True)
        return session.post(url, json={}, timeout=60, **options).status_code


def call_httpx(url: str) -> int:
    """Call by httpx, which reads the proxies of the environment."""
    with httpx.Client() as client:
        return client.post(url, json={}).status_code


def call_aiohttp(url: str, proxy: str | None = None) -> int:
    """Call by aiohttp, which reads them only with `trust_env=True`."""

    async def call() -> int:
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            session.post(url, json={}, proxy=proxy) as answer,
        ):
            return answer.status

    return asyncio.run(call())


def call_urllib3(url: str) -> int:
    """Call by a manager of a proxy."""
    with urllib3.ProxyManager(DEAD) as manager:
        return manager.request("POST", url, json={}, retries=False).status


CALLS: dict[str, Callable[[str], int]] = {
    "requests": call_requests,
    "requests without its environment": lambda url: call_requests(url, trust_env=False),
    "requests with a proxy": lambda url: call_requests(url, proxies={"http": DEAD, "https": DEAD}),
    "httpx": call_httpx,
    "aiohttp": call_aiohttp,
    "aiohttp with a proxy": lambda url: call_aiohttp(url, DEAD),
    "urllib3": call_urllib3,
}


class TestProxyInTheProcess:
    @pytest.mark.parametrize("scheme", ["https", "http"])
    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    def test_is_not_used(self, cloud: Cloud, call: Callable[[str], int], scheme: str) -> None:
        """An intercepted request never reaches the proxy, whichever way its client has found it."""
        with cloud.intercept():
            assert call(REGIONS.replace("https", scheme)) == 200
        assert len(cloud.calls("ReadRegions")) == 1

    def test_is_not_used_by_the_sdk_and_boto3(self, alice: Account) -> None:
        """The SDK and boto3 inside `account.environment()` never use the proxy."""
        with alice.environment():
            assert Gateway().ReadVms()["Vms"] == []
            assert boto3.client("s3").list_buckets()["Buckets"] == []

    def test_is_not_searched_for(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """Requests does not read every environment variable for a call that does not leave the process."""
        searched: list[str] = []

        def should_bypass(url: str, **_: Any) -> bool:
            searched.append(url)
            return True

        monkeypatch.setattr(requests.utils, "should_bypass_proxies", should_bypass)
        with cloud.intercept():
            assert call_requests(REGIONS) == 200
            assert searched == []
            with pytest.raises(requests.exceptions.ConnectionError):
                call_requests("http://127.0.0.1:9/")
        assert searched == ["http://127.0.0.1:9/"]

    @pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "not a URL"])
    def test_may_be_one_that_requests_cannot_use(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, proxy: str
    ) -> None:
        """A proxy that needs another package, or is invalid, does not disturb a call that stays in the process."""
        monkeypatch.setenv("https_proxy", proxy)
        with cloud.intercept():
            assert call_requests(REGIONS) == 200

    def test_is_used_for_other_hosts(self, cloud: Cloud) -> None:
        """A request to another host goes through the proxy as before."""
        with cloud.intercept(), pytest.raises(requests.exceptions.ProxyError):
            call_requests("https://example.com/")


class TestProxyOfTheServer:
    def test_is_passed_by_with_the_variables_of_the_server(self, cloud: Cloud, alice: Account) -> None:
        """`server.env(account)` exempts the server from the proxy, for every client."""
        with cloud.serve() as server, isolated_environ("OSC_", "AWS_", **server.env(alice)), speed_up_gateways():
            assert Gateway().ReadVms()["Vms"] == []
            assert boto3.client("s3").list_buckets()["Buckets"] == []
            for call in (call_requests, call_httpx, call_aiohttp):
                assert call(f"{server.url}/api/v1/ReadRegions") == 200

    def test_keeps_the_hosts_that_are_exempt_already(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An existing NO_PROXY is kept, in both spellings, and each host is named once."""
        monkeypatch.setenv("NO_PROXY", "intranet.example, 127.0.0.1")
        monkeypatch.setenv("no_proxy", ".lower.example")
        with cloud.serve() as server:
            variables = server.env(alice)
        expected = "intranet.example,127.0.0.1,.lower.example,localhost,::1"
        assert (variables["NO_PROXY"], variables["no_proxy"]) == (expected, expected)

    def test_is_passed_by_with_omisim_env(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`omisim env` keeps the hosts of the shell that it runs in, and reaches the server past its proxy."""
        with cloud.serve() as server:
            monkeypatch.setenv("NO_PROXY", "shell.example")
            assert main(["env", alice.name, "--url", server.url, f"--token={server.token}"]) == 0
        assert "export NO_PROXY=shell.example,127.0.0.1,localhost,::1" in capsys.readouterr().out.splitlines()


class TestEnvCommand:
    @pytest.mark.parametrize("path", ["/", "/_omisim/#token=t"])
    def test_names_the_server(
        self, cloud: Cloud, alice: Account, capsys: pytest.CaptureFixture[str], path: str
    ) -> None:
        """After `eval "$(omisim env)"`, the shell's commands and requests find the server by OMISIM_URL."""
        with cloud.serve() as server:
            assert main(["env", alice.name, "--url", f"{server.url}{path}", f"--token={server.token}"]) == 0
            assert f"export OMISIM_URL={server.url}" in capsys.readouterr().out.splitlines()

    def test_names_the_cloud(self, cloud: Cloud, alice: Account, capsys: pytest.CaptureFixture[str]) -> None:
        """After `eval "$(omisim env --cloud job)"`, the shell's commands ask the cloud of its clients."""
        with cloud.serve() as server:
            server.clouds.create(name="job").cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
            assert main(["env", alice.name, "--url", server.url, "--token", server.token, "--cloud", "job"]) == 0
            assert "export OMISIM_CLOUD=job" in capsys.readouterr().out.splitlines()
            with isolated_environ(OMISIM_URL=server.url, OMISIM_TOKEN=server.token, OMISIM_CLOUD="job"):
                assert main(["timeline", "--account", "alice"]) == 0
            assert "volume vol-" in capsys.readouterr().out


class TestCertificates:
    def test_of_the_machine_do_not_matter_in_the_process(self, alice: Account, tmp_path: Path) -> None:
        """An authority of the machine's own does not keep an intercepted client from the cloud."""
        authority = tmp_path / "ca.pem"
        trustme.CA().cert_pem.write_to_path(str(authority))
        with isolated_environ(REQUESTS_CA_BUNDLE=str(authority), SSL_CERT_FILE=str(authority)), alice.environment():
            assert call_requests(REGIONS) == call_httpx(REGIONS) == call_aiohttp(REGIONS) == 200

    def test_of_the_server_take_precedence_over_those_of_the_machine(
        self, cloud: Cloud, alice: Account, tmp_path: Path
    ) -> None:
        """The variables of a server with TLS replace the machine's bundle, which does not know its certificate."""
        with cloud.serve(tls=True) as server, isolated_environ(REQUESTS_CA_BUNDLE=str(tmp_path / "none.pem")):
            with isolated_environ("OSC_", "AWS_", **server.env(alice)), speed_up_gateways():
                assert Gateway().ReadVms()["Vms"] == []
                assert call_httpx(f"{server.url}/api/v1/ReadRegions") == 200
            assert os.environ["REQUESTS_CA_BUNDLE"] == str(tmp_path / "none.pem")

    def test_are_named_by_a_path_that_every_directory_understands(
        self, cloud: Cloud, alice: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Clients run in another directory than the server whose certificate was given by a relative path."""
        monkeypatch.chdir(tmp_path)
        certificate = trustme.CA().issue_cert("127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path("cert.pem")
        certificate.private_key_pem.write_to_path("key.pem")
        with cloud.serve(tls=("cert.pem", "key.pem")) as server:
            for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
                assert server.env(alice)[name] == str(tmp_path / "cert.pem")

    def test_name_the_hosts_that_are_allowed(self, cloud: Cloud) -> None:
        """A generated certificate is valid for the names by which other machines reach the server."""
        with run_server(cloud, tls=True, token="t", hosts=["omisim"]) as server:
            address = urlsplit(server.url)
            trusting = ssl.create_default_context(cafile=server.ca)
            with (
                socket.create_connection((address.hostname, address.port), timeout=60) as plain,
                trusting.wrap_socket(plain, server_hostname="omisim") as secure,
            ):
                assert secure.getpeercert()


class TestIpv6:
    @pytest.mark.parametrize("tls", [False, True])
    def test_address_can_be_served(self, cloud: Cloud, alice: Account, tls: bool) -> None:
        """A server on ::1 has a URL with brackets, a certificate for it, and is exempt from the proxy."""
        try:
            context = cloud.serve(host="::1", tls=tls)
            server = context.__enter__()
        except OSError:
            pytest.skip("this machine has no IPv6")
        try:
            assert server.url.partition("://")[2].startswith("[::1]:")
            with isolated_environ("OSC_", "AWS_", **server.env(alice)), speed_up_gateways():
                assert Gateway().ReadVms()["Vms"] == []
                for call in (call_requests, call_httpx, *(() if tls else (call_aiohttp,))):
                    assert (
                        call(f"{server.url}/api/v1/ReadRegions") == 200
                    )  # aiohttp has its authorities since its import
                with isolated_environ("HTTP", "http"):  # see the next test
                    assert boto3.client("s3").list_buckets()["Buckets"] == []
        finally:
            context.__exit__(None, None, None)

    @pytest.mark.parametrize(("spelling", "works"), [("::1", ["httpx"]), ("::1,[::1]", ["botocore"])])
    def test_no_spelling_of_ipv6_localhost_suits_every_client(
        self, monkeypatch: pytest.MonkeyPatch, spelling: str, works: list[str]
    ) -> None:
        """Botocore wants [::1] in NO_PROXY, with which httpx cannot start: the documented limit."""
        monkeypatch.setenv("no_proxy", spelling)
        suited = ["botocore"] if should_bypass_proxies("http://[::1]:8000/") else []
        with suppress(httpx.InvalidURL):
            httpx.Client().close()
            suited.append("httpx")
        assert suited == works

    def test_localhost_is_answered_where_it_means_ipv6(self, cloud: Cloud) -> None:
        """A client that resolves localhost to ::1 first falls back to 127.0.0.1, on which a server listens."""
        with cloud.serve() as server:
            url = server.url.replace("127.0.0.1", "localhost")
            assert call_requests(f"{url}/api/v1/ReadRegions", trust_env=False) == 200
