"""The server: real clients over HTTP and TLS, the control plane, and `omisim serve` as a process."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

import boto3
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate
from osc_sdk_python import Gateway
from osc_sdk_python.authentication import Authentication
from osc_sdk_python.credentials import Profile
from support.storing import BUCKET

from omisim import Account, Cloud
from omisim.clients.gateway import speed_up_gateways
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.model import Image
from omisim.server import Limits, Running, host
from omisim.server.app import App
from omisim.server.client import Client
from omisim.server.endpoints import ENDPOINTS, describe
from omisim.server.streams import MAX_STREAMS, ChangeFeed
from omisim.tools.cli import main


@pytest.fixture(name="server")
def _server(cloud: Cloud, alice: Account) -> Iterator[Running]:
    with cloud.serve() as running:
        yield running


@pytest.fixture(name="control")
def _control(server: Running) -> Client:
    return Client(server.url, server.token)


def post(url: str, body: Any = b"{}", **more: Any) -> requests.Response:
    """Send a request of no particular client."""
    return requests.post(url, data=body, timeout=10, **more)


class TestClientsOfTheServer:
    @pytest.mark.parametrize("tls", [False, True])
    def test_of_the_official_sdk_find_it_by_the_environment(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch, tls: bool
    ) -> None:
        """An unmodified Gateway that reads OSC_* is signed in, over HTTP and over TLS. [AUTH-002]"""
        with cloud.serve(tls=tls) as server:
            for name, value in server.env(alice).items():
                monkeypatch.setenv(name, value)
            with speed_up_gateways():
                gateway = Gateway()
            volume = gateway.CreateVolume(SubregionName="eu-west-2a", Size=1)["Volume"]
        assert server.url.startswith("https" if tls else "http:")
        assert cloud.engine.state.get("volume", volume["VolumeId"]).account_id == alice.account_id

    def test_get_an_environment_for_its_accounts_only(self, cloud: Cloud, alice: Account) -> None:
        """An account of another cloud, or a name, is refused; one with the same key, as of a fork, is not."""
        other = Cloud()
        other.account("zoe")
        with cloud.serve() as server:
            wrong: Any
            for wrong in (Cloud(seed=9).account("alice"), other.account("zoe"), "alice"):
                with pytest.raises(ValueError, match=r"must be one of the served cloud \(server\.cloud\.account"):
                    server.env(wrong)
            assert server.env(alice) == server.env(cloud.fork().account("alice")) == server.env(other.account("alice"))

    def test_of_boto3_find_its_buckets(
        self, cloud: Cloud, alice: Account, server: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """boto3 with nothing but the environment stores objects, and signs URLs for any client. [OOS-001, OOS-003]"""
        for name, value in server.env(alice).items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="a b/ç", Body=b"x" * 100_000)
        url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a b/ç"})
        assert url.startswith(server.url)
        assert requests.get(url, timeout=10).content == b"x" * 100_000
        head = client.head_object(Bucket=BUCKET, Key="a b/ç")
        assert head["ContentLength"] == 100_000

    def test_import_by_a_url_of_the_server(
        self, cloud: Cloud, alice: Account, server: Running, golden: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A URL of a manifest may name the server instead of oos.<Region>. [IMP-002]"""
        for name, value in server.env(alice).items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        alice.create_image_export_task(
            image_id=golden.image_id, osu_export={"disk_image_format": "raw", "osu_bucket": BUCKET}
        )
        key = f"{golden.image_id}/manifest.json"
        url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
        carol = cloud.account("carol", region="us-east-2")
        assert carol.create_image(file_location=url, image_name="theirs").state == "pending"

    def test_may_be_64_at_once(self, cloud: Cloud, alice: Account, server: Running) -> None:
        """64 concurrent connections lose no update and meet no error."""
        session = [requests.Session() for _ in range(64)]
        gateways = [_get_signed(alice, server) for _ in range(64)]

        def create(number: int) -> int:
            return post_signed(session[number], gateways[number])

        with ThreadPoolExecutor(64) as pool:
            statuses = list(pool.map(create, range(64)))
        assert statuses == [200] * 64
        assert len(alice.read_volumes()) == 64

    @pytest.mark.parametrize("path", ["/api/v1/ReadRegions", "/api/latest/ReadRegions", "//api/latest/ReadRegions"])
    def test_may_use_any_path_of_an_action(self, server: Running, path: str) -> None:
        """Doubled slashes and both versions are equivalent. [REQ-001]"""
        line = HTTPConnection(server.url.partition("//")[2], timeout=10)  # requests would mend the path
        line.request("POST", path, b"{}")
        assert json.loads(line.getresponse().read())["Regions"]
        line.close()

    def test_are_refused_as_by_the_api(self, server: Running) -> None:
        """A missing signature, an unknown action and invalid JSON have their status, code and rule.

        [AUTH-005, REQ-002]
        """
        answers = [post(f"{server.url}/api/v1/ReadVms"), post(f"{server.url}/api/v1/Nothing")]
        assert [answer.status_code for answer in answers] == [401, 401]
        assert answers[0].headers["X-Omisim-Rule"] == "AUTH-005"
        assert answers[0].headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize(
        "raw",
        [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /api/v1/ReadVms HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
            b"POST /%ff%00 HTTP/1.1\r\nHost: oos.mars.outscale.com\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"POST /api/v1/ReadRegions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ],
    )
    def test_that_send_garbage_get_an_answer(self, server: Running, raw: bytes) -> None:
        """Any bytes on a connection are answered, and the server goes on."""
        address = server.url.rpartition("/")[2].partition(":")
        with socket.create_connection((address[0], int(address[2])), timeout=10) as line:
            line.sendall(raw)
            assert line.recv(12).startswith(b"HTTP/1.1 ")
        assert requests.get(f"{server.url}/_omisim/health", timeout=10).status_code == 200


class TestSilentConnections:
    """Connections that a client opens in advance, and on which it sends nothing yet."""

    @staticmethod
    def _open(server: Running) -> socket.socket:
        host, _, port = server.url.rpartition("/")[2].partition(":")
        line = socket.create_connection((host, int(port)), timeout=10)
        if server.ca is None:
            return line
        return ssl.create_default_context(cafile=server.ca).wrap_socket(line, server_hostname=host)

    @pytest.mark.parametrize("tls", [False, True])
    def test_are_closed_without_an_answer(self, cloud: Cloud, tls: bool) -> None:
        """The server closes a silent connection after a minute and sends nothing on it. [REQ-019]"""
        assert Limits().idle_seconds >= 60
        with cloud.serve(tls=tls, limits=Limits(idle_seconds=0.1)) as server, self._open(server) as line:
            assert line.recv(1) == b""

    def test_that_stop_in_a_request_are_told(self, cloud: Cloud) -> None:
        """A request that ends in its middle is answered by 408. [REQ-019]"""
        with cloud.serve(limits=Limits(request_seconds=0.1)) as server, self._open(server) as line:
            line.sendall(b"POST /api/v1/ReadRegions HTTP/1.1\r\nHost: x\r\n")
            assert line.recv(12) == b"HTTP/1.1 408"

    @pytest.mark.parametrize("tls", [False, True])
    def test_leave_the_threads_to_others(self, cloud: Cloud, tls: bool) -> None:
        """With more silent connections than threads, requests are answered, the silent ones' own ones too. [REQ-019]"""
        with cloud.serve(tls=tls) as server, ExitStack() as stack:
            lines = [stack.enter_context(self._open(server)) for _ in range(host.THREADS + 4)]
            health = f"{server.url}/_omisim/health"
            assert requests.get(health, timeout=10, verify=server.ca or True).status_code == 200
            for line in (lines[0], lines[-1]):
                line.sendall(b"GET /_omisim/health HTTP/1.1\r\nHost: x\r\n\r\n")
                assert line.recv(12) == b"HTTP/1.1 200"


def _get_signed(account: Account, server: Running) -> Any:
    return account, server


def post_signed(session: requests.Session, whom: Any) -> int:
    """Create a volume over the line, signed by the SDK's own code; return the status."""
    account, server = whom
    host = server.url.partition("//")[2]
    profile = Profile(access_key=account.access_key, secret_key=account.secret_key, region=account.region)
    auth = Authentication(profile, host)
    body = json.dumps({"SubregionName": "eu-west-2a", "Size": 1})
    headers = auth.forge_headers_signed("/api/v1/CreateVolume", body)
    return session.post(f"{server.url}/api/v1/CreateVolume", data=body, headers=headers, timeout=30).status_code


class TestControlPlane:
    def test_needs_its_token(self, server: Running) -> None:
        """Health is open; every other endpoint needs the token."""
        assert requests.get(f"{server.url}/_omisim/health", timeout=10).json()["status"] == "ok"
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-Omisim-Token": "ü".encode()}):
            answer = requests.get(f"{server.url}/_omisim/dump", headers=headers, timeout=10)
            assert answer.status_code == 401
        good = {"X-Omisim-Token": server.token}
        assert requests.get(f"{server.url}/_omisim/dump", headers=good, timeout=10).status_code == 200

    def test_resets_the_cloud(self, cloud: Cloud, alice: Account, control: Client) -> None:
        """A reset forgets accounts, calls and faults."""
        control.post("faults", action="ReadVms")
        control.post("reset")
        assert (control.get("accounts"), control.get("calls"), control.get("faults")) == ([], [], [])

    def test_releases_marks(self, control: Client) -> None:
        """A mark can be released, and its history with it."""
        mark = control.post("savepoint")["mark"]
        control.delete("savepoint")
        with pytest.raises(ValueError, match="unknown mark"):
            control.post("rollback", mark=mark)

    def test_describes_every_endpoint(self, cloud: Cloud, control: Client) -> None:
        """The description lists the served endpoints, and nothing else."""
        assert set(App(cloud, "").control.endpoints) == set(ENDPOINTS)
        paths = control.get("openapi.json")["paths"]
        described = {(method.upper(), path.removeprefix("/_omisim/")) for path in paths for method in paths[path]}
        assert described == set(ENDPOINTS)

    def test_rolls_back_to_a_savepoint(self, alice: Account, control: Client) -> None:
        """A savepoint can be rolled back to repeatedly."""
        mark = control.post("savepoint")["mark"]
        for _ in range(2):
            alice.create_volume(subregion_name="eu-west-2a", size=1)
            control.post("rollback", mark=mark)
            assert alice.read_volumes() == ()

    def test_moves_time(self, server: Running, cloud: Cloud, control: Client) -> None:
        """Advance and settle move the clock of the cloud."""
        before = cloud.now
        control.post("advance", seconds=60)
        control.post("settle")
        assert (cloud.now - before).total_seconds() == 60

    def test_completes_and_fails_transitions(self) -> None:
        """complete, fail and fail_next do what the methods do."""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        with cloud.serve() as server:
            control = Client(server.url, server.token)
            first, second = (alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id for _ in range(2))
            control.post("complete", id=first)
            control.post("fail", id=second, comment="no disk")
            control.post("fail_next", kind="volume")
        assert [volume.state for volume in alice.read_volumes()] == ["available", "error"]

    def test_adds_lists_and_clears_faults(self, cloud: Cloud, alice: Account, control: Client) -> None:
        """A fault is added, listed and cleared."""
        control.post("faults", action="ReadVms", times=2, status=503)
        (fault,) = control.get("faults")
        assert (fault["action"], fault["times"], fault["error"]) == ("ReadVms", 2, "platform-throttled")
        control.delete("faults")
        assert len(cloud.faults) == 0

    def test_dumps_and_loads_the_cloud(self, alice: Account, server: Running, control: Client) -> None:
        """A loaded dump is served from then on."""
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        dump = control.get("dump")
        control.post("reset")
        assert control.get("accounts") == []
        control.post("load", **dump)
        assert server.cloud.account("alice").read_volumes()[0].volume_id == volume.volume_id

    def test_answers_timeline_events_and_calls(self, alice: Account, control: Client) -> None:
        """Timeline, events and calls are those of the cloud."""
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        assert [change["after"]["state"] for change in control.get("timeline", id=volume.volume_id)] == [
            "creating",
            "available",
        ]
        assert control.get("events")[-1]["id"] == volume.volume_id
        assert [call["action"] for call in control.get("calls", action="CreateVolume")] == ["CreateVolume"]

    def test_streams_events(self, alice: Account, control: Client) -> None:
        """A change arrives while it happens."""
        answers: list[dict[str, Any]] = []

        def listen() -> None:
            answers.append(next(control.events()))

        listener = Thread(target=listen)
        listener.start()
        while listener.is_alive():
            alice.create_volume(subregion_name="eu-west-2a", size=1)
            listener.join(0.05)
        assert answers[0]["kind"] in {"volume", "volume_link"}

    def test_streams_a_rollback_as_an_event(self, alice: Account, control: Client) -> None:
        """A rollback is an event, and the stream continues from there."""
        mark = control.post("savepoint")["mark"]
        feed = ChangeFeed(0)
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        assert "volume" in [data["kind"] for _, data in feed.read_new(alice.cloud)]
        control.post("rollback", mark=mark)
        feed.undone, feed.position = True, 0
        alice.create_keypair(keypair_name="k")
        news = feed.read_new(alice.cloud)
        assert news[0] == ("undone", {"seq": 0})
        kinds = [data["kind"] for _, data in news[1:]]
        assert "volume" not in kinds
        assert "keypair" in kinds

    def test_limits_the_number_of_streams(self, cloud: Cloud) -> None:
        """A stream takes a thread of the server: the ninth is refused, and one that ends makes room."""
        control = App(cloud, "t").control
        request = HttpRequest("GET", "", "/_omisim/events", {"accept": "text/event-stream", "x-omisim-token": "t"})
        streams = [control.handle(request) for _ in range(MAX_STREAMS)]
        assert cast("HttpResponse", control.handle(request)).status == 503
        streams.pop()
        assert not isinstance(control.handle(request), HttpResponse)

    def test_creates_accounts_with_credentials(self, cloud: Cloud, control: Client) -> None:
        """An account is answered with its credentials, and with the environment of clients."""
        new_account = control.post("accounts", name="carol", region="us-east-2")
        assert new_account["secret_key"] == cloud.account("carol").secret_key
        assert new_account["env"]["OSC_REGION"] == "us-east-2"
        assert [account["name"] for account in control.get("accounts")] == ["alice", "carol"]
        assert control.post("accounts", name="alice")["name"] == "alice"

    def test_sets_licences(self, cloud: Cloud, control: Client) -> None:
        """What a licence authorises is set, listed and taken back. [EXP-018]"""
        control.post("licences", code="0002", export=False)
        assert control.get("licences") == cloud.licences.all() == {"0002": False}
        control.post("licences", code="0002", export=None)
        assert control.get("licences") == {}
        with pytest.raises(ValueError, match="code must be one of 0002"):
            control.post("licences", code="2", export=False)

    def test_renews_official_omis(self, cloud: Cloud, control: Client) -> None:
        """A family of official OMIs is renewed, and the earlier one retired on request. [SHR-017/renewed]"""
        old = cloud.images.official("debian").image_id
        assert control.post("renew", family="debian", retire=True) == {
            "image_id": (new := cloud.images.official("debian")).image_id,
            "image_name": new.image_name,
        }
        assert old not in [image.image_id for image in cloud.images.all()]
        with pytest.raises(ValueError, match="family must match"):
            control.post("renew", family="beos")

    def test_reads_and_writes_files(self, alice: Account, control: Client) -> None:
        """The files of a volume are read and written."""
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        control.post("write", volume_id=volume_id, path="/a", text="ü")
        assert control.get("read", volume_id=volume_id, path="/a") == {"text": "ü"}

    @pytest.mark.parametrize(
        ("name", "parameters", "message"),
        [
            ("advance", {}, "seconds is required"),
            ("advance", {"seconds": "x"}, "seconds must be of type number, not 'x'"),
            ("advance", {"second": 1}, "unknown parameter 'second'; known: seconds"),
            ("settle", {"now": True}, "known: none"),
            ("advance", {"seconds": -1}, "non-negative"),
            ("rollback", {"mark": "9"}, "unknown mark"),
            ("complete", {"id": "vol-12345678"}, "no transition is in progress"),
            ("fail_next", {"kind": "keypair"}, "volume"),
            ("faults", {"action": "Nothing"}, "must be a served action"),
            ("faults", {"action": "ReadVms", "colour": 1}, "colour"),
            ("load", {"omisim": 99}, "dump"),
            ("accounts", {"name": "", "region": "mars"}, "name"),
            ("nothing", {}, "openapi.json"),
        ],
    )
    def test_explains_a_bad_request(self, control: Client, name: str, parameters: dict[str, Any], message: str) -> None:
        """A bad request is answered with one sentence."""
        with pytest.raises(ValueError, match=message):
            control.post(name, **parameters)

    @pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
    def test_refuses_a_body_that_is_not_an_object(self, server: Running, body: bytes) -> None:
        """A body is a JSON object."""
        headers = {"X-Omisim-Token": server.token}
        assert post(f"{server.url}/_omisim/settle", body, headers=headers).status_code == 400


class TestControlDescription:
    def test_is_valid_openapi(self) -> None:
        """The description of the control plane is OpenAPI 3.0."""
        validate(describe())

    def test_answers_405_with_the_methods_of_a_path(self, server: Running) -> None:
        """Another method is 405 with the allowed ones; HEAD is GET without a body."""
        headers = {"X-Omisim-Token": server.token}
        answer = requests.put(f"{server.url}/_omisim/faults", headers=headers, timeout=10)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, GET, DELETE")
        assert requests.head(f"{server.url}/_omisim/health", timeout=10).status_code == 200

    @settings(max_examples=150)
    @given(st.data())
    def test_covers_every_answer(self, data: st.DataObject) -> None:
        """Every answer, right or wrong, is described."""
        control = App(Cloud(timing="manual"), "t").control
        vm = control.cloud.account("alice").create_vms(image_id=control.cloud.images.official("debian").image_id)[0]
        ids = [vm.vm_id, vm.block_device_mappings[0].bsu.volume_id, "vol-00000000"]
        for _ in range(3):
            (method, name), endpoint = data.draw(st.sampled_from(sorted(ENDPOINTS.items(), key=str)))
            parameters = endpoint.parameters or {}
            drawn_parameters = {
                n: data.draw(_values(kind, ids)) for n, kind in parameters.items() if data.draw(st.integers(0, 4))
            }
            body = b"" if method == "GET" else json.dumps(drawn_parameters).encode()
            request = HttpRequest(
                method, "", f"/_omisim/{name}", {"x-omisim-token": "t"}, body, urlencode(drawn_parameters)
            )
            answer = cast("HttpResponse", control.handle(request))
            described = describe()["paths"][f"/_omisim/{name}"][method.lower()]["responses"]
            schema = described[str(answer.status)]["content"]["application/json"]["schema"]
            OAS30Validator(schema | {"components": describe()["components"]}).validate(json.loads(answer.body))


def _values(kind: str, ids: list[str]) -> st.SearchStrategy[Any]:
    """Draw values of a type of parameter, and of others."""
    sample_texts = ["alice", "CreateVms", "vm", "volume", "eu-west-2", "us-east-2", "1", "in-use", "/a", *ids]
    values: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(sample_texts) | st.text(max_size=5),
        "integer": st.integers(),
        "number": st.integers(-2, 10**5) | st.floats(),
        "boolean": st.booleans(),
        "object": st.dictionaries(st.sampled_from(["VmIds", "Filters"]), st.integers(), max_size=1),
    }
    return st.one_of(values[kind.rstrip("?")], values[kind.rstrip("?")], st.sampled_from([None, True, [], "x"]))


class Process:
    """`omisim serve` as a process."""

    started: ClassVar[list[subprocess.Popen[str]]] = []

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-W", "error", "-m", "omisim", "serve", "--port", "0", *words]
        self.run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.started.append(self.run)
        self.variables: dict[str, str] = {}
        assert self.run.stdout is not None
        for line in self.run.stdout:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                self.variables[name] = value
            if "is ready" in line:
                break

    @property
    def control(self) -> Client:
        """A client of its control plane."""
        return Client(self.variables["OMISIM_URL"], self.variables["OMISIM_TOKEN"])

    def stop(self) -> tuple[int, str]:
        """Tell it to stop; return its exit status and what it said."""
        self.run.send_signal(signal.SIGTERM)
        _, output = self.run.communicate(timeout=20)
        return self.run.returncode, output


@pytest.fixture(autouse=True)
def _kill_servers_of_a_failed_test() -> Iterator[None]:
    yield
    for run in Process.started:
        run.kill()  # does nothing to a process that has ended
        run.communicate()
    Process.started.clear()


class TestServeCommand:
    def test_stops_on_sigterm_and_saves_its_state(self, tmp_path: Path) -> None:
        """The server says when it is ready, stops on SIGTERM, saves, and continues from its saved state."""
        state = tmp_path / "state.json"
        first = Process("--state", str(state), "--account", "bob@us-east-2:AKAKAKAKAKAKAKAKAKAK:SKSK", "--seed", "7")
        assert first.variables["OSC_ACCESS_KEY"] == "AKAKAKAKAKAKAKAKAKAK"
        assert first.variables["OSC_SECRET_KEY"] == "SKSK"
        first.control.post("accounts", name="dave")
        assert first.stop() == (0, "")
        second = Process("--state", str(state), "--account", "bob:AKAKAKAKAKAKAKAKAKAK:SKSK")
        assert [account["name"] for account in second.control.get("accounts")] == ["bob", "dave"]
        assert second.stop() == (0, "")

    def test_starts_from_a_scenario_and_resets_to_it(self) -> None:
        """--scenario sets up the cloud; a reset undoes later changes, and every account keeps its keys."""
        process = Process("--scenario", "shared-image", "--account", "zed@us-east-2:ZEDSKEY:SECRET")
        before = process.control.get("accounts")
        assert {"alice", "bob", "zed"} <= {account["name"] for account in before}
        process.control.post("accounts", name="dave")
        process.control.post("reset")
        assert process.control.get("accounts") == before
        assert process.variables["OSC_SECRET_KEY"] == "SECRET"
        assert process.stop() == (0, "")

    def test_logs_its_requests(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """--log writes a line of JSON for each request; `omisim env` finds the account of a running server."""
        log = tmp_path / "log"
        process = Process("--log", str(log), "--token", "secret")
        monkeypatch.setenv("OMISIM_URL", process.variables["OMISIM_URL"])
        monkeypatch.setenv("OMISIM_TOKEN", process.variables["OMISIM_TOKEN"])
        assert main(["env"]) == 0
        assert main(["env", "nobody"]) == 1
        assert process.variables["OMISIM_TOKEN"] == "secret"
        post(f"{process.variables['OMISIM_URL']}/api/v1/ReadVms")
        assert process.stop() == (0, "")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert (lines[-1]["path"], lines[-1]["status"], lines[-1]["rule"]) == ("/api/v1/ReadVms", 401, "AUTH-005")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--account", ":AK:SK"], "NAME"),
            (["--account", "alice:AK"], "NAME"),
            (["--account", "alice@mars"], "region"),
            (["--account", "alice:AK:SK", "--account", "bob:AK:SK"], "belongs to another account"),
            (["--state", "/nowhere/at/all.json"], "directory does not exist"),
            (["--tls-cert", "cert.pem"], "must go together"),
            (["--tls-cert", "cert.pem", "--tls-key", "key.pem"], "cert.pem and key.pem must be a PEM certificate and"),
            (["--tls-cert", __file__, "--tls-key", __file__], "must be a PEM certificate"),
            (["--scenario", "nothing"], "shipped are"),
            (["--account", "alice:A/K:SK"], "ACCESS_KEY"),
            (["--host", "nowhere.invalid", "--token", "t"], "not known"),
            (["--host", "0.0.0.0"], "needs a token of your choice"),
            (["--host", "0.0.0.0", "--token", "t", "--auth", "off"], "needs auth='strict'"),
            (["--host", "0.0.0.0", "--token", "t", "--seed", "7"], "know the keys of --seed 7"),
            (["--limit", "size=1"], "with a name of body, head"),
            (["--limit", "body=²"], "must be a number from 0"),
            (["--limit", "body"], "must be a number from 0"),
        ],
    )
    def test_reports_a_wrong_option_in_one_line(
        self, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A wrong option is one clear line and exit status 1."""
        assert main(["serve", "--port", "0", *words]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1

    @pytest.mark.parametrize("port", ["65536", "-1", "http"])
    def test_refuses_an_invalid_port(self, port: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A port is a number from 0 to 65535."""
        with pytest.raises(SystemExit):
            main(["serve", "--port", port])
        assert f"from 0 to 65535, not {port}" in capsys.readouterr().err

    def test_refuses_a_port_that_is_taken(self, server: Running, capsys: pytest.CaptureFixture[str]) -> None:
        """A port in use is one clear line."""
        assert main(["serve", "--port", server.url.rpartition(":")[2]]) == 1
        assert capsys.readouterr().err.startswith("omisim serve: ")

    def test_refuses_a_damaged_state_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A file that is not a dump is refused, and not changed."""
        for text in ("", "{}", '{"omisim": 1}'):
            (tmp_path / "state.json").write_text(text)
            assert main(["serve", "--port", "0", "--state", str(tmp_path / "state.json")]) == 1
            assert "state.json" in capsys.readouterr().err
            assert (tmp_path / "state.json").read_text() == text

    def test_has_an_env_command_that_reports_no_server(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`omisim env` without a server is one clear line."""
        assert main(["env", "--url", "http://127.0.0.1:1"]) == 1
        reason = "no server answers at http://127.0.0.1:1: Connection refused; `omisim serve` starts one"
        assert capsys.readouterr().err == f"omisim env: {reason}\n"

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 404 No\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n\r\n<p>", b"SSH-2.0-x\r\n"])
    def test_has_an_env_command_that_reports_another_server(
        self, capsys: pytest.CaptureFixture[str], answer: bytes
    ) -> None:
        """The port of another program is one clear line, too."""
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def speak() -> None:
                line, _ = listening.accept()
                with line:
                    line.recv(4096)
                    line.sendall(answer)

            speaker = Thread(target=speak)
            speaker.start()
            assert main(["env", "--url", f"http://127.0.0.1:{listening.getsockname()[1]}"]) == 1
            speaker.join()
        error = capsys.readouterr().err
        assert "not an omisim server" in error
        assert error.count("\n") == 1


class TestActionsCommand:
    def test_lists_every_official_action(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`omisim actions` lists the 236 of the official description: served, or why not."""
        assert main(["actions", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert len(rows) == 236
        assert {row["action"] for row in rows if row["served"]} >= {"CreateImage", "DeleteExportTask"}
        assert all(row["served"] or row["reason"] for row in rows)
        assert main(["actions"]) == 0
        assert "CreateImage " in capsys.readouterr().out


def test_server_releases_its_port(cloud: Cloud) -> None:
    """After its context the port is free again."""
    with cloud.serve() as server:
        port = int(server.url.rpartition(":")[2])
    with cloud.serve(port=port) as second_server:
        assert second_server.url == server.url


@pytest.mark.parametrize("port", [-1, 65536, "8333"])
def test_serve_refuses_an_invalid_port(cloud: Cloud, port: Any) -> None:
    """`serve` refuses what is not a number from 0 to 65535, and opens no socket."""
    with pytest.raises(ValueError, match="port must be an int from 0 to 65535"), cloud.serve(port=port):
        pass
