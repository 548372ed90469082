"""Programs that are not Python's, or not ours: they run as they are, against the server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omisim import Account, Cloud
from omisim.server import Running

OSC_CLI = shutil.which("osc-cli", path=str(Path(sys.executable).parent))
CURL = shutil.which("curl")


@pytest.fixture(name="server", params=[False, True], ids=["http", "tls"])
def _server(cloud: Cloud, alice: Account, request: pytest.FixtureRequest) -> Iterator[Running]:
    with cloud.serve(tls=request.param) as running:
        yield running


@pytest.mark.skipif(OSC_CLI is None, reason="osc-cli is not installed")
class TestOscCli:
    """osc-cli 1.11: a doubled slash in its paths, OSC4 without the content type, Basic on demand."""

    @pytest.fixture(name="run")
    def _run(self, alice: Account, server: Running, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
        profile = {
            "access_key": alice.access_key,
            "secret_key": alice.secret_key,
            "region": alice.region,
            "endpoint": server.url,
            "https": server.url.startswith("https"),
        }
        (tmp_path / ".osc").mkdir()
        (tmp_path / ".osc" / "config.json").write_text(json.dumps({"default": profile}))
        environment = os.environ | {"HOME": str(tmp_path)} | ({"REQUESTS_CA_BUNDLE": server.ca} if server.ca else {})

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            command = [str(OSC_CLI), "api", *words]
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

        return run

    def test_creates_and_deletes_a_keypair(self, alice: Account, run: Callable[..., Any]) -> None:
        """The shell flow of osc-cli creates, reads and deletes a keypair. [REQ-015]"""
        keypair = json.loads(run("CreateKeypair", "--KeypairName", "k").stdout)["Keypair"]
        assert [pair.keypair_id for pair in alice.read_keypairs()] == [keypair["KeypairId"]]
        assert run("DeleteKeypair", "--KeypairName", "k").returncode == 0
        assert alice.read_keypairs() == ()

    def test_reads_a_refusal(self, run: Callable[..., Any]) -> None:
        """A refusal reaches osc-cli as status 400 with its code and type. [REQ-009]"""
        answer = run("ReadImages", "--Filters", '"bad_filter"')
        assert answer.returncode == 1
        assert "status = 400, code = 4110, code_type = InvalidParameterValue" in answer.stderr

    def test_authenticates_with_a_password(self, alice: Account, run: Callable[..., Any]) -> None:
        """Basic authentication is accepted by the actions on access keys. [AUTH-012]"""
        login = ("--authentication_method", "password", "--login", alice.email, "--password", alice.password)
        keys = json.loads(run("ReadAccessKeys", *login).stdout)["AccessKeys"]
        assert [key["AccessKeyId"] for key in keys] == [alice.access_key]


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
class TestCurl:
    """curl --aws-sigv4: the scope comes from the host name, or from its argument."""

    @pytest.mark.parametrize("provider", ["osc", "aws:amz:eu-west-2:api"])
    def test_signs_its_requests_in_both_dialects(self, alice: Account, server: Running, provider: str) -> None:
        """Both dialects are verified, whatever service and Region they name. [AUTH-002, AUTH-003]"""
        parameters = {"Filters": {"ImageNames": ["Ubuntu*"], "AccountAliases": ["Outscale"]}}
        for secret, status in ((alice.secret_key, "200"), ("wrong", "401")):
            answer = subprocess.run(
                [
                    *(str(CURL), "-sS", "-w", "\n%{http_code}", "--aws-sigv4", provider),
                    *("--user", f"{alice.access_key}:{secret}", "-H", "Content-Type: application/json"),
                    *(("--cacert", server.ca) if server.ca else ()),
                    *("-d", json.dumps(parameters), f"{server.url}/api/v1/ReadImages"),
                ],
                capture_output=True,
                text=True,
                check=True,
            )
            body, _, code = answer.stdout.rpartition("\n")
            assert code == status
            assert ("Images" in json.loads(body)) == (status == "200")

    @pytest.mark.parametrize(
        ("provider", "url", "answer"),
        [
            ("osc", "http://api.eu-west-2.outscale.com/api/v1/ReadNets", '"Nets":[]'),
            ("aws:amz:eu-west-2:ec2", "http://fcu.eu-west-2.outscale.com/?Action=DescribeVpcs", "<vpcSet/>"),
            ("aws:amz:eu-west-2:s3", "http://oos.eu-west-2.outscale.com/", "ListAllMyBucketsResult"),
        ],
    )
    def test_reaches_a_service_by_its_host_name(
        self, cloud: Cloud, alice: Account, provider: str, url: str, answer: str
    ) -> None:
        """A server is an HTTP proxy for the host names of its services: an endpoint needs no path. [REQ-015]"""
        with cloud.serve() as server:
            run = subprocess.run(
                [
                    *(str(CURL), "-sS", "--noproxy", "", "--proxy", server.url, "--aws-sigv4", provider),
                    *("--user", f"{alice.access_key}:{alice.secret_key}"),
                    *(url, *(("-X", "POST") if provider == "osc" else ())),
                ],
                capture_output=True,
                text=True,
                check=True,
            )
        assert answer in run.stdout
